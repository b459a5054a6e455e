"""Entity tags of JSON answers (RFC 9110 section 8.8.3)."""

import hashlib

from pydantic import BaseModel


def tagged(body: BaseModel) -> tuple[str, bytes]:
    """Return the tag of a body and its bytes."""
    content = body.model_dump_json().encode()
    return f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"', content


def matches(header: str | None, tag: str) -> bool:
    """Whether an If-None-Match header names this tag."""
    if header is None:
        return False
    given = {part.strip().removeprefix("W/") for part in header.split(",")}
    return tag in given or "*" in given
