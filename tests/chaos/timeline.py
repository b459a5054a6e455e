"""What happened to `openclaw.json`, in order: for whoever has to find out why a change is missing. Pure."""

import time
from collections.abc import Iterable, Iterator, Sequence

from chaos.facts import Facts, Seen
from chaos.keys import CONFIG, Values, config_values
from chaos.schedule import CORRUPTIONS, Part
from chaos.taken import Kept


def timeline(facts: Facts, seen: Sequence[Seen], backups: Iterable[Kept]) -> str:
    """Return a line for each change of a key that was asked for or seen, each copy, repair and blow."""
    moments = [
        *_asked(facts),
        *_seen(seen, sorted({attempt.key for attempt in facts.attempts})),
        *((kept.at, f"copy   {kept.reason}") for kept in backups),
        *((taken.at, f"repair {taken.kind}") for taken in facts.taken),
        *_blows(facts),
    ]
    return "".join(f"{_clock(at)} {told}\n" for at, told in sorted(moments))


def _asked(facts: Facts) -> Iterator[tuple[float, str]]:
    for attempt in facts.attempts:
        if attempt.key.startswith(CONFIG):
            yield attempt.began, f"asked  {attempt.key} = {attempt.value!r}"
            yield attempt.ended, f"answer {attempt.key} = {attempt.value!r}: {attempt.said}"


def _seen(seen: Sequence[Seen], keys: Sequence[str]) -> Iterator[tuple[float, str]]:
    before: Values = {}
    for look in seen:
        values = config_values(look.content, keys)
        new = [f"{key} = {value!r}" for key, value in values.items() if before.get(key) != value]
        yield look.at, f"seen   {len(look.content)} bytes: {', '.join(new) or 'the same values'}"
        before = values


def _blows(facts: Facts) -> Iterator[tuple[float, str]]:
    for blow in facts.blows:
        if blow.fault.act in CORRUPTIONS or blow.fault.part in (Part.GATEWAY, Part.WATCHDOG):
            yield blow.window.began, f"fault  {blow.fault}"


def _clock(moment: float) -> str:
    return f"{time.strftime('%H:%M:%S', time.localtime(moment))}.{int(moment % 1 * 1000):03d}"
