"""The id under which one request is found in every answer and log line."""

import random
import re

HEADER = "X-Request-ID"
_ids = random.Random()  # an id is no secret, and the system's own source costs a call for each
_DECENT = re.compile(r"^[A-Za-z0-9._-]{1,64}$")


def choose_request_id(given: str | None) -> str:
    """Return the id that the caller sent, if it is fit for a log, else a new one."""
    return given if given and _DECENT.match(given) else f"{_ids.getrandbits(64):016x}"
