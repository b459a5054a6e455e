"""What is said of a change of a config: the tests with the real OpenClaw rest on it."""

from copy import deepcopy
from typing import Any

from openclaw_changes import changed_paths, is_exactly

CONFIG: dict[str, Any] = {
    "meta": {"at": 1},
    "agents": {"defaults": {"model": "x/a"}, "list": [{"id": "main"}, {"id": "b", "tools": ["x"]}]},
    "talk": {},
}


def changed(*edits: Any) -> set[str]:
    after = deepcopy(CONFIG)
    for edit in edits:
        edit(after)
    return changed_paths(CONFIG, after)


def test_each_value_that_differs_is_told_and_rows_are_known_by_their_ids() -> None:
    def shift(config: dict[str, Any]) -> None:
        config["agents"]["list"] = [{"id": "b", "tools": ["y"]}, {"id": "new", "name": "N"}, {"id": "main"}]
        config["agents"]["defaults"]["model"] = {"primary": "x/a"}

    assert changed(shift) == {
        "agents.list.b.tools",
        "agents.list.new.id",
        "agents.list.new.name",
        "agents.defaults.model",
        "agents.defaults.model.primary",
    }


def test_what_openclaw_writes_of_itself_and_what_is_the_same_is_not_told() -> None:
    assert changed(lambda config: config["meta"].update(at=2)) == set()
    assert changed(lambda config: config["talk"].update(agentId="b")) == {"talk.agentId"}
    assert changed(lambda config: config["agents"]["defaults"].update(x=1)) == {"agents.defaults.x"}
    assert changed(lambda config: config.update(talk=0)) == {"talk"}
    assert changed_paths({"x": 1}, {"x": True}) == {"x"}


def test_a_change_is_exact_when_each_place_has_changed_and_no_other() -> None:
    paths = {"a.b.c", 'a["x y"]'}

    assert is_exactly(paths, "a.b", 'a["x y"]')
    assert is_exactly(paths, "a")
    assert is_exactly(paths, "a.b", may=("a",))
    assert not is_exactly(paths, "a.b")  # more has changed
    assert not is_exactly(paths, "a", "z")  # less has
    assert not is_exactly({"a.bc"}, "a.b")
    assert not is_exactly(set(), "a")
