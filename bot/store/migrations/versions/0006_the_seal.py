"""the seal: a key for each person, and everything they told us sealed under it where it lies"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

import sqlalchemy as sa
from alembic import context, op
from sqlmodel.sql.sqltypes import AutoString

from bot.store.vault import HOUSE, LOOK_UPS, DataKey, Keyring, fresh, sealed

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BATCH = 500

_JSON: dict[str, Any] = {name: sa.JSON() for name in ("state", "value", "envelope", "contact", "flags", "payload")}
_JSON |= {name: sa.JSON(none_as_null=True) for name in ("page", "before")}
_WAITS = "lane IS NOT NULL"
_TELLING = "before IS NOT NULL OR what IN ('close', 'note')"


def upgrade() -> None:
    # The release before cannot run beside this one: it would not know how to read what is sealed.
    op.create_table(
        "data_key",
        sa.Column("id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("lane", AutoString(), nullable=False),
        sa.Column("master", AutoString(), nullable=False),
        sa.Column("wrapped", AutoString(), nullable=False),
    )
    op.add_column("conversation", sa.Column("key_id", sa.BigInteger(), nullable=True))
    op.add_column("conversation", sa.Column("agreed", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("lead", sa.Column("key_id", sa.BigInteger(), nullable=True))
    op.execute("ALTER TABLE lead RENAME COLUMN eligible_from TO eligible_day")
    op.add_column("lead", sa.Column("eligible_from", AutoString(), nullable=True))
    op.execute("UPDATE lead SET eligible_from = CAST(eligible_day AS TEXT)")
    op.execute("ALTER TABLE lead DROP COLUMN eligible_day")
    for index in ("data_key.lane", "data_key.master", "conversation.key_id", "lead.key_id"):
        table, column = index.split(".")
        op.create_index(f"ix_{table}_{column}", table, [column])
    _Sealing(op.get_bind(), context.config.attributes["keys"]).run()


class _Sealing:
    """What was written by the releases before, sealed in its place."""

    def __init__(self, db: sa.Connection, keys: Keyring) -> None:
        self.db, self.keys, self.master = db, keys, keys.names[0]
        self.lanes: dict[str, DataKey] = {}
        self.conversations: dict[int, DataKey] = {}
        self.leads: dict[int, DataKey] = {}
        self.rows: list[dict[str, Any]] = []

    def run(self) -> None:
        for lane in (HOUSE, LOOK_UPS):
            self._of(lane)
        for row in self._all("conversation", "channel", "chat"):
            self.conversations[row["id"]] = self._of(f"{row['channel']}:{row['chat']}")
        for row in self._all("lead", "channel", "chat"):
            lane = f"{row['channel']}:{row['chat']}" if row["chat"] else HOUSE
            self.leads[row["id"]] = self._of(lane)
        self._keep_keys()
        self.db.execute(sa.text(
            "UPDATE conversation SET agreed = :yes WHERE outcome IS NOT NULL OR EXISTS (SELECT 1 FROM answer"
            " WHERE answer.conversation_id = conversation.id AND answer.step = 'consent'"
            " AND CAST(answer.value AS TEXT) <> '\"no\"')"
        ), {"yes": True})  # fmt: skip
        self._seal("conversation", ("state", "findings"), lambda row: self.conversations[row["id"]], key_id=True)
        of_conversation = lambda row: self.conversations[row["conversation_id"]]  # noqa: E731
        self._seal("answer", ("value", "said"), of_conversation, also=("conversation_id",))
        self._seal("message", ("text", "page"), of_conversation, also=("conversation_id",))
        about = ("channel", "chat", "conversation_id", "sheet_of")
        self._seal("outbox", ("envelope",), self._of_waiting, also=about, where=_WAITS)
        details = ("contact", "flags", "criterion", "outcome", "eligible_from")
        self._seal("lead", details, lambda row: self.leads[row["id"]], key_id=True)
        of_lead = lambda row: self.leads[row["lead_id"]]  # noqa: E731
        self._seal("lead_event", ("detail", "before"), of_lead, also=("lead_id",), where=_TELLING)
        self._seal("note", ("text", "about", "marked"), of_lead, also=("lead_id",))
        self._seal("quarantine", ("payload",), self._of_stranger, also=("channel", "chat"))
        self._seal("staff", ("totp",), lambda row: self.lanes[HOUSE])
        self._keep_keys()

    def _of(self, lane: str) -> DataKey:
        if lane not in self.lanes:
            self.lanes[lane], row = fresh(self.keys, lane, self.master)
            self.rows.append(row)
        return self.lanes[lane]

    def _of_waiting(self, row: Mapping[Any, Any]) -> DataKey:
        if row["sheet_of"] is not None:
            return self.leads[row["sheet_of"]]
        if row["conversation_id"] is not None:
            return self.conversations[row["conversation_id"]]
        return self.lanes.get(f"{row['channel']}:{row['chat']}", self.lanes[HOUSE])

    def _of_stranger(self, row: Mapping[Any, Any]) -> DataKey:
        return self._of(f"{row['channel']}:{row['chat']}") if row["chat"] else self.lanes[HOUSE]

    def _keep_keys(self) -> None:
        rows, self.rows = self.rows, []
        if rows:
            table = sa.table("data_key", *map(sa.column, ("id", "lane", "master", "wrapped")))
            self.db.execute(table.insert(), rows)

    def _all(self, name: str, *columns: str, where: str = "") -> Iterator[Mapping[Any, Any]]:
        """The rows of a table in the order of their numbers, a batch at a time."""
        kinds = {**_JSON, "eligible_from": sa.String()}
        table = sa.table(name, sa.column("id"), *(sa.column(column, kinds.get(column)) for column in columns))
        query = sa.select(table).where(table.c.id > sa.bindparam("after")).order_by(table.c.id).limit(BATCH)
        query = query.where(sa.text(where)) if where else query
        after = 0
        while rows := list(self.db.execute(query, {"after": after}).mappings()):
            yield from rows
            after = rows[-1]["id"]

    def _seal(
        self,
        name: str,
        columns: tuple[str, ...],
        key_of: Callable[[Mapping[Any, Any]], DataKey],
        *,
        also: tuple[str, ...] = (),
        where: str = "",
        key_id: bool = False,
    ) -> None:
        """Seals these columns of a table; ``key_id``: and notes in each row which key that was."""
        texts = [sa.column(column, _JSON.get(column, sa.String())) for column in columns]
        table = sa.table(name, sa.column("id"), sa.column("key_id"), *texts)
        values = {column: sa.bindparam(f"new_{column}", type_=table.c[column].type) for column in columns}
        if key_id:
            values["key_id"] = sa.bindparam("new_key_id")
        change = table.update().where(table.c.id == sa.bindparam("of")).values(values)
        batch: list[dict[str, Any]] = []
        for row in self._all(name, *columns, *also, where=where):
            key = key_of(row)
            made = sealed(key, name, {column: _plain(row[column]) for column in columns})
            number = None if made.get("contact", True) == {} else key.number  # withdrawn: nothing is kept under it
            batch.append({"of": row["id"], "new_key_id": number, **{f"new_{c}": made[c] for c in columns}})
            if len(batch) == BATCH:
                self.db.execute(change, batch)
                batch = []
        if batch:
            self.db.execute(change, batch)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
