"""A check-in's answers become scores: the core's door to the instruments' own arithmetic.

In: an instrument and the answers of one check-in. Out: scores, or why the answers are not this instrument's.
Never: a second arithmetic; what the examples in each definition prove is what runs here.
"""

from schemas.instruments.arithmetic import Scores, check_answers, score

__all__ = ["Scores", "check_answers", "score"]
