"""the audit is chained and only grows; consents and what was erased are remembered"""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BYTEWISE = sa.String().with_variant(sa.String(collation="C"), "postgresql")
REFUSED = "rows of the audit are only ever added"


def upgrade() -> None:
    # The release before may still run beside this one: it writes no audit, and leaves the rest alone.
    with op.batch_alter_table("audit") as audit:
        audit.alter_column("detail", type_=sa.Text(), existing_type=AutoString(), existing_nullable=False)
        audit.add_column(sa.Column("chain", BYTEWISE, nullable=False, server_default=""))
        audit.add_column(sa.Column("seq", sa.Integer(), nullable=True))
        audit.add_column(sa.Column("mac", AutoString(), nullable=False, server_default=""))
    op.execute("UPDATE audit SET seq = id")  # from before rows were signed: `prescreen audit verify` says so
    with op.batch_alter_table("audit") as audit:
        audit.alter_column("seq", nullable=False, existing_type=sa.Integer())
        audit.create_unique_constraint("uq_audit_chain_seq", ["chain", "seq"])
    op.create_table(
        "audit_tip",
        sa.Column("chain", BYTEWISE, primary_key=True),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("mac", AutoString(), nullable=False),
        sa.Column("seal", AutoString(), nullable=False),
        sa.Column("told", sa.Integer(), nullable=False),
    )
    op.create_table(
        "consent",
        sa.Column("id", sa.Integer(), primary_key=True),
        *(sa.Column(name, AutoString(), nullable=False) for name in (
            *("channel", "chat", "tag", "kind", "version", "hash", "locale"),
        )),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("withdrawn_at", UTCDateTime(), nullable=True),
    )  # fmt: skip
    op.create_index("consent_of", "consent", ["chat", "kind"])
    op.create_table(
        "tombstone",
        sa.Column("hash", AutoString(), primary_key=True),
        sa.Column("kind", AutoString(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
    )
    op.create_index("ix_tombstone_at", "tombstone", ["at"])
    op.add_column("conversation", sa.Column("reborn", sa.Boolean(), nullable=False, server_default=sa.false()))
    _refuse()


def _refuse() -> None:
    """From here on the database itself says no to whoever would change what is in the audit."""
    if op.get_bind().dialect.name == "sqlite":
        for deed in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{deed.lower()} BEFORE {deed} ON audit "
                f"BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END"
            )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION audit_refuses() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{REFUSED}'; END $$"
    )
    for name, deeds, each in (("row", "UPDATE OR DELETE", "ROW"), ("all", "TRUNCATE", "STATEMENT")):
        op.execute(
            f"CREATE TRIGGER audit_refuses_{name} BEFORE {deeds} ON audit "
            f"FOR EACH {each} EXECUTE FUNCTION audit_refuses()"
        )
