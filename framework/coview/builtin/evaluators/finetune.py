"""How well does the whole encoder tell the classes, trained on with labels?"""

from __future__ import annotations

import copy
from contextlib import closing
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import torch
from annotated_types import Ge, Gt, Le
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from coview.builtin.schedules import Cosine
from coview.data.generators import seeded
from coview.data.rng import Rng
from coview.errors import CoviewError
from coview.evaluate.encoder_subject import EncoderSubject
from coview.evaluate.evaluator import KnownData
from coview.evaluate.result import Result
from coview.evaluating import (
    LabelBudgets,
    Length,
    Order,
    PipelineStep,
    RankBatches,
    ViewMaker,
    WarmedUp,
    accuracy_result,
    as_budgets,
    check_classes,
    check_known_budgets,
    draw_labels,
    labelled_split,
    sample_loader,
    track_items,
    view_loader,
)

_WARMUP = 0.1


class Finetune:
    """A linear classifier on the encoder, and both trained together (arXiv:2002.05709, appendix B.5, at a small scale).

    By coview's own loop, data order and views: AdamW, a linear warm-up over a tenth of the steps, then a cosine. With
    all labels the epoch of the highest validation accuracy counts, the earliest of equals, and training stops after
    ``patience`` epochs without a higher one. With a budget of labels the validation labels would break the budget:
    the last epoch counts. The untrained control is training from scratch on the same labels.

    Args:
        labels_per_class: Labelled training samples of each class, such as 10, a share of them, such as "10%", or
            "all"; one result for each.
        draws: How often the labelled samples are drawn; the result is the mean. Each is a training of its own.
        epochs: Passes over the labelled samples.
        batch_size: Samples of a batch; all of them where they are fewer.
        lr: Peak learning rate.
        weight_decay: Decoupled weight decay, of matrices only.
        patience: Epochs without a higher validation accuracy before training stops.
        augment: Whether training samples go through the recipe's augmentations of its first view.
    """

    splits = ("train", "validation", "test")
    labels: Literal["class"] = "class"

    def __init__(
        self,
        *,
        labels_per_class: LabelBudgets = ("all",),
        draws: Annotated[int, Ge(1)] = 3,
        epochs: Annotated[int, Ge(1)] = 20,
        batch_size: Annotated[int, Ge(2)] = 64,
        lr: Annotated[float, Gt(0), Le(1)] = 1e-3,
        weight_decay: Annotated[float, Ge(0)] = 0.01,
        patience: Annotated[int, Ge(1)] = 5,
        augment: bool = False,
    ) -> None:
        self.budgets = as_budgets(labels_per_class)
        self.draws, self.epochs, self.batch_size, self.patience = draws, epochs, batch_size, patience
        self.lr, self.weight_decay, self.augment = lr, weight_decay, augment

    def check(self, data: KnownData, /) -> None:
        """Refuses a budget of more labels than a class has."""
        check_known_budgets(data, self.budgets)

    def evaluate_encoder(self, subject: EncoderSubject, rng: Rng, /) -> list[Result]:
        """The accuracy on the test split, for each budget of labels; none of the raw features."""
        labels = {split: labelled_split(subject.features, split)[1] for split in self.splits}
        check_classes(labels["train"])
        if subject.encoder is None:
            return []
        classes = 1 + max(int(labels_N.max()) for labels_N in labels.values())
        drawn = draw_labels(labels["train"].cpu().numpy(), self.budgets, self.draws, rng, subject.features.classes)
        results = []
        for budget, draws in drawn.items():
            hits, epochs = [], []
            for rows in draws:
                trained = self._train(subject, rows, classes, stop_early=budget == "all", seed=rng.seed32())
                hits.append(_predict(trained.model, subject, "test") == labels["test"].cpu())
                epochs.append(trained.epochs)
            protocol = {
                **self._protocol(subject),
                "stopping": f"validation accuracy, patience {self.patience}" if budget == "all" else "none",
                "labels_per_class": budget,
                "chosen": {"epochs": epochs},
            }
            results.append(accuracy_result(hits, rng.numpy, protocol, subject.features["test"].groups_N))
        return results

    def _protocol(self, subject: EncoderSubject) -> dict[str, Any]:
        return {
            "optimizer": "adamw",
            "lr": self.lr,
            "weight_decay": self.weight_decay,
            "schedule": f"linear warm-up over {_WARMUP:.0%} of the steps, then cosine",
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "augmented": [step.name for step in subject.steps] if self.augment else "no",
            "precision": "fp32",
        }

    def _train(
        self, subject: EncoderSubject, rows: np.ndarray, classes: int, *, stop_early: bool, seed: int
    ) -> _Trained:
        width = subject.features["train"].x_ND.shape[1]
        with seeded(seed, subject.device):
            model = _Classifier(subject.copy_of_encoder(), nn.Linear(width, classes)).to(subject.device)
            return self._loop(model, subject, rows, seed, stop_early)

    def _loop(
        self, model: _Classifier, subject: EncoderSubject, rows: np.ndarray, seed: int, stop_early: bool
    ) -> _Trained:
        order = Order(len(rows), min(self.batch_size, len(rows)), seed)
        per_epoch = order.batches_per_epoch
        total = per_epoch * self.epochs
        optimizer = torch.optim.AdamW(_by_decay(model, self.weight_decay), lr=self.lr)
        schedule = WarmedUp(Cosine(), int(_WARMUP * total), Length(total, per_epoch, per_epoch))
        pipeline = (
            [PipelineStep(at, step.augmentation) for at, step in enumerate(subject.steps)] if self.augment else []
        )
        batches = view_loader(
            subject.rows("train", rows.tolist()),
            ViewMaker(seed, (subject.modality_name,), [pipeline], global_views=1),
            {subject.modality_name: subject.collator},
            RankBatches(order, 0, total),
            workers=subject.workers,
            device=subject.device,
        )
        watch = _BestEpoch(self.patience)
        shown = track_items(batches, total, f"fine-tuning the {subject.kind} encoder", console=subject.console)
        with closing(batches):
            for step, batch in enumerate(shown):
                if step % per_epoch == 0:
                    model.train()
                for group in optimizer.param_groups:
                    group["lr"] = self.lr * schedule(step)
                here = batch.to(subject.device)
                assert here.labels is not None
                loss = cross_entropy(model(here.inputs[subject.modality_name]), here.labels)
                if not torch.isfinite(loss):
                    raise CoviewError(
                        f"finetune: the loss is {loss.item()} at step {step + 1}",
                        hint="lower its lr, or raise batch_size",
                    )
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                if stop_early and (step + 1) % per_epoch == 0 and watch.ended(model, _accuracy(model, subject)):
                    break
        if stop_early:
            model.load_state_dict(watch.state)
        return _Trained(model, watch.best_epoch if stop_early else self.epochs)


