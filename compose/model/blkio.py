"""Limits of block devices; rates are bytes or operations a second."""

from __future__ import annotations

from compose.model.record import Record


class BlkioConfig(Record):
    """blkio_config; per device (path, value)."""

    weight: int | None = None
    weight_device: tuple[tuple[str, int], ...] = ()
    device_read_bps: tuple[tuple[str, int], ...] = ()
    device_read_iops: tuple[tuple[str, int], ...] = ()
    device_write_bps: tuple[tuple[str, int], ...] = ()
    device_write_iops: tuple[tuple[str, int], ...] = ()
