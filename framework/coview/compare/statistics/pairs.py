"""Which variants differ, by the test that a comparison asks for."""

from __future__ import annotations

from coview.compare.statistics.looks import look
from coview.compare.statistics.model_test import model_test
from coview.compare.statistics.pair import Tested
from coview.compare.statistics.paired_tests import paired_tests
from coview.compare.statistics.scores import Scores


def compare_pairs(scores: Scores) -> Tested:
    """Every two variants that have a number, the better one first; or each and the baseline, which is second."""
    if scores.ended_VS is not None:
        return look(scores).tested
    return model_test(scores) if scores.test == "model" else paired_tests(scores)
