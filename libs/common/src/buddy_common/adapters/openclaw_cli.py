"""The command line of OpenClaw: what is run, with which arguments, and what its answers mean."""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from buddy_common.adapters.child_process import ChildResult, OnLine, OnStarted, Talk, run_child
from buddy_common.adapters.openclaw_environment import openclaw_environment
from buddy_common.adapters.openclaw_program import HostOpenClaw
from buddy_common.errors import InvalidRequestError, OpenClawCliError, ProgramStartError
from buddy_common.settings import GatewaySettings

_COMMAND = re.compile(r"[a-z][a-z-]*")
_OPTION = re.compile(r"--[a-z][a-z-]*")
_JSON_START = re.compile(r"^[{\[]", re.MULTILINE)
_LINE_END = re.compile(r"[ \t]*(?:\n|\Z)")
REASON_LINES = 5
# stack traces, log lines of subsystems, advice to people at a terminal, warnings about other entries
_NOISE = re.compile(
    r"^(?:[ \t]+at .*|\[(?!openclaw\])[^\]\n]*\] .*|\[openclaw\] (?:The CLI command failed\.|\w+: .*)"
    r"|Config warnings:.*(?:\n- .*)*)\n?",
    re.MULTILINE,
)
_REASON = re.compile(r"^\[openclaw\] (?:Reason: |Failed to start CLI: )", re.MULTILINE)


class OpenClawCli:
    """Runs commands of this host's OpenClaw. Each costs seconds of CPU, so one at a time, and few."""

    def __init__(self, openclaw: HostOpenClaw, settings: GatewaySettings, *, folder: Path) -> None:
        """`folder` is where commands run, and stays empty: OpenClaw takes the name of a file that it
        finds beside it for that file.
        """
        self._openclaw = openclaw
        self._settings = settings
        self._folder = folder

    async def run(
        self,
        command: Sequence[str],
        *,
        values: Sequence[str] = (),
        flags: Sequence[str] = (),
        options: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        lock_descriptors: Sequence[int] = (),
        on_started: OnStarted,
        on_line: OnLine | Talk | None = None,
    ) -> ChildResult:
        """Run `openclaw COMMAND VALUES --FLAGS --OPTION VALUE` to its end; the caller sets the deadline.

        Only `values` and what `options` map to may come from outside; they are never taken for options.
        `environment` goes before what all commands get.

        Raises:
            InvalidRequestError: a value cannot be an argument.
            OpenClawNotFoundError: there is no usable program.
            ProgramStartError: it could not be executed.
            OpenClawCliError: it did not exit with 0.
        """
        arguments = compose_arguments(command, values=values, flags=flags, options=options or {})
        program = await asyncio.to_thread(self._openclaw.program)
        await asyncio.to_thread(_make_folder, self._folder)
        result = await run_child(
            [program.path, *arguments],
            environment=openclaw_environment(program, self._settings) | dict(environment or {}),
            cwd=self._folder,
            lock_descriptors=lock_descriptors,
            on_started=on_started,
            on_line=on_line,
        )
        if result.exit.code != 0:
            raise _failure(
                result, f"`openclaw {' '.join(command)}` failed ({result.exit}): {_reason(result)}"
            )
        return result


def _make_folder(folder: Path) -> None:
    """Make the folder to run in."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ProgramStartError(f"OpenClaw cannot run in {folder}: {exc.strerror}.") from exc


def compose_arguments(
    command: Sequence[str], *, values: Sequence[str], flags: Sequence[str], options: Mapping[str, str]
) -> list[str]:
    """Return the arguments; what comes from outside can be no option, whatever it holds.

    Raises:
        InvalidRequestError: a value is empty, starts with a dash, or holds what no argument can.
        ValueError: the command or an option is none of ours.
    """
    for word, form in [*((w, _COMMAND) for w in command), *((w, _OPTION) for w in (*flags, *options))]:
        if not form.fullmatch(word):
            raise ValueError(f"{word!r} is a value: it belongs into `values` or `options`")
    for value in (*values, *options.values()):
        if not value.strip() or value.startswith("-") or "\x00" in value or not _can_be_encoded(value):
            raise InvalidRequestError(f"{value!r} cannot be an argument of OpenClaw.")
    pairs = [part for name, value in options.items() for part in (name, value)]
    return [*command, *values, *flags, *pairs]


def _can_be_encoded(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


def find_json(result: ChildResult) -> Any:
    """Return the first JSON object or array in the output, among the log lines around it.

    Raises:
        OpenClawCliError: there is none, or the output was too long to be kept whole.
    """
    if result.truncated:
        raise _failure(result, "OpenClaw's answer is too long.")
    for text in (result.stdout, result.stderr):  # the old generation answers on stderr at times
        for start in _JSON_START.finditer(text):
            try:
                value, end = json.JSONDecoder().raw_decode(text, start.start())
            except (ValueError, RecursionError):
                continue
            if _LINE_END.match(text, end):
                return value
    raise _failure(result, "OpenClaw's answer holds no JSON.")


def require_success(answer: Any) -> None:
    """Check what a command answered when it exited with 0: the older generation fails that way, too.

    Not for answers that report on something else's health, where `ok` is their news.

    Raises:
        OpenClawCliError: the answer is an error, or says that nothing was done.
    """
    if not isinstance(answer, dict):
        return
    error, idle = answer.get("error"), answer.get("result") == "not-loaded"
    if answer.get("ok") is False or idle or (isinstance(error, str) and error):
        reason = _error_of(answer) or answer.get("message") or "it gave no reason"
        raise OpenClawCliError(f"OpenClaw did not do it: {reason}", exit_code=0, signal=None)


def _failure(result: ChildResult, message: str) -> OpenClawCliError:
    return OpenClawCliError(message, exit_code=result.exit.code, signal=result.exit.signal)


def _reason(result: ChildResult) -> str:
    """Return OpenClaw's own words: those meant for machines, else the last that it said to people."""
    try:
        answer = find_json(result)
    except OpenClawCliError:
        answer = None
    return _error_of(answer) or _last_lines(result.stderr) or _last_lines(result.stdout) or "it said nothing"


def _error_of(answer: Any) -> str | None:
    if not isinstance(answer, dict):
        return None
    error = answer.get("error")
    if isinstance(error, dict):
        error = error.get("message")
    issues = answer.get("issues")  # without them, the error names the file and not the fault
    rows = [issue for issue in issues if isinstance(issue, dict)] if isinstance(issues, list) else []
    found = [error] if isinstance(error, str) and error else []
    return "; ".join([*found, *(f"{row.get('path')}: {row.get('message')}" for row in rows)]) or None


def _last_lines(text: str) -> str:
    meaningful = _NOISE.sub("", _REASON.sub("", text)).strip() or text
    lines = list(dict.fromkeys(line.strip() for line in meaningful.splitlines() if line.strip()))
    return "\n".join(lines[-REASON_LINES:])
