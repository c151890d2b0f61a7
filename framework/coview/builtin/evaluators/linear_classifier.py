"""How well does a linear classifier tell the classes that is trained by SGD, as papers of pictures measure it?"""

from __future__ import annotations

from contextlib import closing
from typing import Annotated, Any, Literal

import numpy as np
import torch
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from coview.builtin.schedules import Cosine, Step
from coview.data.generators import seeded
from coview.data.rng import Rng
from coview.errors import CoviewError
from coview.evaluate.encoder_subject import EncoderSubject
from coview.evaluate.result import Result
from coview.evaluating import (
    Length,
    Order,
    PipelineStep,
    RankBatches,
    ViewMaker,
    WarmedUp,
    accuracy_result,
    check_classes,
    labelled_split,
    track_items,
    view_loader,
)
from coview.model.encoder import Encoding
from coview.train.schedule import Schedule


class LinearClassifier:
    """A linear layer by SGD on the frozen encoder and augmented samples: the second stage of SupCon (arXiv:2004.11362,
    section 4), and what SimCLR, MoCo and their relatives call linear evaluation.

    The encoder is in evaluation mode and sees each sample anew in each epoch, through the recipe's augmentations: these
    are the classifier's own in a recipe that trains for 0 steps and starts from a run, as in ``base/sup-con-linear``.
    All of the training split is trained on, nothing is chosen, and the last epoch counts; papers often report the best
    by test.

    Args:
        epochs: Passes over the training split; SupCon: 100.
        batch_size: Samples of a batch; all of them where they are fewer. SupCon: 512.
        lr: Peak learning rate; SupCon: 5, and 1 for SimCLR's encoder. MoCo: 30.
        momentum: Momentum of SGD.
        weight_decay: Weight decay of SGD, for the bias too.
        drops: Epochs after which the rate is multiplied by ``factor``; none: it falls by a cosine to 0.
        factor: What the rate is multiplied by; SupCon: 0.2, MoCo: 0.1.
        augment: Whether training samples go through the recipe's augmentations of its first view.
    """

    splits = ("train", "test")
    labels: Literal["class"] = "class"

    def __init__(
        self,
        *,
        epochs: Annotated[int, Ge(1)] = 100,
        batch_size: Annotated[int, Ge(1)] = 256,
        lr: Annotated[float, Gt(0), Le(1e4)] = 0.1,
        momentum: Annotated[float, Ge(0), Lt(1)] = 0.9,
        weight_decay: Annotated[float, Ge(0)] = 0.0,
        drops: tuple[Annotated[int, Ge(1)], ...] = (60, 75, 90),
        factor: Annotated[float, Gt(0), Le(1)] = 0.2,
        augment: bool = True,
    ) -> None:
        self.epochs, self.batch_size, self.augment = epochs, batch_size, augment
        self.lr, self.momentum, self.weight_decay = lr, momentum, weight_decay
        self.drops, self.factor = drops, factor

    def evaluate_encoder(self, subject: EncoderSubject, rng: Rng, /) -> list[Result]:
        """The accuracy on the test split; none of the raw features."""
        labels_N, (test_ND, test_N) = (
            labelled_split(subject.features, "train")[1],
            labelled_split(subject.features, "test"),
        )
        check_classes(labels_N)
        if subject.encoder is None:
            return []
        classes = 1 + max(int(labels.max()) for labels in (labels_N, test_N))
        seed = rng.seed32()
        with seeded(seed, subject.device):
            head = nn.Linear(test_ND.shape[1], classes).to(subject.device)
            self._train(head, subject, len(labels_N), seed)
        with torch.no_grad():
            predicted_N = head(test_ND.to(subject.device)).argmax(1)
        hits = predicted_N.cpu() == test_N.cpu()
        return [accuracy_result([hits], rng.numpy, self._protocol(subject), subject.features["test"].groups_N)]

    def _train(self, head: nn.Linear, subject: EncoderSubject, samples: int, seed: int) -> None:
        order = Order(samples, min(self.batch_size, samples), seed)
        per_epoch = order.batches_per_epoch
        total = per_epoch * self.epochs
        optimizer = torch.optim.SGD(
            head.parameters(), lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay
        )
        shape: Schedule = Cosine()
        if self.drops:
            shape = Step(at=tuple(f"{epoch} epochs" for epoch in self.drops), factor=self.factor)
        schedule = WarmedUp(shape, 0, Length(total, per_epoch, per_epoch))
        pipeline = (
            [PipelineStep(at, step.augmentation) for at, step in enumerate(subject.steps)] if self.augment else []
        )
        batches = view_loader(
            subject.rows("train", np.arange(samples).tolist()),
            ViewMaker(seed, (subject.modality_name,), [pipeline], global_views=1),
            {subject.modality_name: subject.collator},
            RankBatches(order, 0, total),
            workers=subject.workers,
            device=subject.device,
        )
        encoder = subject.copy_of_encoder().eval()
        shown = track_items(batches, total, f"a linear classifier of the {subject.kind}", console=subject.console)
        with closing(batches):
            for step, batch in enumerate(shown):
                for group in optimizer.param_groups:
                    group["lr"] = self.lr * schedule(step)
                here = batch.to(subject.device)
                assert here.labels is not None
                with torch.no_grad():
                    encoding: Encoding = encoder(here.inputs[subject.modality_name])
                loss: Tensor = cross_entropy(head(encoding.pooled_ND), here.labels)
                if not torch.isfinite(loss):
                    raise CoviewError(
                        f"linear_classifier: the loss is {loss.item()} at step {step + 1}", "lower its lr"
                    )
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()

    def _protocol(self, subject: EncoderSubject) -> dict[str, Any]:
        falls = f"times {self.factor} after {', '.join(map(str, self.drops))} epochs" if self.drops else "cosine to 0"
        return {
            "classifier": "linear, on the encoder in evaluation mode; the last epoch counts",
            "optimizer": "sgd",
            "lr": self.lr,
            "momentum": self.momentum,
            "weight_decay": self.weight_decay,
            "schedule": falls,
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "augmented": [step.name for step in subject.steps] if self.augment else "no",
            "precision": "fp32",
            "labels_per_class": "all",
        }
