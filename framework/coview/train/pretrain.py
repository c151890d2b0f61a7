"""The training loop.

Everything random is a function of (seed, step) or (seed, epoch, sample, view), and everything scheduled of the step:
a run that goes on from a checkpoint ends with the weights of one that was never stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from coview.data.batch import Batch, Skipped, map_tensors
from coview.data.building import build_modalities, build_view_maker
from coview.data.contracts import Dataset
from coview.data.loader import view_loader, worker_count
from coview.data.order import Order, RankBatches
from coview.data.skipped import SkippedSamples
from coview.errors import CoviewError, Interrupted
from coview.evaluate.diagnostics import diagnose
from coview.model.gather import views_of_all_ranks
from coview.model.tower import Towers
from coview.plugins.registry import Registry
from coview.recipe.duration import Duration
from coview.recipe.recipe import Recipe
from coview.train.checkpoint import Checkpoint, save_checkpoint
from coview.train.device import Precision
from coview.train.length import CheckpointDue, Length
from coview.train.loss_watch import LossWatch
from coview.train.optimizer import build_optimizer
from coview.train.schedule import lr_factor
from coview.train.stopping import StopRequest


@dataclass(frozen=True)
class Observer:
    """What the loop tells while it goes on; called on rank 0.

    Attributes:
        step: After each optimiser step with (step, epoch, metrics); metrics are empty at steps that log nothing.
        epoch: After the last step of an epoch with (step, epoch).
        skipped: With the name and the reason of a sample that cannot be read.
    """

    step: Callable[[int, int, Mapping[str, float]], None] = lambda step, epoch, metrics: None
    epoch: Callable[[int, int], None] = lambda step, epoch: None
    skipped: Callable[[str, str], None] = lambda what, reason: None


def make_accelerator(device: torch.device, precision: Precision) -> Accelerator:
    """Accelerate's handle on device, precision and ranks, independent of any made earlier in this process."""
    from accelerate.state import AcceleratorState

    AcceleratorState._reset_state(reset_partial_state=True)
    mixed = "no" if precision == "fp32" else precision
    return Accelerator(mixed_precision=mixed, cpu=device.type == "cpu")


def trained_modules(model: Towers, loss: Any) -> nn.ModuleDict:
    """Everything that has weights or buffers, as checkpoints hold it."""
    return nn.ModuleDict({"model": model, **({"loss": loss} if isinstance(loss, nn.Module) else {})})


