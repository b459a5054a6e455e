"""The names under which host planes publish to the read model."""

from enum import StrEnum


class Resource(StrEnum):
    """One entry of a node's read model."""

    GATEWAY = "gateway"
    SYSTEM = "system"
    OPENCLAW = "openclaw"
