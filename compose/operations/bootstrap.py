"""`pycompose image bootstrap NAME`: a base image of that name from a distribution's packages.

For places where no registry can be reached: mmdebstrap (or debootstrap) fetches the packages, we
lay them out as Docker's official image of that name does, and the engine imports the archive.

Rules: the recipe (suite, variant, packages, mirror, date) decides the bytes, and its digest names the
cached archive; the image's config has nothing else in it. So the same recipe gives the same image, to
the id, while the mirror's packages are the same. SOURCE_DATE_EPOCH sets the date.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from compose.errors import ComposeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: suite -> (distribution, version, day of release as seconds since the epoch, UTC). The day is what
#: younger files' times are clamped to, so that two builds of the same packages are equal.
SUITES: Mapping[str, tuple[str, str, int]] = {
    "bullseye": ("debian", "11", 1628899200),
    "bookworm": ("debian", "12", 1686355200),
    "trixie": ("debian", "13", 1754697600),
    "sid": ("debian", "unstable", 1754697600),
    "focal": ("ubuntu", "20.04", 1587600000),
    "jammy": ("ubuntu", "22.04", 1650499200),
    "noble": ("ubuntu", "24.04", 1714003200),
}
#: What the official image's `latest` and `stable` stand for.
CURRENT = {"debian": "trixie", "ubuntu": "noble"}
#: What "-slim" leaves out: the documentation nobody reads in a container; copyright files stay.
SLIM_EXCLUDES = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-include=/usr/share/locale/locale.alias",
    "path-exclude=/usr/share/lintian/*",
    "path-exclude=/usr/share/linda/*",
)
VARIANTS = ("minbase", "apt", "essential", "buildd", "important", "standard")
MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "armhf", "i686": "i386"}

#: Written into the root: no service starts at installation, no package cache stays in a layer.
IMAGE_FILES: Mapping[str, tuple[int, str]] = {
    "usr/sbin/policy-rc.d": (
        0o755,
        "#!/bin/sh\n# a container has no init to start services with\nexit 101\n",
    ),
    "etc/dpkg/dpkg.cfg.d/container": (0o644, "force-unsafe-io\n"),
    "etc/apt/apt.conf.d/container": (
        0o644,
        (
            'APT::Keep-Downloaded-Packages "false";\n'
            'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };\n'
            'Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";\n'
            'Acquire::Languages "none";\n'
            'Acquire::GzipIndexes "true";\n'
            'APT::AutoRemove::SuggestsImportant "false";\n'
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class BootstrapRequest:
    """What to make. `name` is an image name as in FROM; `packages` are added to the variant's set."""

    name: str
    packages: tuple[str, ...] = ()
    mirror: str = ""
    refresh: bool = False
    variant: str = "minbase"


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides the archive's bytes, but for the packages that the mirror has today."""

    distribution: str
    suite: str
    slim: bool
    architecture: str
    packages: tuple[str, ...]
    mirror: str
    epoch: int
    variant: str = "minbase"
    files: Mapping[str, tuple[int, str]] = field(default_factory=lambda: IMAGE_FILES)

    @property
    def digest(self) -> str:
        """Hex SHA-256 of the recipe."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Archive:
    """A finished root file system as a tar, and how to import it."""

    path: Path
    repository: str
    tag: str
    recipe: Recipe


def plan_recipe(request: BootstrapRequest, machine: str, date: str = "") -> tuple[Recipe, str, str]:
    """The recipe for a request, with the repository and tag to give the image.

    `date`: SOURCE_DATE_EPOCH, seconds; "" is the suite's release. Raises UsageError for a name that
    is no known suite, with the names that are.
    """
    if request.variant not in VARIANTS:
        raise UsageError(f'unknown --variant "{request.variant}": use {", ".join(VARIANTS)}')
    if date and not date.isdigit():
        raise UsageError(f'SOURCE_DATE_EPOCH is "{date}": it must be seconds since 1970')
    repository, _, tag = request.name.partition(":")
    distribution = repository.removeprefix("docker.io/").removeprefix("library/")
    tag = tag or "latest"
    slim = tag.endswith("-slim")
    version = tag.removesuffix("-slim")
    suites = {name: facts for name, facts in SUITES.items() if facts[0] == distribution}
    named = {facts[1]: name for name, facts in suites.items()} | {name: name for name in suites}
    named |= dict.fromkeys(("latest", "stable"), CURRENT.get(distribution, ""))
    suite = named.get(version, "")
    if not suite or (slim and distribution != "debian"):
        known = ", ".join(f"{facts[0]}:{name}" for name, facts in SUITES.items())
        raise UsageError(
            f'cannot bootstrap "{request.name}": the names that can be made are {known} '
            "(Debian's also with -slim)"
        )
    architecture = MACHINES.get(machine, machine)
    recipe = Recipe(
        distribution=distribution,
        suite=suite,
        slim=slim,
        architecture=architecture,
        packages=tuple(sorted(set(request.packages))),
        mirror=request.mirror,
        epoch=int(date) if date else SUITES[suite][2],
        variant=request.variant,
    )
    return recipe, repository, tag


#: Errors that only follow from others.
_AFTERMATH = re.compile(
    "^(mmdebstrap failed|setup failed|apt-get |chroot |run_chroot|Some index files failed)"
)


def make_archive(request: BootstrapRequest, report: Callable[[str], None]) -> Archive:
    """Make the root file system's tar, or find it in the cache. Blocking: minutes, on the network.

    Raises ComposeError if no tool for it is installed or the tool fails, with what to do.
    """
    date = os.environ.get("SOURCE_DATE_EPOCH", "")
    recipe, repository, tag = plan_recipe(request, platform.machine(), date)
    cached = cache_folder() / f"{recipe.distribution}-{recipe.suite}-{recipe.digest[:16]}.tar"
    if cached.exists() and not request.refresh:
        report(f"using the cached archive of {request.name}")
        return Archive(cached, repository, tag, recipe)
    tool = find_tool(recipe)
    cached.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bootstrap-", dir=cached.parent) as scratch:
        report(
            f"making {request.name} from {recipe.distribution} {recipe.suite}'s packages ({tool})"
        )
        partial = Path(scratch) / "root.tar"
        if tool == "mmdebstrap":
            run_mmdebstrap(recipe, partial, Path(scratch))
        else:
            run_debootstrap(recipe, partial, Path(scratch))
        partial.replace(cached)
    return Archive(cached, repository, tag, recipe)


def cache_folder() -> Path:
    """Where finished archives are kept: XDG_CACHE_HOME/pycompose/bootstrap."""
    base = os.environ.get("XDG_CACHE_HOME") or Path(os.environ.get("HOME", "/root")) / ".cache"
    return Path(base) / "pycompose" / "bootstrap"


def find_tool(recipe: Recipe) -> str:
    """ "mmdebstrap", or "debootstrap" where that is what is installed. Raises ComposeError."""
    if os.geteuid() != 0:
        raise ComposeError(
            "image bootstrap needs root, to give the files of the image their owners: "
            "run it with sudo"
        )
    for tool in ("mmdebstrap", "debootstrap"):
        if shutil.which(tool):
            break
    else:
        raise ComposeError(
            "image bootstrap needs mmdebstrap or debootstrap and finds neither: "
            "apt-get install mmdebstrap"
        )
    keyring = keyring_of(recipe)
    if not keyring.exists():
        raise ComposeError(
            f"{keyring} is missing, so {recipe.distribution}'s packages cannot be verified: "
            f"apt-get install {keyring.name.split('-')[0]}-{'archive-' if 'debian' in keyring.name else ''}keyring"
        )
    return tool


def keyring_of(recipe: Recipe) -> Path:
    """The keys that the distribution signs its packages with."""
    return Path(f"/usr/share/keyrings/{recipe.distribution}-archive-keyring.gpg")


def apt_sources(recipe: Recipe) -> str:
    """The image's sources.list: the suite, its updates and its security fixes."""
    suite = recipe.suite
    if recipe.distribution == "ubuntu":
        default = (
            "http://archive.ubuntu.com/ubuntu"
            if recipe.architecture in ("amd64", "i386")
            else "http://ports.ubuntu.com/ubuntu-ports"
        )
        mirror = recipe.mirror or default
        pockets = (suite, f"{suite}-updates", f"{suite}-security")
        return "".join(f"deb {mirror} {pocket} main universe\n" for pocket in pockets)
    mirror = recipe.mirror or "http://deb.debian.org/debian"
    if suite == "sid":
        return f"deb {mirror} sid main\n"
    security = recipe.mirror or "http://deb.debian.org/debian"
    return (
        f"deb {mirror} {suite} main\n"
        f"deb {mirror} {suite}-updates main\n"
        f"deb {security.rstrip('/')}-security {suite}-security main\n"
    )


