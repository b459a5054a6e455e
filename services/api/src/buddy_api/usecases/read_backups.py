"""Ask a node about its backups of `openclaw.json`."""

from typing import Any

from buddy_common.adapters.refresh_requests import RefreshRequests
from buddy_common.errors import BuddyError, ReaderSilentError, UnknownBackupError
from buddy_common.schemas.backups import BackupQuestion


async def read_backups(
    requests: RefreshRequests, question: BackupQuestion, *, node: str, seconds: float
) -> dict[str, Any]:
    """Return what the node answers.

    Raises:
        UnknownBackupError: one that is named is not there.
        ReaderSilentError: the node did not answer in time.
    """
    answer = await requests.ask(node, backups=question, seconds=seconds)
    if answer is None:
        raise ReaderSilentError(node)
    if answer.error is None:
        return answer.data
    if answer.error == UnknownBackupError.error:
        raise UnknownBackupError(str(answer.data.get("backup", question.name)))
    raise BuddyError(answer.message)
