"""Programs of jobs: what they said, in the result and to whoever listens or answers."""

import asyncio
import os
import sys

from buddy_common.adapters import child_process
from buddy_common.adapters.child_process import ChildResult, Talk, run_child
from buddy_common.schemas.processes import ProcessExit
from common.adapters.child_process.caller import ENVIRONMENT, Caller


async def test_result_holds_both_streams_as_plain_text(caller: Caller) -> None:
    done = await caller.run("sh", "-c", r"printf '\033[32mgreen\033[0m\n10%%\r90%%\r\nend'; echo oops >&2")

    assert done == ChildResult(ProcessExit(code=0), "green\n90%\nend", "oops\n", truncated=False)
    assert [line for stream, line in caller.lines if stream == "stdout"] == ["green", "90%", "end"]
    assert [line for stream, line in caller.lines if stream == "stderr"] == ["oops"]


async def test_nobody_has_to_listen(caller: Caller) -> None:
    done = await caller.run("echo", "hello", on_line=None)

    assert done.stdout == "hello\n"


async def test_lines_come_while_the_program_runs(caller: Caller) -> None:
    gate = caller.folder / "gate"
    await asyncio.to_thread(os.mkfifo, gate)
    work = asyncio.create_task(caller.run("sh", "-c", 'echo first; read _ <"$0"; echo last', gate))

    async with asyncio.timeout(5):
        assert await caller.heard.get() == "first"
    assert not work.done()
    await asyncio.to_thread(gate.write_text, "\n")

    async with asyncio.timeout(5):
        assert (await work).stdout == "first\nlast\n"


async def test_much_output_is_bounded_and_its_end_is_kept(caller: Caller) -> None:
    done = await caller.run("sh", "-c", "seq 1 750000; echo end", on_line=None, output_limit_bytes=100_000)

    assert done.truncated
    assert len(done.stdout) == 100_000
    assert done.stdout.endswith("\n749999\n750000\nend\n")


async def test_output_up_to_the_limit_is_whole(caller: Caller) -> None:
    done = await caller.run("sh", "-c", "printf 12345; printf 123456 >&2", output_limit_bytes=5)

    assert (done.stdout, done.stderr) == ("12345", "23456")
    assert done.truncated


async def test_long_line_is_cut_for_the_listener_and_whole_in_the_result(caller: Caller) -> None:
    long = "import sys; sys.stdout.write('x' * 1_000_000 + '\\nend\\n')"

    done = await caller.run(sys.executable, "-ISc", long)

    assert done.stdout == "x" * 1_000_000 + "\nend\n"
    assert not done.truncated
    assert [line for _, line in caller.lines] == ["x" * child_process.MAX_LINE_CHARACTERS + "…", "end"]


async def test_question_without_a_line_end_is_heard_and_answered(caller: Caller) -> None:
    asks = "import sys; print('hello'); sys.stdout.write('number? '); sys.stdout.flush(); print(input() * 2)"
    theirs, ours = os.pipe()
    os.set_blocking(ours, False)
    asked: list[str] = []

    async def on_prompt(text: str) -> None:
        asked.append(text)
        os.write(ours, b"42\n")

    try:
        result = await run_child(
            [sys.executable, "-c", asks],
            environment=ENVIRONMENT,
            cwd=caller.folder,
            on_started=caller.on_started,
            on_line=Talk(caller.on_line, on_prompt, theirs),
        )
    finally:
        os.close(theirs)
        os.close(ours)

    assert asked == ["number?"]
    assert [line for _, line in caller.lines] == ["hello", "number? 4242"]
    assert result.exit.code == 0


async def test_program_that_nobody_talks_to_reads_nothing(caller: Caller) -> None:
    result = await run_child(
        [sys.executable, "-c", "import sys; print(repr(sys.stdin.read()))"],
        environment=ENVIRONMENT,
        cwd=caller.folder,
        on_started=caller.on_started,
        on_line=Talk(),
    )

    assert result.stdout == "''\n"