def run_mmdebstrap(recipe: Recipe, target: Path, scratch: Path) -> None:
    """One run of mmdebstrap, which sorts the tar and clamps its times itself."""
    overlay = scratch / "files"
    write_image_files(recipe, overlay)
    sources = scratch / "sources.list"
    sources.write_text(apt_sources(recipe))
    run_tool(mmdebstrap_command(recipe, target, overlay, sources), recipe)


def mmdebstrap_command(recipe: Recipe, target: Path, overlay: Path, sources: Path) -> list[str]:
    """What is run: `overlay` is copied into the root, `sources` is its sources.list. Pure."""
    command = [
        "mmdebstrap",
        "--mode=root",
        f"--variant={recipe.variant}",
        "--format=tar",
    ]
    command += [f"--architectures={recipe.architecture}", f"--keyring={keyring_of(recipe)}"]
    if recipe.slim:
        command += [f"--dpkgopt={option}" for option in SLIM_EXCLUDES]
    if recipe.packages:
        command += [f"--include={','.join(recipe.packages)}"]
    command += [f"--customize-hook=sync-in {overlay} /"]
    # The host's own names must not be in an image that others use.
    command += ['--customize-hook=rm -f "$1/etc/hostname" "$1/etc/resolv.conf"']
    # With no cache file configured, apt would not clean away the one it has made before.
    command += ['--customize-hook=rm -f "$1"/var/cache/apt/*.bin']
    return [*command, recipe.suite, str(target), str(sources)]


