"""A prior out of a file is one that can be used, or a sentence that says what is wrong."""

import json

import pytest

from pipeline.core.detection.prior import DEFAULT_PRIOR, decode_prior, encode_prior


def a_file(**changed: object) -> bytes:
    return json.dumps({**json.loads(encode_prior(DEFAULT_PRIOR)), **changed}).encode()


WRONG: dict[str, tuple[bytes, str]] = {
    "growth out of bounds": (
        a_file(growth_per_session=0.1001),
        "growth_per_session of a prior must be between -0.1 and 0",
    ),
    "growth out of all bounds": (a_file(growth_per_session=1e300), "growth_per_session"),
    "a fall out of bounds": (a_file(growth_per_session=-5), "growth_per_session"),
    "infinite": (a_file(first_mean=0).replace(b'"first_mean": 0', b'"first_mean": 1e999'), "number"),
    "not a number": (a_file(first_mean=float("nan")), "number"),
    "a text": (a_file(first_mean="high"), "JSON object of numbers"),
    "a figure too many": (a_file(median=0.9), "exactly the figures"),
    "a negative variance": (a_file(within_variance=-1), "Both variances of a prior must be between 0 and 1"),
    "no variance": (a_file(between_variance=0), "Both variances"),
    "a whole autocorrelation": (a_file(autocorrelation=1), "autocorrelation of a prior must be at least 0"),
    "no missing check-ins": (a_file(missing_share=0), "Both shares of a prior must be between 0 and 1"),
    "all appointments missed": (a_file(missed_share=1), "Both shares"),
    "a mean in points": (a_file(first_mean=37.6), "first_mean of a prior is a share"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_prior_that_cannot_be_used_is_refused_with_a_sentence(what: str) -> None:
    value, sentence = WRONG[what]
    with pytest.raises(ValueError, match=sentence) as error:
        decode_prior(value)
    assert str(error.value).endswith(".")


def test_growth_up_to_its_bounds_is_accepted() -> None:
    for growth in (-0.1, 0.0, 0.1):
        assert decode_prior(a_file(growth_per_session=growth)).growth_per_session == growth
