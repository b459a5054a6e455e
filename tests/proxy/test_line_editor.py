"""What is shown and what is handed over of what is typed."""

import pytest

from buddy_proxy.line_editor import CTRL_C, CTRL_D, MAX_LINE, LineEditor, Typed


@pytest.mark.parametrize(
    ("typed", "echo", "lines"),
    [
        ("status\r", "status\r\n", ["status"]),
        ("status\n", "status\r\n", ["status"]),
        ("a\r\nb\r\n", "a\r\nb\r\n", ["a", "b"]),
        ("a\n\nb\r", "a\r\n\r\nb\r\n", ["a", "", "b"]),
        ("stc\x7fatus\r", "stc\b \batus\r\n", ["status"]),
        ("\x7f\x08", "", []),
        ("好\x7f\r", "好\b \b\b \b\r\n", [""]),
        ("ab\x15c\r", "ab\b \b\b \bc\r\n", ["c"]),
        ("a\x1b[A\x1bOB\x1b[1;5Cb\x1bx\r", "ab\r\n", ["ab"]),
        ("a\x07\x00b\r", "ab\r\n", ["ab"]),
        ("x" * (MAX_LINE + 5) + "\r", "x" * MAX_LINE + "\r\n", ["x" * MAX_LINE]),
    ],
)
def test_lines_are_echoed_mended_and_handed_over(typed: str, echo: str, lines: list[str]) -> None:
    assert LineEditor().feed(typed.encode()) == Typed(echo, lines, [])


def test_input_may_come_in_pieces_of_any_size() -> None:
    whole, pieces = LineEditor(), LineEditor()
    typed = "好的\x1b[1;5C 好\r\nnext\x7f\r".encode()

    together = whole.feed(typed)
    apart = [pieces.feed(typed[place : place + 1]) for place in range(len(typed))]

    assert "".join(part.echo for part in apart) == together.echo
    assert [line for part in apart for line in part.lines] == together.lines == ["好的 好", "nex"]


def test_ctrl_c_drops_the_line() -> None:
    editor = LineEditor()

    assert editor.feed(b"rm -rf\x03") == Typed("rm -rf^C\r\n", [], [CTRL_C])
    assert editor.feed(b"\r").lines == [""]


def test_ctrl_d_counts_on_an_empty_line_only() -> None:
    editor = LineEditor()

    assert editor.feed(b"a\x04").keys == []
    assert editor.feed(b"\x7f\x04").keys == [CTRL_D]
