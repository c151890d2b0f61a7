"""Does a model of pictures (or sounds) and texts know a class by its name?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

import torch
from annotated_types import MinLen
from torch.nn.functional import normalize

from coview.data.rng import Rng
from coview.errors import CoviewError
from coview.evaluate.cross_modal_subject import CrossModalSubject
from coview.evaluate.evaluator import KnownData
from coview.evaluate.features import Features
from coview.evaluate.result import Result
from coview.evaluating import accuracy_result, labelled_split
from coview.plugins.nearest import did_you_mean


class ZeroShot:
    """Accuracy on the test split of classifying by the names of the classes, without one labelled sample.

    Each class's name is put into every prompt; the mean of the prompts' projections, each of unit length, stands for
    the class, and a sample is of the class whose mean is nearest to its projection by cosine (CLIP, arXiv:2103.00020,
    section 3.1.4). Names and prompts decide much: they are in the protocol. Nothing is fitted and nothing is chosen.
    Chance is one divided by the number of classes.

    Args:
        of: The modality that is classified, of pictures or sounds, say.
        by: The modality of the names, whose values have to be texts.
        prompts: Sentences with {} where the name goes; CLIP takes "a photo of a {}." and 80 more.
        names: What to call classes whose own names say little, such as { n02123045 = "tabby cat" }; others keep
            their own.
    """

    splits = ("test",)
    labels: Literal["class"] = "class"

    def __init__(
        self,
        *,
        of: str,
        by: str,
        prompts: Annotated[tuple[str, ...], MinLen(1)] = ("{}",),
        names: Mapping[str, str] | None = None,
    ) -> None:
        for prompt in prompts:
            if prompt.count("{}") != 1:
                raise ValueError(f'a prompt has to have {{}} once, where the name of the class goes, got "{prompt}"')
        if of == by:
            raise ValueError(f"of and by are both {of!r}: names in one modality classify samples of another")
        self.prompts, self.of, self.by, self.names = prompts, of, by, dict(names or {})
        self.modalities, self.of_data = (of, by), (of,)

    def check(self, data: KnownData, /) -> None:
        """Refuses names of classes that the data does not have."""
        self._check_names(data.classes or ())

    def evaluate_cross_modal(self, subject: CrossModalSubject, rng: Rng, /) -> list[Result]:
        """The accuracy, with an interval over test samples.

        Raises:
            CoviewError: If there is no class of a name, or the projection of a name is not finite.
        """
        classes = subject.classes or ()
        self._check_names(classes)
        names = [self.names.get(name, name) for name in classes]
        features = Features({"test": subject.split(self.of, "test")}, subject.classes)
        x_ND, labels_N = labelled_split(features, "test")
        texts = [prompt.replace("{}", name) for name in names for prompt in self.prompts]
        z_CPD = subject.embed(self.by, texts).unflatten(0, (len(names), len(self.prompts)))
        if not torch.isfinite(z_CPD).all():
            raise CoviewError("a projection of a class's name holds NaN or infinity", hint="the model has diverged")
        class_CD = normalize(z_CPD.mean(1), dim=1)
        predicted_N = (x_ND @ class_CD.T).argmax(1)
        protocol: dict[str, Any] = {
            "classifier": "nearest mean of the prompts of a class by cosine",
            "prompts": list(self.prompts),
            "names": list(names),
        }
        found = accuracy_result([predicted_N == labels_N], rng.numpy, protocol, features["test"].groups_N)
        return [replace(found, of=self.of, chance=1 / len(names))]

    def _check_names(self, classes: Sequence[str]) -> None:
        for name in self.names:
            if name not in classes:
                raise CoviewError(f'names: the data has no class "{name}"{did_you_mean(name, classes)}')
