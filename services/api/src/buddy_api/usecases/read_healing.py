"""What a node's watchdog is about, as it published it last."""

from buddy_common.adapters.read_model import ReadModel
from buddy_common.errors import NotReportedError
from buddy_common.schemas.healing import HealingView
from buddy_common.schemas.resources import Resource


async def read_healing(read_model: ReadModel, *, node: str) -> tuple[HealingView, bool]:
    """Return it, and whether that is out of date.

    Raises:
        NotReportedError: the node has published nothing yet.
        BrokerUnavailableError: the read model cannot be reached.
    """
    entry = await read_model.get(node, Resource.HEALING)
    if entry is None:
        raise NotReportedError(node, Resource.HEALING)
    return HealingView.model_validate_json(entry.data), entry.head.stale
