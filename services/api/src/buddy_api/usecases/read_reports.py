"""Ask a node about its reports of incidents."""

from typing import Any

from buddy_common.adapters.refresh_requests import RefreshRequests
from buddy_common.errors import BuddyError, ReaderSilentError, UnknownReportError
from buddy_common.schemas.heal_views import ReportQuestion


async def read_reports(
    requests: RefreshRequests, question: ReportQuestion, *, node: str, seconds: float
) -> dict[str, Any]:
    """Return what the node answers.

    Raises:
        UnknownReportError: the one that is named is not there.
        ReaderSilentError: the node did not answer in time.
    """
    answer = await requests.ask(node, reports=question, seconds=seconds)
    if answer is None:
        raise ReaderSilentError(node)
    if answer.error is None:
        return answer.data
    if answer.error == UnknownReportError.error:
        raise UnknownReportError(str(answer.data.get("report", question.name)))
    raise BuddyError(answer.message)
