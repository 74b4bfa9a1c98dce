"""The detectors: each one a function of a history, listed in one tuple.

In: a case's history up to and including its newest client check-in. Out: a `Signal` or None.
Never: remember anything, open or close a flag (that is `pipeline.core.lifecycle`).

Adding a detector means one function, one line here and one page in `docs/flags/`.
"""

from pipeline.core.detectors.drop import drop
from pipeline.core.detectors.low import low
from pipeline.core.history import Detector

DETECTORS: tuple[Detector, ...] = (drop, low)
