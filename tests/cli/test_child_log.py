"""Log files of children: whole JSON lines, bounded, without secrets."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from buddy_cli import child_log
from buddy_cli.child_log import KEPT_FILES, MAX_LINE_BYTES, ChildLog

READ_BYTES = 65536  # what the supervisor reads at once
MOST_BYTES = MAX_LINE_BYTES + READ_BYTES + 1024  # a line is cut at the first piece that is too much


@pytest.fixture
def log(tmp_path: Path) -> Iterator[ChildLog]:
    log = ChildLog(tmp_path, "web")
    yield log
    log.close()


def written(folder: Path) -> list[str]:
    return (folder / "web.log").read_text().splitlines()


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written(folder)]


def test_a_json_line_is_kept_as_it_is(log: ChildLog, tmp_path: Path) -> None:
    line = '{"service": "web",   "event": "größer", "n": 1.50}'

    log.feed(line.encode() + b"\n")

    assert written(tmp_path) == [line]


def test_a_json_line_without_spaces_is_kept_as_it_is(log: ChildLog, tmp_path: Path) -> None:
    """The mask for passwords in URLs must not reach across the end of a string."""
    line = '{"url":"http://127.0.0.1:3000","mail":"joe@example.com"}'

    log.feed(line.encode() + b"\n")

    assert written(tmp_path) == [line]


def test_any_other_line_is_wrapped(log: ChildLog, tmp_path: Path) -> None:
    log.feed('Traceback "größer"\r\n'.encode())

    (record,) = records(tmp_path)
    assert record["service"] == "web"
    assert record["event"] == "output"
    assert record["line"] == 'Traceback "größer"'
    assert record["timestamp"].endswith("+00:00")


@pytest.mark.parametrize("line", ["{'a': 1}", '{"cut": "off', "{}{}", "{"])
def test_a_line_that_only_begins_like_json_is_wrapped(log: ChildLog, tmp_path: Path, line: str) -> None:
    log.feed(line.encode() + b"\n")

    assert records(tmp_path)[0]["line"] == line


def test_empty_lines_are_dropped(log: ChildLog, tmp_path: Path) -> None:
    log.feed(b"\n  \n\r\nsomething\n\n")

    assert [record["line"] for record in records(tmp_path)] == ["something"]


def test_pieces_of_a_line_are_joined_even_inside_a_character(log: ChildLog, tmp_path: Path) -> None:
    for byte in "first größer\nsecond\n".encode():
        log.feed(bytes([byte]))

    assert [record["line"] for record in records(tmp_path)] == ["first größer", "second"]


def test_bytes_that_are_no_text_are_replaced(log: ChildLog, tmp_path: Path) -> None:
    log.feed(b"a\xffb\n")

    assert records(tmp_path)[0]["line"] == "a\ufffdb"


def test_the_last_line_needs_no_end(log: ChildLog, tmp_path: Path) -> None:
    log.feed(b"the end")
    log.close()

    assert records(tmp_path)[0]["line"] == "the end"


@pytest.mark.parametrize("end", [b"", b"\n"], ids=["endless", "ended"])
@pytest.mark.parametrize("piece", [READ_BYTES, 2_000_000], ids=["in-pieces", "at-once"])
@pytest.mark.parametrize("start", [b"", b'{"a": "'], ids=["text", "json"])
def test_a_line_of_a_megabyte_is_cut(
    log: ChildLog, tmp_path: Path, start: bytes, piece: int, end: bytes
) -> None:
    data = start + b"x" * 1_000_000 + end
    for position in range(0, len(data), piece):
        log.feed(data[position : position + piece])
    log.close()

    assert max(len(line) for line in written(tmp_path)) <= MOST_BYTES
    assert "".join(record["line"] for record in records(tmp_path)) == data.decode().strip()


def test_full_files_are_rotated_and_only_some_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_log, "ROTATE_BYTES", 2000)
    log = ChildLog(tmp_path, "web")

    for number in range(200):
        log.feed(f"line {number}\n".encode())
    log.close()

    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["web.log", *(f"web.log.{n + 1}" for n in range(KEPT_FILES))]
    assert all(file.stat().st_size <= 2000 for file in files)
    assert records(tmp_path)[-1]["line"] == "line 199"


def test_a_log_is_continued_at_the_next_start(tmp_path: Path) -> None:
    for line in (b"first\n", b"second\n"):
        log = ChildLog(tmp_path, "web")
        log.feed(line)
        log.close()

    assert [record["line"] for record in records(tmp_path)] == ["first", "second"]


@pytest.mark.parametrize(
    "line",
    [
        "Broker: redis://:hunter2@127.0.0.1:6379/0",
        "postgresql://buddy:hunter2@db/buddy",
        "Authorization: Bearer hunter2",
        'GET /v1/x?token=hunter2 HTTP/1.1"',
        '{"event": "request", "url": "https://joe:hunter2@example.com/?a=1&ticket=hunter2"}',
    ],
)
def test_secrets_are_masked(log: ChildLog, tmp_path: Path, line: str) -> None:
    log.feed(line.encode() + b"\n")

    (text,) = written(tmp_path)
    assert "hunter2" not in text
    assert "***" in text
    assert json.loads(text)


def test_a_note_of_the_supervisor_stands_between_the_lines(log: ChildLog, tmp_path: Path) -> None:
    log.feed(b"before\n")
    log.note("child_ended", child="web", code=3)
    log.feed(b"after\n")

    note = records(tmp_path)[1]
    assert note.pop("timestamp")
    assert note == {"service": "supervisor", "event": "child_ended", "child": "web", "code": 3}
