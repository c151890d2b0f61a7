"""What is left of the accuracy when test samples are augmented, ever more strongly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import torch
from annotated_types import Ge, MinLen

from coview.builtin.evaluators.linear_probe import BUDGET_STRENGTH
from coview.builtin.evaluators.logistic import LogisticRegression
from coview.builtin.evaluators.standardise import Standardise
from coview.data.augmentation import Augmentation
from coview.data.rng import Rng
from coview.errors import CoviewError
from coview.evaluate.encoder_subject import EncoderSubject
from coview.evaluate.evaluator import KnownData
from coview.evaluate.result import Result
from coview.evaluating import accuracy_result, check_classes, labelled_split


class Robustness:
    """Accuracy of a linear probe, fitted on training samples as they are, on augmented test samples: a curve.

    By default every step of the recipe's pipeline is tried by itself, applied once, twice and four times in a row: a
    scale of strength that needs no knowledge of the step's parameters. With ``augmentation`` it is that one, with each
    of the ``levels`` in turn. The first number is of test samples as they are.

    Args:
        augmentation: Name of the augmentation; absent: each step of the recipe's pipeline.
        levels: Tables of its parameters, the mildest first; each is a point of the curve.
        times: How often a step of the pipeline is applied, the mildest first.
    """

    splits = ("train", "test")
    labels: Literal["class"] = "class"

    def __init__(
        self,
        *,
        augmentation: str | None = None,
        levels: tuple[dict[str, Any], ...] = (),
        times: Annotated[tuple[Annotated[int, Ge(1)], ...], MinLen(1)] = (1, 2, 4),
    ) -> None:
        if (augmentation is None) != (not levels):
            given, lacking = ("levels", "augmentation") if levels else ("augmentation", "levels")
            raise ValueError(f"{given} is given without {lacking}: they go together")
        if list(times) != sorted(set(times)):
            raise ValueError(f"times have to rise, got {list(times)}")
        self.augmentation, self.levels, self.times = augmentation, levels, times

    def check(self, data: KnownData, /) -> None:
        """Refuses a recipe without augmentations, or levels that the augmentation does not take."""
        if self.augmentation is None:
            if not data.augmented:
                raise CoviewError(f"the recipe augments no {data.modality}", hint="give augmentation and levels")
            return
        for level in self.levels:
            data.build_augmentation(self.augmentation, level)

    def evaluate_encoder(self, subject: EncoderSubject, rng: Rng, /) -> list[Result]:
        """The accuracy on test samples as they are, and at each strength of each augmentation."""
        x_ND, y_N = labelled_split(subject.features, "train")
        test_ND, test_N = labelled_split(subject.features, "test")
        check_classes(y_N)
        scale = Standardise(x_ND)
        probe = LogisticRegression(scale(x_ND), y_N, 1 + int(max(y_N.max(), test_N.max()))).fit(BUDGET_STRENGTH)
        rows, seed = range(len(test_N)), rng.seed32()

        def result(x_ND: torch.Tensor, strength: Mapping[str, Any]) -> Result:
            protocol = {"classifier": f"linear probe of all training samples, l2 {BUDGET_STRENGTH:g}", **strength}
            hits = [probe.predict(scale(x_ND)) == test_N]
            return accuracy_result(hits, np.random.default_rng(seed), protocol, subject.features["test"].groups_N)

        found = [result(test_ND, {"augmentation": "none"})]
        for steps, strength in self._points(subject):
            augmented = subject.embed(subject.rows("test", rows, steps, seed=seed))
            found.append(result(augmented.x_ND, strength))
        return found

    def _points(
        self, subject: EncoderSubject
    ) -> list[tuple[Sequence[tuple[int, Augmentation]], dict[str, str | int | dict[str, Any]]]]:
        """What is done to the samples, and how that is called, for each point but the first."""
        if self.augmentation is not None:
            name = self.augmentation
            return [
                ([(0, subject.build_augmentation(name, level))], {"augmentation": name, "parameters": level})
                for level in self.levels
            ]
        if not subject.steps:
            raise CoviewError(
                f"robustness: the recipe augments no {subject.modality_name}",
                hint="give augmentation and levels",
            )
        return [
            (
                [(position, step.augmentation) for position in range(times)],
                {"augmentation": step.name, "parameters": dict(step.parameters), "times": times},
            )
            for step in subject.steps
            for times in self.times
        ]
