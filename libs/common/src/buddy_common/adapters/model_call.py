"""What is sent to a provider so that one of its models says a word, as OpenClaw would send it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from buddy_common.adapters.openclaw_variables import substitute
from buddy_common.errors import UnresolvedKeyError, UnsupportedApiError

_WORD = "ping"
_MAX_TOKENS = 16  # the least that all providers take
_DEFAULT_API = "openai-completions"
_PATHS = {
    _DEFAULT_API: "/chat/completions",
    "openai-responses": "/responses",
    "anthropic-messages": "/v1/messages",
}
_ANTHROPIC = "anthropic-messages"
_ANTHROPIC_VERSION = "2023-06-01"
_OURS = frozenset({"content-length", "transfer-encoding", "content-type", "accept-encoding"})
_OPENAI_HOST = "api.openai.com"

Json = Mapping[str, Any]


@dataclass(frozen=True)
class ModelCall:
    """A request to a provider; `secrets` must not be told to anybody."""

    url: str
    headers: dict[str, str]
    body: dict[str, Any]
    secrets: tuple[str, ...]


def compose_call(name: str, provider: Json, model: Json, *, variables: Mapping[str, str]) -> ModelCall:
    """Return the request for a model of the provider, as openclaw.json has both.

    Raises:
        UnsupportedApiError: it speaks something else, or nothing says where it is.
        UnresolvedKeyError: its address, key or headers refer to what is not to be had.
    """
    api = model.get("api") or provider.get("api") or _DEFAULT_API
    path = _PATHS.get(str(api))
    if path is None:
        known = ", ".join(sorted(_PATHS))
        raise UnsupportedApiError(f"Buddy cannot test a provider of the kind {api!r}, only {known}.", api=api)
    resolve = _Resolver(name, variables)
    base = resolve.text("baseUrl", model.get("baseUrl") or provider.get("baseUrl") or "")
    if not _is_address(base):
        raise UnsupportedApiError(
            f"The provider {name!r} has no `baseUrl` that begins with http(s)://.", api=api
        )
    key = provider.get("apiKey")
    key = resolve.secret("apiKey", key) if key else None
    headers = _auth(str(api), key, bearer=provider.get("authHeader") is True)
    for holder in (provider, model):
        headers |= resolve.headers(holder.get("headers"))
    body = _body(str(api), model, host=urlsplit(base).hostname)
    return ModelCall(base.rstrip("/") + path, headers, body, resolve.secrets)


class _Resolver:
    """Resolves the texts of one provider, and remembers which are secret."""

    def __init__(self, name: str, variables: Mapping[str, str]) -> None:
        self._name = name
        self._variables = variables
        self._secrets: list[str] = []

    @property
    def secrets(self) -> tuple[str, ...]:
        """The longest first, so that none that holds another one is left in pieces."""
        return tuple(sorted(self._secrets, key=len, reverse=True))

    def text(self, field: str, value: Any) -> str:
        if not isinstance(value, str):
            raise UnresolvedKeyError(f"{self._where(field)} is no text.")
        return substitute(value, self._variables, where=self._where(field)).strip()

    def secret(self, field: str, value: Any) -> str:
        """Return a text that goes into a header; of references to elsewhere, variables only."""
        if isinstance(value, dict):
            if value.get("source") != "env" or not isinstance(value.get("id"), str):
                raise UnresolvedKeyError(
                    f"{self._where(field)} is kept where only OpenClaw can read it. Test it with a chat."
                )
            value = self._variables.get(value["id"])
            if not value:
                raise UnresolvedKeyError(
                    f"{self._where(field)} is in a variable that OpenClaw does not have."
                )
            return self._kept(field, value.strip())
        return self._kept(field, self.text(field, value))

    def _kept(self, field: str, found: str) -> str:
        if not found.isascii() or not found.isprintable():
            raise UnresolvedKeyError(f"{self._where(field)} holds characters that no header can carry.")
        if found:
            self._secrets.append(found)
        return found

    def headers(self, value: Any) -> dict[str, str]:
        pairs = value.items() if isinstance(value, dict) else ()
        return {
            str(name).lower(): self.secret(f"headers.{name}", item)
            for name, item in pairs
            if str(name).lower() not in _OURS
        }

    def _where(self, field: str) -> str:
        return f"models.providers.{self._name}.{field}"


def _auth(api: str, key: str | None, *, bearer: bool) -> dict[str, str]:
    version = {"anthropic-version": _ANTHROPIC_VERSION} if api == _ANTHROPIC else {}
    if not key:
        return version
    if api == _ANTHROPIC and not bearer:
        return version | {"x-api-key": key}
    return version | {"authorization": f"Bearer {key}"}


def _body(api: str, model: Json, *, host: str | None) -> dict[str, Any]:
    body: dict[str, Any] = {"model": model.get("id"), "stream": True}
    if api == "openai-responses":
        return body | {"input": _WORD, "max_output_tokens": _MAX_TOKENS}
    messages = [{"role": "user", "content": _WORD}]
    compat = model.get("compat")
    named = compat.get("maxTokensField") if isinstance(compat, dict) else None
    limit = "max_completion_tokens" if host == _OPENAI_HOST and api == _DEFAULT_API else "max_tokens"
    return body | {"messages": messages, named if isinstance(named, str) and named else limit: _MAX_TOKENS}


def _is_address(base: str) -> bool:
    try:
        parts = urlsplit(base)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
