"""Has the real OpenClaw judge what `openclaw.json` held, once the system is at rest."""

import os
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from real_openclaw import RealOpenClaw

MOST_JUDGED = 40  # each costs seconds of CPU
JUDGE_SECONDS = 200.0
SHOWN_CHARACTERS = 300

Judge = Callable[[bytes, Path], str | None]


def evenly(contents: Sequence[bytes], most: int) -> list[bytes]:
    """Return so many of them at most, the first and the last among them."""
    if len(contents) <= most:
        return list(contents)
    return [contents[round(number * (len(contents) - 1) / (most - 1))] for number in range(most)]


def judge_all(judge: Judge, contents: Sequence[bytes], folder: Path) -> list[str]:
    """Return why contents are refused, those that are; one after the other, as Buddy asks OpenClaw."""
    answers = [judge(content, folder / f"content-{number}") for number, content in enumerate(contents)]
    return [why for why in answers if why is not None]


def by_openclaw(openclaw: RealOpenClaw) -> Judge:
    """Return a judge that asks the program."""
    return partial(_ask, openclaw)


def _ask(openclaw: RealOpenClaw, content: bytes, folder: Path) -> str | None:
    """Return why `openclaw config validate` refuses it; a judge that cannot say counts as a refusal."""
    elsewhere = folder / "work"  # OpenClaw takes the name of a file beside it for that file
    elsewhere.mkdir(parents=True)
    file = folder / "openclaw.json"
    file.write_bytes(content)
    environment = os.environ | {
        "PATH": openclaw.found.search_path,
        "OPENCLAW_STATE_DIR": str(openclaw.config_dir),
        "OPENCLAW_CONFIG_PATH": str(file),
        "NO_COLOR": "1",
    }
    command = [str(openclaw.program), "config", "validate", "--json"]
    try:
        done = subprocess.run(
            command, cwd=elsewhere, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False, timeout=JUDGE_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"OpenClaw did not say within {JUDGE_SECONDS:.0f} s"
    if done.returncode == 0:
        return None
    said = (done.stdout.strip() or done.stderr.strip()).replace("\n", " ")
    return f"exit {done.returncode}: {said[-SHOWN_CHARACTERS:]}"
