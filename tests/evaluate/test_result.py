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
    again = Result.from_json(json.loads(json.dumps(result.as_json(), allow_nan=False)))
    assert np.isnan([again.ci_low, again.ci_high]).all()


@pytest.mark.parametrize(
    ("numbers", "n", "more", "says"),
    [
        ((math.nan, 0.1, 0.2), 10, {}, "the value has to be finite, got nan"),
        ((math.inf, 0.1, math.inf), 10, {}, "the value has to be finite, got inf"),
        ((0.5, 0.6, 0.7), 10, {}, r"0.5 is outside its own interval \[0.6, 0.7\]"),
        ((0.5, 0.4, 0.49), 10, {}, "outside its own interval"),
        ((0.5, 0.4, math.nan), 10, {}, "outside its own interval"),
        ((1.2, 1.0, 1.3), 10, {"bounds": (0.0, 1.0)}, "1.2 is beyond its bounds"),
        ((0.5, 0.4, 0.6), 0, {}, "n has to be a whole number of at least 1, got 0"),
        ((0.5, 0.4, 0.6), 2.5, {}, "n has to be a whole number of at least 1, got 2.5"),
        ((0.5, 0.4, 0.6), 3, {"per_item": np.ones(2)}, r"per_item has the shape \(2,\), and n is 3"),
        ((0.5, 0.4, 0.6), 3, {"protocol": {"k": np.int64(3)}}, "has to consist of JSON values"),
        ((0.5, 0.4, 0.6), 3, {"protocol": {"k": math.nan}}, "has to consist of JSON values"),
    ],
)
def test_a_number_that_means_nothing_is_refused_where_it_is_made(numbers, n, more, says):
    with pytest.raises(ValueError, match=f"the result 'accuracy': .*{says}"):
        Result("accuracy", *numbers, n, "test", **more)


@pytest.mark.parametrize(
    ("protocol", "name"),
    [({}, "knn/accuracy"), ({"labels_per_class": "all"}, "knn/accuracy"), ({"labels_per_class": 10}, "knn/accuracy@10"),
     ({"labels_per_class": "10%"}, "knn/accuracy@10%")],
)  # fmt: skip
def test_a_number_has_one_name(protocol, name):
    assert Result("accuracy", 0.5, 0.4, 0.6, 10, "test", protocol, "knn").name == name


def test_a_result_of_an_earlier_version_is_read():
    row = Result("accuracy", 0.5, 0.4, 0.6, 10, "test", {}, "knn", "digits", "raw").as_json()
    earlier = {key: value for key, value in row.items() if key not in ("kind", "better", "bounds")} | {
        "features": "raw"
    }
    assert Result.from_json(earlier) == Result.from_json(row)
