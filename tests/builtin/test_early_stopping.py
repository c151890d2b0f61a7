"""When early stopping stops: compared with a loop that looks at the whole series each time."""

import math

import numpy as np
import pytest

import coview
from coview.builtin.callbacks.early_stopping import EarlyStopping


def stops_at(values, *, name="loss", method="step_end", **parameters):
    """The index of the point at which it asks for a stop, and why; None if it never does."""
    callback, asked = EarlyStopping(metric=name, **parameters), []
    for index, value in enumerate(values):
        context = coview.StepContext(
            path=None,
            total_steps=99,
            step=10 * index,
            get_model=None,
            epoch=0,
            metrics={name: value},
            ask_to_stop=asked.append,
        )
        getattr(callback, method)(context)
        if asked:
            return index, asked[0]
    return None, ""


def expected(values, patience, min_delta, sign):
    """The first point at which none of the last ``patience`` was better than all before it."""
    scores = [-math.inf if math.isnan(value) else sign * value for value in values]
    best, since = -math.inf, 0
    for index, score in enumerate(scores):
        if score > best + (min_delta if best > -math.inf else 0):
            best, since = score, 0
        else:
            since += 1
        if since == patience:
            return index
    return None


@pytest.mark.parametrize("seed", range(20))
def test_it_stops_where_a_loop_does(seed):
    rng = np.random.default_rng(seed)
    values = (np.linspace(2, 1, 40) + rng.normal(size=40) * 0.2).round(2)
    values[rng.random(40) < 0.1] = math.nan
    patience, min_delta = int(rng.integers(1, 6)), float(rng.choice([0.0, 0.05]))
    given = {"patience": patience, "min_delta": min_delta}
    assert stops_at(values, **given)[0] == expected(values, patience, min_delta, -1)
    assert stops_at(values, mode="max", **given)[0] == expected(values, patience, min_delta, 1)
    of_curve = stops_at(values, name="knn/accuracy", method="curve_point", **given)
    assert of_curve[0] == expected(values, patience, min_delta, 1)


def test_what_it_says():
    assert stops_at([3.0, 2.0, 2.5, 2.25], patience=2) == (
        3,
        "loss is 2.25, no improvement for 2 points; the best: 2 at step 10",
    )
    assert stops_at([math.nan, math.nan], patience=2)[1].endswith("the best: none was a number")


def test_it_looks_at_measurements_of_its_evaluator_only():
    callback, asked = EarlyStopping(metric="knn/accuracy", patience=1), []

    def point(**metrics):
        callback.curve_point(coview.StepContext(None, 9, 1, None, 0, metrics, asked.append))

    point(**{"knn/accuracy": 0.5})
    point(**{"ridge/r2": 0.1})
    assert not asked
    with pytest.raises(coview.CoviewError, match='did you mean "knn/accuracy"'):
        EarlyStopping(metric="knn/acuracy").curve_point(
            coview.StepContext(None, 9, 1, None, 0, {"knn/accuracy": 0.5}, asked.append)
        )
    point(**{"knn/accuracy": 0.5})
    assert len(asked) == 1


def test_an_evaluator_has_to_measure_while_training():
    callback = EarlyStopping(metric="knn/accuracy")
    callback.check({"evaluate": [{"use": "knn", "every": "1 epoch"}]})
    for evaluate, says in {
        (("knn", None),): "no [[evaluate]] has a key every",
        (("knn", None), ("ridge", 5)): "those that do: ridge",
    }.items():
        with pytest.raises(coview.CoviewError, match='no evaluator "knn" measures while training') as caught:
            callback.check({"evaluate": [{"use": use, **({"every": n} if n else {})} for use, n in evaluate]})
        assert says in str(caught.value)
