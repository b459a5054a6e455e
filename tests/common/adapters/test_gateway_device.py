"""The key by which a gateway knows Buddy again."""

import base64
import hashlib
import os
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from buddy_common.adapters.gateway_device import GatewayDevice, load_device
from buddy_common.errors import StateUnwritableError
from common.racing import race

TOKEN = "secret"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "gateway-device"


def sign(device: GatewayDevice, *, token: str = TOKEN) -> dict[str, object]:
    return device.sign(
        nonce="n-1", signed_at=1795350692867, token=token, scopes=("operator.read", "operator.x")
    )


def decoded(value: object) -> bytes:
    text = str(value)
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_a_key_is_made_once_and_stays(file: Path) -> None:
    first = load_device(file)

    assert sign(load_device(file)) == sign(first)


def test_the_key_and_its_folder_are_for_the_owner_only(file: Path) -> None:
    before = os.umask(0)
    try:
        load_device(file)
    finally:
        os.umask(before)

    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert list(file.parent.iterdir()) == [file]


def test_a_key_that_is_there_is_taken(file: Path) -> None:
    key = Ed25519PrivateKey.generate()
    file.parent.mkdir()
    file.write_text(f"  {key.private_bytes_raw().hex()} \n")

    assert sign(load_device(file)) == sign(GatewayDevice(key))


def test_keys_of_two_files_differ(tmp_path: Path) -> None:
    assert sign(load_device(tmp_path / "a"))["id"] != sign(load_device(tmp_path / "b"))["id"]


def test_all_who_ask_at_once_get_the_same_key(tmp_path: Path) -> None:
    for turn in range(10):
        devices = race(8, partial(load_device, tmp_path / str(turn) / "device"))

        assert len({str(sign(device)["id"]) for device in devices}) == 1


@pytest.mark.parametrize("content", [b"", b"\n", b"no hex", b"abcd", b"00" * 33, b"\xff\xfe"])
def test_a_file_that_holds_no_key_is_refused_and_left_alone(file: Path, content: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(content)

    with pytest.raises(StateUnwritableError, match=f"{file}.*is unusable"):
        load_device(file)

    assert file.read_bytes() == content


def test_a_key_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").touch()

    with pytest.raises(StateUnwritableError, match="home/device"):
        load_device(tmp_path / "home" / "device")


def test_a_folder_in_its_place_is_told(file: Path) -> None:
    file.mkdir(parents=True)

    with pytest.raises(StateUnwritableError, match="is unusable"):
        load_device(file)


def test_the_id_is_the_hash_of_the_public_key(file: Path) -> None:
    signed = sign(load_device(file))

    assert signed["id"] == hashlib.sha256(decoded(signed["publicKey"])).hexdigest()
    assert (signed["signedAt"], signed["nonce"]) == (1795350692867, "n-1")


def test_what_is_signed_binds_challenge_scopes_and_token(file: Path) -> None:
    signed = sign(load_device(file))

    words = f"v2|{signed['id']}|gateway-client|backend|operator|operator.read,operator.x"
    words += f"|1795350692867|{TOKEN}|n-1"
    public = Ed25519PublicKey.from_public_bytes(decoded(signed["publicKey"]))
    public.verify(decoded(signed["signature"]), words.encode())
    assert sign(load_device(file), token="another")["signature"] != signed["signature"]


def test_what_is_sent_is_base64url_without_padding() -> None:
    for _ in range(20):  # so that every letter of the alphabet comes up
        signed = sign(GatewayDevice(Ed25519PrivateKey.generate()))
        assert not set(f"{signed['publicKey']}{signed['signature']}") & set("+/=")
