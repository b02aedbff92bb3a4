"""lanes: what is current and what waits is found by an index, however much is stored"""

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Columns are added and dropped one by one: rebuilding a table would let foreign keys empty others.
    op.add_column("conversation", sa.Column("lane", sqlmodel.sql.sqltypes.AutoString(), nullable=True))
    op.execute("UPDATE conversation SET lane = channel || ':' || chat WHERE current")
    op.drop_index("one_current_conversation", "conversation")
    op.drop_column("conversation", "current")
    op.create_index("ix_conversation_lane", "conversation", ["lane"], unique=True)

    op.create_index("ix_conversation_chat", "conversation", ["chat"])
    op.drop_index("ix_conversation_remind_on", "conversation")
    due = sa.text("remind_on IS NOT NULL")
    op.create_index("conversation_to_remind", "conversation", ["remind_on"], sqlite_where=due, postgresql_where=due)

    op.add_column("outbox", sa.Column("lane", sqlmodel.sql.sqltypes.AutoString(), nullable=True))
    op.execute("UPDATE outbox SET lane = channel || ':' || chat WHERE state IN ('due', 'sending')")
    op.drop_index("ix_outbox_state", "outbox")
    for name, columns, where in (
        ("outbox_by_lane", ["lane", "id"], "lane IS NOT NULL"),
        ("outbox_by_priority", ["priority", "id"], "lane IS NOT NULL"),
        ("outbox_by_sheet", ["sheet_of"], "sheet_of IS NOT NULL"),
    ):
        op.create_index(name, "outbox", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
    op.create_index("ix_outbox_chat", "outbox", ["chat"])
    op.create_index("ix_outbox_conversation_id", "outbox", ["conversation_id"])
    op.create_index("ix_lead_chat", "lead", ["chat"])

    for name in ("running", "paused"):
        op.add_column("heartbeat", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    text = sqlmodel.sql.sqltypes.AutoString()
    op.add_column("heartbeat", sa.Column("leader", text, nullable=False, server_default=""))
    op.create_table(
        "attempt",
        sa.Column("key", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
