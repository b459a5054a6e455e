"""Entity tags of JSON answers (RFC 9110 section 8.8.3), and what a client that knows one gets."""

import hashlib
from http import HTTPStatus

from fastapi import Response
from pydantic import BaseModel


def tagged(body: BaseModel, *, exclude: dict[str, set[str]] | None = None) -> tuple[str, bytes]:
    """Return the tag of a body and its bytes, without what is excluded."""
    content = body.model_dump_json(exclude=exclude).encode()
    return f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"', content


def matches(header: str | None, tag: str) -> bool:
    """Whether an If-None-Match header names this tag; weak or not makes no difference there."""
    if header is None:
        return False
    given = {part.strip().removeprefix("W/") for part in header.split(",")}
    return tag.removeprefix("W/") in given or "*" in given


def required(header: str | None) -> tuple[str, ...] | None:
    """Return the tags that an If-Match header names, as they were given out; None without the header.

    A proxy that compresses marks them as weak. They are those of a content, so they are as good.
    """
    if header is None:
        return None
    given = (part.strip().removeprefix("W/").strip('"') for part in header.split(","))
    return tuple(tag if tag == "*" else f'"{tag}"' for tag in given if tag)


def conditional(content: bytes, tag: str, if_none_match: str | None) -> Response:
    """Return the JSON, or 304 to a client that has this version of it."""
    if matches(if_none_match, tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
    return Response(content, media_type="application/json", headers={"ETag": tag})
