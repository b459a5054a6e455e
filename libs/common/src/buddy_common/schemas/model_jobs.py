"""The jobs that change providers, their models, and which model is the default."""

from typing import ClassVar

from buddy_common.schemas.config_job import ConfigJob
from buddy_common.schemas.config_values import ConfigObject
from buddy_common.schemas.names import ModelRef, ProviderName


class _ModelJob(ConfigJob):
    module: ClassVar[str] = "models"


class _ProviderJob(_ModelJob):
    provider: ProviderName

    @property
    def target(self) -> str | None:
        """The provider."""
        return self.provider


class SetProviderJob(_ProviderJob):
    """Add a provider, or change what is said of it; a masked secret means the one that is there."""

    task: ClassVar[str] = "buddy.models.set_provider"
    title: ClassVar[str] = "Set provider"
    action: ClassVar[str] = "set_provider"
    secret_fields: ClassVar[frozenset[str]] = frozenset({"config"})

    config: ConfigObject


class DeleteProviderJob(_ProviderJob):
    """Take a provider out, with all its models."""

    task: ClassVar[str] = "buddy.models.delete_provider"
    title: ClassVar[str] = "Delete provider"
    action: ClassVar[str] = "delete_provider"


class SetProviderModelJob(_ProviderJob):
    """Add a model to a provider, or change what is said of it."""

    task: ClassVar[str] = "buddy.models.set_model"
    title: ClassVar[str] = "Set model"
    action: ClassVar[str] = "set_model"
    secret_fields: ClassVar[frozenset[str]] = frozenset({"config"})

    model: ModelRef
    config: ConfigObject

    @property
    def target(self) -> str | None:
        """The model, with its provider."""
        return f"{self.provider}/{self.model}"


class DeleteModelJob(_ProviderJob):
    """Take a model out of its provider."""

    task: ClassVar[str] = "buddy.models.delete_model"
    title: ClassVar[str] = "Delete model"
    action: ClassVar[str] = "delete_model"

    model: ModelRef

    @property
    def target(self) -> str | None:
        """The model, with its provider."""
        return f"{self.provider}/{self.model}"


class SetDefaultModelJob(_ModelJob):
    """Set the model of all bots that have none of their own."""

    task: ClassVar[str] = "buddy.models.set_default"
    title: ClassVar[str] = "Set default model"
    action: ClassVar[str] = "set_default"

    model: ModelRef

    @property
    def target(self) -> str | None:
        """The model."""
        return self.model
