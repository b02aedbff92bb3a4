"""The database: pragmas, migrations and constraints as they really are."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

from bot.store import PRAGMAS, Store


def test_pragmas_are_in_force(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'p.db'}")
    with store.begin() as db:
        assert {name: db.execute(text(f"PRAGMA {name}")).scalar() for name in PRAGMAS} == PRAGMAS
    store.close()


def test_the_migrations_make_the_tables_we_declare(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'p.db'}")
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []
    store.close()
    Store(f"sqlite:///{tmp_path / 'p.db'}").close()  # a second start changes nothing


def test_an_error_tells_no_values(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'p.db'}")
    insert = text("INSERT INTO staff (name, telegram_id, language, active) VALUES (:name, 1, 'en', 1)")
    with store.begin() as db:
        db.execute(insert, {"name": "canary"})
    with pytest.raises(IntegrityError) as raised, store.begin() as db:
        db.execute(insert, {"name": "canary"})
    assert "canary" not in str(raised.value)
    store.close()


def test_an_error_rolls_the_whole_transaction_back(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'p.db'}")
    with pytest.raises(RuntimeError), store.begin() as db:
        db.execute(text("INSERT INTO staff (name, telegram_id, language, active) VALUES ('a', 2, 'en', 1)"))
        raise RuntimeError
    with store.begin() as db:
        assert db.execute(text("SELECT count(*) FROM staff")).scalar() == 0
    store.close()
