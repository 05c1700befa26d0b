"""`logging:` of a container -> where its monitor writes: drivers, their options, tags. Reads no log.

Sources: Docker's documentation of its logging drivers and of their tag option.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from engine.errors import InvalidRequestError, NotSupportedError
from engine.processes.log_outlet import JOURNAL
from engine.runtime.spec import LogTarget

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.containers.model import Container

SIZE, FILES = 20_000_000, 5
BUFFER = 1_000_000
_COMMON = ("mode", "max-buffer-size", "labels", "labels-regex", "env", "env-regex", "tag")
_FILE = ("max-size", "max-file", "compress")
_CACHE = ("cache-disabled", "cache-max-size", "cache-max-file", "cache-compress")
OPTIONS = {
    "json-file": (*_COMMON, *_FILE),
    "local": (*_COMMON, *_FILE),
    "journald": (*_COMMON, *_CACHE),
    "syslog": (*_COMMON, *_CACHE, "syslog-address", "syslog-facility", "syslog-format"),
}
#: Docker's drivers for one vendor's receiver each, and for Windows.
OTHERS = ("awslogs", "etwlogs", "fluentd", "gcplogs", "gelf", "splunk")
FACILITIES = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "", "", "", "", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
    "local7",
)  # fmt: skip
FORMS = ("", "rfc3164", "rfc5424", "rfc5424micro")
LOCAL_SYSLOGS = ("/dev/log", "/var/run/syslog", "/var/run/log")
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_SIZE = re.compile(r"(-?\d+(?:\.\d+)?) ?([kmgt]?)(?:i?b)?")
_PLACE = re.compile(r"\{\{-? *\.(\w+) *-?\}\}")


def check_log_driver(name: str) -> None:
    """Raises NotSupportedError for a driver that only Docker has, or without a receiver on this host.

    InvalidRequestError for one that nobody has.
    """
    if name == "journald" and not os.path.exists(JOURNAL):
        raise NotSupportedError(
            f"logging driver 'journald' is not available: this host has no systemd journal ({JOURNAL})"
        )
    if name == "none" or name in OPTIONS:
        return
    known = f"use {', '.join(OPTIONS)} or none"
    if name in OTHERS:
        raise NotSupportedError(f"logging driver {name!r} is not supported: {known}")
    raise InvalidRequestError(
        f'error looking up logging plugin {name}: plugin "{name}" not found', hint=known
    )


def log_target(container: Container, path: str, image_name: str = "") -> LogTarget:
    """Where output goes. Raises InvalidRequestError, NotSupportedError for options that make no sense."""
    driver = container.host_config.log_config.type
    options = dict(container.host_config.log_config.config or {})
    check_log_driver(driver)
    if driver == "none":
        return LogTarget("none")
    for name in options:
        if name.startswith("syslog-tls") and driver == "syslog":
            raise NotSupportedError(f"log opt '{name}' is not supported: use udp, tcp or unix")
        if name not in OPTIONS[driver]:
            raise InvalidRequestError(f"unknown log opt '{name}' for {driver} log driver")
    attributes = _attributes(container, options)
    tag = render_tag(options.get("tag", ""), container, image_name)
    target = LogTarget(
        driver=driver,  # type: ignore[arg-type]  # one of OPTIONS
        path="" if options.get("cache-disabled", "false") == "true" else path,
        max_size=_size(options, "max-size", "cache-max-size"),
        max_files=_files(options),
        compress=_flag(options, "compress", "cache-compress", default=driver == "local"),
        buffer=_buffer(options),
        attributes=(*attributes, *((("tag", tag),) if tag else ())),
    )
    if driver == "journald":
        return _journald(target, container, tag, image_name, attributes)
    return _syslog(target, container, tag, options) if driver == "syslog" else target


def _journald(
    target: LogTarget,
    container: Container,
    tag: str,
    image_name: str,
    attributes: tuple[tuple[str, str], ...],
) -> LogTarget:
    from dataclasses import replace

    tag = tag or container.id[:12]
    fields = (
        ("CONTAINER_ID", container.id[:12]),
        ("CONTAINER_ID_FULL", container.id),
        ("CONTAINER_NAME", container.name),
        ("CONTAINER_TAG", tag),
        ("IMAGE_NAME", image_name or container.config.image),
        ("SYSLOG_IDENTIFIER", tag),
        *((name, value) for key, value in attributes if (name := _journal_name(key))),
    )
    return replace(target, fields=fields)


def _journal_name(text: str) -> str:
    """A name as journald takes it for a field: capitals, digits, underscores."""
    return re.sub(r"[^A-Z0-9_]", "_", text.upper()).lstrip("_0123456789")


def _syslog(
    target: LogTarget, container: Container, tag: str, options: Mapping[str, str]
) -> LogTarget:
    from dataclasses import replace

    facility = options.get("syslog-facility", "daemon")
    number = int(facility) if facility.isdigit() else -1
    number = FACILITIES.index(facility) if facility and facility in FACILITIES else number
    if not 0 <= number < len(FACILITIES):
        raise InvalidRequestError(f"invalid syslog facility {facility!r}")
    form = options.get("syslog-format", "")
    if form not in FORMS:
        raise InvalidRequestError(f"invalid syslog format {form!r}", hint="use rfc3164 or rfc5424")
    address = _address(options.get("syslog-address", ""))
    return replace(
        target, tag=tag or container.id[:12], facility=number, form=form, address=address
    )


def _address(asked: str) -> str:
    """ "scheme://place" with a port where there is one. Raises InvalidRequestError, ..."""
    if not asked:
        local = next((path for path in LOCAL_SYSLOGS if os.path.exists(path)), None)
        if local is None:
            raise NotSupportedError(
                "logging driver 'syslog' is not available: this host has no syslog socket (/dev/log)",
                hint="name a server with the option syslog-address",
            )
        return f"unixgram://{local}"
    scheme, found, place = asked.partition("://")
    if scheme == "tcp+tls":
        raise NotSupportedError("syslog over tcp+tls is not supported: use udp, tcp or unix")
    if not found or not place or scheme not in ("udp", "tcp", "unix", "unixgram"):
        raise InvalidRequestError(
            f"invalid syslog-address {asked!r}", hint="write udp://host:514 or unix:///path"
        )
    if scheme in ("unix", "unixgram"):
        if not place.startswith("/"):
            raise InvalidRequestError(f"invalid syslog-address {asked!r}: the path is not absolute")
        return asked
    host, _, port = place.rpartition(":")
    if port.isdigit() and 0 < int(port) < 65536 and host:
        return asked
    if ":" in place and not place.endswith("]"):
        raise InvalidRequestError(f"invalid syslog-address {asked!r}: the port is no number")
    return f"{asked}:514"


def render_tag(template: str, container: Container, image_name: str = "") -> str:
    """Docker's tag template. Raises InvalidRequestError for what it does not know."""
    values = {
        "ID": container.id[:12], "FullID": container.id, "Name": container.name,
        "ImageID": container.image.removeprefix("sha256:")[:12],
        "ImageFullID": container.image, "ImageName": image_name or container.config.image,
        "DaemonName": "pycompose", "Hostname": os.uname().nodename,
        "Command": " ".join((container.path, *container.args)),
    }  # fmt: skip
    text = _PLACE.sub(lambda m: values.get(m[1], "{{"), template)
    if "{{" in text:
        raise InvalidRequestError(
            f"invalid log tag {template!r}", hint="known: " + ", ".join("{{." + k + "}}" for k in values)
        )  # fmt: skip
    return text


