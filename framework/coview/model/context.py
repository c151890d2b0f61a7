"""What all samples of a data set share, such as the graph whose nodes they are: how it reaches the encoders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast, runtime_checkable

import torch
from torch import Tensor, nn

from coview.data.batch import Batch, leaves, map_tensors, to_device
from coview.data.building import ContextStep, build_context_steps
from coview.data.dataset import Dataset, HasContext
from coview.data.modality import Collates
from coview.data.rng import Rng
from coview.errors import CoviewError
from coview.model.collectives import several_ranks
from coview.model.encoder import Encoder, Encoding
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe


@runtime_checkable
class TakesContext(Protocol):
    """An encoder that looks its samples up in what they share, the ``context`` of their data set.

    Its class has ``takes_context = True``, and it is called as ``encoder(batch, context)``, with the context on its
    device. Where views are encoded in contexts of their own, it is called once for each of them.
    """

    takes_context: bool


def takes_context(encoder: nn.Module) -> bool:
    """Whether an encoder says that it does."""
    return isinstance(encoder, TakesContext) and encoder.takes_context


@dataclass(frozen=True)
class InContext:
    """A batch for an encoder that takes a context: a structured batch, of which any part is in the same contexts.

    Attributes:
        batch: What the modality or the encoder has collated: rows of views below each other.
        contexts: One for all views, or one for each of them, on the device.
    """

    batch: Any
    contexts: tuple[Any, ...]

    def __len__(self) -> int:
        return len(next(leaves(self.batch)))

    def select(self, rows: Tensor, /) -> InContext:
        """Some of the rows: as many of each view, view by view."""

        def select(tensor: Tensor) -> Tensor:
            return tensor[rows.to(tensor.device)]

        return replace(self, batch=map_tensors(select, self.batch, lambda batch: batch.select(rows)))

    def to(self, device: torch.device, /) -> InContext:
        """With the rows on another device, where the contexts are already, unless it is one without numbers."""
        here = device.type != "meta"
        contexts = self.contexts if here else tuple(to_device(context, device) for context in self.contexts)
        return replace(self, batch=to_device(self.batch, device), contexts=contexts)

    def pin_memory(self) -> InContext:
        """As it is: it is made on the device."""
        return self

    def encoded(self, encoder: nn.Module) -> Encoding:
        """What an encoder makes of all rows; of several contexts only what it has pooled."""
        parts = self.views_apart(len(self.contexts))
        made: list[Encoding] = [cast(Any, encoder)(part.batch, part.contexts[0]) for part in parts]
        if len(made) == 1 or not all(isinstance(encoding, Encoding) for encoding in made):
            return made[0]
        return Encoding(torch.cat([encoding.pooled_ND for encoding in made]))

    def views_apart(self, views: int) -> list[InContext]:
        """A batch of each view, in the context that it has."""
        if views == 1:
            return [self]
        contexts = self.contexts * views if len(self.contexts) == 1 else self.contexts
        rows = torch.arange(len(self)).chunk(views)
        return [
            replace(self.select(of_view), contexts=(context,)) for of_view, context in zip(rows, contexts, strict=True)
        ]


class AtContext(nn.Module):
    """An encoder that takes a context, as one that takes none: what measures encoders needs to know of no context.

    Args:
        encoder: The encoder.
        context: Whatever it is called with is in this.
    """

    def __init__(self, encoder: nn.Module, context: Any) -> None:
        super().__init__()
        self.encoder = encoder
        self.width = cast(Encoder, encoder).width
        self._context = context
        if isinstance(encoder, Collates):  # an encoder that makes its batches itself makes them here too
            self.collate = encoder.collate

    def forward(self, batch: Any) -> Encoding:
        """What the encoder makes of a batch."""
        encoding: Encoding = self.encoder(batch, self._context)
        return encoding


def in_context_of(encoder: nn.Module, dataset: Dataset, device: torch.device) -> nn.Module:
    """An encoder for the samples of a data set: itself, unless it takes a context.

    Raises:
        CoviewError: If it takes one, and the data have none.
    """
    if not takes_context(encoder):
        return encoder
    return AtContext(encoder, to_device(_context_of(encoder, dataset), device))


class Contexts:
    """The contexts of a run, which augmentations may change for each batch and view.

    Args:
        seed: The run's.
        contexts: By modality, on the device.
        steps: What changes them, in order.
        of_view: The modality of each view, the global views before the local ones.
        global_views: How many views are global.
    """

    def __init__(
        self,
        seed: int,
        contexts: Mapping[str, Any],
        steps: Sequence[ContextStep],
        of_view: Sequence[str],
        global_views: int,
    ) -> None:
        self._seed = seed
        self._contexts = contexts
        self._steps = {name: [step for step in steps if step.modality == name] for name in contexts}
        self._views = {name: [view for view, of in enumerate(of_view) if of == name] for name in contexts}
        self._global_views = global_views
        self._rng = Rng()

    @torch.no_grad()
    def around(self, batch: Batch) -> Batch:
        """The batch as the encoders get it, with the contexts that its views have: of (seed, epoch, batch, view)."""
        if not self._contexts:
            return batch
        inputs, local_inputs = dict(batch.inputs), dict(batch.local_inputs)
        for name in self._contexts:
            for part, is_wanted in ((inputs, self._is_global), (local_inputs, self._is_local)):
                if name in part:
                    views = list(filter(is_wanted, self._views[name]))
                    part[name] = InContext(part[name], self._of(name, views, batch))
        return batch.with_inputs(inputs, local_inputs)

    def unchanged(self, name: str, value: Any) -> Any:
        """A batch of one modality in the context as the data have it, where its encoder takes one."""
        return InContext(value, (self._contexts[name],)) if name in self._contexts else value

    def _is_global(self, view: int) -> bool:
        return view < self._global_views

    def _is_local(self, view: int) -> bool:
        return view >= self._global_views

    def _of(self, name: str, views: Sequence[int], batch: Batch) -> tuple[Any, ...]:
        if not any(set(step.views) & set(views) for step in self._steps[name]):
            return (self._contexts[name],)
        return tuple(self._of_view(name, view, batch) for view in views)

    def _of_view(self, name: str, view: int, batch: Batch) -> Any:
        context = self._contexts[name]
        for step in self._steps[name]:
            if view in step.views:
                drawn_as = view if step.drawn_as is None else step.drawn_as
                rng = self._rng.seek(self._seed, batch.epoch, 0, drawn_as, step.position, batch.number).of_view()
                context = step.augmentation(context, rng)
        return context


def build_contexts(
    recipe: Recipe,
    registry: Registry,
    dataset: Dataset,
    encoder_of: Callable[[str], nn.Module],
    device: torch.device,
) -> Contexts:
    """The contexts of a recipe's encoders.

    Args:
        recipe: The recipe.
        registry: Where its components come from.
        dataset: The training split.
        encoder_of: The encoder of a modality.
        device: That trains.

    Raises:
        CoviewError: If an encoder takes a context and the data have none, a step would change the context of one that
            takes none, or something does not go with contexts.
    """
    found: dict[str, Any] = {}
    for name in recipe.modalities:
        if takes_context(encoder := encoder_of(name)):
            try:
                found[name] = to_device(_context_of(encoder, dataset), device)
            except CoviewError as error:
                where = recipe.where("encoder", *recipe.below(name), "use")
                raise CoviewError(f"{where}: {error.message} {recipe.data_named}", error.hint) from error
    steps = build_context_steps(recipe, registry)
    for step in steps:
        if step.modality not in found:
            of = recipe.augment[step.modality][step.position]
            where = recipe.where("augment", *recipe.below(step.modality), step.position, "use")
            raise CoviewError(
                f"{where}: {of.use} changes the context of the data, and the "
                f'encoder "{recipe.encoder[step.modality].use}" takes none'
            )
    if found and several_ranks() and recipe.teacher is not None and recipe.teacher.shuffle_groups > 1:
        where = recipe.where("teacher", "shuffle_groups")
        raise CoviewError(f"{where}: several processes do not shuffle batches of an encoder that takes a context")
    return Contexts(recipe.seed, found, steps, recipe.view_modalities, recipe.global_views)


def _context_of(encoder: nn.Module, dataset: Dataset) -> Any:
    if isinstance(dataset, HasContext) and dataset.context is not None:
        return dataset.context
    raise CoviewError(
        f"the encoder {type(encoder).__name__} takes the context of its data, and there is none in the data",
        hint="take data that have one: see coview.HasContext",
    )
