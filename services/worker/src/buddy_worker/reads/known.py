"""What was read last, as it is published."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass
class Known:
    """What was read last of a resource."""

    text: str
    source: str
    read_at: float  # monotonic
    updated_at: float  # the same in Unix seconds
    seconds: float  # that it took
    seconds_before: float  # that the reading before it took
    of_config: dict[str, Any]


def to_json(value: Any) -> str:
    """Return a value as the read model keeps it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
