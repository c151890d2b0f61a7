"""Recommendation for coview."""

from __future__ import annotations

import coview


@coview.hookimpl
def coview_register(registry: coview.Registrar) -> None:
    """Says what is in the plugin."""
    registry.modality("user", "coview_recommender.modalities:Users", summary="users, by their number")
    registry.modality("item", "coview_recommender.modalities:Items", summary="items, by their number")
    registry.dataset("interactions", "coview_recommender.interactions:Interactions", summary="who has chosen what")
    registry.encoder(
        "history",
        "coview_recommender.encoders:History",
        modality="user",
        summary="the mean of what a user has chosen, but for the item that is looked for",
    )
    registry.encoder("table", "coview_recommender.encoders:Table", modality="item", summary="a vector for each item")
    registry.loss(
        "in_batch_softmax",
        "coview_recommender.in_batch_softmax:InBatchSoftmax",
        summary="the item of a line among those of the batch",
        source="https://research.google/pubs/pub48840",
    )
