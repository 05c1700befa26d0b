"""What is wrong is said in one line with its place, and the store is as it was."""

from __future__ import annotations

import gzip
import io
import os
import re
import subprocess
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.engine.build.builds import tar_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.engine.build.builds import Site

pytestmark = pytest.mark.root
BASE = "FROM busybox:bench\n"


@pytest.fixture(autouse=True)
def store(site: Site) -> Iterator[None]:
    """No layer, image or scratch file comes from a build that fails."""

    def seen() -> tuple[set[str], set[str], list[str]]:
        root = site.engine.folder / "root"
        found = site.call("GET", "/images/json?all=1")
        images = {image["Id"] for image in (found if isinstance(found, list) else [found])}
        layers = {path.name for path in (root / "layers").iterdir()}
        return layers, images, [path.name for path in (root / "tmp").iterdir()]

    before = seen()
    yield
    deadline = time.monotonic() + 10
    while seen() != before and time.monotonic() < deadline:
        time.sleep(0.02)  # a container's files are deleted after the answer
    assert seen() == before
    assert not list((site.engine.run_dir / "build").glob("*"))


def wait_until_empty(folder: Path) -> None:
    """A build's files are deleted after the answer."""
    deadline = time.monotonic() + 10
    while list(folder.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.02)  # no event tells


def sparse_tar(size: int) -> bytes:
    """A tar that says its only file is huge, and ends."""
    entry = tarfile.TarInfo("big")
    entry.size = size
    return entry.tobuf() + b"x" * 512


@pytest.mark.parametrize(
    ("instruction", "files", "said"),
    [
        ("RUM x", {}, "Dockerfile:2: unknown instruction: RUM"),
        ("COPY nothing /x", {}, "Dockerfile:2: COPY: file not found in build context: stat nothing"),
        ("COPY *.none /x/", {}, "Dockerfile:2: COPY: no source files were specified"),
        ("COPY ../../etc/passwd /x", {}, "Dockerfile:2: COPY: forbidden path outside the build context"),
        ("COPY a b /x", {"a": "", "b": ""}, "Dockerfile:2: COPY: when using COPY with more than one source"),
        ("COPY a /bin/", {"a/sh/x": ""}, "Dockerfile:2: COPY: cannot copy to /bin/"),
        ("COPY --from=nope:1 a /", {}, "Dockerfile:2: COPY"),
        ("COPY --from=5 a /", {}, "Dockerfile:2: COPY: there is no stage 5"),
        ("COPY --from=$X a /", {}, "Dockerfile:2: COPY --from takes no variables"),
        ("COPY --chmod=wat a /", {"a": ""}, "Dockerfile:2: COPY: --chmod=wat is no mode"),
        ("ADD --checksum=sha256:0 a /", {"a": ""}, "Dockerfile:2: ADD --checksum goes with one"),
        ("ADD http://127.0.0.1:1/x /", {}, "Dockerfile:2: ADD: http://127.0.0.1:1/x"),
        ("ADD broken.tar.gz /x", {"broken.tar.gz": gzip.compress(sparse_tar(10**5) + os.urandom(5000))[:-200]}, "Dockerfile:2: ADD"),
        ("ADD short.tar /x", {"short.tar": sparse_tar(10**9)}, "Dockerfile:2: ADD: "),
        ("RUN --security=insecure true", {}, "Dockerfile:2: RUN --security=insecure needs the entitlement"),
        ("RUN --network=wat true", {}, "Dockerfile:2: RUN --network=wat is unknown"),
        ("EXPOSE lots", {}, "Dockerfile:2: EXPOSE: invalid containerPort: lots"),
        ('ENV A="${B?is missing}"', {}, "Dockerfile:2: ENV: B: is missing"),
        ("STOPSIGNAL NOPE", {}, "Dockerfile:2: STOPSIGNAL: NOPE is no signal"),
        ("HEALTHCHECK --interval=soon CMD x", {}, "Dockerfile:2: HEALTHCHECK"),
        ("USER nobody-here\nRUN true", {}, "Dockerfile:3: RUN"),
    ],
)  # fmt: skip
def test_errors_have_their_place(site: Site, instruction: str, files: dict, said: str) -> None:
    error = site.refused(BASE + instruction + "\n", files)
    assert said in error
    assert "\n" not in error
    assert "/tmp/pytest" not in error


