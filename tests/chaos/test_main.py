"""How a soak is started."""

from pathlib import Path

import pytest

from chaos.__main__ import read_options, require_disk

MAKEFILE = Path(__file__).parents[2] / "Makefile"


def test_a_run_without_a_disk_to_fill_is_refused() -> None:
    with pytest.raises(SystemExit, match=r"^FAIL: There is no disk"):
        require_disk(read_options([]), has_disk=False)


@pytest.mark.parametrize(("arguments", "has_disk"), [([], True), (["--without-disk"], False)])
def test_one_goes_on_with_a_disk_or_where_that_was_asked_for(arguments: list[str], *, has_disk: bool) -> None:
    require_disk(read_options(arguments), has_disk=has_disk)


def test_make_starts_it_where_a_disk_can_be_mounted() -> None:
    recipe = MAKEFILE.read_text().partition("\nchaos:")[2].splitlines()[1]

    assert "$(AS_ROOT) $(BIN)/python -m chaos" in recipe
