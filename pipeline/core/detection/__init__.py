"""From a case's history to flags: expected scores, evidence of a rupture, detectors.

In: the check-ins and sessions of a case, in order. Out: signals.
Never: remember which flags are open (`pipeline.core.case.flags_of_a_case` does).
"""