def test_symlinks_cannot_lead_out_of_the_context(site: Site) -> None:
    files = {
        "out": "-> /etc",
        "up": "-> ../../../../../etc/passwd",
        "d/": "",
        "d/abs": "-> /etc/passwd",
    }
    for source in ("out/passwd", "up", "d/abs"):
        assert "file not found" in site.refused(BASE + f"COPY {source} /x\n", files)
    assert "is not in the build context" in site.refused(
        BASE + "RUN --mount=source=out,target=/m ls /m\n", files
    )


def test_a_hostile_context_is_refused(site: Site) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        link = tarfile.TarInfo("esc")
        link.type, link.linkname = tarfile.SYMTYPE, "/"
        archive.addfile(link)
        inside = tarfile.TarInfo("esc/pwned")
        inside.size = 1
        archive.addfile(inside, io.BytesIO(b"x"))
    site.build("", context=out.getvalue() + b"")
    assert not Path("/pwned").exists()
    assert "no sound tar" in site.refused("", context=b"\0" * 100)
    assert "failed to read dockerfile: Dockerfile" in site.refused("", context=b"")


def test_a_lone_dockerfile_in_the_tar_s_place(site: Site) -> None:
    assert "Dockerfile:1" in site.refused("", context=b"FROM $NOTHING\n")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"squash": "1"}, "squash is not supported"),
        ({"target": "nope"}, "failed to reach build target nope"),
        ({"t": "UPPER:1"}, "must be lowercase"),
        ({"buildargs": "{"}, "invalid JSON in buildargs"),
        ({"buildargs": '{"a": 1}'}, "buildargs must hold texts"),
        ({"ulimits": "[1]"}, "ulimits must be a list"),
        ({"shmsize": "much"}, "shmsize"),
        ({"buildargs": '{"SOURCE_DATE_EPOCH": "soon"}'}, "SOURCE_DATE_EPOCH=soon is no time"),
        ({"version": "2"}, "BuildKit"),
        ({"remote": "ftp://x"}, "cannot build from ftp://x"),
    ],
)
def test_bad_requests(site: Site, query: dict, said: str) -> None:
    assert said in site.refused(BASE, **query)


@pytest.mark.parametrize(
    "inputs", [{"secrets": {"a": 1}}, {"contexts": {"a": "/etc"}}, {"ssh": []}, {"dockerfile": 1}]
)
def test_bad_inputs(site: Site, inputs: dict) -> None:
    assert site.build(BASE, inputs=inputs).messages[0]["status"] == 400


def test_no_disk_left(site: Site, tmp_path: Path) -> None:
    """The build's scratch is full: an error, and nothing of it stays."""
    scratch = site.engine.folder / "root/tmp"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(scratch)], check=True)
    try:
        context = tar_of({"Dockerfile": BASE + "COPY . /\n", "big": b"x" * (3 << 20)})
        told = site.build("", context=context)
        assert "no space left" in told.error.lower()
        wait_until_empty(scratch)
        small = tar_of(
            {
                "Dockerfile": BASE + "COPY a b c d /x/\n",
                **dict.fromkeys("abcd", b"x" * (200 << 10)),
            }
        )
        assert "no space left" in site.build("", context=small).error.lower()
        wait_until_empty(scratch)
    finally:
        subprocess.run(["umount", str(scratch)], check=True)


@pytest.mark.parametrize("step", ["RUN echo x > /x", "COPY Dockerfile /x"])
def test_a_step_that_the_host_refuses(site: Site, step: str) -> None:
    """It is told with its line, and the engine goes on."""
    layers = site.engine.folder / "root/layers"
    subprocess.run(["mount", "--bind", "-o", "ro", str(layers), str(layers)], check=True)
    try:
        told = site.build(f"{BASE}LABEL a=b\n{step}\n", nocache="1")
        assert re.match(r"Dockerfile:3: \w+: cannot keep the layer", told.error)
    finally:
        subprocess.run(["umount", str(layers)], check=True)
    scratch = site.engine.folder / "root/tmp"
    subprocess.run(["mount", "--bind", "-o", "ro", str(scratch), str(scratch)], check=True)
    try:
        assert "Read-only file system" in site.refused(f"{BASE}{step}\n")
    finally:
        subprocess.run(["umount", str(scratch)], check=True)
    assert "non-zero code: 1" in site.refused(BASE + "RUN exit 1\n")


def test_a_client_that_hangs_up_in_mid_context(site: Site) -> None:
    connection = site.connection()
    connection.putrequest("POST", "/build")
    connection.putheader("Content-Length", "1000000")
    connection.endheaders()
    connection.send(b"x" * 1000)
    connection.close()
    assert site.refused(BASE + "RUN exit 1\n")
