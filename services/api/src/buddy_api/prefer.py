"""What a client prefers (RFC 7240): not to wait for the outcome of what it asks for."""

from typing import Annotated

from fastapi import Depends, Header


async def responds_async(
    prefer: Annotated[
        list[str] | None, Header(description="`respond-async`: answer 202 instead of waiting for the outcome")
    ] = None,
) -> bool:
    """Whether the request says `Prefer: respond-async`."""
    preferences = (part for header in prefer or [] for part in header.split(","))
    return any(part.partition(";")[0].strip().lower() == "respond-async" for part in preferences)


RespondAsync = Annotated[bool, Depends(responds_async)]
