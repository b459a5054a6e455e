"""What Schemathesis is told by `SCHEMATHESIS_HOOKS`: two checks of ours, and where it may not reach."""

import os
from typing import Any

import schemathesis

# comes in headers that an application may be tempted to repeat
CANARY = "canary-7f3a91"
_CANARIES = {"X-Canary": CANARY, "Referer": f"http://{CANARY}.test/", "X-Forwarded-Host": f"{CANARY}.test"}
# what a route may answer although it did all right, if the document says so: a job that failed, a worker
# that says nothing yet; `data.error` then names which
_EXPLAINED = {502, 503, 504, 507}
_FOLDER = os.environ.get("SECURITY_FOLDER", "/nonexistent")
_NOWHERE = "http://127.0.0.1:9/v1"


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Send the canaries, and keep what is made up from other folders and other hosts than ours."""
    del context, kwargs
    case.headers = {**_CANARIES, **(case.headers or {})}
    case.body = _kept_here(case.body)


def _kept_here(value: Any) -> Any:
    """Return a body whose folders are below ours, and whose addresses lead nowhere."""
    if isinstance(value, dict):
        return {name: _placed(name, _kept_here(part)) for name, part in value.items()}
    if isinstance(value, list):
        return [_kept_here(part) for part in value]
    return value


def _placed(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if name == "workspace" and value.startswith(("/", "~")):
        return f"{_FOLDER}/{value.strip('/~')}"
    return _NOWHERE if name == "baseUrl" and "://" in value else value


@schemathesis.check
def explained_server_errors(ctx: Any, response: Any, case: Any) -> None:
    """No 500, and no other 5xx but one that is documented and says which failure it is."""
    del ctx
    status = response.status_code
    if status < 500:
        return
    documented = case.operation.definition.raw["responses"]
    body = response.json() if "json" in "".join(response.headers.get("content-type", [])) else {}
    slug = _slug(body) if isinstance(body, dict) else None
    is_readiness = case.operation.path == "/ready"
    explained = (slug or is_readiness) and slug != "internal_error"
    assert status in _EXPLAINED, f"{status}: {response.text[:500]}"
    assert str(status) in documented, f"{status} is not documented: {response.text[:500]}"
    assert explained, f"{status} {slug}: {response.text[:500]}"


def _slug(body: dict[str, Any]) -> Any:
    """Return the slug of an envelope, or of a failure in OpenAI's shape."""
    if "error" in body:
        return (body["error"] or {}).get("code")
    return (body.get("data") or {}).get("error")


@schemathesis.check
def no_reflected_headers(ctx: Any, response: Any, case: Any) -> None:
    """Nothing that came in a header goes out in one, and no other site is let in."""
    del ctx, case
    names = {name.lower() for name in response.headers}
    assert not names & {"access-control-allow-origin", "access-control-allow-credentials"}, names
    repeated = {name: values for name, values in response.headers.items() if CANARY in "".join(values)}
    assert not repeated, repeated
    assert "x-content-type-options" in names, "an answer without the security headers"


@schemathesis.check
def strangers_are_refused(ctx: Any, response: Any, case: Any) -> None:
    """Without a credential nothing is answered but a refusal; what is malformed may be refused as that."""
    del ctx
    if case.operation.path in {"/health", "/ready"}:
        return
    if (case.operation.path, response.request.method) == ("/login", "GET"):  # the page to sign in
        return
    assert response.status_code in {400, 401, 405, 413, 429}, f"{response.status_code}: {response.text[:500]}"
