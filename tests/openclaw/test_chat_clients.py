"""The official OpenAI client through the proxy, on both generations of OpenClaw."""

import base64
import contextlib
import os
import signal
from collections.abc import Iterator

import openai
import pytest
from openai import DefaultHttpxClient, OpenAI

from fakes.model_provider import ANSWER, FIRST_HALF
from openclaw_system import QUESTION, START_SECONDS, System

pytestmark = pytest.mark.openclaw

# the smallest PNG: one pixel
PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c02"
        "0000000b4944415478da6364f80f00010501012718e3660000000049454e44ae426082"
    )
).decode()


@contextlib.contextmanager
def client_of(system: System) -> Iterator[OpenAI]:
    """The client as people make it, with Buddy's address and token."""
    system.ensure_running()
    buddy = system.buddy
    with (
        DefaultHttpxClient(trust_env=False, timeout=START_SECONDS) as http,
        OpenAI(
            base_url=f"{buddy.url}/v1/openclaw", api_key=buddy.token, http_client=http, max_retries=0
        ) as client,
    ):
        yield client


@pytest.fixture
def client(each_system: System) -> Iterator[OpenAI]:
    with client_of(each_system) as client:
        yield client


def test_a_chat_is_answered_whole(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model="openclaw", messages=[{"role": "user", "content": QUESTION}], user="alice"
    )
    assert answer.choices[0].message.content == ANSWER


def test_a_chat_is_answered_in_pieces(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model="gpt-4o", messages=[{"role": "user", "content": QUESTION}], stream=True
    )
    pieces = [chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices]
    assert "".join(pieces) == ANSWER


def test_images_and_tools_are_passed_through(client: OpenAI, each_system: System) -> None:
    answer = client.chat.completions.create(
        model="openclaw/main",
        messages=[
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is on this picture?"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
                ],
            }
        ],
        tools=[{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
    )
    assert answer.choices[0].message.content == ANSWER
    assert "What is on this picture?" in str(each_system.provider.bodies[-1]["messages"])


def test_an_unknown_bot_makes_no_folder(client: OpenAI, each_system: System) -> None:
    with pytest.raises(openai.NotFoundError, match="There is no bot 'nope'"):
        client.chat.completions.create(
            model="openclaw/nope", messages=[{"role": "user", "content": QUESTION}]
        )
    assert not list(each_system.openclaw.config_dir.glob("**/workspace-nope"))


def test_a_client_that_leaves_ends_the_models_work(system: System) -> None:
    """With the newer generation; the older one goes on to the end of its answer, whoever waits for it."""
    with client_of(system) as client, system.provider.hold() as held:
        stream = client.chat.completions.create(
            model="openclaw", messages=[{"role": "user", "content": QUESTION}], stream=True
        )
        for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                break
        stream.close()
        assert held.abandoned.wait(10)


def test_a_gateway_killed_in_mid_stream_is_an_error_and_the_next_chat_works_after_a_start(
    walked_system: System,
) -> None:
    pid = walked_system.ensure_running()

    def read_until_the_end(client: OpenAI) -> None:
        text = ""
        for piece in pieces(client):
            text += piece
            if FIRST_HALF in text:
                os.kill(pid, signal.SIGKILL)

    with client_of(walked_system) as client:
        with walked_system.provider.hold(), pytest.raises(openai.APIError, match="broke the answer off"):
            read_until_the_end(client)
        walked_system.ensure_running()

        assert "".join(pieces(client)) == ANSWER


@pytest.mark.faults
def test_a_model_that_fails_is_an_error_and_no_empty_answer(client: OpenAI, each_system: System) -> None:
    """The older generation ends such a stream as a good one, with not a word in it."""
    with each_system.provider.refusing(), pytest.raises(openai.APIError):
        "".join(pieces(client))

    assert "".join(pieces(client)) == ANSWER


def pieces(client: OpenAI) -> Iterator[str]:
    """Ask the question, and yield the words of the answer as they come."""
    stream = client.chat.completions.create(
        model="openclaw", messages=[{"role": "user", "content": QUESTION}], stream=True
    )
    for chunk in stream:
        yield (chunk.choices[0].delta.content or "") if chunk.choices else ""


def test_a_wrong_token_is_the_clients_own_error(each_system: System) -> None:
    with (
        DefaultHttpxClient(trust_env=False) as http,
        OpenAI(
            base_url=f"{each_system.buddy.url}/v1/openclaw", api_key="wrong", http_client=http
        ) as stranger,
        pytest.raises(openai.AuthenticationError),
    ):
        stranger.chat.completions.create(model="openclaw", messages=[{"role": "user", "content": "hi"}])
