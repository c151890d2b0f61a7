"""What runs of one comparison need alike, and only one of them makes: views, and the features of the controls.

Two runs that differ in their loss alone see the same views, and measure the same untrained encoder. What is shared is
found by a digest of all that it depends on: one that says too much shares too little, and changes no number.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from coview.data.content import content_hash
from coview.data.view_bank import ViewBank
from coview.errors import CoviewError
from coview.evaluate.embedding import Embedded, read_embedded, write_embedded
from coview.evaluate.result import FeatureKind
from coview.recipe.recipe import Recipe
from coview.recipe.snapshot import hashed_part

_OF_LEARNING = frozenset({
    "callback", "decoder", "evaluate", "loss", "mask", "optimizer", "paper", "predictor", "projector", "queue",
    "sampler", "schedule", "start", "target", "teacher", "train",
})  # fmt: skip
"""The tables that say how views are learnt from: they change no view, and nothing of what was not trained. A batch of
views is known by its rows, which the sampler and the batch's size only choose."""


@dataclass(frozen=True)
class SharedWork:
    """A folder for what runs share, which is removed after the last of them.

    Attributes:
        folder: The folder.
        views: The streams of views that are kept: those that more than one run needs.
        most_bytes: Of all views.
    """

    folder: Path
    views: Collection[str] = ()
    most_bytes: int = 0

    def bank(self, recipe: Recipe) -> ViewBank | None:
        """Where the recipe's views are kept; None where no other run needs them."""
        stream = stream_of_views(recipe)
        return ViewBank(self.bank_folder / stream, self.most_bytes) if stream in self.views else None

    @property
    def encodings(self) -> Path:
        """Where the encodings of frozen encoders are kept, by all that they depend on."""
        return self.folder / "encodings"

    @property
    def bank_folder(self) -> Path:
        """Where all views are kept."""
        return self.folder / "views"

    def features(
        self,
        recipe: Recipe,
        kind: FeatureKind,
        of: Mapping[str, Any],
        encoder: nn.Module | None,
        *,
        projector: bool = False,
    ) -> Path | None:
        """The file that a split is kept in, as a control sees it; None where the control cannot be told from others.

        Args:
            recipe: The run's.
            kind: Of features.
            of: What else tells the split from others: its data, its modality, the device.
            encoder: The control; its weights are part of what the file is of.
            projector: Whether it ends after its projector.
        """
        left_out = _OF_LEARNING | {"augment"}
        if encoder is None:
            left_out |= {"encoder", "seed"}
        elif projector or any(table.settings.evaluated_layers is not None for table in recipe.projector.values()):
            left_out -= {"projector"}
        digest = _digest([kind, _without(recipe, left_out), dict(of)])
        if encoder is not None:
            for name, value in encoder.state_dict().items():
                hashed = content_hash(value)
                if hashed is None:
                    return None
                digest.update(f"{name} {hashed} ".encode())
        return self.folder / "features" / f"{kind}-{digest.hexdigest()}.safetensors"


def stream_of_views(recipe: Recipe) -> str:
    """A name of all views that a run makes; runs of one name make the same."""
    return str(_digest(_without(recipe, _OF_LEARNING | {"encoder"})).hexdigest())


def there_or_made(path: Path, of: dict[str, Any], make: Callable[[], Embedded], what: str) -> Embedded:
    """A split as another run has embedded it; where none has, as it is now, for others.

    Args:
        path: The file.
        of: What it is of.
        make: Embeds it.
        what: It is, in words.
    """
    embedded = read_embedded(path, of)
    if embedded is None:
        embedded = make()
        try:
            write_embedded(path, embedded, of)
        except (OSError, CoviewError) as error:  # a full disk
            warnings.warn(f"{what} are not kept: {error}", stacklevel=2)
    return embedded


def _without(recipe: Recipe, left_out: Collection[str]) -> dict[str, Any]:
    return {name: table for name, table in hashed_part(recipe.tables).items() if name not in left_out}


def _digest(said: Any) -> Any:
    return hashlib.blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=16)
