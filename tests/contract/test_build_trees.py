"""What Dockerfiles make beside BuildKit: the file systems entry by entry, and the configs.

All cases are services of one project, which docker compose builds on both engines. dockerd's BuildKit
(Debian 12's) is of 2020: what it does not know yet is held in tests/integration.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import pytest

from tests.bench.sides import import_image
from tests.contract.dockerd import is_installed, running_dockerd
from tests.own_engine import HOUSE, running_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.root, pytest.mark.peer]
#: Content and mode; where a symlink leads; an empty folder.
FILES: dict[str, Any] = {
    "a.txt": ("A\n", 0o644), "b.sh": ("#!/bin/sh\necho b\n", 0o755), "secret.txt": ("s", 0o600),
    "dir/x": ("x", 0o640), "dir/sub/y": ("y", 0o644), "dir/sub/deep/z.log": ("z", 0o644),
    "dir/link": "x", "dir/dangling": "nowhere/there", "dir/.hidden": ("h", 0o644), "absolute": "/etc/passwd",
    "toplink": "dir", "empty": None, "with space/f 1": ("sp", 0o644), "web/js/app.js": ("js", 0o644),
    "web/js/app.test.js": ("t", 0o644), "umlaut-ü": ("u", 0o644), "setuid": ("su", 0o4755),
    "sticky/f": ("f", 0o1644), "f[1]": ("br", 0o644), "big": ("0" * 300_000, 0o644),
}  # fmt: skip
IGNORED = {
    "dot": "dir\n!dir/sub\n*.sh\n!b.sh\n**/*.log\n# c\n\n/with space\nf\\[1\\]\n",
    "copy": "web/js/*.test.js\nempty\n",
}
FROM = "FROM busybox:bench\n"
PASSWD = (
    "RUN mkdir -p /etc && echo 'root:x:0:0::/root:/bin/sh' > /etc/passwd && "
    "echo 'app:x:100:101::/home/app:/bin/sh' >> /etc/passwd && echo 'grp:x:202:' > /etc/group && "
    "echo 'app:x:101:' >> /etc/group\n"
)
CASES = {
    "copy": FROM + "COPY a.txt /a\nCOPY a.txt b.sh /d/\nCOPY dir /dir\nCOPY dir/ /dir2/\nCOPY dir/sub /etc\nCOPY . /all\n",
    "links": FROM + "COPY toplink /tl\nCOPY dir/link /l1\nCOPY dir/link /ld/\nCOPY dir/l* /ld2/\n",
    "globs": FROM + "COPY *.txt /t/\nCOPY web/js/*.js /js/\nCOPY dir/*/y /yy/\nCOPY d?r/x /qq\nCOPY [ab].* /cls/\nCOPY f[[]1] /br\n",
    "json": FROM + 'COPY ["with space/f 1", "/s p/"]\nCOPY ["a.txt","b.sh","/x y/"]\n',
    "owners": FROM + PASSWD + "COPY --chown=app dir /d1\nCOPY --chown=app:grp dir /d2\nCOPY --chown=5 a.txt /a5\nCOPY --chown=5:6 a.txt /n/e/w/a\nCOPY --chown=:grp a.txt /g\nCOPY --chown=7:8 . /srv/all\n",
    "user": FROM + PASSWD + "USER app\nWORKDIR /w/o/rk\nCOPY a.txt .\nWORKDIR sub\nADD b.sh ./\nUSER 9\nRUN touch /nope 2>/dev/null; true\n",
    "workdir": FROM + "ENV P=/path Q=q\nWORKDIR $P/$Q/${NO:-def}\nRUN pwd > /pwd\nWORKDIR ..\nRUN pwd >> /pwd\n",
    "through": FROM + "RUN mkdir -p /real/in && ln -s /real /ln && ln -s in /real/rel\nCOPY a.txt /ln/\nCOPY dir /ln/rel\nCOPY a.txt /ln/rel/a\nWORKDIR /ln/new\n",
    "over": FROM + "COPY a.txt /f\nCOPY b.sh /f\nRUN mkdir /m && echo old > /m/x && chmod 700 /m && chown 3:4 /m\nCOPY dir /m\nCOPY a.txt /m/x\n",
    "modes": FROM + "RUN mkdir -p /p && chmod 1777 /p\nCOPY empty /p\nCOPY dir /p/q\nCOPY setuid sticky /p/s/\nCOPY --chmod=700 dir /c\nCOPY --chmod=0640 a.txt /x/y/a\n",
    "root": FROM + "COPY dir /\nCOPY a.txt /\n",
    "run": FROM + "RUN rm /bin/ls\nRUN mkdir /gone && touch /gone/a && chmod 751 /gone\nRUN rm -r /gone\nRUN mkfifo /ff; ln /bin/busybox /hard; ln -s /x/y /sy\nRUN mkdir -p /q/w; echo 1 > /q/w/e\nRUN rm -r /q/w && mkdir /q/w && echo 2 > /q/w/f\n",
    "whiteouts": FROM + "RUN mkdir -p /a/b /c && touch /a/b/f /c/g\nRUN rm -r /a && echo file > /a\nRUN rm -r /c && ln -s /a /c\nRUN rm /a && mkdir /a && touch /a/new\nCOPY a.txt /c/k\n",
    "add": FROM + "ADD t.tar.gz /t/\nADD t.tar /t2\nADD a.txt /aa/\nADD dir /ad\nADD t.tar.xz /\n",
    "volume": FROM + "RUN mkdir /v && echo 1 > /v/a\nVOLUME /v /w\nRUN echo 2 > /v/b; mkdir -p /w && echo 3 > /w/c\nCOPY a.txt /v/c\n",
    "onbuild": FROM + "ONBUILD COPY a.txt /onb\nONBUILD RUN echo 1 > /onr\nENV A=1\n",
    "env": FROM + 'ENV A=1 B="two words" C=th\\ ree\nENV D old style value\nENV E=${A}x F=${NO:-dflt} G=${A:+alt} H=\\$A I=\'$A\'\nARG X=arg\nENV J=$X\nRUN env | grep "^[A-J]=" | sort > /env\nLABEL a=b "c d"="e f" multi="l1 \\\nl2"\n',
    "config": FROM + 'EXPOSE 80 53/udp 100-102\nSTOPSIGNAL 9\nSHELL ["/bin/sh","-ec"]\nCMD echo hi $A\nENTRYPOINT ["a","b"]\nCMD ["x"]\nHEALTHCHECK --interval=3s --retries=2 CMD echo ok\nUSER 1:2\nMAINTAINER me <m@e>\n',
    "config2": FROM + 'CMD ["only"]\nENTRYPOINT shell form\nHEALTHCHECK NONE\nLABEL x=y\nVOLUME ["/v 1"]\n',
    "stages": "FROM busybox:bench AS one\nRUN echo 1 > /one && mkdir -p /o/p && chown 3:4 /o/p && chmod 2750 /o\nWORKDIR /o\nFROM busybox:bench\nCOPY --from=one /one /x/\nCOPY --from=one /o /o\nCOPY --from=0 /o/p /pp/\nCOPY --from=busybox:bench /bin/busybox /bb\nCOPY --from=one --chown=9:9 /o /o9\n",
    "scratch": "FROM busybox:bench AS b\nFROM scratch\nCOPY --from=b /bin/busybox /bin/sh\nCOPY dir /d\nENV A=b\n",
    "args": 'ARG V=bench\nFROM busybox:${V} AS x\nARG V\nARG W=w\nRUN echo $V $W > /1\nFROM x\nARG W\nRUN echo "[$V][$W]" > /2\nARG B=${W}2\nARG C=\nENV D=$B E=${C:-e}\n',
    "text": "# comment\nFROM busybox:bench\nRUN echo a \\\n  # inner\n  && echo b > /b\n\n  RUN   echo   spaced   >   /sp\nrun echo lower > /low\nRUN [\"/bin/sh\", \"-c\", \"echo 'x y' > /q\"]\nRUN echo \"a\\\nb\" > /cont\n",
    "dot": FROM + "WORKDIR /a/b\nCOPY . .\nCOPY dir ../c\nCOPY a.txt ./new/\nCOPY ./web/. /w/\nCOPY dir/../a.txt /aa\nCOPY dir/sub/ a.txt /mix/\nCOPY dir web /both/\n",
    "mounts": FROM + "RUN --mount=type=bind,target=/bin/ctx ls /bin/ctx/dir > /ls && cp -r /bin/ctx/web /web\n",
}  # fmt: skip
#: Where BuildKit of 2020 differs from today's, which we follow: it left mount points behind.
LEFT = {"bin/ctx"}


def write_context(folder: Path, name: str) -> None:
    """The files of a case, all of one time."""
    for path, given in FILES.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if given is None:
            file.mkdir()
        elif isinstance(given, str):
            file.symlink_to(given)
        else:
            file.write_text(given[0])
            file.chmod(given[1])
            os.utime(file, (1_600_000_000,) * 2)
    for ending, mode in (("tar", "w"), ("tar.gz", "w:gz"), ("tar.xz", "w:xz")):
        with tarfile.open(folder / f"t.{ending}", mode) as archive:  # type: ignore[call-overload]
            for path, kind, more in (
                ("d", tarfile.DIRTYPE, {"mode": 0o750, "uid": 1, "gid": 2}),
                ("d/f", tarfile.REGTYPE, {"mode": 0o4711, "uid": 3, "gid": 4, "size": 3}),
                ("d/l", tarfile.SYMTYPE, {"linkname": "f"}),
                ("d/h", tarfile.LNKTYPE, {"linkname": "d/f", "mode": 0o4711, "uid": 3, "gid": 4}),
            ):
                entry = tarfile.TarInfo(path)
                entry.type, entry.mtime = kind, 1_500_000_000
                for key, value in more.items():
                    setattr(entry, key, value)
                archive.addfile(entry, io.BytesIO(b"abc"))
    (folder / "Dockerfile").write_text(CASES[name])
    if name in IGNORED:
        (folder / ".dockerignore").write_text(IGNORED[name])


def tree(raw: bytes) -> dict[str, tuple[Any, ...]]:
    """Every entry but what an engine puts there: kind, mode, owner, target, content, time if it is old."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        for entry in archive:
            name = entry.name.strip("./")
            if name.split("/")[0] in ("proc", "sys", "dev", "run", "dockerenv", "", "t.tar", "t.tar.gz", "t.tar.xz"):  # fmt: skip
                continue
            if name in ("etc", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab") or "all/t.tar" in name:  # fmt: skip
                continue
            content = archive.extractfile(entry) if entry.isreg() else None
            digest = hashlib.sha256(content.read()).hexdigest()[:12] if content else ""
            old = entry.mtime < 1_700_000_000 and not entry.isdir() and "/t.tar" not in name
            found[name] = (
                entry.type, oct(entry.mode & 0o7777), entry.uid, entry.gid, entry.linkname,
                digest if "/t.tar" not in name else "", int(entry.mtime) if old else 0,
            )  # fmt: skip
    return found


Made = dict[str, tuple[dict[str, Any], dict[str, tuple[Any, ...]]]]


def made_by(host: str, project: Path) -> Made:
    """Every case's config and tree, built by docker compose on an engine."""
    program = next((HOUSE / ".venv-reference").glob("lib/*/site-packages/compose/docker-compose"))
    environment = {
        **os.environ,
        "DOCKER_HOST": host,
        "DOCKER_BUILDKIT": "1",
        "COMPOSE_BAKE": "false",
    }
    command = [str(program), "--project-directory", str(project), "build", "--quiet"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=170)  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found: Made = {}
    client = docker.DockerClient(base_url=host, timeout=60)
    try:
        for name in CASES:
            shown = client.images.get(f"tree/{name}").attrs
            config = {key: value for key, value in shown["Config"].items() if value}
            for key in ("Image", "Hostname", "Domainname", "ArgsEscaped"):
                config.pop(key, None)
            labels = config.pop("Labels", None) or {}
            config["Labels"] = {k: v for k, v in labels.items() if "com.docker" not in k}
            config["Author"] = shown.get("Author") or ""
            container = client.containers.create(f"tree/{name}", ["/x"])
            found[name] = (config, tree(b"".join(container.export())))
            container.remove(v=True)
    finally:
        client.close()
    return found


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Made, Made]]:
    """What our engine and BuildKit made."""
    if not is_installed():
        pytest.skip("needs Debian's docker.io")
    project = tmp_path_factory.mktemp("trees")
    services = {}
    for name in CASES:
        (project / name).mkdir()
        write_context(project / name, name)
        services[name] = {"image": f"tree/{name}", "build": {"context": f"./{name}"}}
    (project / "compose.yaml").write_text(json.dumps({"services": services}))
    with (
        running_engine(tmp_path_factory.mktemp("own"), "10.106.128.0/17") as own,
        running_dockerd(tmp_path_factory.mktemp("dockerd")) as peer,
    ):
        for host in (own.host, peer):
            import_image(host)
        yield made_by(own.host, project), made_by(peer, project)


@pytest.mark.parametrize("name", CASES)
def test_the_file_system_and_config_are_buildkit_s(both: tuple[Made, Made], name: str) -> None:
    (config, entries), (their_config, their_entries) = (side[name] for side in both)
    assert config == their_config
    theirs = {key: value for key, value in their_entries.items() if key not in LEFT}
    different = {
        key: (entries.get(key), theirs.get(key))
        for key in sorted({*entries, *theirs})
        if entries.get(key) != theirs.get(key)
    }
    assert different == {}
