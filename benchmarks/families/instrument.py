"""The form that a practice uses: `checkin-4/1`, or a form of its own with whole steps.

In: the step in which answers are given. Out: a `Form`: its id, its numbers, and for a form of its own the TOML
definition.
Never: the wording of a licensed instrument.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.families.case import INGREDIENTS
from benchmarks.families.laws.observation import TENTH_OF_A_POINT

_HEAD = """id = "{identity}"
name = "Alliance check-in, four questions, {count} steps"
minimum = 0
maximum = {most}
decimals = 0
validated = false

[licence]
status = "open"
notice = "Original wording of the Alliance Monitor project, Apache-2.0."

[missing]
total_at_least = 3

[cutoff]
below = {cutoff}
source = "The working value of checkin-4/1, as the same share of the range."

[standard_error]
raw = {error}
source = "The working value of checkin-4/1, as the same share of the range."
"""
_ITEM = """
[[items]]
id = "{item}"
ingredients = ["{item}"]
client = "{item}: how was it today?"
therapist = "{item}: how was it today for your client?"
"""
#: Cut-off and standard error of `checkin-4/1`, as shares of the range.
_CUTOFF, _ERROR = 0.8, 1.39 / 40


@dataclass(frozen=True, slots=True)
class Form:
    """An instrument: the best answer and the number of decimals."""

    identity: str
    most: int
    decimals: int

    def answers(self, shares: Sequence[float]) -> dict[str, float]:
        """Item -> number, as it is written on the form."""
        numbers = (round(share * self.most, self.decimals) for share in shares)
        return dict(zip(INGREDIENTS, numbers, strict=True))

    @property
    def definition(self) -> str | None:
        """The TOML file for ALLIANCE_INSTRUMENTS; None for the instrument that the project ships."""
        if self.decimals:
            return None
        cutoff, error = round(4 * self.most * _CUTOFF, 2), round(4 * self.most * _ERROR, 4)
        head = _HEAD.format(identity=self.identity, count=self.most + 1, most=self.most, cutoff=cutoff, error=error)
        return head + "".join(_ITEM.format(item=item) for item in INGREDIENTS)


def form_of(answer_step: float) -> Form:
    """The form whose answers have this step, a share of the range."""
    if answer_step == TENTH_OF_A_POINT:
        return Form("checkin-4/1", 10, 1)
    most = round(1 / answer_step)
    return Form(f"checkin-4-of-{most}/1", most, 0)
