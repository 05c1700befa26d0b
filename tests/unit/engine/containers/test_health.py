"""Health: how probes change the state, and when the next is due."""

from engine.containers import health
from engine.containers.config import Config, HealthConfig
from engine.containers.model import Health, HealthLog

GOOD, BAD = HealthLog(1, 2, 0, ""), HealthLog(1, 2, 1, "no")
CHECK = HealthConfig(("CMD", "true"), interval=health.SECOND, retries=2)


def test_the_command() -> None:
    assert health.probe_command(Config()) == ()
    assert health.probe_command(Config(healthcheck=HealthConfig(("NONE",)))) == ()
    assert health.probe_command(Config(healthcheck=HealthConfig(("CMD", "a", "b")))) == ("a", "b")
    shell = Config(healthcheck=HealthConfig(("CMD-SHELL", "a | b")))
    assert health.probe_command(shell) == ("/bin/sh", "-c", "a | b")


def test_enough_failures_in_a_row_and_one_success() -> None:
    state = Health("starting")
    state = health.after_probe(CHECK, state, BAD, in_start_period=False, early=False)
    assert (state.status, state.failing_streak) == ("starting", 1)
    state = health.after_probe(CHECK, state, BAD, in_start_period=False, early=False)
    assert state.status == "unhealthy"
    state = health.after_probe(CHECK, state, GOOD, in_start_period=False, early=False)
    assert (state.status, state.failing_streak) == ("healthy", 0)


def test_failures_while_starting_or_before_their_time_do_not_count() -> None:
    for flags in (
        {"in_start_period": True, "early": False},
        {"in_start_period": False, "early": True},
    ):
        state = health.after_probe(CHECK, Health("starting"), BAD, **flags)
        assert (state.status, state.failing_streak) == ("starting", 0)
        assert state.log == (BAD,)
        assert health.after_probe(CHECK, state, GOOD, **flags).status == "healthy"


def test_only_the_last_five_are_kept() -> None:
    state = Health("healthy")
    for _ in range(9):
        state = health.after_probe(CHECK, state, GOOD, in_start_period=False, early=False)
    assert len(state.log) == 5


def test_probes_come_early_and_slow_down_to_the_interval() -> None:
    waits, wait = [], 0
    for _ in range(14):
        wait = health.wait_before(CHECK, Health("starting"), wait, 1000)
        waits.append(wait)
    assert waits[0] == 30 * health.SECOND // 1000
    assert waits == sorted(waits)
    assert waits[-1] == health.SECOND
    assert health.wait_before(CHECK, Health("healthy"), wait, 0) == health.SECOND


def test_a_dear_probe_is_not_run_all_the_time() -> None:
    wait = health.wait_before(CHECK, Health("starting"), health.SECOND // 10, health.SECOND // 5)
    assert wait == health.SECOND * 4 // 5
