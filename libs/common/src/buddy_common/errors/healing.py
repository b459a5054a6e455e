"""Reports, quarantine and alerts."""

from http import HTTPStatus

from buddy_common.errors.base import BuddyError
from buddy_common.errors.requests import InvalidRequestError, NotFoundError


class UnknownReportError(NotFoundError):
    """There is no report of this name."""

    error = "unknown_report"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"There is no report {name[:80]!r}. `GET /v1/heal/reports` lists those that are kept.",
            report=name[:80],
        )


class UnknownQuarantineError(NotFoundError):
    """Nothing of this id is in quarantine."""

    error = "unknown_quarantine"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Nothing with the id {name[:80]!r} is in quarantine. `GET /v1/heal/quarantine` lists what is."
        )


class PlaceTakenError(BuddyError):
    """Where an entry in quarantine stood, there is another one by now."""

    error = "place_taken"
    status = HTTPStatus.CONFLICT

    def __init__(self, path: str) -> None:
        super().__init__(
            f"openclaw.json has another {path} by now. Remove that first, or leave this one in quarantine.",
            path=path,
        )


class NoAlertsError(InvalidRequestError):
    """Nobody is there to be told."""

    error = "no_alerts"

    def __init__(self) -> None:
        super().__init__("BUDDY_ALERT_URLS names nobody on this node, so there is nobody to tell.")


class AlertFailedError(BuddyError):
    """An alert did not reach everybody; `deliveries` says whom it did."""

    error = "alert_failed"
    status = HTTPStatus.BAD_GATEWAY
