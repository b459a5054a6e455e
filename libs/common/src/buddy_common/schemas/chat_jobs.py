"""The job that lets people chat through the gateway's HTTP API."""

from typing import ClassVar

from buddy_common.schemas.config_job import ConfigJob


class EnableChatJob(ConfigJob):
    """Turn the gateway's chat completions on, or off."""

    task: ClassVar[str] = "buddy.chat.enable"
    title: ClassVar[str] = "Enable chat"
    module: ClassVar[str] = "chat"
    action: ClassVar[str] = "enable"

    enabled: bool = True

    @property
    def target(self) -> str | None:
        """The endpoint."""
        return "chatCompletions"
