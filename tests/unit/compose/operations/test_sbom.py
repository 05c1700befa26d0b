"""Packages as their managers list them, and the document they make."""

from __future__ import annotations

import io
import json
import tarfile

import pytest

from compose.operations.package_lists import Package, kind_of, packages_in
from compose.operations.sbom import document_of, encode, scan

STATUS = """Package: bash
Status: install ok installed
Architecture: amd64
Version: 5.2.15-2+b7
Maintainer: Matthias Klose <doko@debian.org>
Description: GNU Bourne Again SHell
 Version: of a continued line

Package: gone
Status: deinstall ok config-files
Version: 1
"""
APK = "C:Q1x\nP:musl\nV:1.2.4-r2\nA:x86_64\nL:MIT\n\nP:broken\n\n"
METADATA = (
    "Metadata-Version: 2.1\nName: Flask_Login\nVersion: 0.6.3\nLicense: MIT\n\nName: not this\n"
)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("var/lib/dpkg/status", "dpkg"),
        ("var/lib/dpkg/status.d/base", "dpkg"),
        ("lib/apk/db/installed", "apk"),
        ("usr/lib/python3/dist-packages/six-1.16.0.egg-info", "pip"),
        ("opt/venv/lib/python3.11/site-packages/h11-0.14.0.dist-info/METADATA", "pip"),
        ("app/node_modules/@scope/name/package.json", "npm"),
        ("app/node_modules/name/lib/package.json", ""),
        ("app/package.json", ""),
        ("etc/passwd", ""),
    ],
)
def test_where_lists_are(path: str, kind: str) -> None:
    assert kind_of(path) == kind


@pytest.mark.parametrize(
    ("kind", "text", "urls"),
    [
        ("dpkg", STATUS, ["pkg:deb/debian/bash@5.2.15-2+b7?arch=amd64&distro=debian-12"]),
        ("apk", APK, ["pkg:apk/debian/musl@1.2.4-r2?arch=x86_64&distro=debian-12"]),
        ("pip", METADATA, ["pkg:pypi/flask-login@0.6.3"]),
        ("npm", '{"name": "@a/b", "version": "1.0.0", "license": "ISC"}', ["pkg:npm/%40a/b@1.0.0"]),
        ("npm", '{"name": "x"}', []),
        ("npm", "[" * 100_000, []),
        ("dpkg", "nonsense", []),
    ],
)
def test_what_is_listed(kind: str, text: str, urls: list[str]) -> None:
    system = {"ID": "debian", "VERSION_ID": "12"}
    assert [package.url(system) for package in packages_in(kind, text)] == urls


def test_a_root_file_system_is_read_in_one_pass() -> None:
    out = io.BytesIO()
    files = {
        "./var/lib/dpkg/status": STATUS,
        "etc/os-release": 'ID=debian\nVERSION_ID="12"\n',
        "x/site-packages/a.dist-info/METADATA": METADATA,
        "big": "x" * 100_000,
    }
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    raw = out.getvalue()
    packages, system = scan(iter([raw[at : at + 777] for at in range(0, len(raw), 777)]))
    assert [package.name for package in packages] == ["bash", "Flask_Login"]
    assert system["VERSION_ID"] == "12"


def test_the_document_is_whole_and_the_same_each_time() -> None:
    image = {"Id": "sha256:" + "a" * 64, "Created": "2024-05-06T07:08:09.123Z"}
    packages = [Package("deb", "libc++1", "1:2~x", "amd64", "no licence, really", "A <a@b>")]
    first = document_of("app:1", image, packages, {}, "0.1")
    assert encode(first) == encode(document_of("app:1", image, packages, {}, "0.1"))
    ids = [one["SPDXID"] for one in first["packages"]]
    assert len(set(ids)) == 2
    assert all(
        one.replace("SPDXRef-", "").replace("-", "").replace(".", "").isalnum() for one in ids
    )
    assert first["creationInfo"]["created"] == "2024-05-06T07:08:09Z"
    assert first["packages"][1]["licenseDeclared"] == "NOASSERTION"
    assert {one["relatedSpdxElement"] for one in first["relationships"]} == set(ids)
    assert json.loads(encode(first))["spdxVersion"] == "SPDX-2.3"
