"""How much a missing check-in, or a completed one, says about a strain.

In: how many check-ins of a case were missing so far, the practice's share, and whether the newest is missing. Out: the
likelihood ratios for moving against (confrontation) and moving away (withdrawal); docs/rules.md 4.4.
Never: decide when a check-in is missing (that is `pipeline.core.case.timeline`).
"""

#: What the practice's share of missing check-ins is worth, in sessions; a working value.
WORTH = 6.0
#: Odds ratios of a missing check-in under strain; working values, as the simulator's practices have them.
ODDS_AGAINST, ODDS_AWAY = 1.2, 3.0


def expected_missing_share(missing: int, judged: int, usual: float) -> float:
    """The expected share of sessions without a check-in, 0-1: the practice's, adjusted by the case's own."""
    return (missing + WORTH * usual) / (judged + WORTH)


def completion_ratios(share: float, is_missing: bool) -> tuple[float, float]:
    """The likelihood ratios (against, away), given the share expected without a strain."""
    against = ODDS_AGAINST / (1 + (ODDS_AGAINST - 1) * share)
    away = ODDS_AWAY / (1 + (ODDS_AWAY - 1) * share)
    return (against, away) if is_missing else (against / ODDS_AGAINST, away / ODDS_AWAY)
