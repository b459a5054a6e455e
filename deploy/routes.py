"""Turns the Traefik labels of a compose file into a file for Traefik's file provider.

To read labels itself, Traefik needs Docker's socket, which is as good as root on the host. Usage:
`python deploy/routes.py docker-compose.yml > routes.yml`; the output is JSON, which is YAML, too.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

_LISTS = frozenset({"entryPoints", "middlewares", "authRequestHeaders", "authResponseHeaders"})
_BOOLEANS = {"true": True, "false": False}


def routes(compose: dict[str, Any]) -> dict[str, Any]:
    """Return the dynamic configuration that the labels of all services stand for.

    Raises:
        ValueError: two labels contradict each other.
    """
    found: dict[str, Any] = {}
    for name, service in compose["services"].items():
        for key, value in service.get("labels", {}).items():
            words = key.split(".")
            if words[0] == "traefik" and words[1:] != ["enable"]:
                _put(found, *_as_in_a_file(words[1:], str(value), host=_host(name, service)))
    return found


def _host(name: str, service: dict[str, Any]) -> str:
    """Return the name by which others reach a service: that of another whose network it shares."""
    kind, _, other = service.get("network_mode", "").partition(":")
    return other if kind == "service" else name


def _as_in_a_file(words: list[str], text: str, *, host: str) -> tuple[list[str], Any]:
    """Translate what is written otherwise in a file: the servers, the types."""
    if words[-2:] == ["server", "port"]:
        return [*words[:-2], "servers"], [{"url": f"http://{host}:{text}"}]
    if words[-1] in _LISTS:
        return words, text.split(",")
    if words[-1] == "priority":
        return words, int(text)
    return words, _BOOLEANS.get(text, text)


def _put(tree: dict[str, Any], words: list[str], value: Any) -> None:
    for word in words[:-1]:
        tree = tree.setdefault(word, {})
    if tree.setdefault(words[-1], value) != value:
        raise ValueError(f"{'.'.join(words)} is said twice")


if __name__ == "__main__":
    print(json.dumps(routes(yaml.safe_load(Path(sys.argv[1]).read_text())), indent=2))
