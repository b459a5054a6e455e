"""What the operator sees is what was said, whatever characters it holds."""

from collections.abc import Callable

import pytest

from buddy_cli.screen import Screen

# OpenClaw's own lines begin so, and folders may be named so
TEXTS = ["Failed: It said: [gateway] loading", "a [/tmp] b", "[bold]a[/bold]", "/home/[x]/buddy", "a:smile:b"]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("show", [Screen.step, Screen.warn], ids=["step", "warn"])
def test_a_step_is_one_line_with_the_text_as_it_is(
    capsys: pytest.CaptureFixture[str], show: Callable[[Screen, str, str], None], text: str
) -> None:
    show(Screen(), "gateway", text)

    out, err = capsys.readouterr()
    assert out.split(maxsplit=2)[1:] == ["gateway", f"{text}\n"]
    assert err == ""


@pytest.mark.parametrize("text", TEXTS)
def test_an_error_is_one_line_on_stderr_with_the_text_as_it_is(
    capsys: pytest.CaptureFixture[str], text: str
) -> None:
    Screen().error(f"{text}\nand\n  more")

    out, err = capsys.readouterr()
    assert out == ""
    assert err == f"buddy: {text} and more\n"


def test_a_long_error_is_not_wrapped(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().error("word " * 100)

    assert capsys.readouterr().err.count("\n") == 1


def test_a_long_step_outside_of_a_terminal_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Screen().long_step("openclaw") as report:
        for number in range(1000):
            report(f"[{number}] packages")

    out = capsys.readouterr().out
    assert out.startswith("… openclaw   [0] packages")
    assert out.count("\n") == 1
