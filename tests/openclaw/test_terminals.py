"""The terminals with the real OpenClaw: typed, and read from the screen."""

import psutil
import pytest

from eventually import wait_until
from fakes.model_provider import ANSWER
from fakes.screen import Screen
from openclaw_system import START_SECONDS, System

pytestmark = pytest.mark.openclaw
QUESTION = "What do you say to that?"


def terminal(system: System, name: str) -> Screen:
    return Screen(f"{system.buddy.url}/v1/ws/{name}", system.buddy.token)


def tui_processes(system: System) -> list[psutil.Process]:
    """Return what runs `openclaw tui` of this Buddy: they have its folder to run in."""
    folder = system.buddy.machine.home / "nodes" / "local" / "empty"
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_a_chat_is_typed_into_openclaws_terminal_and_its_answer_read_from_the_screen(
    walked_system: System,
) -> None:
    walked_system.ensure_running()
    with terminal(walked_system, "tui") as screen:
        screen.until("connected", seconds=START_SECONDS)
        assert tui_processes(walked_system)
        screen.type(QUESTION)
        screen.until(QUESTION, seconds=START_SECONDS)
        screen.type("\r")
        screen.until(ANSWER, seconds=START_SECONDS)

    assert any(QUESTION in str(body) for body in walked_system.provider.bodies)
    wait_until(lambda: tui_processes(walked_system), lambda left: not left, seconds=20)


def test_openclaws_terminal_follows_the_size_of_the_window(system: System) -> None:
    system.ensure_running()
    with terminal(system, "tui") as screen:
        screen.until("connected", seconds=START_SECONDS)
        screen.resize(60, 20)
        screen.type("/help\r")
        screen.until("/exit", seconds=START_SECONDS)
        assert max(len(line) for line in screen.text.splitlines()) <= 60


def test_leaving_openclaws_terminal_closes_the_socket(system: System) -> None:
    system.ensure_running()
    with terminal(system, "tui") as screen:
        screen.until("connected", seconds=START_SECONDS)
        screen.type("/exit\r")
        assert screen.until_closed(seconds=60).rcvd is not None


def test_the_shell_runs_openclaws_command_and_shows_its_words(walked_system: System) -> None:
    walked_system.ensure_running()
    with terminal(walked_system, "shell") as screen:
        screen.type("version\r")
        screen.until(f"OpenClaw {walked_system.openclaw.found.version}", seconds=START_SECONDS)
        screen.until("Completed.\nbuddy>", seconds=START_SECONDS)  # the prompt comes after the outcome
        screen.type("models list\r")
        screen.until("standin/stand-in-1", seconds=START_SECONDS)
        screen.type("rm -rf /\r")
        screen.until("none of the commands that are allowed here", seconds=START_SECONDS)
