"""What differs between two versions of a config, and that no secret is told."""

import json
from typing import Any

import pytest

from buddy_common.config_compare import MAX_CHARACTERS, UnreadableTextError, compare, masked_text

KEY = "sk-abcdefghijklmnop-1234"
SAME_MASK = "sk-ABCDEFGHIJKLMNOP-1234"


def changes(old: Any, new: Any) -> list[tuple[str, str, Any, Any]]:
    found = compare(json.dumps(old), json.dumps(new)).changes
    return [(change.path, change.op, change.old, change.new) for change in found]


def test_same_bytes_are_identical() -> None:
    found = compare("{a: 1}", "{a: 1}")

    assert found.identical
    assert (found.diff, found.changes, found.problem) == ("", [], None)


@pytest.mark.parametrize("new", ["{\n  'a': 1, b: 2,\n}", "{b: 2, a: 1} // a comment"])
def test_other_bytes_of_the_same_document_differ_in_nothing_else(new: str) -> None:
    found = compare('{"a": 1, "b": 2}', new)

    assert not found.identical
    assert (found.diff, found.changes) == ("", [])


def test_each_leaf_that_differs_is_told_by_its_path() -> None:
    old = {"gateway": {"port": 1, "bind": "lan"}, "same": [1]}
    new = {"gateway": {"port": 2, "tls": {"on": True, "more": {}}}, "same": [1]}

    found = compare(json.dumps(old), json.dumps(new))

    assert changes(old, new) == [
        ("gateway.port", "replace", 1, 2),
        ("gateway.bind", "remove", "lan", None),
        ("gateway.tls.on", "add", None, True),
        ("gateway.tls.more", "add", None, {}),
    ]
    assert found.stats.model_dump() == {"added": 2, "removed": 1, "changed": 1}
    assert '-    "port": 1' in found.diff
    assert '+    "port": 2,' in found.diff


def test_rows_are_matched_by_their_id() -> None:
    old = {"models": [{"id": "gpt", "name": "A"}, {"id": "glm/5", "n": 1}, {"id": "x"}]}
    new = {"models": [{"id": "new", "n": 0}, {"id": "gpt", "name": "B"}, {"id": "glm/5", "n": 1}]}

    assert changes(old, new) == [
        ("models[id=gpt].name", "replace", "A", "B"),
        ("models[id=x].id", "remove", "x", None),
        ("models[id=new].id", "add", None, "new"),
        ("models[id=new].n", "add", None, 0),
    ]


def test_another_order_of_rows_is_a_change_of_their_array() -> None:
    old, new = {"list": [{"id": "a"}, {"id": "b"}]}, {"list": [{"id": "b"}, {"id": "a"}]}

    assert changes(old, new) == [("list", "replace", ["a", "b"], ["b", "a"])]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([1, 2], [1, 3, 4], [("a[1]", "replace", 2, 3), ("a[2]", "add", None, 4)]),
        ([{"id": "x"}, {"id": "x"}], [{"id": "x"}], [("a[1].id", "remove", "x", None)]),
        ([{"id": 1}], [{"id": 2}], [("a[0].id", "replace", 1, 2)]),
        ([], [{"id": "x"}], [("a[id=x].id", "add", None, "x")]),
        ([1], {"b": 1}, [("a", "replace", [1], {"b": 1})]),
        (1, True, [("a", "replace", 1, True)]),
        (0, None, [("a", "replace", 0, None)]),
        ([], {}, [("a", "replace", [], {})]),
    ],
    ids=str,
)
def test_other_values_are_told_as_they_are(old: Any, new: Any, expected: Any) -> None:
    assert changes({"a": old}, {"a": new}) == expected


def test_unusual_names_are_quoted_in_paths() -> None:
    old = {"a.b": {"": 1, "模型": 1}, "l": [{"id": "x ]", "n": 1}]}
    new = {"a.b": {"": 2, "模型": 2}, "l": [{"id": "x ]", "n": 2}]}

    assert [path for path, *_ in changes(old, new)] == ['["a.b"][""]', '["a.b"].模型', 'l[id="x ]"].n']


