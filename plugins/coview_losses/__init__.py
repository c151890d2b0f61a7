"""Contrastive losses for any modality."""

from __future__ import annotations

import coview


@coview.hookimpl
def coview_register(registry: coview.Registry) -> None:
    """Registers the losses."""
    registry.loss(
        "nt_xent",
        "coview_losses.nt_xent:NTXent",
        summary="SimCLR's: each view against every view of every other sample",
        source="arXiv:2002.05709, equation 1",
    )
    registry.loss(
        "info_nce",
        "coview_losses.info_nce:InfoNCE",
        summary="one view against the other view of every other sample, as in CPC, MoCo and CLIP",
        source="arXiv:1807.03748, equation 4",
    )
