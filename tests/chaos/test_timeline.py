"""What happened to the file can be read from top to bottom."""

import json

from buddy_common.schemas.backups import BackupReason
from chaos.facts import Attempt, Blow, Facts, Said, Seen, Taken, Window
from chaos.keys import BOT_NAME
from chaos.schedule import Act, Fault, Part
from chaos.taken import Kept
from chaos.timeline import timeline


def config(name: str) -> bytes:
    return json.dumps({"agents": {"entries": {"bot_1": {"identity": {"name": name}}}}}).encode()


def test_all_that_touched_the_file_is_told_in_order() -> None:
    facts = Facts(
        attempts=[
            Attempt(BOT_NAME, "v2", 100.0, 102.0, Said.ACKNOWLEDGED),
            Attempt("database: quick command a", "there", 100.0, 101.0, Said.ACKNOWLEDGED),
        ],
        blows=[
            Blow(Fault(0, Act.KILL, Part.GATEWAY), Window(103.0, 104.0)),
            Blow(Fault(0, Act.KILL, Part.BROKER), Window(103.0, 104.0)),
        ],
        taken=[Taken(105.0, "rollback", {BOT_NAME: "v1"})],
    )
    seen = [Seen(90.0, config("v1")), Seen(101.25, config("v2")), Seen(105.5, config("v1"))]

    text = timeline(facts, seen, [Kept(104.5, BackupReason.BEFORE_REPAIR, b"")])

    assert [line.split(" ", 1)[1] for line in text.splitlines()] == [
        f"seen   {len(config('v1'))} bytes: {BOT_NAME} = 'v1'",
        f"asked  {BOT_NAME} = 'v2'",
        f"seen   {len(config('v2'))} bytes: {BOT_NAME} = 'v2'",
        f"answer {BOT_NAME} = 'v2': acknowledged",
        f"fault  {facts.blows[0].fault}",
        "copy   before repair",
        "repair rollback",
        f"seen   {len(config('v1'))} bytes: {BOT_NAME} = 'v1'",
    ]
    assert ".250 seen" in text
