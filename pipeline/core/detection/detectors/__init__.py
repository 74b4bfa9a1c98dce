"""The detectors: each one a function of a history, listed in one tuple.

In: a case's history up to and including what has just happened. Out: a `Signal` or None.
Never: remember anything; open or close a flag (`pipeline.core.case.flags_of_a_case` does).

To add a detector: a file here with its function, its place in the tuple below, its name in `schemas.flags.Kind`, its
suggestion in `pipeline.core.case.flag_lifecycle`, a page in `docs/flags/`, a line in docs/rules.md 5 and its rule in
`tests/oracle/detectors.py`.
"""

from pipeline.core.detection.detectors.discrepancy import discrepancy
from pipeline.core.detection.detectors.drop import drop
from pipeline.core.detection.detectors.ingredient import ingredient
from pipeline.core.detection.detectors.low import low
from pipeline.core.detection.detectors.nonresponse import nonresponse
from pipeline.core.detection.detectors.waning import waning
from pipeline.core.detection.detectors.withdrawal import withdrawal
from pipeline.core.detection.signal import Detector

DETECTORS: tuple[Detector, ...] = (drop, waning, low, ingredient, withdrawal, nonresponse, discrepancy)

#: The false-alarm rate of all kinds together: false flags per 100 client check-ins of cases without a rupture. Measured
#: (docs/benchmarks/detection.md), as is the part of it that each detector's rule states.
EXPECTED_FALSE_FLAGS_PER_100 = 0.84
