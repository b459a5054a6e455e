"""What the jobs have in common that change `openclaw.json`."""

from typing import ClassVar

from buddy_common.schemas.job import Job, Lane, NodeLock
from buddy_common.schemas.names import Sha256
from buddy_common.schemas.resources import Resource


class ConfigJob(Job):
    """A change of the config; the gateway must come up on it, or it is undone."""

    lane: ClassVar[Lane] = Lane.FAST
    # to undo a change may take a new gateway process
    locks: ClassVar[frozenset[NodeLock]] = frozenset({NodeLock.CONFIG, NodeLock.LIFECYCLE})
    changes: ClassVar[tuple[Resource, ...]] = (Resource.BOTS_MODELS, Resource.MODELS_CONFIG, Resource.CHAT)
    # until a restart begins, 330 s; until it is up, 630 s; once more on the old config; its rate limit, 60 s
    deadline_seconds: ClassVar[float] = 1740

    base_hash: Sha256 | None = None  # of the config that the client has seen
