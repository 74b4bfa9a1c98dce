"""A check-in's answers become scores, by the arithmetic of the instrument definitions.

In: an instrument and the answers of one check-in. Out: scores, or why the answers are not this instrument's.
Never: a second arithmetic. The worked examples in each definition are checked with the functions that run here.
"""

from schemas.instruments.arithmetic import Scores, check_answers, score

__all__ = ["Scores", "check_answers", "score"]
