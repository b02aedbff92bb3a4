"""the web chat: what its page draws around a message, and codes to carry on elsewhere"""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # The release before may still run beside this one: it leaves both alone.
    op.add_column("message", sa.Column("page", sa.JSON(), nullable=True))
    op.create_table(
        "carry",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("code", AutoString(), nullable=False, unique=True),
        sa.Column("lane", AutoString(), nullable=False),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.Column("taken_by", AutoString(), nullable=False, server_default=""),
    )
    op.create_index("ix_carry_lane", "carry", ["lane"])
