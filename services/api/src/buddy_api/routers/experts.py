"""Templates from which bots are made."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from buddy_api.deps import WORD, Caller, IfNoneMatch, Wired
from buddy_api.envelope import Envelope, ok, problems
from buddy_api.etags import conditional, tagged
from buddy_api.experts import ExpertView
from buddy_common.errors import DatabaseUnavailableError, InvalidRequestError, NotAuthenticatedError

router = APIRouter(prefix="/v1/openclaw", tags=["experts"])


@router.get(
    "/experts",
    response_model=Envelope[list[ExpertView]],
    responses=problems(NotAuthenticatedError, InvalidRequestError, DatabaseUnavailableError),
)
async def experts(
    _caller: Caller,
    w: Wired,
    lang: Annotated[Literal["zh", "en"], Query(description="The language of the texts")] = "zh",
    category: Annotated[str | None, Query(pattern=WORD, max_length=32)] = None,
    known: IfNoneMatch = None,
) -> Response:
    """List the expert templates, by category."""
    tag, content = tagged(ok(w.experts.listing(lang=lang, category=category)))
    return conditional(content, tag, known)
