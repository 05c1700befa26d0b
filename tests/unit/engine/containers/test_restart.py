"""When a container that ended is started again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.containers import restart
from engine.containers.config import RestartPolicy
from engine.errors import InvalidRequestError


@pytest.mark.parametrize(
    ("policy", "code", "restarts", "by_user", "wanted"),
    [
        (RestartPolicy("no"), 1, 0, False, False),
        (RestartPolicy("always"), 0, 5, False, True),
        (RestartPolicy("always"), 0, 5, True, False),
        (RestartPolicy("unless-stopped"), 0, 0, False, True),
        (RestartPolicy("on-failure"), 0, 0, False, False),
        (RestartPolicy("on-failure"), 3, 99, False, True),
        (RestartPolicy("on-failure", 2), 3, 1, False, True),
        (RestartPolicy("on-failure", 2), 3, 2, False, False),
    ],
)
def test_the_policy_decides(
    policy: RestartPolicy, code: int, restarts: int, by_user: bool, wanted: bool
) -> None:
    assert restart.wants_restart(policy, code, restarts, stopped_by_user=by_user) is wanted


@pytest.mark.parametrize(
    ("policy", "started", "by_user", "wanted"),
    [
        ("always", True, True, True),
        ("always", False, False, False),
        ("unless-stopped", True, False, True),
        ("unless-stopped", True, True, False),
        ("on-failure", True, False, False),
        ("no", True, False, False),
    ],
)
def test_at_boot_always_means_always_and_unless_stopped_does_not(
    policy: str, started: bool, by_user: bool, wanted: bool
) -> None:
    found = restart.wants_start_at_boot(
        RestartPolicy(policy), started_before=started, stopped_by_user=by_user
    )
    assert found is wanted


@given(st.integers(1, 60))
def test_the_wait_doubles_up_to_a_minute_and_starts_anew_after_a_good_run(tries: int) -> None:
    delay = 0.0
    for _ in range(tries):
        delay = restart.next_delay(delay, 0)
    assert delay == min(0.1 * 2 ** (tries - 1), 60.0)
    assert restart.next_delay(delay, restart.GOOD_RUN_NS) == 0.1


@pytest.mark.parametrize(
    "policy", [RestartPolicy("sometimes"), RestartPolicy("always", 3)], ids=["name", "count"]
)
def test_an_impossible_policy_is_refused(policy: RestartPolicy) -> None:
    with pytest.raises(InvalidRequestError, match="invalid restart policy"):
        restart.check(policy, auto_remove=False)
    with pytest.raises(InvalidRequestError, match="AutoRemove"):
        restart.check(RestartPolicy("always"), auto_remove=True)