def run_debootstrap(recipe: Recipe, target: Path, scratch: Path) -> None:
    """debootstrap into a folder, then a sorted tar of it with clamped times."""
    root = scratch / "root"
    if recipe.variant not in ("minbase", "buildd"):
        raise ComposeError(
            f"debootstrap has no variant {recipe.variant}: apt-get install mmdebstrap"
        )
    run_tool(debootstrap_command(recipe, root), recipe)
    write_image_files(recipe, root)
    (root / "etc/apt/sources.list").write_text(apt_sources(recipe))
    left_over = (
        "etc/hostname",
        "etc/resolv.conf",
        "var/log/bootstrap.log",
        "var/cache/ldconfig/aux-cache",
    )
    for name in left_over:
        (root / name).unlink(missing_ok=True)
    for name in ("var/lib/apt/lists", "var/cache/apt"):
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).mkdir()
    pack(root, target, recipe)


def debootstrap_command(recipe: Recipe, root: Path) -> list[str]:
    """What is run: the first pocket of the sources alone, all its components. Pure."""
    _, mirror, _, *components = apt_sources(recipe).splitlines()[0].split()
    command = ["debootstrap", f"--variant={recipe.variant}", f"--arch={recipe.architecture}"]
    command += [f"--keyring={keyring_of(recipe)}", f"--components={','.join(components)}"]
    if recipe.packages:
        command += [f"--include={','.join(recipe.packages)}"]
    return [*command, recipe.suite, str(root), mirror]


def write_image_files(recipe: Recipe, root: Path) -> None:
    """What makes a root file system a good base image, below `root`."""
    for name, (mode, content) in recipe.files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        path.chmod(mode)
    if recipe.slim:
        path = root / "etc/dpkg/dpkg.cfg.d/slim"
        path.write_text("".join(f"{option}\n" for option in SLIM_EXCLUDES))


def pack(root: Path, target: Path, recipe: Recipe) -> None:
    """A deterministic tar of a folder: sorted, times clamped, slim's exclusions applied."""

    def admit(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        name = "/" + entry.name.removeprefix("./")
        if recipe.slim and entry.isfile() and is_excluded(name):
            return None
        entry.mtime = min(entry.mtime, recipe.epoch)
        entry.uname = entry.gname = ""
        return entry

    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(root.rglob("*")):
            archive.add(path, "./" + str(path.relative_to(root)), recursive=False, filter=admit)


def is_excluded(name: str) -> bool:
    """Whether dpkg's slim options leave this file out; the last pattern that matches decides."""
    from fnmatch import fnmatchcase

    excluded = False
    for option in SLIM_EXCLUDES:
        kind, _, pattern = option.partition("=")
        if fnmatchcase(name, pattern):
            excluded = kind == "path-exclude"
    return excluded


def run_tool(command: list[str], recipe: Recipe) -> None:
    """Run a bootstrap tool; its last words become the error. Raises ComposeError."""
    environment = {
        **os.environ,
        "SOURCE_DATE_EPOCH": str(recipe.epoch),
        "DEBIAN_FRONTEND": "noninteractive",
    }
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ComposeError(
            f"{command[0]} could not make {recipe.distribution} {recipe.suite} "
            f"(exit code {done.returncode}): {cause_in(done.stdout + done.stderr)}"
        )


def cause_in(output: str) -> str:
    """Of what a tool has said, what it failed for: apt's first errors, or its own last words. Pure."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line[3:] for line in lines if line.startswith("E: ")]
    causes = [line for line in errors if not _AFTERMATH.search(line)]
    return "; ".join(causes[:2] or errors[-3:] or lines[-3:]) or "it said nothing"
