"""The providers of models, as `openclaw.json` has them, without their secrets."""

from typing import Any

from buddy_common.adapters.openclaw_config import default_model, providers_of
from buddy_common.secret_mask import mask_secrets
from buddy_worker.reads.sources import Files


def models_config_of(files: Files) -> dict[str, Any]:
    """Return the providers in the order of the file; the gateway would hide the keys whole."""
    return {
        "providers": [
            {"name": name, **mask_secrets({key: value for key, value in provider.items() if key != "name"})}
            for name, provider in providers_of(files.config).items()
        ],
        "defaultModel": default_model(files.config),
    }
