"""Read a file of a bot's workspace, which is on the bot's node."""

from buddy_api.openclaw_schemas import BotFile
from buddy_common.adapters.refresh_requests import RefreshRequests
from buddy_common.errors import (
    BotFileError,
    BuddyError,
    ReaderSilentError,
    UnknownBotError,
    UnknownBotFileError,
)


async def read_bot_file(
    requests: RefreshRequests, *, node: str, bot: str, name: str, seconds: float
) -> BotFile:
    """Return the file as it is now.

    Raises:
        UnknownBotError: there is no such bot.
        UnknownBotFileError: it has no such file.
        BotFileError: it lies outside of the workspace, or is none that can be shown.
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
    raise BuddyError(answer.message)
