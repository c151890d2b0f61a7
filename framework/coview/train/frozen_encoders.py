"""Making the encodings of frozen encoders once, before the first step, so that no step has to.

What an encoder that is frozen for good makes of a sample is the same in each epoch, if the sample's views are. Its
values are then read and encoded once, by all processes together, and kept on disk as long as the run trains.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import Tensor

from coview.data.batch import Batch, Skipped
from coview.data.building import build_collators, build_view_maker
from coview.data.dataset import Dataset
from coview.data.disk_error import disk_error
from coview.data.encoded_rows import OneModality
from coview.data.loader import view_loader, worker_count
from coview.data.present import present_of
from coview.data.views import ViewMaker
from coview.evaluate.embedding import Embedded
from coview.evaluate.features import FeatureSplit
from coview.model.encoder import Encoder
from coview.model.encoder_hooks import collators
from coview.model.token_task import Part
from coview.model.topology import Topology
from coview.model.tower import Tower
from coview.model.weights_digest import weights_digest
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe
from coview.track.progress import Throttle
from coview.train.kept_encodings import PART, EncodingFiles, KeptEncodings
from coview.train.layout import laid_out
from coview.train.part_size import rows_at_a_time
from coview.train.views_vary import why_views_vary

ENCODINGS = "encodings"
"""The folder that they are kept in, beside what else is of a run or of a comparison."""

_STOPPED = "the run was asked to stop"

_SHARE_OF_DISK = 0.5
"""How much of what a disk has left encodings may take."""


@dataclass(frozen=True)
class FrozenEncoders:
    """What makes the encodings of a training.

    Attributes:
        recipe, registry, dataset, topology, accelerator: The training's. The modes of the encoders are those that
            they are trained in.
        channels_last: Whether pictures are laid out so.
        folder: Where the encodings are kept, those of each modality in a folder of their own.
        say: Tells what is done, and what is not, and why.
        is_stopped: Whether the run was asked to stop: it then makes no more of them.
    """

    recipe: Recipe
    registry: Registry
    dataset: Dataset
    topology: Topology
    accelerator: Accelerator
    channels_last: bool
    folder: Path
    say: Callable[[str], None]
    is_stopped: Callable[[], bool]

    @contextmanager
    def kept(self, to_come: int, is_over: Callable[[], bool]) -> Iterator[Mapping[str, KeptEncodings]]:
        """The encodings that there are, which the model takes in place of batches within the context.

        Args:
            to_come: As of :meth:`encodings`.
            is_over: Whether nobody needs them any more, once the context is left.
        """
        encodings = self.encodings(to_come)
        self.topology.take_encodings(encodings)
        try:
            yield encodings
        finally:
            self.topology.take_encodings(())
        if is_over() and self.accelerator.is_main_process:
            remove_encodings(self.folder)

    def encodings(self, to_come: int) -> dict[str, KeptEncodings]:
        """By modality the encodings of all samples, where its encoder is frozen and they are kept.

        Those that are there are taken; others are made, on all processes of the run, each of which has to call this.

        Args:
            to_come: How many samples are still to be trained on, each as often as it comes.
        """
        found = {}
        for name, tower in self.topology.student.towers.items():
            if cast(Tower, tower).is_encoder_frozen:
                encodings, why_not = self._of(name, to_come)
                if encodings is None:
                    self.say(f"{self._named(name)} is frozen, but encodes in each step: {why_not}")
                else:
                    found[name] = encodings
        return found

    def _named(self, name: str) -> str:
        return f"the encoder of {name}" if len(self.recipe.modalities) > 1 else "the encoder"

    def _of(self, name: str, to_come: int) -> tuple[KeptEncodings | None, str]:
        """One modality's encodings; None with the reason, the same on every process, where they are not kept."""
        if why_not := why_views_vary(self.recipe, self.registry, self.topology, self.dataset, name):
            return None, why_not
        has_N = present_of(self.dataset).get(name)
        rows_M = np.arange(len(self.dataset)) if has_N is None else np.flatnonzero(has_N)
        of = self._what(name)
        digest = hashlib.blake2b(json.dumps(of, sort_keys=True, default=str).encode(), digest_size=6).hexdigest()
        files = EncodingFiles(self.folder / f"{name}-{digest}", of, rows_M)
        kept = KeptEncodings(files, len(self.dataset))
        missing = kept.open()
        everywhere = gather_object([missing])
        if any(other != missing for other in everywhere):
            return None, f"not all processes see {self.folder}"
        if missing and (why_not := self._make(name, files, missing, to_come)):
            return None, why_not
        if any(gather_object([kept.open()])):
            return None, f"{files.folder} has changed in the meantime"
        return kept, ""

    def _make(self, name: str, files: EncodingFiles, missing: Sequence[int], to_come: int) -> str:
        """Makes files that are missing, and returns why it has not; empty if it has."""
        rows = sum(len(files.rows(part)) for part in missing)
        if to_come <= rows:
            return "no sample comes twice"
        rank, ranks = self.accelerator.process_index, self.accelerator.num_processes
        width = cast(Encoder, self.topology.student.encoder(name)).width
        why_not: list[str] = gather_object([_why_no_room(files.folder, 4 * rows * width)])
        if any(why_not):
            return str(next(filter(None, why_not)))
        self.say(
            f"{self._named(name)} is frozen: it encodes the {rows:,} samples once, before the first step, and they are "
            "not read again"
        )
        why_not = gather_object([self._made(name, files, missing[rank::ranks])])
        reason = str(next(filter(None, why_not), ""))
        if reason not in ("", _STOPPED) and self.accelerator.is_main_process:
            remove_encodings(files.folder)
        return reason

    def _made(self, name: str, files: EncodingFiles, parts: Sequence[int]) -> str:
        """Makes this process's files, and returns why it has not; empty if it has."""
        if not parts:
            return ""
        with closing(self._embedded(name, files, parts)) as all_embedded:
            for part, embedded in all_embedded:
                try:
                    files.write(part, embedded)
                except Exception as error:  # each library has an error of its own for a full disk
                    if (refused := disk_error(error)) is None:
                        raise
                    return f"{files.folder} cannot be written: {refused.strerror}"
        return _STOPPED if self.is_stopped() else ""

    def _embedded(
        self, name: str, files: EncodingFiles, parts: Sequence[int]
    ) -> Generator[tuple[int, Embedded], None, None]:
        """Some files' encodings, one file after the other, in the batches that the encoder would be trained in."""
        train, ranks = self.recipe.train, self.accelerator.num_processes
        batch_size = min(PART, rows_at_a_time(train) or train.batch_size // ranks)
        rows_of = {part: np.array_split(rows := files.rows(part), -(-len(rows) // batch_size)) for part in parts}
        keys = [[(0, 0, int(row)) for row in rows] for of_part in rows_of.values() for rows in of_part]
        total, done, throttle = sum(map(len, keys)), 0, Throttle()
        # closed whatever happens: loader processes that a traceback keeps alive would outlive the run
        with closing(self._batches(name, keys)) as batches:
            for part, of_part in rows_of.items():
                made: list[tuple[Tensor, Tensor]] = []
                skipped: list[Skipped] = []
                for batch in islice(batches, len(of_part)):
                    if self.is_stopped():
                        return
                    skipped += batch.skipped
                    if len(batch):
                        made.append((self._encoded(name, batch), batch.ids))
                    done += batch.rows_read()
                    if throttle.due:
                        self.say(f"{self._named(name)} encodes: {done:,}/{total:,}")
                        throttle.done()
                places = {int(row): place for place, row in enumerate(files.rows(part))}
                yield part, _joined(made, [one._replace(row=places[one.row]) for one in skipped])

    def _batches(self, name: str, keys: Sequence[list[tuple[int, int, int]]]) -> Generator[Batch, None, None]:
        maker = build_view_maker(self.recipe, self.registry)
        view = maker.modalities.index(name)
        collates = collators(build_collators(self.recipe, self.registry), self.topology.student)
        yield from view_loader(
            OneModality(self.dataset, name),
            ViewMaker(maker.seed, (name,), [maker.pipelines[view]], 1),
            {name: collates[name]},
            keys,
            workers=worker_count(self.recipe.settings.workers, self.accelerator.num_processes),
            device=self.accelerator.device,
        )

    @torch.no_grad()
    def _encoded(self, name: str, batch: Batch) -> Tensor:
        augmented = self.topology.augmented(batch.to(self.accelerator.device))
        inputs = laid_out(augmented, channels_last=self.channels_last).inputs[name]
        with self.accelerator.autocast():
            return cast(Tower, self.topology.student.towers[name]).encode(Part(inputs, None)).pooled_ND.cpu()

    def _what(self, name: str) -> dict[str, Any]:
        """All that the encodings depend on."""
        recipe = self.recipe
        owner = recipe.owner_of_encoder(name)
        return {
            "data": [dict(table.written) for table, _ in recipe.trains_on],
            "version": self.dataset.version,
            "rows": len(self.dataset),
            "modality": name,
            "settings": dict(recipe.modality[name]),
            "augment": [dict(step.written) for step in recipe.augment[name]],
            "encoder": dict(recipe.encoder[owner].written),
            "weights": self._digest(name),
            "precision": self.accelerator.mixed_precision,
            "device": self.accelerator.device.type,
        }

    def _digest(self, name: str) -> str:
        """Of the encoder's weights and of what it has fitted."""
        state = self.topology.student.encoder(name).state_dict()
        if not all(isinstance(value, Tensor) for value in state.values()):  # of which nobody knows what it is
            return str(gather_object([uuid4().hex])[0])
        return weights_digest(state.items())


def remove_encodings(folder: Path) -> None:
    """Removes a folder of encodings, if it is there."""
    shutil.rmtree(folder, ignore_errors=True)


def _why_no_room(folder: Path, size: int) -> str:
    """Why a folder has no place for so many bytes; empty if it has."""
    there = next(parent for parent in folder.absolute().parents if parent.is_dir())
    free = shutil.disk_usage(there).free
    if size <= _SHARE_OF_DISK * free:
        return ""
    return f"encodings may take half of the {free / 2**30:,.1f} GiB that {there} has left, and need {size / 2**30:,.1f}"


def _joined(made: Sequence[tuple[Tensor, Tensor]], skipped: Sequence[Skipped]) -> Embedded:
    """A file of what was made batch by batch."""
    if not made:
        return Embedded(FeatureSplit(torch.empty(0, 1), torch.empty(0, dtype=torch.int64)), tuple(skipped))
    x_ND, ids_N = (torch.cat(column) for column in zip(*made, strict=True))
    return Embedded(FeatureSplit(x_ND, ids_N), tuple(skipped))
