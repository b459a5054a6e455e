"""The envelope that every JSON answer comes in."""

from http import HTTPStatus
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from buddy_common.errors import BuddyError

_Data = TypeVar("_Data")


class Envelope(BaseModel, Generic[_Data]):
    """`code` equals the HTTP status; `data` is left out where there is none."""

    model_config = ConfigDict(frozen=True)

    code: int = 200
    message: str = "success"
    data: _Data | None = Field(default=None, exclude_if=lambda data: data is None)


class Problem(BaseModel):
    """What machines read of a failure; further fields depend on the slug."""

    model_config = ConfigDict(extra="allow")

    error: str = Field(description="The slug to match on; never match on the message")


def ok(data: _Data, *, message: str = "success", status: HTTPStatus = HTTPStatus.OK) -> Envelope[_Data]:
    """Return a success."""
    return Envelope(code=status, message=message, data=data)


def problem_body(exc: BuddyError) -> dict[str, Any]:
    """Return the envelope of a failure."""
    return {
        "code": int(exc.status),
        "message": exc.message,
        "data": {"error": exc.error, **exc.detail},
    }


def problems(*errors: type[BuddyError]) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI's `responses` for these failures, grouped by status."""
    slugs: dict[int, list[str]] = {}
    for error in errors:
        slugs.setdefault(int(error.status), []).append(error.error)
    return {
        status: {
            "model": Envelope[Problem],
            "description": " or ".join(f"`{slug}`" for slug in names),
            "content": {
                "application/json": {
                    "example": {
                        "code": status,
                        "message": "What went wrong and what to do about it.",
                        "data": {"error": names[0]},
                    }
                }
            },
        }
        for status, names in slugs.items()
    }


def problems_beside_a_stream(*errors: type[BuddyError]) -> dict[int | str, dict[str, Any]]:
    """Return the same for a route whose good answer is no JSON: its failures are."""
    responses = problems(*errors)
    for response in responses.values():
        del response["model"]  # FastAPI would file it under the media type of the good answer
        response["content"]["application/json"]["schema"] = {"$ref": "#/components/schemas/Envelope_Problem_"}
    return responses
