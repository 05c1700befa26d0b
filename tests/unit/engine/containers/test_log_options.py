"""`logging:` read: drivers, options and tags as Docker has them, the rest refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.containers import log_options
from engine.containers.config import Config, HostConfig, LogConfig
from engine.containers.log_options import log_target, parse_size, render_tag
from engine.containers.model import Container
from engine.errors import EngineError, InvalidRequestError
from engine.runtime.spec import LogTarget


def container(driver: str, **options: str) -> Container:
    named = {key.replace("_", "-"): value for key, value in options.items()}
    return Container(
        id="0123456789ab" + "c" * 52, name="web", created_ns=0, image="sha256:" + "d" * 64,
        config=Config(image="nginx:1", env=("A=1", "APP_X=2", "B=3"), labels={"l": "v", "m": "w"}),
        host_config=HostConfig(log_config=LogConfig(driver, named)), path="run", args=("it",),
    )  # fmt: skip


def target(driver: str, **options: str) -> LogTarget:
    return log_target(container(driver, **options), "/log")


def test_what_is_not_said_is_rotated() -> None:
    assert target("json-file") == LogTarget("json-file", "/log", 20_000_000, 5, compress=False)
    assert target("local").compress
    assert target("none") == LogTarget("none")


def test_options_of_files() -> None:
    made = target("json-file", max_size="10m", max_file="3", compress="true", tag="{{.Name}}",
                  labels="l,none", env="A", env_regex="^APP")  # fmt: skip
    assert (made.max_size, made.max_files, made.compress) == (10_000_000, 3, True)
    assert dict(made.attributes) == {"l": "v", "A": "1", "APP_X": "2", "tag": "web"}


@pytest.mark.parametrize(
    ("text", "size"),
    [("10", 10), ("10k", 10_000), ("1.5MB", 1_500_000), ("2 g", 2 * 10**9), ("-1", -1)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("driver", "options", "words"),
    [
        ("fluentd", {}, "logging driver 'fluentd' is not supported: use json-file, local"),
        ("json-file", {"foo": "1"}, "unknown log opt 'foo' for json-file log driver"),
        ("json-file", {"syslog_address": "x"}, "unknown log opt 'syslog-address' for json-file"),
        ("json-file", {"max_size": "ten"}, "invalid size: 'ten'"),
        ("json-file", {"max_size": "0"}, "must be a positive number"),
        ("json-file", {"max_file": "0"}, "max-file cannot be less than 1"),
        ("json-file", {"compress": "yes"}, "invalid value 'yes' for compress"),
        ("json-file", {"mode": "fast"}, "mode 'fast' is invalid"),
        ("json-file", {"max_buffer_size": "1m"}, "only supported with 'mode=non-blocking'"),
        ("json-file", {"tag": "{{.Nmae}}"}, "invalid log tag"),
        ("json-file", {"env_regex": "("}, "invalid env-regex"),
        ("syslog", {"syslog_address": "ftp://x"}, "invalid syslog-address"),
        ("syslog", {"syslog_address": "tcp://x:y"}, "the port is no number"),
        ("syslog", {"syslog_address": "tcp+tls://x:1"}, "tcp\\+tls is not supported"),
        ("syslog", {"syslog_tls_ca_cert": "x"}, "'syslog-tls-ca-cert' is not supported"),
        ("syslog", {"syslog_address": "udp://x", "syslog_facility": "x"}, "facility 'x'"),
        ("syslog", {"syslog_address": "udp://x", "syslog_format": "x"}, "format 'x'"),
    ],
)
def test_what_makes_no_sense(driver: str, options: dict[str, str], words: str) -> None:
    with pytest.raises(EngineError, match=words):
        target(driver, **options)


def test_syslog() -> None:
    made = target(
        "syslog", syslog_address="udp://[::1]", syslog_facility="local3", mode="non-blocking"
    )
    assert (made.address, made.facility, made.tag) == ("udp://[::1]:514", 19, "0123456789ab")
    assert made.buffer == 1_000_000
    assert target("syslog", syslog_address="unix:///x", cache_disabled="true").path == ""


def test_receivers_that_the_host_has_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(log_options, "JOURNAL", str(tmp_path / "journal"))
    monkeypatch.setattr(log_options, "LOCAL_SYSLOGS", (str(tmp_path / "log"),))
    with pytest.raises(EngineError, match="'journald' is not available: this host has no systemd"):
        target("journald")
    with pytest.raises(EngineError, match="'syslog' is not available: this host has no syslog"):
        target("syslog")
    (tmp_path / "journal").touch()
    (tmp_path / "log").touch()
    assert target("syslog").address == f"unixgram://{tmp_path}/log"
    fields = dict(target("journald", labels="l", tag="{{.ImageName}}/{{.ID}}").fields)
    assert fields["CONTAINER_TAG"] == fields["SYSLOG_IDENTIFIER"] == "nginx:1/0123456789ab"
    assert (fields["CONTAINER_NAME"], fields["L"]) == ("web", "v")


def test_tags() -> None:
    made = container("json-file")
    assert render_tag("{{ .Name }}-{{.FullID}}", made) == f"web-{made.id}"
    assert render_tag("{{.Command}}|{{.ImageID}}|plain", made) == "run it|dddddddddddd|plain"
    with pytest.raises(InvalidRequestError, match=r"known: \{\{.ID\}\}"):
        render_tag("{{json .}}", made)
