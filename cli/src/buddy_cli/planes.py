"""The planes of Buddy: what may run anywhere, and what must run beside a gateway."""

from enum import StrEnum


class Plane(StrEnum):
    """The part of Buddy that one `buddy up` starts."""

    ALL = "all"
    CONTROL = "control"  # api, Flower, and the broker where none is named
    HOST = "host"  # workers, watchdog and proxy

    @property
    def has_control(self) -> bool:
        """Whether the api is part of it."""
        return self is not Plane.HOST

    @property
    def has_host(self) -> bool:
        """Whether what looks after the gateway is part of it."""
        return self is not Plane.CONTROL
