"""One tree over another."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compose.loader.merge import merge, without
from compose.loader.tree import FaultError
from compose.loader.unique import unique

KEYS = st.sampled_from(["a", "b", "c"])
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
TREES = st.recursive(SCALARS, lambda inner: st.dictionaries(KEYS, inner), max_leaves=8)
MAPPINGS = st.dictionaries(KEYS, TREES)


def service(**attributes: Any) -> dict[str, Any]:
    return {"services": {"s": attributes}}


@given(MAPPINGS)
def test_nothing_over_a_tree_is_the_tree(tree: dict[str, Any]) -> None:
    assert merge(tree, {}) == tree
    assert merge({}, tree) == tree


@given(MAPPINGS, MAPPINGS)
def test_neither_side_is_changed(base: dict[str, Any], over: dict[str, Any]) -> None:
    before = copy.deepcopy((base, over))
    try:
        merge(base, over)
    except FaultError:
        pass
    assert (base, over) == before


@given(MAPPINGS, MAPPINGS)
def test_every_key_of_both_is_there(base: dict[str, Any], over: dict[str, Any]) -> None:
    try:
        merged = merge(base, over)
    except FaultError:
        return
    assert merged.keys() == base.keys() | over.keys()


@pytest.mark.parametrize(
    ("base", "over", "result"),
    [
        ({"command": ["a"]}, {"command": ["b"]}, {"command": ["b"]}),
        ({"command": ["a"]}, {"command": None}, {"command": None}),
        ({"image": "a"}, {"image": None}, {"image": "a"}),
        ({"expose": ["1"]}, {"expose": ["2"]}, {"expose": ["1", "2"]}),
        (
            {"environment": {"A": 1, "B": None}},
            {"environment": ["A=2"]},
            {"environment": ["A=2", "B"]},
        ),
        ({"dns": "1.1.1.1"}, {"dns": ["1.1.1.1", "2.2.2.2"]}, {"dns": ["1.1.1.1", "2.2.2.2"]}),
        ({"build": "."}, {"build": {"target": "t"}}, {"build": {"context": ".", "target": "t"}}),
        ({"networks": ["a"]}, {"networks": {"b": {}}}, {"networks": {"a": None, "b": {}}}),
        ({"volumes": ["./a:/x"]}, {"volumes": ["./b:/x"]}, {"volumes": ["./b:/x"]}),
        (
            {"logging": {"driver": "a", "options": {"x": 1}}},
            {"logging": {"driver": "b"}},
            {"logging": {"driver": "b"}},
        ),
        (
            {"logging": {"driver": "a", "options": {"x": 1}}},
            {"logging": {"options": {"y": 2}}},
            {"logging": {"driver": "a", "options": {"x": 1, "y": 2}}},
        ),
    ],
)
def test_rules_of_attributes(base: Any, over: Any, result: Any) -> None:
    assert unique(merge(service(**base), service(**over))) == service(**result)


def test_shapes_that_differ_are_refused_with_their_path() -> None:
    with pytest.raises(FaultError) as refused:
        merge(service(deploy={"mode": "x"}), service(deploy=["x"]))
    assert refused.value.path == ("services", "s", "deploy")


def test_a_reset_path_is_gone_and_the_rest_stays() -> None:
    tree = service(image="x", ports=["1"])
    assert without(tree, [("services", "s", "ports"), ("nowhere", "x")]) == service(image="x")
    assert "ports" in tree["services"]["s"]
