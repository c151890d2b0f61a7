from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_rel

from coview import Result
from coview.experiment.against_controls import beside_controls
from coview.track.result_rows import warnings_of


def result(kind: str, hits: np.ndarray, labels: int | str = "all", groups: np.ndarray | None = None) -> Result:
    value = float(hits.mean())
    return Result(
        "accuracy", value, value - 0.02, value + 0.02, len(hits), "test", {"labels_per_class": labels}, "linear_probe",
        "digits", kind, per_item=hits.astype(np.float32), item_groups=groups,
    )  # fmt: skip


def test_each_control_is_tested_over_groups_and_the_test_is_kept_in_results_json() -> None:
    generator = np.random.default_rng(0)
    groups = np.repeat(np.arange(4), 50)
    kinds = {"pretrained": 0.8, "untrained": 0.5, "raw": 0.7}
    hits = {kind: generator.random(200) < chance for kind, chance in kinds.items()}
    found = [[result(kind, hits[kind], groups=groups)] for kind in kinds]
    (pretrained,), *controls = beside_controls(found)
    assert pretrained.against is None
    for (control,), kind in zip(controls, ("untrained", "raw"), strict=True):
        means = [hits[each].reshape(4, 50).mean(1) for each in ("pretrained", kind)]
        assert control.against is not None
        assert control.against.p == pytest.approx(ttest_rel(*means).pvalue, rel=1e-5)
        again = Result.from_json(control.as_json())
        assert again == control
        assert again.groups == 4


def test_more_labels_that_give_less_are_a_warning() -> None:
    """As raw features of real digits had it: 0.408 with ten labels a class, 0.311 with all."""
    few, many = np.arange(1000) < 408, np.arange(1000) % 1000 < 311
    groups = np.repeat([0, 1], 500)
    found = beside_controls([[result("raw", few, 10, groups), result("raw", many, "all", groups)]])
    (warning,) = warnings_of(found[0])
    assert warning == (
        "linear_probe accuracy, raw: 0.408 with 10 labels a class, and 0.311 with all: more labels give less"
    )
    assert found[0][0].warning == ""


def test_a_little_less_is_none() -> None:
    generator = np.random.default_rng(0)
    few, many = (generator.random(1000) < chance for chance in (0.41, 0.40))
    assert list(warnings_of(beside_controls([[result("raw", few, 10), result("raw", many, "all")]])[0])) == []
    more = beside_controls([[result("raw", few, "all"), result("raw", ~many, "10%")]])[0]
    assert [bool(each.warning) for each in more] == [True, False]  # a share is fewer than all
