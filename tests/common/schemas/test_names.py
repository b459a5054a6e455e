"""What bots, providers, models, plugins and folders may be called."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from buddy_common.schemas.names import (
    ArchiveName,
    BotId,
    FolderPath,
    Label,
    ModelRef,
    PluginId,
    ProviderName,
    Sha256,
)

EVERYWHERE_BAD: list[Any] = ["", "\x00", "a\x00", "a\n", "\ud800", "a\u007f", None, 5, True, ["a"], {"a": 1}]
OF_IDS = ["-x", "--help", " a", "a b", "..", "a..b", "../a", "/etc", "a;b", "$(a)", "小龙虾", "a\\b"]
BUILT_IN = ["__proto__", "constructor", "prototype"]

LONG_NAMES = ["/" + "a" * 256, "/a/" + "工" * 86 + "/b"]

GOOD = [
    (BotId, ["main", "bot_1", "0", "a-b", "a" * 64]),
    (ProviderName, ["aliyun", "open.router", "@x", "A-1", "a" * 64]),
    (PluginId, ["openclaw-weixin", "@openclaw/voice-call", "a.b"]),
    (ModelRef, ["yovole/glm-5", "qwen3:8b", "openrouter/meta/llama:free", "@cf/x/y", "a+b", "a" * 192]),
    (Label, ["核心Bot", "🤖", "x", "-x", "a" * 128]),
    (FolderPath, ["/a", "/home/x/工作", "/a/./b", "/a..b/c", "/" + "a" * 255, "/" + "工" * 85 + "/b"]),
    (Sha256, ["0" * 64, "abcdef0123456789" * 4]),
    (ArchiveName, ["bot_1@20260101-000000", "a@20260101-000000-2"]),
]
BAD = [
    (BotId, [*OF_IDS, "constructor", "prototype", "__proto__", "Main", "_a", "a/b", "a.b", "a" * 65]),
    (ProviderName, [*OF_IDS, *BUILT_IN, "a/b", "a:b", "a" * 65]),
    (PluginId, [*OF_IDS, *BUILT_IN, "a:b", "a" * 129]),
    (ModelRef, [*OF_IDS, "a/", "a//b", "/a", "a" * 193, "a?b", "a#b", "a%2e"]),
    (Label, ["a" * 129, "a\tb", "\x1b[31m", "a\r"]),
    (
        FolderPath,
        ["a", "a/b", "./a", "~/a", "/", "/a/../b", "/..", "/a\nb", "/" + "a" * 512, "C:\\a", *LONG_NAMES],
    ),
    (Sha256, ["0" * 63, "0" * 65, "A" * 64, "g" * 64]),
    (ArchiveName, [*OF_IDS, "bot_1", "bot_1@", "bot_1@20260101-000000/..", "@20260101-000000"]),
]


def shown(value: Any) -> str | None:
    """Return a name as it is written; a kind holds functions, whose text is another one in each process."""
    return None if hasattr(value, "__metadata__") else repr(value)


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, names in GOOD for name in names], ids=shown
)
def test_a_good_name_is_taken_as_it_is(kind: Any, name: str) -> None:
    assert TypeAdapter(kind).validate_python(name) == name


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, names in BAD for name in (*names, *EVERYWHERE_BAD)], ids=shown
)
def test_a_bad_name_is_refused(kind: Any, name: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(name)
