"""The projections of a run's modalities: embedded once for each modality, split and kind, and kept in its folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import torch
from torch import Tensor
from torch.nn.functional import normalize

from coview.data.batch import Batch, map_tensors
from coview.data.building import build_modalities
from coview.data.contracts import Modality
from coview.data.loader import worker_count
from coview.evaluate.cross_modal_subject import CrossModalSubject
from coview.evaluate.embedding import embed_split, read_embedded, write_embedded
from coview.evaluate.features import FeatureSplit
from coview.experiment.feature_store import FeatureStore
from coview.model.contracts import Encoder
from coview.model.encoder_hooks import collator
from coview.model.projecting import Projecting
from coview.track.progress import track_items

_AT_A_TIME = 256


@dataclass(frozen=True)
class Projections:
    """What the model of a feature store projects its data to, in any of the recipe's modalities.

    Attributes:
        store: The model, the data, and where features are kept.
        kind: Which model.
    """

    store: FeatureStore
    kind: Literal["pretrained", "untrained"]

    @property
    def subject(self) -> CrossModalSubject:
        """What an evaluator gets."""
        return CrossModalSubject(self.kind, self.store.reference.classes, self.split, self.embed)

    def split(self, modality: str, split: str) -> FeatureSplit:
        """The projections of a split's samples, of unit length."""
        store, dataset = self.store, self.store.dataset(split)
        path = store.path(f"{store.folder_of(self.kind)}-projected-{modality}", split)
        of = store.description(dataset, modality)
        embedded = read_embedded(path, of)
        if embedded is None:
            what = f"projecting {modality} of {split} ({self.kind})"

            def show(batches: Iterator[Batch]) -> Iterable[Batch]:
                return track_items(batches, len(dataset), what, size=Batch.rows_read, console=store.console)

            embedded = embed_split(
                self._model(modality),
                dataset,
                split,
                modality,
                self._modality(modality),
                device=store.device,
                workers=worker_count(store.recipe.settings.workers),
                show=show,
            )
            write_embedded(path, embedded, of)
        store.skipped[split] = embedded.skipped
        features, labels_N = embedded.features, embedded.features.labels_N
        x_ND = normalize(features.x_ND.to(store.device))
        return replace(features, x_ND=x_ND, labels_N=None if labels_N is None else labels_N.to(store.device))

    def embed(self, modality: str, values: Sequence[Any]) -> Tensor:
        """The projections of other values, of unit length."""
        model, device = self._model(modality).eval(), self.store.device
        collate = collator(self._modality(modality), model).collate
        rows = []
        with torch.no_grad():
            for start in range(0, len(values), _AT_A_TIME):
                batch = collate(values[start : start + _AT_A_TIME])
                inputs = map_tensors(lambda tensor: tensor.to(device), batch)
                rows.append(cast(Encoder, model)(inputs).pooled_ND.float())
        return normalize(torch.cat(rows))

    def _model(self, modality: str) -> Projecting:
        return self.store.model(self.kind).evaluated_projections(modality).to(self.store.device)

    def _modality(self, modality: str) -> Modality:
        return build_modalities(self.store.recipe, self.store.registry)[modality]
