"""the desk: sites, roles, notes, promises, and what a web inbox needs"""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_STAFF = "id, name, telegram_id, language, active"


def upgrade() -> None:
    # The release before may still run beside this one: what it does not know has a default.
    _staff()
    _leads()
    op.execute("ALTER TABLE conversation ADD COLUMN held_by INTEGER REFERENCES staff (id)")
    op.add_column("conversation", sa.Column("findings", AutoString(), nullable=False, server_default=""))
    op.execute("ALTER TABLE message ADD COLUMN staff_id INTEGER REFERENCES staff (id)")
    held = sa.text("held_by IS NOT NULL")
    op.create_index("conversation_held", "conversation", ["held_by"], sqlite_where=held, postgresql_where=held)
    op.add_column("lead_event", sa.Column("before", sa.JSON(), nullable=True))
    _table("note", _of("lead"), _of("staff"), _yes("private"), sa.Column("text", sa.Text(), nullable=False),
           _words("about"), _words("marked"), _at("at"))  # fmt: skip
    _table("share", _of("lead"), _of("staff"), _words("token", unique=True), _words("passcode"), _number("tries"),
           _number("opened"), _at("made_at"), _at("expires_at"), _at("revoked_at", null=True))  # fmt: skip
    _table("lead_key", _of("lead"), _words("kind"), _words("hash"), sa.UniqueConstraint("lead_id", "hash"))
    changes = [_maybe(name) for name in ("timezone", "hours", "holidays", "phone", "email")]
    _table("site", *map(_words, ("trial", "key", "status")), *changes, sa.Column("languages", sa.JSON()),
           _number("capacity"), _at("active_at", null=True), _at("changed_at"),
           sa.UniqueConstraint("trial", "key"))  # fmt: skip
    _table(
        "session", _words("token", unique=True), _of("staff", ondelete="CASCADE"), _at("made_at"), _at("seen_at")
    )
    _table("sign_in", _words("token", unique=True), _of("staff", ondelete="CASCADE"), _at("made_at"))
    _table("sign_in_try", _words("who"), _at("at"))
    _table("audit", _of("staff", null=True), _words("what"), _of("lead", null=True, ondelete=None),
           _words("detail"), _at("at"))  # fmt: skip
    _table("tally", *map(_words, ("trial", "source", "locale", "site", "stage")), _number("number"),
           sa.UniqueConstraint("trial", "source", "locale", "site", "stage"))  # fmt: skip
    op.create_table(
        "mark", sa.Column("key", AutoString(), primary_key=True), sa.Column("data", sa.JSON()), _at("at")
    )
    for table, column in (
        *(("note", "lead_id"), ("share", "lead_id"), ("lead_key", "hash"), ("session", "staff_id")),
        *(("sign_in_try", "who"), ("lead", "created_at")),
    ):
        op.create_index(f"ix_{table}_{column}", table, [column])


def _staff() -> None:
    """An account with the messenger is no longer needed. SQLite can only say so in a new table."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("PRAGMA defer_foreign_keys=ON")  # what names a member is without one for a moment
        op.execute(f"CREATE TEMP TABLE old_staff AS SELECT {_STAFF} FROM staff")  # noqa: S608 (ours)
        op.drop_table("staff")
        op.create_table(
            "staff",
            sa.Column("id", sa.Integer(), primary_key=True),
            sa.Column("name", AutoString(), nullable=False),
            sa.Column("telegram_id", sa.BigInteger(), nullable=True, unique=True),
            sa.Column("language", AutoString(), nullable=False),
            sa.Column("active", sa.Boolean(), nullable=False),
        )
        op.execute(f"INSERT INTO staff ({_STAFF}) SELECT {_STAFF} FROM old_staff")  # noqa: S608
        op.execute("DROP TABLE old_staff")
    else:
        op.alter_column("staff", "telegram_id", nullable=True)
    op.add_column("staff", sa.Column("role", AutoString(), nullable=False, server_default="coordinator"))
    op.add_column("staff", sa.Column("sites", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("staff", sa.Column("email", AutoString(), nullable=True))
    op.add_column("staff", sa.Column("password", AutoString(), nullable=False, server_default=""))
    op.add_column("staff", sa.Column("writes", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("staff", sa.Column("totp", AutoString(), nullable=False, server_default=""))
    op.create_index("ix_staff_email", "staff", ["email"], unique=True)


def _leads() -> None:
    op.add_column("outbox", sa.Column("digest", sa.JSON(), nullable=True))
    for name in ("slot_at", "snoozed_until", "escalate_at", "noticed_at"):
        op.add_column("lead", _at(name, null=True))
    for name in ("escalated", "slipped"):
        op.add_column("lead", _number(name))
    for name in ("chat_lost", "wants_person"):
        op.add_column("lead", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute("ALTER TABLE lead ADD COLUMN merged_into INTEGER REFERENCES lead (id)")
    for name, columns, where in (
        ("lead_open", ["due_at", "id"], "status NOT IN ('closed', 'withdrawn')"),
        ("lead_open_of_owner", ["owner_id", "due_at", "id"], "status NOT IN ('closed', 'withdrawn')"),
        ("lead_open_by_status", ["status", "due_at", "id"], "status NOT IN ('closed', 'withdrawn')"),
        ("lead_to_escalate", ["escalate_at"], "escalate_at IS NOT NULL"),
        ("lead_slot", ["site", "slot_at"], "slot_at IS NOT NULL"),
    ):
        op.create_index(name, "lead", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    op.create_index("lead_counts", "lead", ["site", "status"])


def _table(name: str, *columns: sa.schema.SchemaItem) -> None:
    op.create_table(name, sa.Column("id", sa.Integer(), primary_key=True), *columns)


def _of(table: str, *, null: bool = False, ondelete: str | None = "") -> sa.Column[int]:
    """A row of ``table``; it goes with a lead, and stays of a member of staff."""
    if ondelete == "":
        ondelete = "CASCADE" if table == "lead" else None
    link = sa.ForeignKey(f"{table}.id", ondelete=ondelete)
    return sa.Column(f"{table}_id", sa.Integer(), link, nullable=null)


def _words(name: str, *, unique: bool = False) -> sa.Column[str]:
    return sa.Column(name, AutoString(), nullable=False, unique=unique)


def _maybe(name: str) -> sa.Column[str]:
    return sa.Column(name, AutoString(), nullable=True)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False, server_default="0")


def _yes(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _at(name: str, *, null: bool = False) -> sa.Column[object]:
    return sa.Column(name, UTCDateTime(), nullable=null)
