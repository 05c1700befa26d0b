"""A host's NVIDIA driver without CDI files: its cards, device nodes, programs and libraries. Reads only.

Source: /proc/driver/nvidia of the driver's README; which library serves which capability (compute,
utility, video, graphics, display) as in NVIDIA's container toolkit documentation.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.containers.cdi import Edits, parse_edits
from engine.containers.libraries import parse_cache

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CONTROL_NODES = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset")
PROGRAMS = {
    "utility": ("nvidia-smi", "nvidia-debugdump", "nvidia-persistenced"),
    "compute": ("nvidia-cuda-mps-control", "nvidia-cuda-mps-server"),
}
PROGRAM_FOLDERS = ("/usr/bin", "/usr/sbin", "/usr/local/bin", "/bin", "/opt/bin")
LIBRARIES = {
    "utility": r"nvidia-(ml|cfg|nscq|api)",
    "compute": r"cuda|cudadebugger|nvidia-(opencl|gpucomp|ptxjitcompiler|fatbinaryloader|allocator|compiler|pkcs11|nvvm|sandboxutils)",
    "video": r"vdpau_nvidia|nvcuvid|nvidia-(encode|opticalflow)",
    "graphics": r"(GLX|EGL|GLESv1_CM|GLESv2)_nvidia|nvoptix|nvidia-(egl|gl|tls|fbc|ifr|rtcore|cbl|glvkspirv|wayland)",
    "ngx": r"nvidia-ngx",
}
CAPABILITIES = {*LIBRARIES, "display", "compat32"}


@dataclass(frozen=True, slots=True)
class Card:
    """One GPU: its number (/dev/nvidia0) and its name among all others ("GPU-...")."""

    minor: int
    uuid: str


def cards(root: str = "") -> tuple[Card, ...]:
    """The driver's cards, by number; `root` is another place for the host's files."""
    found = []
    top = f"{root}/proc/driver/nvidia/gpus"
    try:
        names = sorted(os.listdir(top))
    except OSError:
        return ()
    for name in names:
        try:
            with open(f"{top}/{name}/information", errors="replace") as stream:
                facts = _facts(stream.read(65536))
        except OSError:
            continue
        if facts.get("Device Minor", "").isdigit():
            found.append(Card(int(facts["Device Minor"]), facts.get("GPU UUID", "")))
    return tuple(sorted(found, key=lambda card: card.minor))


def _facts(text: str) -> Mapping[str, str]:
    lines = (line.partition(":") for line in text.splitlines())
    return {key.strip(): value.strip() for key, _, value in lines}


def driver_edits(chosen: Iterable[Card], capabilities: Iterable[str], root: str = "") -> Edits:
    """What a container needs for these cards and capabilities of the driver. Raises InvalidRequestError."""
    wanted = set(capabilities)
    names = [f"nvidia{card.minor}" for card in chosen]
    names += [name for name in CONTROL_NODES if os.path.exists(f"{root}/dev/{name}")]
    nodes = [{"path": f"/dev/{name}", "hostPath": f"{root}/dev/{name}"} for name in names]
    files = [*_programs(wanted, root), *_libraries(wanted, root)]
    mounts = [
        {
            "hostPath": f"{root}{path}",
            "containerPath": path,
            "options": ["bind", "ro", "nosuid", "nodev"],
        }
        for path in dict.fromkeys(files)
    ]
    found = parse_edits({"deviceNodes": nodes, "mounts": mounts}, "the NVIDIA driver")
    folders = dict.fromkeys(os.path.dirname(path) for path in files if ".so" in path)
    env = (f"NVIDIA_DRIVER_CAPABILITIES={','.join(sorted(wanted))}",)
    return found + Edits(env=env, folders=tuple(folders))


def _programs(wanted: set[str], root: str) -> list[str]:
    found = []
    for name in (name for kind in sorted(wanted) for name in PROGRAMS.get(kind, ())):
        places = (f"{folder}/{name}" for folder in PROGRAM_FOLDERS)
        found += [place for place in places if os.path.isfile(root + place)][:1]
    return found


def _libraries(wanted: set[str], root: str) -> list[str]:
    """The files that the loader's cache leads to."""
    try:
        with open(f"{root}/etc/ld.so.cache", "rb") as stream:
            cache = parse_cache(stream.read(16 << 20))
    except OSError:
        return []
    names = "|".join(pattern for kind, pattern in LIBRARIES.items() if kind in wanted)
    choice = re.compile(rf"lib({names})[\w-]*\.so(\..*)?") if names else None
    found = []
    for name, path in sorted(cache.items()):
        if choice and choice.fullmatch(name):
            real = os.path.realpath(root + path)
            found.append(real.removeprefix(os.path.realpath(root)) if root else real)
    return found
