"""Have a node's skills read anew."""

import json

from buddy_common.adapters.access import Operator
from buddy_common.adapters.read_model import ReadModel
from buddy_common.adapters.refresh_requests import RefreshRequests
from buddy_common.db import events
from buddy_common.db.engine import Database
from buddy_common.errors import BuddyError, NotReportedError, ReaderSilentError, SkillsNotReadError
from buddy_common.schemas.events import EventStatus
from buddy_common.schemas.resources import Resource


async def reload_skills(
    database: Database,
    requests: RefreshRequests,
    read_model: ReadModel,
    *,
    node: str,
    operator: Operator,
    seconds: float,
) -> int:
    """Wait for the node's reader to list the skills anew, and return how many there are.

    What came of it is in the audit either way.

    Raises:
        ReaderSilentError: the node did not answer in time.
        SkillsNotReadError: OpenClaw did not tell its skills.
        BrokerUnavailableError: the node cannot be asked.
    """

    async def record(status: EventStatus, detail: str | None) -> None:
        await database.run(
            lambda session: events.add(
                session,
                actor=operator.name,
                action="reload_skills",
                status=status,
                target="skills",
                address=operator.address,
                node=node,
                detail=detail,
            )
        )

    try:
        count = await _read_anew(requests, read_model, node=node, seconds=seconds)
    except BuddyError as exc:
        await record(EventStatus.FAILED, exc.message)
        raise
    await record(EventStatus.SUCCESS, None)
    return count


async def _read_anew(requests: RefreshRequests, read_model: ReadModel, *, node: str, seconds: float) -> int:
    answer = await requests.ask(node, resources=[Resource.SKILLS], seconds=seconds)
    if answer is None:
        raise ReaderSilentError(node)
    if answer.error is not None or Resource.SKILLS in answer.data.get("failed", ()):
        raise SkillsNotReadError
    entry = await read_model.get(node, Resource.SKILLS)
    if entry is None:
        raise NotReportedError(node, Resource.SKILLS)
    return len(json.loads(entry.data))
