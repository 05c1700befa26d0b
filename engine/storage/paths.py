"""Every path on disk that the engine uses: one frozen value, asked by all, spelled nowhere else."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layout:
    """Where one engine keeps its state (`root`, survives a reboot) and its run files (`run`)."""

    root: Path
    run: Path

    @property
    def database(self) -> Path:
        """The SQLite file with all metadata."""
        return self.root / "engine.db"

    @property
    def blobs(self) -> Path:
        """The OCI content-addressed store: blobs/sha256/<hex>."""
        return self.root / "blobs"

    @property
    def layers(self) -> Path:
        """Unpacked layers, a folder each. Short names: overlay's options page is small."""
        return self.root / "layers"

    @property
    def volumes(self) -> Path:
        """Named and anonymous volumes: volumes/<name>/_data, as Docker's local driver has it."""
        return self.root / "volumes"

    @property
    def scratch(self) -> Path:
        """Half-done work (downloads, unpacking); emptied when the engine starts."""
        return self.root / "tmp"

    @property
    def cache_mounts(self) -> Path:
        """The folders of RUN --mount=type=cache."""
        return self.root / "cache-mounts"

    @property
    def socket(self) -> Path:
        """The Engine API's unix socket."""
        return self.run / "engine.sock"

    @property
    def lock(self) -> Path:
        """Held by the one engine of this run folder; holds its pid."""
        return self.run / "engine.lock"

    @property
    def log(self) -> Path:
        """What an engine started in the background writes."""
        return self.run / "engine.log"

    @property
    def seccomp_cache(self) -> Path:
        """Compiled seccomp programs by digest of profile, capabilities and kernel."""
        return self.run / "seccomp"

    @property
    def secrets(self) -> Path:
        """Where a tmpfs holds what containers are given in memory: a folder each."""
        return self.run / "secrets"

    @property
    def skeleton(self) -> Path:
        """The lowest layer of every container: the mount points that each of them needs."""
        return self.root / "skeleton"

    @property
    def merged(self) -> Path:
        """Where a root is mounted for the moment before it is entered, in its own mount namespace."""
        return self.root / "merged"

    def container(self, container_id: str) -> Path:
        """A container's folder: upper/, work/, logs."""
        return self.root.joinpath("containers", container_id)

    def container_run(self, container_id: str) -> Path:
        """A container's run files: its monitor's socket, its exit record, hosts, hostname, resolv.conf."""
        return self.run.joinpath("containers", container_id)

    def volume_data(self, name: str) -> Path:
        """The folder that is mounted for a volume."""
        return self.volumes / name / "_data"


def default_layout(*, root: str | None = None, run: str | None = None) -> Layout:
    """The folders of a system engine as root, else the XDG ones; arguments win over PYCOMPOSE_*."""
    privileged = os.geteuid() == 0
    home = Path(os.environ.get("HOME", "/"))
    data = Path(os.environ.get("XDG_DATA_HOME", home / ".local/share")) / "pycompose"
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.geteuid()}")) / "pycompose"
    chosen_root = root or os.environ.get("PYCOMPOSE_ROOT")
    chosen_run = run or os.environ.get("PYCOMPOSE_RUN_DIR")
    return Layout(
        root=Path(chosen_root)
        if chosen_root
        else Path("/var/lib/pycompose")
        if privileged
        else data,
        run=Path(chosen_run) if chosen_run else Path("/run/pycompose") if privileged else runtime,
    )
