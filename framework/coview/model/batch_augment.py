"""The steps of the augmentation pipelines that work on batches, on the device that trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from coview.data.augmentation import BatchAugmentation, is_replayable
from coview.data.batch import Batch, map_tensors, select_samples
from coview.data.building import BatchStep, build_batch_steps, build_modalities
from coview.data.draws_ahead import BatchKey, DrawsAhead, DrawsOfBatch
from coview.data.modality import Collates, FinishesOnDevice
from coview.data.structured_batch import StructuredBatch
from coview.errors import CoviewError
from coview.model.collectives import gather_rows, row_counts, several_ranks
from coview.model.replay import Replay
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe

Part = tuple[tuple[int, ...], Any]
"""Some views, by number, and their batch: the rows of the one view below those of the other."""


class BatchAugment(nn.Module):
    """Augments batches as they come from the loader, and finishes raw ones.

    Steps with buffers are submodules: checkpoints hold them.

    Args:
        seed: The run's.
        steps: In order.
        of_view: The modality of each view, the global views before the local ones.
        global_views: How many views are global.
        finish: By modality, what finishes the batches that the loader has left raw.

    Attributes:
        left_out: Modalities whose batches are neither augmented nor finished.
    """

    def __init__(
        self,
        seed: int,
        steps: Sequence[BatchStep],
        of_view: Sequence[str],
        global_views: int,
        finish: Mapping[str, Callable[[Any], Any]],
    ) -> None:
        super().__init__()
        self._seed = seed
        self._draws = DrawsAhead()
        self._steps = tuple(steps)
        self._is_replayable = bool(steps) and all(
            is_replayable(step.augmentation) and not has_state(step.augmentation) for step in steps
        )
        self._replay = Replay(self._with_drawn)
        self._views = {
            name: (
                tuple(view for view, of in enumerate(of_view) if of == name and view < global_views),
                tuple(view for view, of in enumerate(of_view) if of == name and view >= global_views),
            )
            for name in dict.fromkeys((*(step.modality for step in steps), *finish))
        }
        self._finish = dict(finish)
        self.left_out: frozenset[str] = frozenset()
        for step in steps:
            if isinstance(step.augmentation, nn.Module):
                self.add_module(f"{step.modality}_{step.position}", step.augmentation)

    @torch.no_grad()
    def forward(self, batch: Batch) -> Batch:
        """The batch with its views augmented, and finished."""
        number = batch.ids.new_full((1,), batch.number)
        draws = self._draws.of_batch(BatchKey(self._seed, batch.epoch, number, batch.ids))
        given = {"inputs": batch.inputs, "local_inputs": batch.local_inputs}
        made: dict[str, Any] | None = None
        if self._is_replayable and batch.ids.is_cuda and draws.ahead and not batch.present:
            made = self._replay({**given, "ids": batch.ids, "number": number, "ahead": draws.ahead})
        if made is None:
            of_some = {
                name: DrawsOfBatch(BatchKey(self._seed, batch.epoch, number, batch.ids_of(name)), {})
                for name in batch.present
            }
            made = self._augmented(given, draws, of_some)
            self._draws.note(draws)
        return batch.with_inputs(*map(self._finished, (made["inputs"], made["local_inputs"])))

    def _with_drawn(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The work that a GPU replays: it gets all its numbers, and so the epoch does not matter."""
        key = BatchKey(self._seed, 0, given["number"], given["ids"])
        return self._augmented(given, DrawsOfBatch(key, given["ahead"], no_more=True))

    def _augmented(
        self, given: Mapping[str, Any], draws: DrawsOfBatch, of_some: Mapping[str, DrawsOfBatch] | None = None
    ) -> dict[str, Any]:
        """Global and local inputs after all steps.

        Args:
            given: Those before.
            draws: For all samples of the batch.
            of_some: By modality, for the samples that have one that others lack.
        """
        inputs, local_inputs = dict(given["inputs"]), dict(given["local_inputs"])
        for name, (views, local_views) in self._views.items():
            for part, of in ((inputs, views), (local_inputs, local_views)):
                if name in part and name not in self.left_out:
                    part[name] = self._after_steps(name, of, part[name], (of_some or {}).get(name, draws))
        return {"inputs": inputs, "local_inputs": local_inputs}

    def _finished(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        finish = {name: of for name, of in self._finish.items() if name not in self.left_out}
        return {name: finish[name](value) if name in finish else value for name, value in inputs.items()}

    def _after_steps(self, name: str, views: tuple[int, ...], value: Any, draws: DrawsOfBatch) -> Any:
        parts: list[Part] = [(views, value)]
        for step in self._steps:
            if step.modality == name:
                parts = [done for part in parts for done in self._step(step, part, draws)]
        return _in_order(parts, views, len(draws.key.ids_N)) if len(parts) > 1 else parts[0][1]

    def _step(self, step: BatchStep, part: Part, draws: DrawsOfBatch) -> list[Part]:
        """The part after a step; in two if the step makes only some of its views."""
        views, value = part
        made = tuple(view for view in views if view in step.views)
        if not made:
            return [part]
        if len(made) == len(views):
            done = self._called(step, views, value, draws)
            _check_made(step, value, done, keeps_kind=step.modality in self._finish)
            return [(views, done)]
        others = tuple(view for view in views if view not in made)
        samples = len(draws.key.ids_N)
        given = _of_views(value, views, made, samples)
        done = self._called(step, made, given, draws)
        _check_made(step, given, done, keeps_kind=True)
        return [(made, done), (others, _of_views(value, views, others, samples))]

    def _called(self, step: BatchStep, views: tuple[int, ...], value: Any, draws: DrawsOfBatch) -> Any:
        if several_ranks() and has_state(step.augmentation):
            return self._called_on_all(step, views, value, draws)
        if not len(draws.key.ids_N):  # no sample has the modality
            return value
        return step.augmentation(value, draws.rng(views, step.position, step.drawn_as))

    def _called_on_all(self, step: BatchStep, views: tuple[int, ...], value: Any, draws: DrawsOfBatch) -> Any:
        """On the batch of all ranks, of which each keeps its share: the state is that of a single process."""
        own = len(draws.key.ids_N)
        counts = row_counts(own, draws.key.ids_N.device)
        first = sum(counts[: torch.distributed.get_rank()])

        if not sum(counts):
            return value

        def gathered(tensor: Tensor) -> Tensor:
            by_sample = tensor.unflatten(0, (len(views), own)).transpose(0, 1)
            return gather_rows(by_sample, counts).transpose(0, 1).flatten(0, 1)

        ids = gather_rows(draws.key.ids_N, counts)
        rng = draws.rng_of(ids, views, step.position, step.drawn_as)
        whole = step.augmentation(map_tensors(gathered, value), rng)
        return select_samples(whole, len(ids), slice(first, first + own))


def build_batch_augment(
    recipe: Recipe, registry: Registry, encoders: Mapping[str, nn.Module], *, remembers: bool = True
) -> BatchAugment:
    """The batch steps of a recipe.

    Args:
        recipe: The recipe.
        registry: Where its components come from.
        encoders: By modality; the batches of one that collates itself are not the modality's to finish.
        remembers: Whether steps that keep something from batch to batch are among them.
    """
    finish = {
        name: modality.finish
        for name, modality in build_modalities(recipe, registry).items()
        if isinstance(modality, FinishesOnDevice) and not isinstance(encoders[name], Collates)
    }
    steps = [step for step in build_batch_steps(recipe, registry) if remembers or not has_state(step.augmentation)]
    return BatchAugment(recipe.seed, steps, recipe.view_modalities, recipe.global_views, finish)


def has_state(augmentation: BatchAugmentation) -> bool:
    """Whether it keeps something from batch to batch, in its buffers."""
    return isinstance(augmentation, nn.Module) and next(augmentation.buffers(), None) is not None


def _check_made(step: BatchStep, given: Any, made: Any, *, keeps_kind: bool) -> None:
    """Raises :class:`CoviewError` if what comes after a step cannot go on from what it has made."""
    said = ""
    if isinstance(given, Tensor) and isinstance(made, Tensor):
        if made.ndim == 0 or len(made) != len(given):
            said = f"makes a tensor of shape {tuple(made.shape)} of {len(given)} rows; it has to keep its rows"
    elif isinstance(given, StructuredBatch) and isinstance(made, StructuredBatch):
        if len(made) != len(given):
            said = f"makes {len(made)} rows of {len(given)}; it has to keep its rows"
    elif keeps_kind and _kind(given) != _kind(made):
        said = f"makes {_kind(made)} of {_kind(given)}; what takes the batch afterwards needs the original kind"
    if said:
        name = type(step.augmentation).__name__
        raise CoviewError(f"augmentation {step.position + 1} of {step.modality}, {name}, on the device: {said}")


def _kind(batch: Any) -> str:
    if isinstance(batch, Tensor):
        return "a tensor"
    return f"a mapping ({type(batch).__name__})" if isinstance(batch, Mapping) else f"a {type(batch).__name__}"


def _of_views(value: Any, views: tuple[int, ...], wanted: tuple[int, ...], samples: int) -> Any:
    """The rows of some of the views."""
    places = [views.index(view) for view in wanted]

    def select(tensor: Tensor) -> Tensor:
        return torch.cat([tensor[place * samples : (place + 1) * samples] for place in places])

    return map_tensors(select, value, lambda batch: batch.select(select(torch.arange(len(batch)))))


def _in_order(parts: Sequence[Part], views: tuple[int, ...], samples: int) -> Any:
    """One batch of all views again."""
    by_view = {view: _of_views(value, of, (view,), samples) for of, value in parts for view in of}
    return _below_each_other([by_view[view] for view in views])


def _below_each_other(values: Sequence[Any]) -> Any:
    if isinstance(values[0], Mapping):
        return {key: _below_each_other([value[key] for value in values]) for key in values[0]}
    if not isinstance(values[0], Tensor):
        return values[0]
    shapes = sorted({tuple(value.shape[1:]) for value in values})
    if len(shapes) > 1:
        raise CoviewError(
            f"the views of a batch differ in shape after augmentation: {' and '.join(map(str, shapes))}",
            hint="views of other sizes are local ones: see local_views in [data]",
        )
    return torch.cat(list(values))
