"""The detectors: each one a function of a history, listed in one tuple.

In: a case's history up to and including what has just happened. Out: a `Signal` or None.
Never: remember anything, open or close a flag (that is `pipeline.core.case.episode`).

Adding a detector means one function, one line here and one page in `docs/flags/`.
"""

from pipeline.core.detection.detectors.discrepancy import discrepancy
from pipeline.core.detection.detectors.drop import drop
from pipeline.core.detection.detectors.ingredient import ingredient
from pipeline.core.detection.detectors.low import low
from pipeline.core.detection.detectors.nonresponse import nonresponse
from pipeline.core.detection.detectors.waning import waning
from pipeline.core.detection.detectors.withdrawal import withdrawal
from pipeline.core.detection.history import Detector

DETECTORS: tuple[Detector, ...] = (drop, waning, low, ingredient, withdrawal, nonresponse, discrepancy)

#: Of all kinds together, per 100 client check-ins of cases without a rupture; measured: docs/benchmarks/detection.md.
EXPECTED_FALSE_FLAGS_PER_100 = 0.84
