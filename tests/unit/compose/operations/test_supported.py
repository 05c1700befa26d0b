"""What is refused before anything is touched."""

from __future__ import annotations

import pytest

from compose.engine_client.endpoint import Endpoint
from compose.errors import ProjectError
from compose.model.mount import Mount
from compose.model.project import Project
from compose.model.service import Service
from compose.operations.supported import prepared


def project(*services: Service) -> Project:
    return Project(
        name="p",
        working_dir="/p",
        files=(),
        services={service.name: service for service in services},
    )


def test_targets_that_are_no_absolute_paths_are_all_told() -> None:
    services = (
        Service(name="a", volumes=(Mount("volume", "/fine"), Mount("volume", "d:/d"))),
        Service(name="b", volumes=(Mount("bind", "data", "/x"),), tmpfs=("/tmp", "run:size=1m")),
    )
    with pytest.raises(ProjectError) as refused:
        prepared(project(*services), Endpoint(path="/x"), {})
    assert refused.value.lines == [
        "services.a.volumes[1]: the target 'd:/d' is no absolute path: a volume's name has two letters or more, 'd' is a Windows drive",
        "services.b.volumes[0]: the target 'data' is no absolute path: begin it with /",
        "services.b.tmpfs[1]: the target 'run' is no absolute path: begin it with /",
    ]


def test_the_rest_stays_as_it_is() -> None:
    fine = project(Service(name="a", volumes=(Mount("volume", "/d:/d"),), tmpfs=("/run:size=1m",)))
    assert prepared(fine, Endpoint(path="/x"), {}) is fine
