"""The tables. Declared with SQLModel; the turn's own statements are SQLAlchemy Core on the same tables."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index, String, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

_BYTEWISE = String().with_variant(String(collation="C"), "postgresql")
"""Compared byte by byte on every database, so that what begins alike lies side by side in its index."""


class Receipt(SQLModel, table=True):
    """An update that was taken: seen again, it changes nothing."""

    __tablename__ = "receipt"
    __table_args__ = (UniqueConstraint("channel", "external_id"),)

    id: int | None = Field(default=None, primary_key=True)
    channel: str
    external_id: str = Field(sa_column=Column(_BYTEWISE, nullable=False))
    at: datetime


class ConversationRow(SQLModel, table=True):
    """One person's way through one trial. ``state`` is the conversation; the other columns serve queries."""

    __tablename__ = "conversation"
    __table_args__ = (
        Index(
            "conversation_to_remind",
            "remind_on",
            sqlite_where=text("remind_on IS NOT NULL"),
            postgresql_where=text("remind_on IS NOT NULL"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    tag: str = Field(unique=True)
    channel: str
    chat: str = Field(index=True)
    lane: str | None = Field(default=None, unique=True, index=True)
    """``channel:chat`` while this is the chat's current conversation; None when another has taken its place."""
    flow: str
    locale: str
    state: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    step: str | None = None
    life: str
    outcome: str | None = None
    source: str = ""
    reachable: bool = True
    question: str = ""
    """The provider's id of the question that is on the screen, to edit it in place."""
    pressed: str = ""
    """The provider's id of the message whose button was taken last: a second tap on it says nothing new."""
    remind_on: date | None = None
    revision: int = 0
    created_at: datetime
    updated_at: datetime = Field(index=True)


class AnswerRow(SQLModel, table=True):
    """One revision of one answer, numbered by the turn that gave it: no turn can count twice.

    Nothing is overwritten; taking an answer back is a revision too.
    """

    __tablename__ = "answer"
    __table_args__ = (UniqueConstraint("conversation_id", "step", "revision"),)

    id: int | None = Field(default=None, primary_key=True)
    conversation_id: int = Field(foreign_key="conversation.id", ondelete="CASCADE", index=True)
    step: str
    revision: int
    value: Any = Field(default=None, sa_column=Column(JSON))
    said: str = Field(default="", sa_column=Column(Text, nullable=False))
    cleared: bool = False
    at: datetime


class MessageRow(SQLModel, table=True):
    """The transcript: what the person saw and wrote, in their language, as it was that day."""

    __tablename__ = "message"

    id: int | None = Field(default=None, primary_key=True)
    conversation_id: int = Field(foreign_key="conversation.id", ondelete="CASCADE", index=True)
    outgoing: bool
    text: str = Field(sa_column=Column(Text, nullable=False))
    step: str | None = None
    at: datetime


class LeadRow(SQLModel, table=True):
    """A person who wants to be contacted. One open lead per person and trial."""

    __tablename__ = "lead"
    __table_args__ = (UniqueConstraint("conversation_id"),)

    id: int | None = Field(default=None, primary_key=True)
    conversation_id: int | None = Field(default=None, foreign_key="conversation.id", ondelete="SET NULL")
    channel: str
    chat: str = Field(index=True)
    trial: str
    site: str
    locale: str
    outcome: str | None = None
    """None when somebody asked for a person before the screening ended."""
    eligible_from: date | None = None
    flags: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    contact: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    helper: bool = False
    changed: bool = False
    text_version: str
    source: str = ""
    status: str = "new"
    attempts: int = 0
    reason: str = ""
    criterion: str = ""
    owner_id: int | None = Field(default=None, foreign_key="staff.id")
    claimed_at: datetime | None = None
    due_at: datetime
    created_at: datetime
    updated_at: datetime
    notice: str = ""
    """The provider's id of the notice in the staff group, to edit it in place."""


class LeadEvent(SQLModel, table=True):
    """The history of a lead: who did what, and when. Rows are only ever added."""

    __tablename__ = "lead_event"

    id: int | None = Field(default=None, primary_key=True)
    lead_id: int = Field(foreign_key="lead.id", index=True)
    staff_id: int | None = Field(default=None, foreign_key="staff.id")
    what: str
    detail: str = ""
    at: datetime


class OutboxRow(SQLModel, table=True):
    """Something to send. It leaves after the commit that wrote it, in order within its lane."""

    __tablename__ = "outbox"
    __table_args__ = tuple(
        Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))
        for name, columns, where in (
            ("outbox_by_lane", ("lane", "id"), "lane IS NOT NULL"),
            ("outbox_by_priority", ("priority", "id"), "lane IS NOT NULL"),
            ("outbox_by_sheet", ("sheet_of",), "sheet_of IS NOT NULL"),
        )
    )

    id: int | None = Field(default=None, primary_key=True)
    channel: str
    chat: str = Field(index=True)
    lane: str | None = None
    """``channel:chat`` while it waits to be sent; None once it was sent, or never will be."""
    dedupe_key: str = Field(unique=True)
    conversation_id: int | None = Field(
        default=None, foreign_key="conversation.id", ondelete="SET NULL", index=True
    )
    lead_id: int | None = Field(default=None, foreign_key="lead.id")
    """The lead whose one notice in the group this is."""
    sheet_of: int | None = Field(default=None, foreign_key="lead.id")
    """The lead whose details this shows to its owner: taken back if the person withdraws."""
    envelope: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    question: bool = False
    priority: int = 0
    """Replies before notices to staff before reminders."""
    state: str = "due"
    """due, sending, sent, or dead."""
    attempts: int = 0
    unsure: int = 0
    not_before: datetime
    provider_id: str = ""
    created_at: datetime
    sent_at: datetime | None = None


class Staff(SQLModel, table=True):
    """Somebody at a site who may work leads."""

    __tablename__ = "staff"

    id: int | None = Field(default=None, primary_key=True)
    name: str
    telegram_id: int = Field(sa_column=Column(BigInteger, nullable=False, unique=True))
    language: str = "en"
    active: bool = True


class Interest(SQLModel, table=True):
    """A wish to hear of other trials. Kept apart from leads and from answers."""

    __tablename__ = "interest"
    __table_args__ = (UniqueConstraint("channel", "chat"),)

    id: int | None = Field(default=None, primary_key=True)
    channel: str
    chat: str
    locale: str
    at: datetime


class Heartbeat(SQLModel, table=True):
    """One row about the whole house. It is also written to see whether anything can be written."""

    __tablename__ = "heartbeat"

    id: int = Field(default=1, primary_key=True)
    at: datetime
    running: bool = False
    """A process serves, or ended without a word."""
    leader: str = ""
    """The token of the process that sends: whoever has another one claims nothing."""
    paused: bool = False
    """Nothing is sent until a person says so: the database was restored from a copy."""


class Attempt(SQLModel, table=True):
    """How often an update was begun, counted before the work: so an update that ends the process is found."""

    __tablename__ = "attempt"

    key: str = Field(primary_key=True)
    tries: int


class Quarantine(SQLModel, table=True):
    """An update that could not be taken: kept as it came, for a person to look at."""

    __tablename__ = "quarantine"

    id: int | None = Field(default=None, primary_key=True)
    channel: str
    chat: str = ""
    payload: dict[str, Any] = Field(sa_column=Column(JSON, nullable=False))
    at: datetime
