"""What people asked, and what the machine says to itself in their role."""

from pathlib import Path
from typing import Any

import pytest

from buddy_common.adapters.transcript_events import is_question
from buddy_common.adapters.transcripts import TranscriptCounter
from common.adapters.transcripts.scene import Database, Lines, count, message

CLOCK = "\nCurrent time: Friday, September 4th, 2026 - 12:00 (UTC) / 2026-09-04 12:00 UTC"
HINT = "\nWhen reading HEARTBEAT.md, use workspace file /w/HEARTBEAT.md (exact case). Do not read docs/a.md."
HEARTBEAT = (
    "Read HEARTBEAT.md if it exists (workspace context). Follow it strictly. Do not infer or repeat old tasks"
    " from prior chats. If nothing needs attention, reply HEARTBEAT_OK."
)
EVENTS = "System: [2026-09-04 11:59:58 UTC] Exec completed (a1b2, code 0)\nSystem: done\n\n"
CALLED = "[Fri 2026-09-04 12:00 UTC] "
OWN_PROMPT = "Look at the mail."
# as 2026.9.6 and 2026.3.28 write them
WAKES = {
    "heartbeat of 2026.9": "[OpenClaw heartbeat poll]",
    "command of 2026.9": "[OpenClaw exec completion]\nDisable automatic completion turns with tools.exec.",
    "older command of 2026.9": "[OpenClaw exec completion]",
    "job of 2026.9": "[OpenClaw cron wake]",
    "event of 2026.9": "[OpenClaw session event]",
    "heartbeat": HEARTBEAT + HINT + CLOCK,
    "heartbeat without a hint": HEARTBEAT + CLOCK,
    "heartbeat after events": EVENTS + HEARTBEAT + HINT + CLOCK,
    "command": EVENTS + "An async command you ran earlier has completed. The result is shown in the system"
    " messages above. Please relay the command output to the user in a helpful way." + CLOCK,
    "approved command": CALLED + "An async command the user already approved has completed.\nDo not run the"
    " command again.\n\nExact completion details:\nok",
    "reminder": "A scheduled reminder has been triggered. The reminder content is:\n\nTea!\n\nPlease" + CLOCK,
    "empty reminder": "A scheduled cron event was triggered, but no event content was found. Reply" + CLOCK,
    "job": "[cron:6f0c1d4e-1111-4222-8333-944445555666 Morning [daily]] What is new?" + CLOCK,
    "task of a subagent": CALLED + "[Subagent Context] You are running as a subagent (depth 1/1). Results",
    "memory": "Pre-compaction memory flush. Store durable memories only in memory/2026-09-04.md" + CLOCK,
    "boot": "You are running a boot check. Follow BOOT.md instructions exactly.\n\nBOOT.md:\nHello",
    "own heartbeat": OWN_PROMPT + CLOCK,
    "own heartbeat after events": EVENTS + OWN_PROMPT + CLOCK,
}
QUESTIONS = {
    "plain": "What time is it?",
    "empty": "",
    "with a time": CALLED + "What time is it?",
    "with events": EVENTS + "What time is it?",
    "about a heartbeat": "Why do I see [OpenClaw heartbeat poll]?",
    "about markers": "[OpenClaw heartbeat poll] What is this?",
    "quoting the prompt": f"What does this mean: {HEARTBEAT}{CLOCK}",
    "the prompt by hand": HEARTBEAT,
    "about a job": "[cron:daily] does not run, why?",
    "about commands": "An async command you ran earlier has completed. And now?",
    "about subagents": "[Subagent Context] What is that?",
    "like the own heartbeat": f"{OWN_PROMPT} Is there any of Ann?",
    "the own heartbeat by hand": OWN_PROMPT,
    "about a reset": "A new session was started via /new or /reset. Run your Session Startup sequence",
}


def said(text: Any, **more: Any) -> dict[str, Any]:
    event = message()
    event["message"] |= {"content": [{"type": "text", "text": text}], **more}
    return event


def provenance(kind: Any, **more: Any) -> dict[str, Any]:
    return said("What time is it?", provenance={"kind": kind, **more})


@pytest.mark.parametrize("text", WAKES.values(), ids=WAKES)
def test_turns_of_the_machine_are_no_questions(text: str) -> None:
    assert not is_question(said(text), {OWN_PROMPT})
    assert not is_question({"type": "message", "message": {"role": "user", "content": text}}, {OWN_PROMPT})


@pytest.mark.parametrize("text", QUESTIONS.values(), ids=QUESTIONS)
def test_whatever_people_write_is_a_question(text: str) -> None:
    assert is_question(said(text), {OWN_PROMPT})


@pytest.mark.parametrize(
    "event",
    [
        provenance("internal_system", sourceTool="heartbeat"),
        provenance("internal_system", sourceTool="cron", jobId="j"),
        provenance("inter_session", sourceTool="sessions_send"),
        provenance("inter_session", sourceTool="subagent_announce"),
    ],
    ids=repr,
)
def test_turns_that_did_not_come_from_outside_are_no_questions(event: dict[str, Any]) -> None:
    assert not is_question(event)


@pytest.mark.parametrize("kind", ["external_user", "of a later version", None, 7])
def test_turns_from_outside_are_questions(kind: Any) -> None:
    """OpenClaw, too, takes a kind that it does not know for none."""
    assert is_question(provenance(kind, sourceTool="gateway.voice.transcript"))
    assert is_question(said("What time is it?", provenance=kind))


@pytest.mark.parametrize(
    "content",
    [None, 7, [], ["text"], [{"type": "image", "data": "…"}], [{"type": "text", "text": None}], {}],
    ids=repr,
)
def test_a_turn_without_a_text_is_a_question(content: Any) -> None:
    event = message()
    event["message"]["content"] = content

    assert is_question(event)


def test_an_idle_agent_has_no_questions_in_either_generation(
    agents: Path, database: Database, counter: TranscriptCounter
) -> None:
    lines = Lines(agents, "old")
    for _ in range(48):
        lines.add(said(WAKES["heartbeat"]), message("assistant"))
        database.add(said("[OpenClaw heartbeat poll]", provenance={"kind": "internal_system"}))
    assert (count(counter), count(counter, "old")) == (0, 0)

    lines.add(message())
    database.add(message())

    assert (count(counter), count(counter, "old")) == (1, 1)
