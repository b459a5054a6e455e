"""The lines of the ledger about `openclaw.json` itself. Pure."""

from chaos.facts import Facts
from chaos.ledger import SLACK_SECONDS, Line, line


def config_whole(facts: Facts) -> Line:
    """It was whole, with its token and its agents, whenever the schedule had not broken it."""
    troubles = [
        f"{broken.why} for {broken.ended - broken.began:.1f} s"
        for broken in facts.config_broken
        if not any(
            window.began - SLACK_SECONDS <= broken.began and broken.ended <= window.ended + SLACK_SECONDS
            for window in facts.corruptions
        )
    ]
    detail = f"{facts.config_looks} looks, {len(facts.corruptions)} times corrupted by the schedule"
    promise = "openclaw.json was whole, with its token and its agents"
    return line(promise, detail, troubles, seen=facts.config_looks)


def config_valid(facts: Facts) -> Line:
    """OpenClaw takes each content that others than the schedule have written."""
    detail = f"{facts.config_contents} different contents"
    if facts.config_judged < facts.config_contents:
        detail += f", of which {facts.config_judged}, evenly taken, were judged"
    promise = "OpenClaw takes every openclaw.json that was there (`config validate`)"
    return line(promise, detail, facts.config_refused, seen=facts.config_judged)


CHECKS = (config_whole, config_valid)
