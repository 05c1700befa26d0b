"""The packages in a root file system, read from what package managers keep: dpkg, apk, pip, npm. Pure.

Sources: dpkg(1) and deb-control(5), the apk-tools' installed database, Python's core metadata
(PEP 566), npm's package.json; package URLs as in the purl specification.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

#: What a file's path must look like, without the leading slash -> who wrote it.
KINDS = (
    ("dpkg", re.compile(r"var/lib/dpkg/(?:status|status\.d/[^/]+)")),
    ("apk", re.compile(r"lib/apk/db/installed|usr/lib/apk/db/installed")),
    ("pip", re.compile(r"(?:.*/)?(?:site|dist)-packages/[^/]+\.dist-info/METADATA")),
    ("pip", re.compile(r"(?:.*/)?(?:site|dist)-packages/[^/]+\.egg-info(?:/PKG-INFO)?")),
    ("npm", re.compile(r"(?:.*/)?node_modules/(?:@[^/]+/)?[^/]+/package\.json")),
    ("os", re.compile(r"etc/os-release|usr/lib/os-release")),
)


class Package(NamedTuple):
    """One package; `licence` is what it says itself, "" if it says nothing."""

    kind: str
    name: str
    version: str
    architecture: str = ""
    licence: str = ""
    supplier: str = ""
    homepage: str = ""

    def url(self, system: Mapping[str, str]) -> str:
        """Its package URL; `system` are the fields of os-release."""
        version = quote(self.version, safe="+~:.-_") if self.version else ""
        if self.kind in ("deb", "apk"):
            owner = system.get("ID", "debian" if self.kind == "deb" else "alpine")
            name = f"{owner}/{quote(self.name, safe='+.-_')}"
            release = f"{owner}-{system['VERSION_ID']}" if system.get("VERSION_ID") else ""
            facts = {"arch": self.architecture, "distro": release}
            more = "&".join(f"{key}={value}" for key, value in facts.items() if value)
            return f"pkg:{self.kind}/{name}@{version}" + (f"?{more}" if more else "")
        name = self.name
        if self.kind == "pypi":
            name = re.sub(r"[-_.]+", "-", name).lower()
        return f"pkg:{self.kind}/{quote(name, safe='/.-_')}@{version}"


def kind_of(path: str) -> str:
    """Who wrote a file: dpkg, apk, pip, npm, os; "" for a file that lists nothing."""
    return next((kind for kind, pattern in KINDS if pattern.fullmatch(path)), "")


def packages_in(kind: str, text: str) -> Iterator[Package]:
    """The packages that a file of that kind lists; what is broken in it is passed over."""
    if kind == "dpkg":
        yield from dpkg_packages(text)
    elif kind == "apk":
        yield from apk_packages(text)
    elif kind == "pip":
        yield from pip_packages(text)
    elif kind == "npm":
        yield from npm_packages(text)


def os_release(text: str) -> dict[str, str]:
    """KEY=value lines, quotes taken off (os-release(5))."""
    found = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and not key.startswith("#"):
            found[key] = value.strip("\"'")
    return found


def dpkg_packages(text: str) -> Iterator[Package]:
    """Paragraphs of dpkg's status; what is removed or half there is no package."""
    for fields in paragraphs(text):
        status = fields.get("status", "install ok installed")  # distroless images have none
        if fields.get("package") and fields.get("version") and status.split()[-1:] == ["installed"]:
            yield Package(
                "deb", fields["package"], fields["version"], fields.get("architecture", ""),
                supplier=fields.get("maintainer", ""), homepage=fields.get("homepage", ""),
            )  # fmt: skip


def paragraphs(text: str) -> Iterator[dict[str, str]]:
    """Fields of deb-control(5), names in lower case; continued lines are left out."""
    for block in re.split(r"\n[ \t]*\n", text):
        fields: dict[str, str] = {}
        for line in block.splitlines():
            name, colon, value = line.partition(":")
            if colon and line[:1] not in (" ", "\t"):
                fields.setdefault(name.strip().lower(), value.strip())
        if fields:
            yield fields


def apk_packages(text: str) -> Iterator[Package]:
    """Paragraphs of one-letter fields."""
    for block in text.split("\n\n"):
        fields = {line[:1]: line[2:] for line in block.splitlines() if line[1:2] == ":"}
        if fields.get("P") and fields.get("V"):
            yield Package(
                "apk", fields["P"], fields["V"], fields.get("A", ""), fields.get("L", ""),
                fields.get("m", ""), fields.get("U", ""),
            )  # fmt: skip


def pip_packages(text: str) -> Iterator[Package]:
    """The head of a METADATA or PKG-INFO file."""
    fields = next(paragraphs(text.partition("\n\n")[0]), {})
    if fields.get("name") and fields.get("version"):
        licence = fields.get("license-expression") or fields.get("license", "")
        yield Package(
            "pypi", fields["name"], fields["version"], licence=licence.splitlines()[0] if licence else "",
            supplier=fields.get("author", ""), homepage=fields.get("home-page", ""),
        )  # fmt: skip


def npm_packages(text: str) -> Iterator[Package]:
    """One package.json; one without a version belongs to another package."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return
    if not isinstance(document, dict):
        return
    name, version, licence = (document.get(key) for key in ("name", "version", "license"))
    if isinstance(name, str) and isinstance(version, str) and name and version:
        yield Package("npm", name, version, licence=licence if isinstance(licence, str) else "")


def distinct(packages: Iterable[Package]) -> list[Package]:
    """Each package once, in order."""
    return sorted(set(packages))
