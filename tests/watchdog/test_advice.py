"""Every verdict has its advice."""

from buddy_common.schemas.verdicts import Verdict
from buddy_watchdog.advice import ADVICE


def test_every_verdict_has_advice_in_both_languages() -> None:
    assert set(ADVICE) == set(Verdict)
    for advice in ADVICE.values():
        assert any("\u4e00" <= character <= "\u9fff" for character in advice.next_zh)
        assert advice.next_en.isascii()
