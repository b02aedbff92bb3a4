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


class DataKeyRow(SQLModel, table=True):
    """The key under which one person's values are sealed, wrapped by a master key. It ends with them."""

    __tablename__ = "data_key"

    id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    """At random: a sealed value names it."""
    lane: str = Field(index=True)
    """Where the person writes to us; the house's own keys have names."""
    master: str = Field(index=True)
    """The name of the master key that wraps it."""
    wrapped: str


class ConversationRow(SQLModel, table=True):
    """One person's way through one trial. ``state`` is the conversation; the other columns serve queries.

    Which columns are sealed here and below: ``vault.SEALED``.
    """

    __tablename__ = "conversation"
    __table_args__ = (
        Index(
            "conversation_to_remind",
            "remind_on",
            sqlite_where=text("remind_on IS NOT NULL"),
            postgresql_where=text("remind_on IS NOT NULL"),
        ),
        Index(
            "conversation_held",
            "held_by",
            sqlite_where=text("held_by IS NOT NULL"),
            postgresql_where=text("held_by IS NOT NULL"),
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
    agreed: bool = False
    """They said yes to the first question, about their health."""
    key_id: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True, index=True))
    """The key under which all of it is sealed."""
    findings: str = ""
    """What the last screening found worse than OK, to count by: ``E18:OUT E3:REVIEW``."""
    held_by: int | None = Field(default=None, foreign_key="staff.id")
    """The member of staff who talks here: the bot is silent until they hand back."""
    reborn: bool = False
    """It was begun after all that this person had told us was erased: what comes late must not count in it."""
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
    staff_id: int | None = Field(default=None, foreign_key="staff.id")
    """The member of staff who wrote it, or whom it was written to; None between the person and the bot."""
    page: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """What a page of ours draws around the text, and the turn it belongs to; None where a messenger does."""
    at: datetime


class Carry(SQLModel, table=True):
    """A code by which a conversation goes on in another place, known by its hash; and where it went."""

    __tablename__ = "carry"

    id: int | None = Field(default=None, primary_key=True)
    code: str = Field(unique=True)
    lane: str = Field(index=True)
    """Where the conversation was when the code was made."""
    made_at: datetime
    taken_by: str = ""
    """The lane where it went on; "" while it did not."""


_OPEN = "status NOT IN ('closed', 'withdrawn')"
_NUDGED = "escalate_at IS NOT NULL"
_PICKED = "slot_at IS NOT NULL"


class LeadRow(SQLModel, table=True):
    """A person who wants to be contacted. One open lead per person and trial."""

    __tablename__ = "lead"
    __table_args__ = (
        UniqueConstraint("conversation_id"),
        *(
            Index(name, *first, "due_at", "id", sqlite_where=text(_OPEN), postgresql_where=text(_OPEN))
            for name, *first in (
                ("lead_open",),
                ("lead_open_of_owner", "owner_id"),
                ("lead_open_by_status", "status"),
            )
        ),
        Index("lead_to_escalate", "escalate_at", sqlite_where=text(_NUDGED), postgresql_where=text(_NUDGED)),
        Index("lead_counts", "site", "status"),
        Index("lead_slot", "site", "slot_at", sqlite_where=text(_PICKED), postgresql_where=text(_PICKED)),
    )

    id: int | None = Field(default=None, primary_key=True)
    conversation_id: int | None = Field(default=None, foreign_key="conversation.id", ondelete="SET NULL")
    channel: str
    chat: str = Field(index=True)
    trial: str
    site: str
    locale: str
    outcome: str | None = None
    """None when somebody asked for a person before the screening ended."""
    eligible_from: str | None = None
    """A day, sealed."""
    key_id: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True, index=True))
    """The key under which its details are sealed; None once it has none any more."""
    flags: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    contact: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON, nullable=False))
    helper: bool = False
    changed: bool = False
    wants_person: bool = False
    """The person asked to talk to somebody, and nobody has reached them since."""
    text_version: str
    source: str = ""
    status: str = "new"
    attempts: int = 0
    reason: str = ""
    criterion: str = ""
    owner_id: int | None = Field(default=None, foreign_key="staff.id")
    claimed_at: datetime | None = None
    due_at: datetime
    """The end of the time by which the person was told that somebody calls."""
    slot_at: datetime | None = None
    """The beginning of the call slot that the person picked, if they picked one."""
    snoozed_until: datetime | None = None
    """Not shown among what is due until then."""
    escalated: int = 0
    """How far the alarm went because nobody owns it: 1 group nudged, 2 second person named, 3 site lead told."""
    escalate_at: datetime | None = None
    """When the next step of that is due; None when there is none."""
    slipped: int = 0
    """How often the person was told that the promised call did not come."""
    chat_lost: bool = False
    """The person's chat cannot be written to any more."""
    merged_into: int | None = Field(default=None, foreign_key="lead.id")
    """The lead that this one is a duplicate of."""
    created_at: datetime = Field(index=True)
    updated_at: datetime
    notice: str = ""
    """The provider's id of the notice in the staff group, to edit it in place."""
    noticed_at: datetime | None = None
    """When the first notice of it was delivered, by whichever way."""


