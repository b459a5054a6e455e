"""Which answers of the gateway could act as the operator in a browser, and the policy that forbids it.

Agents write pages, OpenClaw serves them as they are, and below our prefix they would have Buddy's origin.
The panel of either generation names its inline scripts by their hashes, which no agent can make it do: it
stays as it is. `script-src 'self'` alone is not enough, since agents can have scripts served as well.
"""

from buddy_proxy.problems import NO_SNIFF

# the page may run its scripts, but has an origin of its own: no cookie of ours, and nothing of ours to read
SANDBOX = (
    b"sandbox allow-scripts allow-forms allow-modals allow-popups allow-downloads; frame-ancestors 'self'"
)
# what no browser takes for a document that can run scripts, as long as it does not guess
_INERT = frozenset(
    {
        b"application/javascript", b"application/json", b"application/manifest+json",
        b"application/octet-stream", b"application/pdf", b"application/wasm", b"application/x-ndjson",
        b"application/zip", b"text/css", b"text/event-stream", b"text/javascript", b"text/plain",
    }
)  # fmt: skip
_INERT_KINDS = (b"image/", b"audio/", b"video/", b"font/")
_NOT_INERT = b"image/svg+xml"
# a list of sources that lets in scripts which nobody of OpenClaw wrote
_ANY_SCRIPT = frozenset({b"*", b"http:", b"https:", b"data:", b"blob:", b"filesystem:"})
_NAMED_SCRIPT = (b"'nonce-", b"'sha256-", b"'sha384-", b"'sha512-")

Headers = list[tuple[bytes, bytes]]


def confined(headers: Headers) -> Headers:
    """Return the headers of an answer, in lower case, with what keeps a page in an origin of its own."""
    kept = [header for header in headers if header[0] != NO_SNIFF[0]]
    kept.append(NO_SNIFF)  # a browser that guesses could take anything for a page
    if _is_inert(kept) or any(_confines(policy) for policy in _policies(kept)):
        return kept
    return [*kept, (b"content-security-policy", SANDBOX)]


def _is_inert(headers: Headers) -> bool:
    kinds = [
        kind.partition(b";")[0].strip().lower()
        for name, value in headers
        if name == b"content-type"
        for kind in value.split(b",")
    ]
    return bool(kinds) and all(
        kind in _INERT or (kind.startswith(_INERT_KINDS) and kind != _NOT_INERT) for kind in kinds
    )


def _policies(headers: Headers) -> list[bytes]:
    return [
        policy
        for name, value in headers
        if name == b"content-security-policy"
        for policy in value.lower().split(b",")
    ]


def _confines(policy: bytes) -> bool:
    """Whether under a policy a page has only scripts that OpenClaw named, or an origin that is not ours."""
    directives: dict[bytes, list[bytes]] = {}
    for directive in policy.split(b";"):
        name, *values = directive.split() or [b""]
        directives.setdefault(name, values)  # of two with one name the first counts
    if b"sandbox" in directives and b"allow-same-origin" not in directives[b"sandbox"]:
        return True
    scripts = directives.get(b"script-src", directives.get(b"default-src"))
    if scripts is None:
        return False
    if not scripts or scripts == [b"'none'"]:
        return True
    # with a hash or a nonce there, browsers pass over 'unsafe-inline'
    return any(each.startswith(_NAMED_SCRIPT) for each in scripts) and not _ANY_SCRIPT & set(scripts)
