"""`ingredient`: one of the four ingredients drops although the total looks normal.

In: a history. Out: a signal if the evidence of strain is over the limit and one ingredient's share is a main part of
it.
Never: mistake an ingredient that is always this client's weakest for a strained one.

Formula: centred log shares of the shortfall, compared with this client's mean so far; likelihood ratio of "one of them
has lost twice its usual share" (`History._update_ingredients`).
"""

from pipeline.core.detection.evidence import INGREDIENT
from pipeline.core.detection.history import History
from pipeline.core.detection.signal import Signal, strain_signal
from schemas.flags import Rule

NAMES = {"trust": "trust", "empathy": "empathy", "goals": "shared goals", "communication": "open communication"}
RULE = Rule(name="strain-odds-ingredient-share", version="2", expected_false_flags_per_100=0.01)


def ingredient(history: History) -> Signal | None:
    """One ingredient has slipped compared with the others."""
    if not history.is_leading(INGREDIENT):
        return None
    return strain_signal(
        history,
        "ingredient",
        RULE,
        INGREDIENT,
        f"Up to session {history.session_number}, this client's answers on {NAMES[history.strained_ingredient]} have "
        "fallen further than their other answers, compared with how they usually answer.",
    )
