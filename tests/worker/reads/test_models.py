"""The providers of models, without their secrets."""

import json
from pathlib import Path

import pytest

from buddy_worker.reads.models import models_config_of
from worker.reads.recorded import GENERATIONS, NEW, SECRET, config_of, files_of


@pytest.mark.parametrize("version", GENERATIONS)
def test_providers_are_those_of_the_file_in_its_order(version: str, tmp_path: Path) -> None:
    view = models_config_of(files_of(tmp_path, config_of(version)))

    assert [provider["name"] for provider in view["providers"]] == ["mock", "second"]
    assert view["providers"][0]["baseUrl"] == "http://127.0.0.1:1/v1"
    assert [model["id"] for model in view["providers"][0]["models"]] == ["mock-1", "mock-2"]
    assert view["defaultModel"] == "mock/mock-1"


def test_key_is_shown_masked_and_its_reference_as_it_is(tmp_path: Path) -> None:
    config = config_of(NEW)
    config["models"]["providers"]["second"]["apiKey"] = "${SECOND_KEY}"

    providers = models_config_of(files_of(tmp_path, config))["providers"]

    assert [provider["apiKey"] for provider in providers] == ["sk-…9f3c", "${SECOND_KEY}"]


@pytest.mark.parametrize(
    "secrets",
    [
        {"apiKey": SECRET},
        {"headers": {"Authorization": f"Bearer {SECRET}", "x-api-key": SECRET}},
        {"request": {"auth": {"mode": "authorization-bearer", "token": SECRET}}},
        {"models": [{"id": "m", "headers": {"X-Token": SECRET}}]},
    ],
    ids=str,
)
def test_no_secret_is_shown_wherever_the_provider_keeps_it(tmp_path: Path, secrets: object) -> None:
    view = models_config_of(files_of(tmp_path, {"models": {"providers": {"mock": secrets}}}))

    assert SECRET not in json.dumps(view)
    assert "…" in json.dumps(view, ensure_ascii=False)


def test_name_is_that_of_the_provider_whatever_it_calls_itself(tmp_path: Path) -> None:
    config = {"models": {"providers": {"mock": {"name": "other"}, "broken": "text"}}}

    assert models_config_of(files_of(tmp_path, config)) == {
        "providers": [{"name": "mock"}],
        "defaultModel": None,
    }


def test_masking_leaves_the_config_as_it_is(tmp_path: Path) -> None:
    config = config_of(NEW)

    models_config_of(files_of(tmp_path, config))

    assert config == config_of(NEW)
