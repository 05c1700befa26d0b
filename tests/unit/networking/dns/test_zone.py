"""Who finds whom: the zone against a model that is too simple to be wrong."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from networking.dns.zone import Member, View, Zone

networks = st.sampled_from(["red", "blue", "Green_default"])
words = st.sampled_from(["web", "db", "Web", "api", "web.red"])
members = st.builds(
    Member, id=st.sampled_from("abcdef"), network=networks, owner=words,
    names=st.lists(words, max_size=3).map(tuple),
    addresses=st.integers(2, 9).map(lambda n: (f"10.0.0.{n}", f"fd00::{n}")),
    answering=st.booleans(),
)  # fmt: skip


@given(st.lists(st.one_of(members, st.sampled_from("abcdef")), max_size=20), networks, words)
def test_joining_and_leaving_in_any_order(changes, network: str, name: str) -> None:
    zone = Zone()
    model: dict[str, Member] = {}
    for change in changes:
        if isinstance(change, Member):
            zone.join(change)
            model.pop(change.id, None)
            model[change.id] = change
        else:
            zone.leave(change)
            model.pop(change, None)
    assert zone.members() == tuple(model.values())
    expected = [
        a
        for m in model.values()
        if m.network == network and m.answering and name.lower() in map(str.lower, m.names)
        for a in m.addresses
    ]
    found = zone.addresses(View((network,)), name)
    if expected:
        assert found == tuple(expected)
    elif "." not in name:
        assert found is None
    for member_id in list(model):
        zone.leave(member_id)
    assert zone.members() == ()
    assert zone._names == zone._owners == {}


def test_a_view_is_its_networks_in_order_with_own_words_first() -> None:
    zone = Zone(
        [
            Member("1", "red", "r-web-1", ("web",), ("10.1.0.2",)),
            Member("2", "blue", "b-web-1", ("web", "only"), ("10.2.0.2",)),
        ]
    )
    view = View(
        ("red", "blue"), {"host.docker.internal": ("10.1.0.1",)}, {"w": "web", "only": "web"}
    )
    assert zone.addresses(view, "WEB.") == ("10.1.0.2",)
    assert zone.addresses(view, "web.blue") == ("10.2.0.2",)
    assert zone.addresses(view, "w") == ("10.1.0.2",)
    assert zone.addresses(view, "w.blue") == ("10.2.0.2",)
    assert zone.addresses(view, "only") == ("10.1.0.2",)
    assert zone.addresses(view, "Host.Docker.Internal") == ("10.1.0.1",)
    assert zone.addresses(View(("red",)), "only") is None
    assert zone.owner(view, "10.2.0.2") == "b-web-1.blue"
    assert zone.owner(View(("red",)), "10.2.0.2") is None


def test_they_travel_as_json() -> None:
    import json

    member = Member("1", "red", "web", ("a", "b"), ("10.0.0.1",), answering=False)
    assert Member.from_json(json.loads(json.dumps(member.to_json()))) == member
    view = View(("red",), {"h": ("10.0.0.1", "fd00::1")}, {"a": "b"}, ("1.1.1.1",), forward=False)
    assert View.from_json(json.loads(json.dumps(view.to_json()))) == view