def _attributes(container: Container, options: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    chosen: dict[str, str] = {}
    variables = dict(entry.partition("=")[::2] for entry in container.config.env)
    for option, values in (("labels", container.config.labels), ("env", variables)):
        for name in filter(None, options.get(option, "").split(",")):
            if name in values:
                chosen[name] = values[name]
        pattern = options.get(f"{option}-regex", "")
        try:
            fitting = re.compile(pattern) if pattern else None
        except re.error as error:
            raise InvalidRequestError(f"invalid {option}-regex {pattern!r}: {error}") from error
        if fitting:
            chosen.update({name: text for name, text in values.items() if fitting.search(name)})
    return tuple(chosen.items())


def _size(options: Mapping[str, str], *names: str) -> int:
    text = next((options[name] for name in names if name in options), None)
    size = SIZE if text is None else parse_size(text)
    if size == 0:
        raise InvalidRequestError("max-size must be a positive number")
    return size


def _files(options: Mapping[str, str]) -> int:
    text = options.get("max-file", options.get("cache-max-file", str(FILES)))
    if not text.isdigit() or int(text) < 1:
        raise InvalidRequestError("max-file cannot be less than 1")
    return int(text)


def _flag(options: Mapping[str, str], *names: str, default: bool) -> bool:
    text = next((options[name] for name in names if name in options), str(default).lower())
    if text not in ("true", "false"):
        raise InvalidRequestError(f"invalid value {text!r} for {names[0]}: true or false")
    return text == "true"


def _buffer(options: Mapping[str, str]) -> int:
    mode = options.get("mode", "blocking")
    if mode not in ("blocking", "non-blocking"):
        raise InvalidRequestError(f"logger: mode '{mode}' is invalid: blocking or non-blocking")
    if "max-buffer-size" in options and mode == "blocking":
        raise InvalidRequestError(
            "logger: max-buffer-size option is only supported with 'mode=non-blocking'"
        )
    if mode == "blocking":
        return 0
    return parse_size(options["max-buffer-size"]) if "max-buffer-size" in options else BUFFER


def parse_size(text: str) -> int:
    """ "10m" -> 10,000,000 bytes, as Docker counts here; "-1" is no limit. Raises InvalidRequestError."""
    found = _SIZE.fullmatch(text.strip().lower())
    if not found:
        raise InvalidRequestError(f"invalid size: '{text}'", hint="write 10m or 1g")
    value = int(float(found[1]) * _UNITS[found[2]])
    return -1 if value < 0 else value
