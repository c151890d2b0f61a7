"""Encoder, projector and predictor: one tower for each modality."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from coview.data.token_mask import TokenMask
from coview.errors import CoviewError
from coview.model.encoder import Encoder, Encoding, Projector, ProjectsInLayers
from coview.model.lacking_rows import at_samples, zeros_of
from coview.model.masked_calls import encode_tokens
from coview.model.masked_encoder import TakesMask, TrainsMaskToken
from coview.model.projecting import Projecting
from coview.model.target import Target
from coview.model.token_task import Part, build_decoder, build_target, predicted, that_takes_mask, width_of_predictions
from coview.model.views_apart import views_apart
from coview.model.widths import checked_encoding, encode, project, width_of
from coview.plugins.registry import Registry
from coview.recipe.recipe import Recipe


class Projected(NamedTuple):
    """What the student makes of a batch.  V view · N sample · D width · K hidden token · P width of its prediction.

    Attributes:
        projections: ``z_VND``.
        predictions: After the predictor; the projections where there is none.
        representations: ``(V, N, D)`` of the encoder, where a loss asks for them.
        hidden_KP: What is predicted of hidden tokens, where there is a mask.
    """

    projections: Tensor
    predictions: Tensor
    representations: Tensor | None = None
    hidden_KP: Tensor | None = None


class OfBatches(NamedTuple):
    """What a tower makes of batches, the rows of all of them below each other: as in :class:`Projected`."""

    projections: Tensor
    predictions: Tensor
    pooled: Tensor
    hidden_KP: Tensor | None


class ForHidden(NamedTuple):
    """What a tower has for hidden tokens.

    Attributes:
        decoder: From tokens to predictions of hidden ones; None where none are predicted.
        token_width: Of these predictions.
        mask_width: Of the learnt token that stands for a hidden one; 0: none.
    """

    decoder: nn.Module | None = None
    token_width: int = 0
    mask_width: int = 0


class Tower(nn.Module):
    """From a modality's batches to projections, and to predictions of the target's projections.

    Args:
        encoder: With a ``width``.
        projector: Built for that width.
        predictor: From the projector's width to the same; absent: none.
        hidden: What is there for hidden tokens; by default nothing.
        evaluated_layers: How many layers of the projector are evaluated with the encoder.

    Attributes:
        takes_encodings: Whether its batches are what the encoder has made before, ``(N, D)``, in training.
    """

    def __init__(
        self,
        encoder: nn.Module,
        projector: nn.Module,
        predictor: nn.Module | None = None,
        hidden: ForHidden | None = None,
        *,
        evaluated_layers: int = 0,
    ) -> None:
        super().__init__()
        self.evaluated_layers = evaluated_layers
        self.takes_encodings = False
        self.encoder = encoder
        self.projector = projector
        self.predictor = predictor
        hidden = hidden or ForHidden()
        self.decoder = hidden.decoder
        self.token_width = hidden.token_width
        # as BERT, MAE and BEiT begin it
        self.mask_token = nn.Parameter(torch.randn(hidden.mask_width) * 0.02) if hidden.mask_width else None
        self._kept: deque[list[Encoding]] = deque()
        self._keeps = False

    @property
    def is_encoder_frozen(self) -> bool:
        """Whether what the encoder makes of a batch is the same each time, and nothing before it gets a gradient."""
        trained = [*self.encoder.parameters(), *([] if self.mask_token is None else [self.mask_token])]
        return not self.encoder.training and not any(parameter.requires_grad for parameter in trained)

    @property
    def evaluated_encoder(self) -> nn.Module:
        """The encoder, with those layers of the projector that are evaluated with it."""
        if not self.evaluated_layers:
            return self.encoder
        layers = cast(ProjectsInLayers, self.projector).first_layers(self.evaluated_layers)
        return Projecting(self.encoder, cast(nn.Module, layers))

    def keep_encodings(self) -> None:
        """From now on what the encoder makes of batches is kept."""
        self._kept, self._keeps = deque(), True

    def take_encodings(self) -> None:
        """From now on the same batches come once more, in the same order: what was kept is taken."""
        self._keeps = False

    def forward(self, parts: Sequence[Part]) -> OfBatches:
        """Projections and predictions ``(N, width)`` of all batches below each other.

        Batches of other sizes (local crops) are encoded apart, and projected with the rest.

        Raises:
            CoviewError: If a part makes something of another width than it says.
        """
        encodings = self._kept.popleft() if self._kept and not self._keeps else [self.encode(part) for part in parts]
        if self._keeps:
            self._kept.append(encodings)
        pooled_ND = torch.cat([encoding.pooled_ND for encoding in encodings])
        z_ND = self.project(pooled_ND)
        width = z_ND.shape[1]
        p_ND = z_ND if self.predictor is None else project(self.predictor, z_ND, width, "predictor")
        return OfBatches(z_ND, p_ND, pooled_ND, self._predicted(parts, encodings))

    def encode(self, part: Part, layers: int = 0) -> Encoding:
        """What the encoder makes of a batch, and its last layers of each token where they are asked for."""
        if self.takes_encodings:
            return Encoding(part.batch)
        if part.mask is None and not layers:
            return encode(self.encoder, part.batch)
        encoder = cast(TakesMask, self.encoder)
        encoding = encode_tokens(encoder, part.batch, part.mask, mask_token_D=self.mask_token, layers=layers)
        return checked_encoding(self.encoder, encoding)

    def project(self, pooled_ND: Tensor) -> Tensor:
        """Projections of representations."""
        return project(self.projector, pooled_ND, cast(Projector, self.projector).width, "projector")

    def _predicted(self, parts: Sequence[Part], encodings: Sequence[Encoding]) -> Tensor | None:
        if self.decoder is None:
            return None
        found = []
        for part, encoding in zip(parts, encodings, strict=True):
            if part.mask is not None:
                found.append(predicted(self.decoder, self.encoder, part, encoding))
        return torch.cat(found) if found else None


class Towers(nn.Module):
    """The model that is trained: from the views of a batch to ``z_VND``.

    Args:
        towers: One for each modality; several of them may have one encoder.
        of_view: The modality of each view, the global views before the local ones.
        global_views: How many views are global.
        gives_representations: Whether a loss sees what the encoders make, before the projectors.
        roles: The name of each view, where they have some.
        apart: Whether each view goes through its tower by itself, so that batch norm sees one view at a time.
    """

    def __init__(
        self,
        towers: Mapping[str, Tower],
        of_view: Sequence[str],
        global_views: int,
        *,
        gives_representations: bool = False,
        roles: Sequence[str] = (),
        apart: bool = False,
    ) -> None:
        super().__init__()
        self.roles = tuple(roles)
        self.apart = apart
        self.gives_representations = gives_representations
        self.towers = nn.ModuleDict(towers)
        self.of_view = tuple(of_view)
        self.global_views = global_views

    def forward(
        self,
        inputs: Mapping[str, Any],
        local_inputs: Mapping[str, Any] | None = None,
        masks: Mapping[str, TokenMask] | None = None,
        local_masks: Mapping[str, TokenMask] | None = None,
        *,
        present: Mapping[str, np.ndarray] | None = None,
        samples: int = 0,
    ) -> Projected:
        """All views of a modality go through its tower at once, so that batch norm sees them together, or each apart.

        Args:
            inputs: For each modality its batch, all its global views below each other, view by view.
            local_inputs: The same of the local views; without them only global views come out.
            masks: What is hidden of the inputs, by modality.
            local_masks: What is hidden of the local ones.
            present: By modality that some samples lack, the numbers of those that have it: its inputs have rows of
                these alone. Where no sample has it, it has no inputs.
            samples: N; only needed with ``present``.

        Returns:
            Projections and predictions, in the order of the views. Rows of what a sample lacks are zero.
        """
        present = present or {}
        with_local = bool(local_inputs) or (bool(present) and local_inputs is not None)
        of_view = self.of_view if with_local else self.of_view[: self.global_views]
        both = (
            (inputs, masks or {}, self.of_view[: self.global_views]),
            (local_inputs or {}, local_masks or {}, self.of_view[self.global_views :]),
        )
        by_modality: dict[str, tuple[list[Tensor], ...]] = {}
        hidden_KP = None
        for name, tower in self.towers.items():
            parts: list[Part] = []
            for given, masked, views_of_them in both:
                if name in given:
                    part = Part(given[name], masked.get(name))
                    parts += views_apart(part, views_of_them.count(name)) if self.apart else [part]
            if parts:
                views = of_view.count(name)
                made: OfBatches = _one_by_one(tower, parts) if self.apart else tower(parts)
                rows_VKD = [rows.unflatten(0, (views, len(rows) // views)) for rows in made[:3]]
                if name in present:
                    rows_VKD = [at_samples(rows, present[name], samples) for rows in rows_VKD]
                by_modality[name] = tuple(list(rows) for rows in rows_VKD)
                hidden_KP = made.hidden_KP if made.hidden_KP is not None else hidden_KP
            elif name in of_view:
                widths = self.width, self.width, cast(Encoder, cast(Tower, tower).encoder).width
                of_none = zeros_of(tower, samples, widths)
                by_modality[name] = tuple([rows] * of_view.count(name) for rows in of_none)
        z, p, pooled = zip(*(tuple(views.pop(0) for views in by_modality[name]) for name in of_view), strict=True)
        z_VND = torch.stack(z)
        return Projected(
            z_VND,
            torch.stack(p) if self.predicts else z_VND,
            torch.stack(pooled) if self.gives_representations else None,
            hidden_KP,
        )

    @property
    def predicts(self) -> bool:
        """Whether there is a predictor."""
        return any(cast(Tower, tower).predictor is not None for tower in self.towers.values())

    def frozen_encoders(self) -> tuple[Tower, ...]:
        """The towers whose encoders make the same of a batch each time."""
        return tuple(tower for tower in cast(Iterable[Tower], self.towers.values()) if tower.is_encoder_frozen)

    def encoder(self, modality: str) -> nn.Module:
        """The encoder of a modality."""
        return cast(Tower, self.towers[modality]).encoder

    @property
    def encoders(self) -> dict[str, nn.Module]:
        """The encoder of each modality."""
        return {name: self.encoder(name) for name in self.towers}

    @property
    def width(self) -> int:
        """Of the projections."""
        return cast(Projector, next(iter(cast(Iterable[Tower], self.towers.values()))).projector).width

    @property
    def token_width(self) -> int:
        """Of the predictions of hidden tokens; 0 where there are none."""
        return max(cast(Tower, tower).token_width for tower in self.towers.values())


def build_towers(recipe: Recipe, registry: Registry) -> Towers:
    """The model of a recipe, as :func:`build_towers_and_target` builds it."""
    return build_towers_and_target(recipe, registry)[0]


def build_towers_and_target(recipe: Recipe, registry: Registry) -> tuple[Towers, nn.Module | None]:
    """The model of a recipe, initialised by its seed, and the target whose width its decoder has; None without one.

    Raises:
        CoviewError: If a part cannot be built, or the towers end in different widths.
    """
    torch.manual_seed(recipe.seed)
    towers: dict[str, Tower] = {}
    target: nn.Module | None = None
    # those with an encoder of their own first: what is shared is called by the one that has it
    for name in sorted(recipe.modalities, key=lambda name: name in recipe.shared_encoders):
        encoder_table, projector_table = recipe.encoder[name], recipe.projector[name]
        if name in recipe.shared_encoders:
            encoder = towers[recipe.shared_encoders[name]].encoder
        else:
            encoder = registry.build("encoder", encoder_table.use, modality=name, **encoder_table.parameters)
        in_width = width_of(encoder, f"{recipe.where('encoder', 'use')}: the encoder")
        supplied: dict[str, Any] = {"in_width": in_width}
        if "encoder" in registry.parameters("projector", projector_table.use).supplied:
            supplied["encoder"] = encoder
        projector = registry.build("projector", projector_table.use, supplied=supplied, **projector_table.parameters)
        width = width_of(projector, f"{recipe.where('projector', 'use')}: the projector")
        predictor = None
        if name in recipe.predictor:
            table = recipe.predictor[name]
            supplied = {"in_width": width, "width": width}
            predictor = registry.build("predictor", table.use, supplied=supplied, **table.parameters)
        layers = _evaluated_layers(recipe, name, projector)
        hidden, target = _for_hidden(recipe, registry, encoder)
        towers[name] = Tower(encoder, projector, predictor, hidden, evaluated_layers=layers)
    widths = {name: cast(Projector, tower.projector).width for name, tower in towers.items()}
    if len(set(widths.values())) > 1:
        listed = ", ".join(f"{name} {width}" for name, width in widths.items())
        raise CoviewError(f"{recipe.where('projector')}: the projections differ in width: {listed}")
    gives = any(term.needs is not None and term.needs.representations for term in recipe.loss)
    views = recipe.view_modalities
    apart = recipe.train.batch_norm == "per_view"
    made = Towers(towers, views, recipe.global_views, gives_representations=gives, roles=recipe.roles, apart=apart)
    return made, target


def _evaluated_layers(recipe: Recipe, modality: str, projector: nn.Module) -> int:
    """How many layers of a projector are evaluated with the encoder.

    Raises:
        CoviewError: If it does not have so many, or cannot be taken apart.
    """
    table = recipe.projector[modality]
    if (count := table.settings.evaluated_layers) is None:
        return 0
    where = recipe.where("projector", *recipe.below(modality), "evaluated_layers")
    if not isinstance(projector, ProjectsInLayers):
        raise CoviewError(f'{where}: the projector "{table.use}" has no layers that could be evaluated by themselves')
    try:
        projector.first_layers(count)
    except ValueError as error:
        raise CoviewError(f"{where}: {error}") from error
    return count


def _one_by_one(tower: nn.Module, parts: Sequence[Part]) -> OfBatches:
    """What a tower makes of each part by itself."""
    made: list[OfBatches] = [tower([part]) for part in parts]
    hidden = [of_part.hidden_KP for of_part in made if of_part.hidden_KP is not None]
    z_ND, p_ND, pooled_ND = (torch.cat(rows) for rows in list(zip(*made, strict=True))[:3])
    return OfBatches(z_ND, p_ND, pooled_ND, torch.cat(hidden) if hidden else None)


def _for_hidden(recipe: Recipe, registry: Registry, encoder: nn.Module) -> tuple[ForHidden, nn.Module | None]:
    """What a tower has for hidden tokens, and the target; a recipe with a mask has one modality."""
    if recipe.mask is None:
        return ForHidden(), None
    takes = that_takes_mask(recipe, encoder)
    if recipe.mask.settings.hide == "replace" and isinstance(encoder, TrainsMaskToken):
        encoder.train_mask_token()
    mask_width = takes.mask_width if recipe.mask.settings.hide == "replace" else 0
    if recipe.decoder is None:
        return ForHidden(mask_width=mask_width), None
    target = build_target(recipe, registry, takes)
    width = cast(Target, target).width
    decoder = build_decoder(recipe, registry, takes, width)
    return ForHidden(decoder, width_of_predictions(recipe, decoder, width), mask_width), target
