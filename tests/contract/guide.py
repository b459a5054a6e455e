"""The API guide that Buddy implements: its routes and its JSON examples, and what it means to fit one."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PARAMETER = re.compile(r"\{[^}]*\}")
_EXAMPLES = Path(__file__).parent / "guide_routes.json"


@dataclass(frozen=True)
class GuideRoute:
    """A route of the guide with its example, where it has one."""

    method: str
    path: str
    status: int = 200
    message: str = "success"
    data: Any = None
    body: Any = None

    @property
    def key(self) -> str:
        """Method and path, whatever the parameters are called."""
        return route_key(self.method, self.path)


def guide_routes() -> list[GuideRoute]:
    return [GuideRoute(**entry) for entry in json.loads(_EXAMPLES.read_text())]


def route_key(method: str, path: str) -> str:
    return f"{method} {_PARAMETER.sub('{}', path)}"


def misfits(example: Any, live: Any, where: str = "data") -> list[str]:
    """Return where a live answer lacks what the example shows, or has another type there.

    More fields than the example's are fine. A list must hold items that fit the example's first.
    """
    if isinstance(example, dict):
        if not isinstance(live, dict):
            return [f"{where}: expected an object, got {type(live).__name__}"]
        found = []
        for key, value in example.items():
            if key not in live:
                found.append(f"{where}.{key}: missing")
            else:
                found += misfits(value, live[key], f"{where}.{key}")
        return found
    if isinstance(example, list):
        if not isinstance(live, list):
            return [f"{where}: expected a list, got {type(live).__name__}"]
        if example and not live:
            return [f"{where}: empty, so nothing was compared"]
        return [text for i, item in enumerate(live) for text in misfits(example[0], item, f"{where}[{i}]")]
    return _type_misfits(example, live, where)


def _type_misfits(example: Any, live: Any, where: str) -> list[str]:
    numbers = (int, float)
    if isinstance(example, bool) or isinstance(live, bool):
        fits = isinstance(example, bool) and isinstance(live, bool)
    elif isinstance(example, numbers):
        fits = isinstance(live, numbers)
    else:
        fits = isinstance(live, type(example))
    return [] if fits else [f"{where}: expected {type(example).__name__}, got {live!r}"]
