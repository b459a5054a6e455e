"""What of a line is shown."""

import time

import pytest

from buddy_proxy.log_text import in_order, shown

SECRET = "0123456789abcdef"


@pytest.mark.parametrize(
    "line",
    [
        f'{{"token":"{SECRET}"}}',
        f'{{"1":"{{\\"accessToken\\":\\"{SECRET}\\"}}"}}',
        f'{{"api_key": "{SECRET}", "x": 1}}',
        f'{{"Authorization":"Token {SECRET}"}}',
        f"Authorization: Bearer {SECRET}",
        f"GET /v1/ws/logs?ticket={SECRET} HTTP/1.1",
        f"dashboard: http://127.0.0.1:18789/#token={SECRET}",
        f"the key is sk-abcd{SECRET}",
        f"connected with {SECRET}.",
    ],
)
def test_no_secret_is_shown(line: str) -> None:
    assert SECRET not in shown(line.encode(), secrets=[SECRET] if line.startswith("conn") else [])


@pytest.mark.parametrize(
    "line", ['{"tokens":12,"message":"token bucket"}', "plain words, key: value", "第一行"]
)
def test_what_is_no_secret_stays(line: str) -> None:
    assert shown(line.encode(), secrets=["", "key"]) == line


def test_nothing_that_steers_a_terminal_is_shown() -> None:
    assert shown(b"\x1b]0;title\x07\x1b[31mred\x1b[0m \xff", secrets=[]) == "red \N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("part", ["://a:", '"token":"', "bearer ", "sk-aaaa", "?token=", "x"])
def test_a_line_of_a_megabyte_is_shown_in_time_whatever_it_holds(part: str) -> None:
    line = (part * (1_000_000 // len(part))).encode()
    start = time.process_time()

    shown(line, secrets=[SECRET])

    assert time.process_time() - start < 3


def test_lines_of_several_logs_are_put_in_order_and_none_leaves_its_own() -> None:
    first = [
        '{"1":"a","time":"2026-11-22T10:00:00.5+00:00"}', "  at a.js", '{"time":"2026-11-22T10:00:02+00:00"}'
    ]  # fmt: skip
    second = ["no time", "2026-11-22T10:00:01.000 b", "2026-11-22T09:00:00.000 clock went back"]

    assert in_order([first, second]) == [second[0], first[0], first[1], second[1], second[2], first[2]]
