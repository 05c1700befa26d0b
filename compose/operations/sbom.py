"""`image sbom`: the packages in an image as an SPDX 2.3 document; the same image, the same bytes.

The engine exports the image's merged root file system (a container is made of it, not started), and
one pass over the tar reads what package managers keep. Source: the SPDX specification 2.3.
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from typing import IO, TYPE_CHECKING, Any, cast

from compose.engine_client import calls
from compose.errors import ComposeError
from compose.operations.package_lists import (
    Package,
    distinct,
    kind_of,
    os_release,
    packages_in,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from compose.operations.session import Session

#: A list of packages that is larger is no list.
LIST_LIMIT = 64 << 20
#: What SPDX takes as an identifier's licence expression without a list of them: simple words.
EXPRESSION = re.compile(r"[A-Za-z0-9.+-]+(?: (?:AND|OR|WITH) [A-Za-z0-9.+-]+)*")


class Pieces:
    """A stream of pieces as a file that tarfile reads."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, fewer at the end."""
        found = [self._rest]
        length = len(self._rest)
        while length < size:
            piece = next(self._pieces, b"")
            if not piece:
                break
            found.append(piece)
            length += len(piece)
        whole = b"".join(found)
        self._rest = whole[size:]
        return whole[:size]


def sbom(session: Session, name: str, version: str) -> bytes:
    """The document of an image; `version` is this program's. Raises ComposeError."""
    with session.client() as client:
        answer = client.do(calls.inspect_image(name))
        if answer.status != 200:
            raise ComposeError(f"No such image: {name}: pull or build it first")
        image = answer.json()
        body = {"Image": image["Id"], "Cmd": ["sbom"], "NetworkDisabled": True}
        container = str(client.do(calls.create_container("", body)).json()["Id"])
        try:
            packages, system = scan(client.stream(calls.export_container(container)))
        finally:
            client.do(calls.remove_container(container, force=True, volumes=True))
    return encode(document_of(name, image, packages, system, version))


def scan(pieces: Iterator[bytes]) -> tuple[list[Package], dict[str, str]]:
    """The packages in a tar of a root file system, and its os-release. Raises ComposeError."""
    found: list[Package] = []
    system: dict[str, str] = {}
    try:
        stream = cast("IO[bytes]", Pieces(pieces))
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for entry in archive:
                kind = kind_of(entry.name.removeprefix("./").lstrip("/"))
                if not kind or not entry.isfile() or entry.size > LIST_LIMIT:
                    continue
                file = archive.extractfile(entry)
                text = file.read().decode(errors="replace") if file else ""
                if kind == "os":
                    system = os_release(text)
                else:
                    found += packages_in(kind, text)
    except tarfile.TarError as error:
        raise ComposeError(f"the engine's export is no sound tar: {error}") from error
    return distinct(found), system


def document_of(
    name: str,
    image: Mapping[str, Any],
    packages: Sequence[Package],
    system: Mapping[str, str],
    version: str,
) -> dict[str, Any]:
    """The SPDX document. Pure."""
    whole = {
        "SPDXID": "SPDXRef-image",
        "name": name,
        "versionInfo": image["Id"],
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "primaryPackagePurpose": "CONTAINER",
        "checksums": [{"algorithm": "SHA256", "checksumValue": image["Id"].partition(":")[2]}],
    }
    entries = [entry_of(package, system) for package in packages]
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-image")]
    relations += [("SPDXRef-image", "CONTAINS", entry["SPDXID"]) for entry in entries]
    content = json.dumps(entries, sort_keys=True).encode()
    unique = hashlib.sha256(f"{name} {image['Id']} ".encode() + content).hexdigest()
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": f"https://spdx.org/spdxdocs/{unique}",
        "creationInfo": {
            "created": second(str(image.get("Created") or "")),
            "creators": [f"Tool: pycompose-{version}"],
        },
        "packages": [whole, *entries],
        "relationships": [
            {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}
            for one, kind, other in relations
        ],
    }


def second(moment: str) -> str:
    """The image's own time, whole seconds as SPDX wants them: now would differ at each run. Pure."""
    found = re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", moment)
    return f"{found[0]}Z" if found and not moment.startswith("0001") else "1970-01-01T00:00:00Z"


def entry_of(package: Package, system: Mapping[str, str]) -> dict[str, Any]:
    """One package. Pure."""
    address = package.url(system)
    licence = package.licence if EXPRESSION.fullmatch(package.licence) else "NOASSERTION"
    mark = hashlib.sha256(address.encode()).hexdigest()[:12]
    readable = re.sub(r"[^A-Za-z0-9.-]", "-", package.name)
    entry: dict[str, Any] = {
        "SPDXID": f"SPDXRef-{package.kind}-{readable}-{mark}",
        "name": package.name,
        "versionInfo": package.version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": licence,
        "copyrightText": "NOASSERTION",
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": address,
            }
        ],
    }
    if package.supplier:
        kind = (
            "Organization" if "Team" in package.supplier or "List" in package.supplier else "Person"
        )
        entry["supplier"] = f"{kind}: {package.supplier.replace(' <', ' (').replace('>', ')')}"
    if package.homepage.startswith(("http://", "https://")):
        entry["homepage"] = package.homepage
    return entry


def encode(document: Mapping[str, Any]) -> bytes:
    """JSON as people read it."""
    return json.dumps(document, indent=2).encode() + b"\n"
