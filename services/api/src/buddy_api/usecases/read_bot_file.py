"""Read a file of a bot's workspace, which is on the bot's node."""

from buddy_api.openclaw_schemas import BotFile
from buddy_common.adapters.refresh_requests import RefreshRequests
from buddy_common.errors import (
    BotFileError,
    BuddyError,
    NotReportedError,
    ReaderSilentError,
    UnknownBotError,
    UnknownBotFileError,
)
from buddy_common.schemas.resources import Resource


async def read_bot_file(
    requests: RefreshRequests, *, node: str, bot: str, name: str, seconds: float
) -> BotFile:
    """Return the file as it is now.

    Raises:
        UnknownBotError: there is no such bot.
        UnknownBotFileError: it has no such file.
        BotFileError: it lies outside of the workspace, or is none that can be shown.
        NotReportedError: the node knows no bots yet.
        ReaderSilentError: the node did not answer in time.
    """
    answer = await requests.ask(node, bot=bot, file=name, seconds=seconds)
    if answer is None:
        raise ReaderSilentError(node)
    if answer.error is None:
        return BotFile.model_validate(answer.data)
    if answer.error == UnknownBotError.error:
        raise UnknownBotError(bot)
    if answer.error == UnknownBotFileError.error:
        raise UnknownBotFileError(name)
    if answer.error == BotFileError.error:
        raise BotFileError(answer.message)
    if answer.error == NotReportedError.error:
        raise NotReportedError(node, Resource.BOTS_MODELS, reason=str(answer.data.get("reason", "")))
    raise BuddyError(answer.message)
