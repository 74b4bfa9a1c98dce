"""Check-in -> flag -> therapist summary, and the ways in for events.

In: events. Out: flags, case and therapist summaries, refusals on the log.
Never: know who reads them (that is `consumers`).
"""
