"""One number and its interval."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from coview.evaluate.result import Result


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [((0.0, 1.0), (0.0, 1.0)), ((None, 1.0), (-0.2, 1.0)), ((0.0, None), (0.0, 1.3)), ((None, None), (-0.2, 1.3))],
)
def test_an_interval_ends_where_the_number_does(bounds, expected):
    result = Result("accuracy", 0.5, -0.2, 1.3, 10, "test", bounds=bounds)
    assert (result.ci_low, result.ci_high) == expected
    assert json.loads(json.dumps(result.as_json()))["bounds"] == list(bounds)


def test_an_interval_that_is_none_stays_so():
    result = Result("accuracy", 0.5, math.nan, math.nan, 10, "test", bounds=(0.0, 1.0))
    assert np.isnan([result.ci_low, result.ci_high]).all()
