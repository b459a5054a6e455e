"""What programs write for terminals, and what of it people should read."""

import pytest

from buddy_common.adapters.terminal_text import LineSplitter, plain_lines, plain_text

LIMIT = 10


def split(*parts: bytes) -> list[str]:
    """Return the lines of what arrives in parts."""
    splitter = LineSplitter(LIMIT)
    lines = [line for part in parts for line in splitter.feed(part)]
    return lines + splitter.end()


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("\x1b[35m[plugins]\x1b[39m \x1b[33mallow\x1b[0m", "[plugins] allow"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]8;;https://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b(B\x1b7\x1b[?25htext", "text"),
        ("bell\x07 backspace\x08 delete\x7f c1\x85\x00", "bell backspace delete c1"),
        ("tab\tline\nnext", "tab\tline\nnext"),
        ("dos\r\nlines\r\n", "dos\nlines\n"),
        ("10%\r50%\r100%\ndone", "100%\ndone"),
        ("10%\r50%\r", "50%"),
        ("unfinished \x1b[3", "unfinished 3"),
        ("中文 ✓ …", "中文 ✓ …"),
    ],
)
def test_text_is_what_a_terminal_would_leave(written: str, plain: str) -> None:
    assert plain_text(written) == plain


def test_lines_that_say_nothing_are_dropped() -> None:
    assert plain_lines("\none  \n \x1b[0m\n\ttwo\n") == ["one", "\ttwo"]


@pytest.mark.parametrize(
    ("parts", "lines"),
    [
        ((b"one\ntwo\n",), ["one", "two"]),
        ((b"o", b"ne\nt", b"wo"), ["one", "two"]),
        ((b"dos\r", b"\nlines\r\n"), ["dos", "lines"]),
        ((b"10%", b"\r50%", b"\r", b"100%", b"\n"), ["100%"]),
        ((b"10%\r50%\r", b"90%\r"), ["90%"]),
        (("é".encode()[:1], "é".encode()[1:] + b"\n"), ["é"]),
        ((b"broken \xff\n",), ["broken \ufffd"]),
        ((b"x" * LIMIT + b"\n",), ["x" * LIMIT]),
        ((b"x" * (LIMIT + 1) + b"\n",), ["x" * LIMIT + "…"]),
        ((b"x" * 7, b"x" * 1000, b"x" * 7 + b"\nnext"), ["x" * LIMIT + "…", "next"]),
        ((b"\n\n", b""), []),
    ],
)
def test_stream_is_cut_into_lines(parts: tuple[bytes, ...], lines: list[str]) -> None:
    assert split(*parts) == lines


def test_endless_progress_takes_no_memory() -> None:
    splitter = LineSplitter(LIMIT)

    for _ in range(1000):
        assert splitter.feed(b"progress\r" * 100) == []

    assert len(splitter._rest) <= LIMIT + 2
    assert splitter.end() == ["progress"]
