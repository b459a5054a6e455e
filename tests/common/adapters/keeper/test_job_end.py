"""The parent of a job, as a process: when it ends the whole tree, and what it tells of the end."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from common.adapters.keeper.scene import KEEPER, Caller, Kept, keep_job, read_to_end, script


@pytest.mark.parametrize(
    ("program", "ended"),
    [
        ("exit 0", {"code": 0, "signal": None}),
        ("exit 137", {"code": 137, "signal": None}),
        ("kill -KILL $$", {"code": None, "signal": "SIGKILL"}),
        ("kill -36 $$", {"code": None, "signal": "SIG36"}),  # a real-time signal has no name
    ],
)
def test_exit_code_and_signal_are_told_apart(
    keepers: list[Kept], program: str, ended: dict[str, Any]
) -> None:
    kept = keep_job(keepers, "/bin/sh", "-c", program)

    kept.go()

    assert kept.news() == [ended, {"done": True}]
    assert kept.process.returncode == 0


TREE = """
if os.fork() == 0:
    os.setsid()  # leaves the group and the session
    if os.fork() == 0:
        print("up", flush=True)
        signal.pause()
    os._exit(0)  # and its child is an orphan
signal.pause()
"""


@pytest.mark.parametrize("how", ["end of file", "stop byte", "SIGTERM", "SIGINT", "SIGHUP"])
def test_whole_tree_ends_with_those_who_left_the_session(
    keepers: list[Kept], tmp_path: Path, how: str
) -> None:
    kept = keep_job(keepers, *script(tmp_path, TREE))
    kept.go()
    assert kept.read_line() == "up"

    if how == "end of file":
        kept.hang_up()
    elif how == "stop byte":
        kept.go()
    else:
        kept.process.send_signal(signal.Signals[how])

    assert kept.news() == [{"code": None, "signal": "SIGTERM"}, {"done": True}]
    assert read_to_end(kept.output) == b""  # nobody holds it any more


def test_program_may_end_as_it_likes_when_it_is_asked_to(keepers: list[Kept]) -> None:
    kept = keep_job(keepers, "/bin/sh", "-c", "trap 'exit 3' TERM; echo up; while :; do read _; done")
    kept.go()
    assert kept.read_line() == "up"

    kept.hang_up()

    assert kept.news() == [{"code": 3, "signal": None}, {"done": True}]


def test_tree_that_ignores_sigterm_is_killed(keepers: list[Kept], tmp_path: Path) -> None:
    ignoring = f"signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{TREE}"
    kept = keep_job(keepers, *script(tmp_path, ignoring), stop_seconds=0.2)
    kept.go()
    assert kept.read_line() == "up"

    kept.hang_up()

    assert kept.news() == [{"code": None, "signal": "SIGKILL"}, {"done": True}]
    assert read_to_end(kept.output) == b""


def test_whole_tree_ends_when_the_caller_is_killed(caller: Caller, tmp_path: Path) -> None:
    tree = [str(part) for part in script(tmp_path, TREE)]
    output = caller.start(
        "control, ours = os.pipe()\n"
        f"arguments = [*{KEEPER!r}, 'job', str(control), '2', '10', 'MARK', *{tree!r}]\n"
        "subprocess.Popen(arguments, pass_fds=[control], start_new_session=True)\n"
        "os.write(ours, b'g')\n"
    )
    assert os.read(output, 100) == b"up\n"

    caller.kill()

    assert read_to_end(output) == b""  # the keeper has ended as well
    os.close(output)
