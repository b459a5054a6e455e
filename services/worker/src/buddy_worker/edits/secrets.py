"""What a client sends back of a secret that it has only seen masked."""

from typing import Any

from buddy_common.errors import InvalidRequestError
from buddy_common.secret_mask import masks_in, restore_secrets


def with_secrets(fields: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """Return the fields with each mask replaced by the secret that it stands for.

    Raises:
        InvalidRequestError: a mask stands for no secret that is there.
    """
    restored: dict[str, Any] = restore_secrets(fields, known)
    unknown = masks_in(restored, known)
    if unknown:
        raise InvalidRequestError(
            f"{unknown[0]}: this is the mask of no secret here. Send the secret itself."
        )
    return restored
