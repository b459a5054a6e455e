"""What passes between a browser and the gateway while they greet each other."""

import json
from pathlib import Path

from buddy_common.adapters.gateway_device import load_device
from buddy_proxy.panel_handshake import Handshake


def test_no_answer_to_any_greeting_holds_a_token(tmp_path: Path) -> None:
    handshake = Handshake(load_device(tmp_path / "key"), "the-token")
    for number in ("a", "b"):
        handshake.from_browser(json.dumps({"type": "req", "id": number, "method": "connect", "params": {}}))

    for number in ("a", "b"):
        frame = {"type": "res", "id": number, "ok": True, "payload": {"auth": {"deviceToken": "secret"}}}
        assert "secret" not in handshake.from_gateway(json.dumps(frame))


def test_a_greeting_that_failed_is_followed_by_another_one_that_is_signed_as_well(tmp_path: Path) -> None:
    handshake = Handshake(load_device(tmp_path / "key"), "the-token")
    handshake.from_gateway(json.dumps({"type": "res", "id": "a", "ok": False, "error": {}}))

    assert not handshake.is_over
    again = handshake.from_browser(json.dumps({"id": "b", "method": "connect", "params": {}}))
    assert json.loads(again)["params"]["auth"] == {"token": "the-token"}