class LeadKey(SQLModel, table=True):
    """A keyed hash of a way to reach the person of a lead: equal hashes suggest a duplicate."""

    __tablename__ = "lead_key"
    __table_args__ = (UniqueConstraint("lead_id", "hash"),)

    id: int | None = Field(default=None, primary_key=True)
    lead_id: int = Field(foreign_key="lead.id", ondelete="CASCADE")
    kind: str
    """phone, email or account."""
    hash: str = Field(index=True)


class LeadEvent(SQLModel, table=True):
    """The history of a lead: who did what, and when. Rows are only ever added."""

    __tablename__ = "lead_event"

    id: int | None = Field(default=None, primary_key=True)
    lead_id: int = Field(foreign_key="lead.id", index=True)
    staff_id: int | None = Field(default=None, foreign_key="staff.id")
    what: str
    detail: str = ""
    before: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON))
    """The columns as they were, where the step may be undone."""
    at: datetime


class Note(SQLModel, table=True):
    """What staff wrote on a lead. A private one is its writer's alone."""

    __tablename__ = "note"

    id: int | None = Field(default=None, primary_key=True)
    lead_id: int = Field(foreign_key="lead.id", ondelete="CASCADE", index=True)
    staff_id: int = Field(foreign_key="staff.id")
    private: bool
    text: str = Field(sa_column=Column(Text, nullable=False))
    about: str = ""
    """The step or the criterion that it hangs on; "" for the whole lead."""
    marked: str = ""
    """The piece of the person's words that was marked."""
    at: datetime


class Share(SQLModel, table=True):
    """A link by which somebody without an account may read one lead, redacted, for a while."""

    __tablename__ = "share"

    id: int | None = Field(default=None, primary_key=True)
    lead_id: int = Field(foreign_key="lead.id", ondelete="CASCADE", index=True)
    staff_id: int = Field(foreign_key="staff.id")
    token: str = Field(unique=True)
    """The hash of the link's secret."""
    passcode: str
    """An argon2 hash."""
    tries: int = 0
    opened: int = 0
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None


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
    """The lead that this is a notice of: once it was delivered, staff know of it."""
    digest: list[int] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """The leads that this one message is the notice of, where they came too fast for one each."""
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
    """Somebody who may see something of the queue: how much is a matter of their role and their sites."""

    __tablename__ = "staff"

    id: int | None = Field(default=None, primary_key=True)
    name: str
    role: str = "coordinator"
    """coordinator, site_lead, sponsor or admin."""
    sites: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    """The ids of their sites; [] is every site, and the study desk."""
    telegram_id: int | None = Field(default=None, sa_column=Column(BigInteger, nullable=True, unique=True))
    email: str | None = Field(default=None, unique=True, index=True)
    """In lower case."""
    language: str = "en"
    active: bool = True
    password: str = ""
    """An argon2 hash; "" for those who sign in by link."""
    totp: str = ""
    """The secret of the second factor, which a password needs."""
    writes: bool = False
    """Talks in a person's chat just now: ``conversation.held_by`` says in whose."""


