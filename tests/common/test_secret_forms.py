"""Each form of a secret that is planted in whole systems is masked, and comes back where it may."""

import json
from collections.abc import Callable

import pytest

from buddy_common.config_compare import compare, masked_text
from buddy_common.config_diff import shown_changes
from buddy_common.schemas.bot_jobs import UpdateBotJob
from buddy_common.secret_mask import mask_secrets, masks_in, restore_secrets
from buddy_common.text_mask import mask_text
from security.planted import Scan
from security.secret_forms import config_secrets, lines_with, server_with, text_secrets

SECRETS = config_secrets()
SERVER = server_with(SECRETS)
CONFIG = {"mcp": {"servers": {"x": SERVER}}}
TEXT = json.dumps(CONFIG)

VIEWS: dict[str, Callable[[], object]] = {
    "the text of a backup": lambda: masked_text(TEXT),
    "a difference": lambda: compare("{}", TEXT).model_dump_json(),
    "the other way": lambda: compare(TEXT, "").model_dump_json(),
    "one change": lambda: compare(TEXT, TEXT.replace("LANG", "LONG")).model_dump_json(),
    "an event": lambda: json.dumps(shown_changes({}, CONFIG)),
    "a row": lambda: json.dumps(UpdateBotJob(id="b", config=CONFIG).seal()[0].payload()),
}


@pytest.mark.parametrize("view", VIEWS)
def test_no_secret_of_a_config_is_in_any_view_of_it(view: str) -> None:
    scan = Scan([*SECRETS.values()])

    scan.look("view", view, str(VIEWS[view]()).encode())

    assert scan.found == []


@pytest.mark.parametrize("known", [SERVER, CONFIG], ids=["a part", "all"])
def test_a_config_that_comes_back_masked_is_the_same(known: dict[str, object]) -> None:
    back = restore_secrets(mask_secrets(known), known)

    assert back == known
    assert masks_in(back, known) == []


def test_none_of_its_masks_is_written_where_no_secret_is() -> None:
    assert len(masks_in(mask_secrets(SERVER))) == len(SECRETS) - 1, "an address has two"


def test_no_secret_of_a_text_is_left() -> None:
    secrets = text_secrets()
    scan = Scan([*secrets.values()])
    lines = lines_with(secrets)

    for form, line in zip(secrets, lines, strict=True):
        scan.look("line", form, mask_text(line).encode())
        scan.look("line of a document", form, mask_text(json.dumps({"said": [line]}, indent=2)).encode())

    assert scan.found == []
