"""Secrets in addresses: the user, the values of the query, and the path of a webhook; the host stays.

No pattern here repeats what repeats, so that a line of any length is read once.
"""

import re
from collections.abc import Iterator

from buddy_common.secret_names import is_secret_name
from buddy_common.secret_value import ELLIPSIS

_REFERENCE = r"\$\{[A-Za-z_]\w*\}"
# a quote ends an address where something ends after it; within a password it stands unescaped
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,30}://)((?:[^\s\"'<>`]|[\"'](?![\s\"',;:)\]}]|$))+)")
# up to the last @ of the host's part; also a password with a slash in it, but no port
_USER = re.compile(rf"[^/?#]*@|[^:/?#@\[\]]{{0,128}}:(?!(?:\d{{1,5}}|{_REFERENCE})(?:[/?#]|$))[^@]{{1,512}}@")
_USER_REFERENCE = re.compile(rf"(?:{_REFERENCE}|:)+@")
_MOST_USERS = 3  # times an @ may follow another
_PARTS = re.compile(r"([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?", re.DOTALL)
_PATH_REFERENCE = re.compile(rf"(?:/|{_REFERENCE})+")
_VALUE = re.compile(r"([?&#])([^=&?#]*)=([^&]+)")
_VALUE_REFERENCE = re.compile(_REFERENCE)
_QUERY_NAMES = frozenset({"sig", "sign", "signature", "ticket", "qrcode", "code", "auth"})
_HOOK = re.compile(
    r"(?i)hooks\.slack(?:-gov)?\.com/|(?:\w{1,20}\.)?discord(?:app)?\.com/api/(?:v\d+/)?webhooks/"
    r"|open\.(?:feishu\.cn|larksuite\.com)/open-apis/bot/|oapi\.dingtalk\.com/robot/|qyapi\.weixin\.qq\.com/"
    r"|api\.telegram\.org/(?:file/)?bot|[\w-]{1,100}\.webhook\.office\.com/"
)
_HIDDEN_PATH = f"/{ELLIPSIS}"


def mask_addresses(text: str, *, webhook: bool = False, every_value: bool = False) -> str:
    """Return the text with the secrets of each address masked.

    `webhook`: the path is a secret whatever the host. `every_value`: each value of a query is.
    """
    if "://" not in text:
        return text

    def masked(found: re.Match[str]) -> str:
        user, host, path, query, fragment = _split(found[2])
        return "".join(
            (
                found[1],
                user if not user or _USER_REFERENCE.fullmatch(user) else f"{ELLIPSIS}@",
                host,
                _HIDDEN_PATH if _is_secret_path(host, path, webhook=webhook) else path,
                _mask_values(query, every=every_value),
                _mask_values(fragment, every=False),
            )
        )

    return _ADDRESS.sub(masked, text)


def is_masked_address(text: str, *, webhook: bool = False) -> bool:
    """Whether a mask stands where an address in the text has a secret."""
    return any(
        masked for found in _ADDRESS.finditer(text) for masked in _masked_parts(found, webhook=webhook)
    )


def _masked_parts(found: re.Match[str], *, webhook: bool) -> Iterator[bool]:
    user, host, path, query, fragment = _split(found[2])
    yield ELLIPSIS in user
    yield f"={ELLIPSIS}" in query + fragment
    yield ELLIPSIS in path and _is_secret_path(host, path, webhook=webhook)
    yield path == _HIDDEN_PATH and found[0] == found.string


def _split(rest: str) -> tuple[str, str, str, str, str]:
    start = 0
    for _ in range(_MOST_USERS):
        user = _USER.match(rest, start)
        if user is None:
            break
        start = user.end()
    parts = _PARTS.match(rest, start)
    host, path, query, fragment = parts.groups("") if parts else ("", "", "", "")
    return rest[:start], host, path, query, fragment


def _is_secret_path(host: str, path: str, *, webhook: bool) -> bool:
    if not path.strip("/") or _PATH_REFERENCE.fullmatch(path):
        return False
    return webhook or _HOOK.match(host.partition(":")[0] + path) is not None


def _mask_values(part: str, *, every: bool) -> str:
    def masked(found: re.Match[str]) -> str:
        name = found[2]
        hidden = every or is_secret_name(name) or name.lower() in _QUERY_NAMES
        if not hidden or _VALUE_REFERENCE.fullmatch(found[3]):
            return found[0]
        return f"{found[1]}{name}={ELLIPSIS}"

    return _VALUE.sub(masked, part)