class SiteRow(SQLModel, table=True):
    """How a site works now, as far as it was changed: what is None here is as the trial file says."""

    __tablename__ = "site"
    __table_args__ = (UniqueConstraint("trial", "key"),)

    id: int | None = Field(default=None, primary_key=True)
    trial: str
    key: str
    """The site's id in the trial file."""
    status: str = "active"
    """active, paused or full."""
    timezone: str | None = None
    hours: str | None = None
    """Such as ``Mon-Fri 08:30-12:00, 13:30-17:00``."""
    holidays: str | None = None
    """Country, and subdivision after a hyphen, whose public holidays it keeps: ``CN``, ``US-NY``; "" for none."""
    languages: list[str] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    phone: str | None = None
    """The number that calls come from."""
    email: str | None = None
    capacity: int = 1
    """Calls that one slot of half an hour takes."""
    active_at: datetime | None = None
    """When somebody there last did something."""
    changed_at: datetime


class Session(SQLModel, table=True):
    """A signed-in browser of a member of staff, known by the hash of its token."""

    __tablename__ = "session"

    id: int | None = Field(default=None, primary_key=True)
    token: str = Field(unique=True)
    staff_id: int = Field(foreign_key="staff.id", ondelete="CASCADE", index=True)
    made_at: datetime
    seen_at: datetime


class SignIn(SQLModel, table=True):
    """A one-time link to sign in by, known by the hash of its token."""

    __tablename__ = "sign_in"

    id: int | None = Field(default=None, primary_key=True)
    token: str = Field(unique=True)
    staff_id: int = Field(foreign_key="staff.id", ondelete="CASCADE")
    made_at: datetime


class SignInTry(SQLModel, table=True):
    """A try to sign in, by the keyed hash of the account or address it was for: too many are refused."""

    __tablename__ = "sign_in_try"

    id: int | None = Field(default=None, primary_key=True)
    who: str = Field(index=True)
    at: datetime


class AuditRow(SQLModel, table=True):
    """Who looked at what, signed in, exported, agreed or changed a setting. Rows can only be added."""

    __tablename__ = "audit"
    __table_args__ = (UniqueConstraint("chain", "seq"),)

    id: int | None = Field(default=None, primary_key=True)
    staff_id: int | None = Field(default=None, foreign_key="staff.id")
    what: str
    lead_id: int | None = Field(default=None, foreign_key="lead.id")
    detail: str = Field(default="", sa_column=Column(Text, nullable=False))
    at: datetime
    chain: str = Field(sa_column=Column(_BYTEWISE, nullable=False, server_default=""))
    """The house, a lead or a conversation; "" for a row that was written before rows were signed."""
    seq: int
    """The row's number in its chain, from 1, with no gap."""
    mac: str
    """A keyed hash over this row and the ``mac`` of the one before it in the chain."""


class AuditTip(SQLModel, table=True):
    """Where a chain of the audit ends, signed: a row that is cut off at the end is missed, too."""

    __tablename__ = "audit_tip"

    chain: str = Field(sa_column=Column(_BYTEWISE, primary_key=True))
    seq: int
    mac: str
    seal: str
    told: int = 0
    """Up to where a head record names this chain."""


class ConsentRow(SQLModel, table=True):
    """One yes of one person: to what, to which words in which language, and when; and when it was taken back."""

    __tablename__ = "consent"
    __table_args__ = (Index("consent_of", "chat", "kind"),)

    id: int | None = Field(default=None, primary_key=True)
    channel: str
    chat: str
    tag: str
    """The conversation in which it was given."""
    kind: str
    """health, send, reminder or notices."""
    version: str
    """The flow and the version of its text."""
    hash: str
    """SHA-256 of the words that were shown."""
    locale: str
    at: datetime
    withdrawn_at: datetime | None = None


class Tombstone(SQLModel, table=True):
    """That something was erased, by a keyed hash: what comes late, or from an old copy, does not revive it."""

    __tablename__ = "tombstone"

    hash: str = Field(primary_key=True)
    kind: str
    """chat, or receipt: one thing that came from it."""
    at: datetime = Field(index=True)


class Mark(SQLModel, table=True):
    """That something was done once and for all, such as a day's digest, or a count as it stood."""

    __tablename__ = "mark"

    key: str = Field(primary_key=True)
    data: Any = Field(default=None, sa_column=Column(JSON))
    at: datetime


class Tally(SQLModel, table=True):
    """How many people came how far, of those whose answers are no longer kept."""

    __tablename__ = "tally"
    __table_args__ = (UniqueConstraint("trial", "source", "locale", "site", "stage"),)

    id: int | None = Field(default=None, primary_key=True)
    trial: str
    source: str
    locale: str
    site: str
    stage: str
    number: int


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
