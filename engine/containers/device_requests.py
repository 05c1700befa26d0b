"""HostConfig.DeviceRequests: which devices a request means, and what they bring. Reads the host's files.

Rules, as Docker's: the driver "cdi" takes qualified names; a request for GPUs means NVIDIA's, through
CDI files where they name some (nvidia.com/gpu=all), else through the driver that the host has.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from engine.containers import cdi, nvidia
from engine.containers.libraries import with_names
from engine.errors import EngineError, InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.containers.cdi import Catalogue, Edits
    from engine.containers.config import DeviceRequest

GPU = "nvidia.com/gpu"
#: Another place for the host's files of NVIDIA's driver: where it is installed apart from the system.
DRIVER_ROOT = "PYCOMPOSE_NVIDIA_ROOT"


def check_requests(requests: Sequence[DeviceRequest] | None) -> None:
    """What is wrong whatever the host has. Raises InvalidRequestError."""
    for request in requests or ():
        if request.count and request.device_i_ds:
            raise InvalidRequestError("cannot set both Count and DeviceIDs on device request")
        if request.count < -1:
            raise InvalidRequestError(f"invalid count of a device request: {request.count}")
        for name in request.device_i_ds if request.driver == "cdi" else ():
            if not cdi.QUALIFIED.fullmatch(name):
                raise InvalidRequestError(
                    f"invalid CDI device name {name!r}", hint="write vendor.com/class=name"
                )


def device_edits(requests: Sequence[DeviceRequest] | None) -> Edits:
    """All that the requested devices bring. Raises InvalidRequestError, EngineError (none is there)."""
    if not requests:
        return cdi.NOTHING
    catalogue = cdi.read_catalogue(cdi.folders())
    found = cdi.NOTHING
    names: list[str] = []
    for request in requests:
        if request.driver == "cdi":
            names += request.device_i_ds
        elif _wants_gpu(request) and any(name.startswith(f"{GPU}=") for name in catalogue.devices):
            names += _gpu_names(request, catalogue)
        elif _wants_gpu(request):
            found += _driver(request)
        else:
            raise _not_there(request)
    return with_names(found + catalogue.edits(names))


def _wants_gpu(request: DeviceRequest) -> bool:
    """One of the alternatives is made of what NVIDIA's driver offers."""
    offered = {"gpu", "nvidia", *nvidia.CAPABILITIES}
    return request.driver in ("", "nvidia") and any(
        {"gpu", "nvidia"} & set(names) and set(names) <= offered for names in request.capabilities
    )


def _gpu_names(request: DeviceRequest, catalogue: Catalogue) -> list[str]:
    if request.device_i_ds:
        return [i if "=" in i else f"{GPU}={i}" for i in request.device_i_ds]
    names = [name for name in catalogue.devices if name.startswith(f"{GPU}=")]
    every = f"{GPU}=all"
    if request.count == -1 and every in names:
        return [every]
    numbered = [name for name in names if name.partition("=")[2].isdigit()]
    numbered.sort(key=lambda name: int(name.partition("=")[2]))
    single = numbered or [name for name in names if name != every]
    if request.count == -1:
        return single
    if len(single) < request.count:
        raise InvalidRequestError(_too_few(request.count, len(single)))
    return single[: request.count or None]


def _driver(request: DeviceRequest) -> Edits:
    root = os.environ.get(DRIVER_ROOT, "")
    there = nvidia.cards(root)
    if not there or not os.path.exists(f"{root}/dev/nvidiactl"):
        raise _not_there(request)
    chosen = there
    if request.device_i_ds:
        known = {**{str(card.minor): card for card in there}, **{card.uuid: card for card in there}}
        unknown = [name for name in request.device_i_ds if name not in known]
        if unknown:
            raise InvalidRequestError(
                f"unknown GPU {', '.join(unknown)}: there are {', '.join(filter(None, known))}"
            )
        chosen = tuple(dict.fromkeys(known[name] for name in request.device_i_ds))
    elif request.count > len(there):
        raise InvalidRequestError(_too_few(request.count, len(there)))
    elif request.count > 0:
        chosen = there[: request.count]
    asked = {name for names in request.capabilities for name in names} & nvidia.CAPABILITIES
    return nvidia.driver_edits(chosen, asked or {"utility", "compute"}, root)


def _too_few(wanted: int, there: int) -> str:
    return f"{wanted} GPUs are asked for, but there are only {there}"


def _not_there(request: DeviceRequest) -> EngineError:
    """Docker's words for it."""
    wanted = " ".join(f"[{' '.join(names)}]" for names in request.capabilities)
    return EngineError(
        f'could not select device driver "{request.driver}" with capabilities: [{wanted}]',
        hint="no NVIDIA driver (/proc/driver/nvidia, /dev/nvidiactl) and no CDI file has such a device",
    )
