"""cases behind each ingredient

Revision: 0002; before it: 0001

A row without ingredients has no case behind any. In other rows the number cannot be derived from the sum, so it stays
null until the therapist's next event brings a new summary.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column(
        "therapists",
        sa.Column(
            "ingredient_scored_cases",
            sa.JSON(),
            nullable=True,
            comment="cases behind each of ingredient_points; null: written before they were counted",
        ),
    )
    op.execute("UPDATE therapists SET ingredient_scored_cases = '{}' WHERE CAST(ingredient_points AS TEXT) = '{}'")


def downgrade() -> None:
    op.drop_column("therapists", "ingredient_scored_cases")
