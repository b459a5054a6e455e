"""The job that asks a provider of models itself, past the gateway."""

from typing import Annotated, ClassVar

from pydantic import StringConstraints

from buddy_common.schemas.job import Job, Lane

_TARGET_CHARACTERS = 256  # the column's width
# they are looked up in openclaw.json, and go nowhere else but into the request's JSON
ModelName = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x20\x7f-][^\x00-\x1f\x7f]*$", max_length=200)]


class ProbeModelJob(Job):
    """Have a configured provider answer with one of its models, and measure how soon it does."""

    task: ClassVar[str] = "buddy.models.test_direct"
    title: ClassVar[str] = "Test model"
    module: ClassVar[str] = "models"
    action: ClassVar[str] = "test_direct"
    lane: ClassVar[Lane] = Lane.FAST
    deadline_seconds: ClassVar[float] = 60  # the provider has 30 s of it

    provider: ModelName
    model: ModelName

    @property
    def target(self) -> str | None:
        """The model, as OpenClaw names it."""
        return f"{self.provider}/{self.model}"[:_TARGET_CHARACTERS]
