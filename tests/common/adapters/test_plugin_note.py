from pathlib import Path

from buddy_common.adapters.plugin_note import PluginJournal, PluginNote, Settled


def note(plugin: str) -> PluginNote:
    return PluginNote("task-1", plugin, "1.0", f"@x/{plugin}", "openclaw-1.bak", is_local=True, folders=[])


def test_what_became_of_one_plugin_of_a_job_says_nothing_of_the_next(tmp_path: Path) -> None:
    journal = PluginJournal(tmp_path / "plugin-change.json")
    journal.begin(note("first"))
    journal.settle("task-1", Settled("It could not be put back.", covers_config=False))
    journal.settle("task-0", Settled("It is as before.", covers_config=True))

    journal.begin(note("second"))

    assert journal.settled("task-1") is None
    assert journal.settled("task-0") == Settled("It is as before.", covers_config=True)
    assert journal.open_note() == note("second")
