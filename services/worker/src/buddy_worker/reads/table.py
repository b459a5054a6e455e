"""Which resource is read how: from which calls, commands and files, how often, and after which events."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from buddy_common.schemas.resources import Resource
from buddy_worker.reads.bots import bots_models_of, read_bots_models
from buddy_worker.reads.chat import chat_of
from buddy_worker.reads.models import models_config_of
from buddy_worker.reads.plugins import list_plugins, read_plugins
from buddy_worker.reads.sessions import read_sessions, sessions_of
from buddy_worker.reads.skills import list_skills, read_skills
from buddy_worker.reads.sources import Files, GatewayCalls, OpenClawCommands
from buddy_worker.reads.top import bots_top_of
from buddy_worker.reads.wechat import read_wechat, wechat_of

FromGateway = Callable[[GatewayCalls, Files], Awaitable[Any]]
FromCommand = Callable[[OpenClawCommands, Files], Awaitable[Any]]
FromFiles = Callable[[Files], Any]

_CONFIG_EVENTS = frozenset({"config.changed", "chat.metadata.changed"})
_SESSION_EVENTS = frozenset({"sessions.changed", "session.message"})


@dataclass(frozen=True)
class Read:
    """How one resource is read. The first way that is open is taken."""

    resource: Resource
    seconds: float  # read again after so long, even if nothing tells of a change
    gateway: FromGateway | None = None
    methods: tuple[str, ...] = ()  # what `gateway` asks for
    command: FromCommand | None = None
    files: FromFiles | None = None
    events: frozenset[str] = frozenset()  # of the gateway, after which it is read again
    live: bool = False  # of a moment: it does not hold when the gateway is gone
    of_config: bool = False  # also after an edit of `openclaw.json`
    feeds: tuple[Resource, ...] = ()  # what is made of this one, and read again after it

    @property
    def fresh_seconds(self) -> float:
        """Without news for so long it counts as stale."""
        return 3 * self.seconds + 10


READS: tuple[Read, ...] = (
    Read(
        Resource.BOTS_MODELS,
        30,
        gateway=read_bots_models,
        methods=("agents.list", "models.list"),
        files=bots_models_of,
        events=_CONFIG_EVENTS | {"models.snapshot"},
        of_config=True,
        feeds=(Resource.BOTS_TOP,),
    ),
    Read(Resource.MODELS_CONFIG, 30, files=models_config_of, events=_CONFIG_EVENTS, of_config=True),
    Read(Resource.CHAT, 30, files=chat_of, events=_CONFIG_EVENTS, of_config=True),
    Read(
        Resource.SKILLS,
        60,
        gateway=read_skills,
        methods=("skills.status",),
        command=list_skills,
        events=_CONFIG_EVENTS | {"skills.changed", "plugins.changed"},
        of_config=True,
    ),
    Read(
        Resource.PLUGINS,
        60,
        gateway=read_plugins,
        methods=("plugins.list",),
        command=list_plugins,
        events=frozenset({"config.changed", "plugins.changed"}),
        of_config=True,
        feeds=(Resource.WECHAT,),
    ),
    Read(
        Resource.WECHAT,
        30,
        gateway=read_wechat,
        methods=("channels.status",),
        files=wechat_of,
        events=frozenset({"config.changed", "plugins.changed", "health"}),
        live=True,
        of_config=True,
    ),
    Read(
        Resource.SESSIONS,
        30,
        gateway=read_sessions,
        methods=("sessions.list",),
        files=sessions_of,
        events=_SESSION_EVENTS,
    ),
    Read(Resource.BOTS_TOP, 30, files=bots_top_of, events=_SESSION_EVENTS, of_config=True),
)
BY_RESOURCE = {read.resource: read for read in READS}
