"""How a service begins: what the operator must change is one line, not a traceback."""

import os
from collections.abc import Callable

from pydantic import ValidationError

from buddy_common.errors import SetupError

PRIVATE_UMASK = 0o077  # rows, logs and state are for their owner only


def run_entry(main: Callable[[], None]) -> None:
    """Run a service's `main`.

    Raises:
        SystemExit: a setting is missing or wrong; the text says which.
    """
    os.umask(PRIVATE_UMASK)
    try:
        main()
    except SetupError as exc:
        raise SystemExit(f"buddy: {exc.message}") from exc
    except ValidationError as exc:
        first = exc.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SystemExit(f"buddy: {name}: {first['msg']}") from exc