@dataclass(frozen=True)
class _Trained:
    model: _Classifier
    epochs: int


class _Classifier(nn.Module):
    """Class scores of a batch of the modality."""

    def __init__(self, encoder: nn.Module, head: nn.Linear) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head

    def forward(self, inputs: Any) -> Tensor:
        scores_NC: Tensor = self.head(self.encoder(inputs).pooled_ND)
        return scores_NC


def _by_decay(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Matrices with decay, the rest (biases, norms, scalars) without."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in trained if parameter.ndim >= 2]
    others = [parameter for parameter in trained if parameter.ndim < 2]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


class _BestEpoch:
    """Keeps the weights of the epoch with the highest validation accuracy."""

    def __init__(self, patience: int) -> None:
        self._patience, self._epoch, self._best = patience, 0, -1.0
        self.best_epoch = 0
        self.state: dict[str, Any] = {}

    def ended(self, model: nn.Module, accuracy: float) -> bool:
        """Notes an epoch, and says whether it was the last."""
        self._epoch += 1
        if accuracy > self._best:
            self._best, self.best_epoch = accuracy, self._epoch
            self.state = copy.deepcopy(model.state_dict())
        return self._epoch - self.best_epoch >= self._patience


def _accuracy(model: _Classifier, subject: EncoderSubject) -> float:
    labels_N = subject.features["validation"].labels_N
    assert labels_N is not None
    return float((_predict(model, subject, "validation") == labels_N.cpu()).float().mean())


def _predict(model: _Classifier, subject: EncoderSubject, split: str) -> Tensor:
    """The class of each sample of a split, on the CPU."""
    model.eval()
    loader = sample_loader(
        subject.data[split],
        subject.modality_name,
        subject.collator,
        batch_size=256,
        workers=subject.workers,
        device=subject.device,
    )
    with closing(loader), torch.no_grad():
        found = [model(batch.to(subject.device).inputs[subject.modality_name]).argmax(1).cpu() for batch in loader]
    return torch.cat(found)
