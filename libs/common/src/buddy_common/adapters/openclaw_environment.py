"""The variables that an OpenClaw program of this node gets to see, gateway and command alike."""

from buddy_common.adapters.openclaw_program import OpenClawProgram
from buddy_common.adapters.processes import child_environment
from buddy_common.settings import GatewaySettings


def openclaw_environment(program: OpenClawProgram, settings: GatewaySettings) -> dict[str, str]:
    """Return the allowed part of our environment, and which node, state and port it is about."""
    extra = {
        "PATH": program.search_path,
        "OPENCLAW_STATE_DIR": str(settings.config_dir),
        "OPENCLAW_CONFIG_PATH": str(settings.config_file),
        "NO_COLOR": "1",
    }
    if settings.port is not None:
        extra["OPENCLAW_GATEWAY_PORT"] = str(settings.port)
    return child_environment(also=settings.passed_on, **extra)
