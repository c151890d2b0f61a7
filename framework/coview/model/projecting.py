"""An encoder with its projector, or with the first layers of it, as one that can be embedded with."""

from __future__ import annotations

from typing import Any

from torch import nn

from coview.data.modality import Collates
from coview.model.context import InContext, takes_context
from coview.model.encoder import Encoding
from coview.model.widths import encode, project, width_of


class Projecting(nn.Module):
    """A tower without its predictor: its ``pooled_ND`` are the projections, which all modalities have in one space.

    Args:
        encoder: The encoder.
        projector: The projector, or its first layers.
    """

    def __init__(self, encoder: nn.Module, projector: nn.Module) -> None:
        super().__init__()
        self.encoder, self.projector = encoder, projector
        self.width = width_of(projector, "the projector")
        self.takes_context = takes_context(encoder)
        if isinstance(encoder, Collates):  # an encoder that makes its batches itself makes them here too
            self.collate = encoder.collate

    def forward(self, batch: Any, *context: Any) -> Encoding:
        """The projections of a batch, and of its context where the encoder takes one."""
        pooled_ND = encode(self.encoder, InContext(batch, context) if context else batch).pooled_ND
        return Encoding(pooled_ND=project(self.projector, pooled_ND, self.width, "projector"))
