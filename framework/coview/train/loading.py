"""The batches that a run trains on, on its device."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace

from accelerate import Accelerator

from coview.data.batch import Batch
from coview.data.building import build_collators, build_view_maker
from coview.data.dataset import Dataset, KnowsIds
from coview.data.encoded_rows import EncodedRows, Encodings, with_rows, without_steps
from coview.data.ids import IdWatch
from coview.data.loader import view_loader, worker_count
from coview.data.order import Order, RankBatches
from coview.data.skipped import SkippedSamples
from coview.data.view_bank import ViewBank
from coview.errors import CoviewError
from coview.model.context import Contexts
from coview.model.encoder_hooks import collators
from coview.model.topology import Topology
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe
from coview.train.skipped_by_ranks import SkippedByRanks


def training_batches(
    recipe: Recipe,
    registry: Registry,
    dataset: Dataset,
    topology: Topology,
    accelerator: Accelerator,
    order: Order,
    steps: range,
    *,
    contexts: Contexts,
    skipped: SkippedSamples,
    say_skipped: Callable[[str, str], None],
    encodings: Mapping[str, Encodings],
    bank: ViewBank | None,
) -> Generator[Batch | None, None, None]:
    """This rank's batches of some optimiser steps, on the device, as the encoders take them.

    None stands for a batch of which some rank could read no sample, on all of them: the others could not go on with
    theirs without it.

    Args:
        recipe: The recipe.
        registry: Where its components come from.
        dataset: The training split.
        topology: The model.
        accelerator: Of this process.
        order: Which samples are in which batch.
        steps: The steps.
        contexts: What samples share.
        skipped: Notes those that cannot be read, on any rank.
        say_skipped: Is called with the name and the reason of each of them, once.
        encodings: By modality what stands in the place of its views.
        bank: Where batches of views are taken from, and put: of all modalities, so that there is none where encodings
            stand in the place of some.

    Raises:
        CoviewError: If ranks cannot share a batch, or too many samples cannot be read.
    """
    train, rank, ranks = recipe.train, accelerator.process_index, accelerator.num_processes
    if train.batch_size % ranks:
        raise CoviewError(
            f"{recipe.where('train', 'batch_size')}: {train.batch_size} cannot be shared by {ranks} ranks"
        )
    loader = view_loader(
        EncodedRows(dataset, encodings) if encodings else dataset,
        without_steps(build_view_maker(recipe, registry), encodings),
        with_rows(collators(build_collators(recipe, registry), topology.student), encodings),
        RankBatches(order, steps.start * train.accumulate, steps.stop * train.accumulate, rank, ranks),
        workers=worker_count(recipe.settings.workers, ranks),
        extras=recipe.extras,
        taught_by=topology.collators_of_teacher(),
        device=accelerator.device,
        bank=None if encodings else bank,
        keep_bytes=int(recipe.settings.keep_gb * 2**30),
    )
    ids = IdWatch(len(dataset), f"data {recipe.data_named}: the train split")
    differ, skipped_by_ranks = knows_that_ids_differ(dataset, ranks), SkippedByRanks()
    with closing(loader):
        for batch in loader:
            own_ids = batch.ids.tolist()
            ids.note(batch.rows, own_ids)
            unreadable, all_have_some = skipped_by_ranks(batch)
            for sample in skipped.add(unreadable):
                say_skipped(sample.what, sample.reason)
            if not all_have_some:
                yield None
                continue
            known = replace(batch, ids_differ=differ(own_ids))
            yield topology.masked(contexts.around(topology.augmented(known.to(accelerator.device))))


def parts_of_step(take: Callable[[int], Batch | None], parts: int) -> Iterator[tuple[int, Batch, bool]]:
    """The batches of an optimiser step that can be read: with the number of each, and whether it is the last of them.

    Ranks average their gradients with the last one, so each is held until it is known whether another follows.

    Args:
        take: Gives a part of the step by its number, in order; None if it cannot be read.
        parts: How many there are.
    """
    held: tuple[int, Batch] | None = None
    for part in range(parts):
        batch = take(part)
        if batch is None:
            continue
        if held is not None:
            yield *held, False
        held = part, batch
    if held is not None:
        yield *held, True


def knows_that_ids_differ(dataset: Dataset, ranks: int) -> Callable[[Sequence[int]], bool]:
    """What says, by the ids of this rank's samples, whether it is known on the host that no two of a batch have one id.

    Of the samples of other ranks it is known if the ids of all rows were compared before the training, as no row is in
    a batch twice.

    Args:
        dataset: The training split, which is asked once.
        ranks: How many share the batch.
    """
    all_compared = ranks == 1 or (isinstance(dataset, KnowsIds) and dataset.ids is not None)
    return lambda ids: all_compared and len(set(ids)) == len(ids)
