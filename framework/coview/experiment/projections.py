"""The projections of a run's modalities: embedded once for each modality, split and kind, and kept in its folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from coview.data.batch import to_device
from coview.data.building import build_modalities
from coview.data.modality import Modality
from coview.data.present import present_of
from coview.evaluate.cross_modal_subject import CrossModalSubject
from coview.evaluate.feature_rows import on_device, rows_of
from coview.evaluate.features import FeatureSplit
from coview.evaluate.full_precision import full_precision
from coview.evaluate.result import FeatureKind
from coview.experiment.feature_store import FeatureStore
from coview.experiment.measured_tower import MeasuredTower
from coview.model.context import in_context_of
from coview.model.encoder import Encoder
from coview.model.encoder_hooks import collator
from coview.model.projecting import Projecting

_AT_A_TIME = 256


@dataclass(frozen=True)
class Projections:
    """What the model of a feature store projects its data to, in any of the recipe's modalities.

    Attributes:
        store: The model, the data, and where features are kept.
        kind: Which model.
        compared: The modalities whose samples are compared, row by row.
    """

    store: FeatureStore
    kind: FeatureKind
    compared: tuple[str, ...] = ()

    @property
    def subject(self) -> CrossModalSubject:
        """What an evaluator gets."""
        return CrossModalSubject(
            kind=self.kind,
            classes=self.store.reference.classes,
            split=self.split,
            embed=self.embed,
            project=self.project,
            data=lambda split: self.store.splits(self.store.data, split),
        )

    def split(self, modality: str, split: str) -> FeatureSplit:
        """The projections of a split's samples, of unit length: of those that have all that is compared."""
        features = self._whole(modality, split)
        if not present_of(self.store.splits(self.store.data, split)):
            return features
        ids_N = features.ids_N.cpu().numpy()
        others = [self._whole(name, split).ids_N.cpu().numpy() for name in self.compared if name != modality]
        has_all_N = np.logical_and.reduce([np.ones(len(ids_N), dtype=bool), *[np.isin(ids_N, ids) for ids in others]])
        return features if has_all_N.all() else rows_of(features, np.flatnonzero(has_all_N))

    def _whole(self, modality: str, split: str) -> FeatureSplit:
        """Those of all samples that have the modality."""
        store = self.store
        projecting = store.on(store.data, MeasuredTower(modality, projector=True))
        folder = f"{store.folder_of(self.kind)}-projected-{modality}"
        kept = store.kept(folder, split, modality, lambda dataset: projecting.embed(self.kind, dataset, split))
        features = on_device(kept.features, store.device)
        return replace(features, x_ND=normalize(features.x_ND))

    def embed(self, modality: str, values: Sequence[Any]) -> Tensor:
        """The projections of other values, of unit length."""
        return normalize(self.project(modality, values))

    def project(self, modality: str, values: Sequence[Any]) -> Tensor:
        """The projections of other values, with the lengths that they have."""
        device = self.store.device
        model = in_context_of(self._model(modality).eval(), self.store.reference, device)
        collate = collator(self._modality(modality), model).collate
        rows = []
        with torch.no_grad(), full_precision():
            for start in range(0, len(values), _AT_A_TIME):
                batch = collate(values[start : start + _AT_A_TIME])
                inputs = to_device(batch, device)
                rows.append(cast(Encoder, model)(inputs).pooled_ND.float())
        return torch.cat(rows)

    def _model(self, modality: str) -> Projecting:
        return self.store.model(self.kind).evaluated_projections(modality).to(self.store.device)

    def _modality(self, modality: str) -> Modality:
        return build_modalities(self.store.recipe, self.store.registry)[modality]
