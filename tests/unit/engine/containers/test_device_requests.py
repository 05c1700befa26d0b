"""Which devices a request means: CDI names, GPUs by CDI or by the driver, and none at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from engine.containers.cdi import NOTHING
from engine.containers.config import DeviceRequest
from engine.containers.device_requests import check_requests, device_edits
from engine.errors import EngineError, InvalidRequestError
from tests.unit.engine.containers.nvidia_host import FOLDER, make_host

if TYPE_CHECKING:
    from pathlib import Path

GPU = (("gpu",),)


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_host(tmp_path / "host", nodes=False)
    monkeypatch.setenv("PYCOMPOSE_NVIDIA_ROOT", str(tmp_path / "host"))
    monkeypatch.setenv("PYCOMPOSE_CDI_DIRS", str(tmp_path / "cdi"))
    return tmp_path


def nodes(request: DeviceRequest) -> list[str]:
    return [node.path for node in device_edits([request]).nodes]


def test_the_driver_gives_cards_libraries_and_programs(driver: Path) -> None:
    found = device_edits([DeviceRequest(count=-1, capabilities=GPU)])
    assert [n.path for n in found.nodes] == ["/dev/nvidia0", "/dev/nvidia1", "/dev/nvidiactl", "/dev/nvidia-uvm"]  # fmt: skip
    assert {(rule.kind, rule.access) for rule in found.rules} == {("c", "rwm")}
    there = {m.target: m.source for m in found.mounts}
    host = driver / "host"
    assert there == {
        "/usr/bin/nvidia-smi": f"{host}/usr/bin/nvidia-smi",
        f"{FOLDER}/libcuda.so.1.2.3": f"{host}{FOLDER}/libcuda.so.1.2.3",
        f"{FOLDER}/libcuda.so.1": f"{host}{FOLDER}/libcuda.so.1.2.3",
        f"{FOLDER}/libnvidia-ml.so.1.2.3": f"{host}{FOLDER}/libnvidia-ml.so.1.2.3",
        f"{FOLDER}/libnvidia-ml.so.1": f"{host}{FOLDER}/libnvidia-ml.so.1.2.3",
    }
    assert all("ro" in m.options for m in found.mounts)
    assert found.env == ("NVIDIA_DRIVER_CAPABILITIES=compute,utility",)


def test_capabilities_choose_libraries(driver: Path) -> None:
    asked = DeviceRequest(count=1, capabilities=(("gpu", "video"),))
    found = device_edits([asked])
    assert f"{FOLDER}/libnvidia-encode.so.1" in {m.target for m in found.mounts}
    assert f"{FOLDER}/libcuda.so.1" not in {m.target for m in found.mounts}
    assert driver


@pytest.mark.usefixtures("driver")
def test_cards_by_count_number_and_name() -> None:
    assert nodes(DeviceRequest(count=1, capabilities=GPU))[:2] == ["/dev/nvidia0", "/dev/nvidiactl"]
    for name in ("1", "GPU-bb"):
        asked = DeviceRequest(driver="nvidia", device_i_ds=(name,), capabilities=GPU)
        assert nodes(asked)[:2] == ["/dev/nvidia1", "/dev/nvidiactl"]
    with pytest.raises(InvalidRequestError, match=r"3 GPUs are asked for, but there are only 2"):
        nodes(DeviceRequest(count=3, capabilities=GPU))
    with pytest.raises(InvalidRequestError, match=r"unknown GPU 7: there are 0, 1, GPU-aa, GPU-bb"):
        nodes(DeviceRequest(device_i_ds=("7",), capabilities=GPU))


def test_cdi_goes_before_the_driver(driver: Path) -> None:
    (driver / "cdi").mkdir()
    devices = [{"name": name, "containerEdits": {"env": [f"CARD={name}"]}} for name in ("0", "1", "10", "all")]  # fmt: skip
    document = {"cdiVersion": "0.6.0", "kind": "nvidia.com/gpu", "devices": devices}
    (driver / "cdi/nvidia.json").write_text(json.dumps(document))

    def env(**asked: object) -> tuple[str, ...]:
        return device_edits([DeviceRequest(capabilities=GPU, **asked)]).env  # type: ignore[arg-type]

    assert env(count=-1) == ("CARD=all",)
    assert env(count=2) == ("CARD=0", "CARD=1")
    assert env(device_i_ds=("10",)) == env(device_i_ds=("nvidia.com/gpu=10",)) == ("CARD=10",)
    named = DeviceRequest(driver="cdi", device_i_ds=("nvidia.com/gpu=1",))
    assert device_edits([named]).env == ("CARD=1",)
    with pytest.raises(InvalidRequestError, match="unresolvable CDI devices nvidia.com/gpu=5"):
        env(device_i_ds=("5",))


def test_without_a_driver_the_words_are_dockers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYCOMPOSE_NVIDIA_ROOT", str(tmp_path))
    monkeypatch.setenv("PYCOMPOSE_CDI_DIRS", "")
    assert device_edits(()) == device_edits(None) == NOTHING
    for asked in (
        DeviceRequest(count=-1, capabilities=GPU),
        DeviceRequest(count=-1, capabilities=(("tpu",),)),
        DeviceRequest(driver="amd", count=-1, capabilities=GPU),
    ):
        words = f'could not select device driver "{asked.driver}" with capabilities: [[{asked.capabilities[0][0]}]]'
        with pytest.raises(EngineError) as caught:
            device_edits([asked])
        assert caught.value.message == words
        assert caught.value.status == 500


def test_requests_that_mean_nothing_are_refused() -> None:
    for wrong in (
        DeviceRequest(count=1, device_i_ds=("0",), capabilities=GPU),
        DeviceRequest(count=-2, capabilities=GPU),
        DeviceRequest(driver="cdi", device_i_ds=("thing",)),
    ):
        with pytest.raises(InvalidRequestError):
            check_requests([wrong])
