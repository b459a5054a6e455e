"""`python -m buddy_api.migrate`: brings the database's schema up to date, without the `buddy` command."""

from buddy_common.db.engine import open_engine
from buddy_common.db.migrate import upgrade
from buddy_common.entry import run_entry
from buddy_common.errors import DatabaseUnavailableError
from buddy_common.settings import DatabaseSettings, HomeSettings


def main() -> None:
    """Migrate; several at once wait for each other.

    Raises:
        SystemExit: the database cannot be reached or migrated.
    """
    engine = open_engine(DatabaseSettings().resolve(HomeSettings().home))
    try:
        upgrade(engine)
    except DatabaseUnavailableError as exc:
        raise SystemExit(f"buddy: {exc.message.splitlines()[0]}") from exc
    finally:
        engine.dispose()


if __name__ == "__main__":
    run_entry(main)
