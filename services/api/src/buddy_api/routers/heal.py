"""What heals a node: the backups of its `openclaw.json`."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from buddy_api.backup_schemas import BackupContent, BackupDiff, Backups
from buddy_api.changes import Change, Changed, change_responses
from buddy_api.deps import NODE_ERRORS, Caller, Node, Wired
from buddy_api.envelope import Envelope, ok, problems
from buddy_api.usecases.read_backups import read_backups
from buddy_common.errors import (
    BrokerUnavailableError,
    ConfigUndoneError,
    GatewayStopError,
    NoConfigError,
    ReaderSilentError,
    StateUnwritableError,
    UnknownBackupError,
)
from buddy_common.schemas.backup_jobs import MakeBackupJob, RestoreBackupJob
from buddy_common.schemas.backups import CURRENT, NAME, BackupQuestion

router = APIRouter(prefix="/v1/heal", tags=["heal"])

_MAX_NAME = 64
_READ_ERRORS = (*NODE_ERRORS, BrokerUnavailableError, ReaderSilentError, UnknownBackupError)
BackupName = Annotated[str, Path(pattern=rf"^{NAME}$", max_length=_MAX_NAME, description="Of the list")]


@router.get("/backups", responses=problems(*_READ_ERRORS))
async def backups(
    _caller: Caller,
    node: Node,
    w: Wired,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[
        str | None, Query(pattern=rf"^{NAME}$", max_length=_MAX_NAME, description="Page on from this name")
    ] = None,
) -> Envelope[Backups]:
    """List the backups of openclaw.json, newest first, and what the file is now."""
    question = BackupQuestion(before=before, limit=limit)
    found = await read_backups(w.requests, question, node=node, seconds=w.config.web.wait_seconds)
    return ok(Backups.model_validate(found))


@router.get("/backups/{name}", responses=problems(*_READ_ERRORS))
async def backup(_caller: Caller, node: Node, w: Wired, name: BackupName) -> Envelope[BackupContent]:
    """Return what a backup holds, as indented JSON with its secrets masked."""
    question = BackupQuestion(name=name)
    found = await read_backups(w.requests, question, node=node, seconds=w.config.web.wait_seconds)
    return ok(BackupContent.model_validate(found))


@router.get("/backups/{name}/diff", responses=problems(*_READ_ERRORS))
async def diff(
    _caller: Caller,
    node: Node,
    w: Wired,
    name: BackupName,
    against: Annotated[
        str,
        Query(
            pattern=rf"^(?:{CURRENT}|{NAME})$",
            max_length=_MAX_NAME,
            description="`current`: the files as they are now; or the name of another backup",
        ),
    ] = CURRENT,
) -> Envelope[BackupDiff]:
    """Tell what is different now, or in another backup: `old` is what this backup has."""
    question = BackupQuestion(name=name, against=against)
    found = await read_backups(w.requests, question, node=node, seconds=w.config.web.wait_seconds)
    return ok(BackupDiff.model_validate(found))


@router.post(
    "/backups",
    response_model=Envelope[Changed],
    responses=change_responses(NoConfigError, StateUnwritableError),
)
async def make_backup(change: Change) -> Response:
    """Back up openclaw.json, and the files that it includes, as they are now; `result` has the name."""
    return await change.make(MakeBackupJob(), "备份已创建")


@router.post(
    "/backups/{name}/restore",
    response_model=Envelope[Changed],
    responses=change_responses(UnknownBackupError, ConfigUndoneError, GatewayStopError, StateUnwritableError),
)
async def restore_backup(change: Change, name: BackupName) -> Response:
    """Put a backup in the place of openclaw.json; a gateway that runs is stopped meanwhile.

    What is there now is backed up first. A backup that OpenClaw does not take changes nothing; one that the
    gateway does not come up with is undone.
    """
    return await change.make(RestoreBackupJob(name=name), "备份已恢复")