class Pretraining:
    """One training run.

    Args:
        recipe: The recipe.
        registry: Where its components come from.
        dataset: The training split.
        model: The towers.
        loss: The loss; a module if it has parameters or buffers.
        accelerator: From :func:`make_accelerator`.
    """

    def __init__(
        self,
        recipe: Recipe,
        registry: Registry,
        dataset: Dataset,
        model: Towers,
        loss: Callable[..., Any],
        accelerator: Accelerator,
    ) -> None:
        self.recipe = recipe
        self.accelerator = accelerator
        self.length = Length.of(recipe, len(dataset))
        self.skipped = SkippedSamples(len(dataset), "train")
        self._registry = registry
        self._dataset = dataset
        self.model = model
        self._checkpoints = Path()
        self._observer = Observer()
        self._loss = loss
        self._modules = trained_modules(model, loss)
        device = accelerator.device
        layout: Any = {"memory_format": torch.channels_last} if recipe.train.channels_last else {}
        self._modules.to(device, **layout)
        if accelerator.num_processes > 1 and device.type == "cuda":
            self._modules["model"] = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        self.optimizer = build_optimizer(recipe.train, self._modules.values())
        self._warmup = Duration.parse(recipe.train.warmup).in_steps(self.length.steps_per_epoch)
        self._due = CheckpointDue(Duration.parse(recipe.train.checkpoint_every), self.length.steps_per_epoch)
        self.step = 0

    def resume(self, checkpoint: Checkpoint) -> None:
        """Goes back to where a checkpoint was written."""
        checkpoint.load_weights(self._modules)
        state = checkpoint.load_state()
        self.optimizer.load_state_dict(state["optimizer"])
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        self.skipped.add(Skipped(*row) for row in state["skipped"])
        self.step = checkpoint.step

    def run(self, checkpoints: Path, stop: StopRequest, observer: Observer) -> None:
        """Trains from the current step to the end.

        Args:
            checkpoints: Where checkpoints go.
            stop: Looked at after every step.
            observer: What to tell.

        Raises:
            Interrupted: If a stop was requested; a checkpoint has been written.
            CoviewError: If the loss is not finite, or too many samples cannot be read.
        """
        self._checkpoints, self._observer = checkpoints, observer
        if self.step >= self.length.total_steps:
            return
        model = self.accelerator.prepare_model(self._modules["model"])
        optimizer = self.accelerator.prepare_optimizer(self.optimizer)
        if self.recipe.train.compile:
            model.compile()
        watch = LossWatch(self.accelerator.device)
        batches = self._batches()
        self._modules.train()
        started, logged_at = time.perf_counter(), self.step
        while self.step < self.length.total_steps:
            logs = (self.step + 1) % self.recipe.train.log_every == 0 or self.step + 1 == self.length.total_steps
            outputs, z_VND = self._take_step(model, optimizer, batches, watch)
            self.step += 1
            metrics: dict[str, float] = {}
            if logs and outputs:
                metrics = self._metrics(outputs, z_VND)
                watch.check(self.step)
                now = time.perf_counter()
                rows = self.recipe.train.batch_size * self.recipe.train.accumulate
                metrics["samples_per_s"] = rows * (self.step - logged_at) / (now - started)
                started, logged_at = now, self.step
            epoch = (self.step * self.recipe.train.accumulate - 1) // self.length.batches_per_epoch
            if self.accelerator.is_main_process:
                self._observer.step(self.step, epoch, metrics)
                if self.step * self.recipe.train.accumulate % self.length.batches_per_epoch == 0:
                    self._observer.epoch(self.step, epoch)
            if stop.signal is not None:
                self._interrupt(stop, watch)
            if self._due(self.step) or self.step == self.length.total_steps:
                self._save(watch)

    def _take_step(
        self, model: nn.Module, optimizer: Any, batches: Iterator[Batch], watch: LossWatch
    ) -> tuple[dict[str, Tensor], Tensor]:
        """One optimiser step; the outputs are those of its last batch that could be read."""
        train = self.recipe.train
        # dropout and the like draw from here: a function of the step, whatever was drawn before it
        torch.manual_seed(_mix(self.recipe.seed, self.step, self.accelerator.process_index))
        factor = lr_factor(self.step, self.length.total_steps, self._warmup, train.schedule)
        for group in self.optimizer.param_groups:
            group["lr"] = train.lr * factor
        optimizer.zero_grad(set_to_none=True)
        outputs: dict[str, Tensor] = {}
        z_VND = torch.empty(0)
        for part in range(train.accumulate):
            batch = next(batches)
            if not len(batch):  # every sample of it was unreadable
                continue
            last = part == train.accumulate - 1
            with nullcontext() if last else self.accelerator.no_sync(model):
                inputs = self._layout(batch.inputs)
                z_VND = model(inputs)
                views = views_of_all_ranks(z_VND.float() if z_VND.dtype in _HALF else z_VND, batch, self._of_view)
                outputs = _as_mapping(self._loss(views))
                watch.note(outputs["loss"], self.step + 1)
                self.accelerator.backward(outputs["loss"] / train.accumulate)
        if train.clip_norm is not None:
            self.accelerator.clip_grad_norm_(self._modules.parameters(), train.clip_norm)
        optimizer.step()
        return outputs, z_VND

    @property
    def _of_view(self) -> tuple[str, ...]:
        return self.recipe.view_modalities

    def _layout(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        if not self.recipe.train.channels_last:
            return inputs

        def change(tensor: Tensor) -> Tensor:
            return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor

        return {name: map_tensors(change, value) for name, value in inputs.items()}

    def _batches(self) -> Iterator[Batch]:
        """This rank's batches from the current step on, on the device."""
        train, ranks = self.recipe.train, self.accelerator.num_processes
        if train.batch_size % ranks:
            raise CoviewError(
                f"{self.recipe.where('train', 'batch_size')}: {train.batch_size} cannot be shared by {ranks} ranks"
            )
        order = Order(len(self._dataset), train.batch_size, self.recipe.seed)
        first, last = self.step * train.accumulate, self.length.total_steps * train.accumulate
        loader = view_loader(
            self._dataset,
            build_view_maker(self.recipe, self._registry),
            build_modalities(self.recipe, self._registry),
            RankBatches(order, first, last, self.accelerator.process_index, ranks),
            workers=worker_count(self.recipe.settings.workers, ranks),
            pin_memory=self.accelerator.device.type == "cuda",
        )
        for batch in loader:
            for sample in self.skipped.add(batch.skipped):
                self._observer.skipped(sample.what, sample.reason)
            yield batch.to(self.accelerator.device)

    def _metrics(self, outputs: Mapping[str, Tensor], z_VND: Tensor) -> dict[str, float]:
        values = {name: float(value.detach()) for name, value in outputs.items()}
        values["lr"] = self.optimizer.param_groups[0]["lr"]
        return values | diagnose(z_VND.detach().float())

    def _interrupt(self, stop: StopRequest, watch: LossWatch) -> None:
        self._save(watch)
        raise Interrupted(f"stopped by {stop.signal} after step {self.step:,}; a checkpoint is written")

    def _save(self, watch: LossWatch) -> None:
        watch.check(self.step)
        if self.accelerator.is_main_process:
            scaler = self.accelerator.scaler
            state = {
                "optimizer": self.optimizer.state_dict(),
                "scaler": None if scaler is None else scaler.state_dict(),
                "skipped": [list(sample) for sample in self.skipped.samples.values()],
            }
            save_checkpoint(
                self._checkpoints, self.step, watch.mean(), self._modules, state, keep=self.recipe.train.keep
            )
        self.accelerator.wait_for_everyone()


_HALF = (torch.float16, torch.bfloat16)


def _as_mapping(output: Tensor | Mapping[str, Tensor]) -> dict[str, Tensor]:
    outputs = dict(output) if isinstance(output, Mapping) else {"loss": output}
    if "loss" not in outputs or outputs["loss"].ndim != 0:
        raise TypeError('a loss has to return a scalar tensor, or a mapping with a scalar "loss"')
    return outputs


def _mix(seed: int, step: int, rank: int) -> int:
    """One seed from three numbers."""
    return int(np.random.SeedSequence((seed, step, rank)).generate_state(1, np.uint64)[0]) >> 1