def test_no_secret_is_in_any_part_of_the_answer() -> None:
    old = {"models": {"providers": {"p": {"apiKey": KEY, "headers": {"X-Any": KEY}}}}}
    new = {
        "models": {"providers": {"p": {"apiKey": SAME_MASK, "headers": {"X-Any": "short"}}}},
        "gateway": {"auth": {"token": KEY}, "url": f"https://u:{KEY}@host/?k={KEY}"},
    }

    told = compare(json.dumps(old), json.dumps(new)).model_dump_json()

    assert KEY not in told
    assert SAME_MASK not in told
    assert "short" not in told


def test_secret_that_changed_to_one_of_the_same_mask_is_a_change() -> None:
    found = compare(json.dumps({"apiKey": KEY}), json.dumps({"apiKey": SAME_MASK}))

    assert [change.model_dump() for change in found.changes] == [
        {"path": "apiKey", "op": "replace", "old": "sk-…1234", "new": "sk-…1234", "secret": True}
    ]
    assert '+  "apiKey": "sk-…1234 (another one)"' in found.diff


def test_what_is_no_secret_is_not_called_one() -> None:
    found = compare('{"a": 1, "token": "x"}', '{"a": 2, "token": "${TOKEN}"}')

    assert [(change.path, change.secret) for change in found.changes] == [("a", False), ("token", True)]


def test_missing_file_has_no_lines() -> None:
    found = compare("", '{"a": 1}')

    assert [(change.path, change.op) for change in found.changes] == [("a", "add")]
    assert '+  "a": 1' in found.diff
    assert "\n-" not in found.diff.removeprefix("---")
    assert compare('{"a": 1}', "").stats.removed == 1


@pytest.mark.parametrize(
    "broken",
    [
        f"{{apiKey: {KEY}",
        f'{{"apiKey": "{KEY}"',
        "[" * 100_000,
        "\x00",
        f"{KEY}",
        "{}" + " " * MAX_CHARACTERS,
    ],
    ids=lambda text: text[:12],
)
def test_text_that_cannot_be_masked_is_not_shown(broken: str) -> None:
    for texts in ((broken, "{}"), ("{}", broken), (broken, broken)):
        found = compare(*texts)

        assert found.identical is (texts[0] == texts[1])
        assert found.problem
        assert (found.diff, found.changes) == ("", [])
        assert KEY not in found.model_dump_json()
    with pytest.raises(UnreadableTextError) as failure:
        masked_text(broken)
    assert KEY not in str(failure.value)


def test_text_of_a_file_is_shown_masked_and_in_its_order() -> None:
    shown = masked_text(f"{{z: 1, /* why */ apiKey: '{KEY}', n: '模型', x: Infinity, y: NaN}}")

    assert json.loads(shown) == {"z": 1, "apiKey": "sk-…1234", "n": "模型", "x": "inf", "y": "nan"}
    assert shown.index('"z"') < shown.index('"apiKey"')
    assert "模型" in shown


HIDDEN = {
    "args": ["--api-key", "sk-live-1234567890abcdef"],
    "env": {"DB_PASS": "hunter2-hunter2"},
    "webhookUrl": "https://hooks.slack.com/services/T/B/XXXX",
}


def test_secrets_of_a_server_of_tools_are_in_no_text() -> None:
    document = json.dumps({"mcp": {"servers": {"x": HIDDEN}}})
    other = document.replace("cdef", "9999").replace("hunter2-", "hunter3-").replace("XXXX", "YYYY")
    found = compare(document, other)

    assert [(change.path, change.secret) for change in found.changes] == [
        ("mcp.servers.x.args[1]", True),
        ("mcp.servers.x.env.DB_PASS", True),
        ("mcp.servers.x.webhookUrl", True),
    ]
    for text in (masked_text(document), found.model_dump_json(), compare("", document).model_dump_json()):
        assert "hooks.slack.com" in text or "env" in text
        for secret in ("1234567890", "hunter2-h", "hunter3-h", "XXXX", "YYYY"):
            assert secret not in text
