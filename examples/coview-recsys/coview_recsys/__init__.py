"""Recommendation for coview."""

from __future__ import annotations

import coview

_SGL = "arXiv:2010.10783"
_SIMGCL = "arXiv:2112.08679"
_LIGHTGCN = "arXiv:2002.02126"


@coview.hookimpl
def coview_register(registry: coview.Registrar) -> None:
    """Says what is in the plugin."""
    _data(registry)
    registry.augmentation(
        "other_item",
        "coview_recsys.augment.other_item:OtherItem",
        modality="item",
        summary="an item that the user has not chosen",
    )
    for node in ("user", "item"):
        registry.augmentation(
            "drop_edges",
            "coview_recsys.augment.drop_edges:DropEdges",
            modality=node,
            summary="the graph of choices without some edges",
            source=_SGL,
        )
        registry.augmentation(
            "embedding_noise",
            "coview_recsys.augment.embedding_noise:EmbeddingNoise",
            modality=node,
            summary="noise on the vectors of a graph encoder",
            source=_SIMGCL,
        )
        registry.encoder(
            "lightgcn",
            "coview_recsys.encoders.lightgcn:LightGCN",
            modality=node,
            summary="vectors averaged over the graph of choices, of users and items",
            source=_LIGHTGCN,
        )
        registry.loss(
            f"{node}_info_nce",
            f"coview_recsys.losses.view_info_nce:{node.capitalize()}InfoNCE",
            summary=f"two views of {node}s among those of others",
            source=_SGL,
        )
    registry.encoder(
        "history",
        "coview_recsys.encoders.two_towers:History",
        modality="user",
        summary="the mean of what a user has chosen, without the item that is looked for",
    )
    registry.encoder(
        "table", "coview_recsys.encoders.two_towers:Table", modality="item", summary="a vector for each item"
    )
    registry.loss(
        "bpr", "coview_recsys.losses.bpr:BPR", summary="a chosen item above another", source="arXiv:1205.2618"
    )
    registry.loss(
        "in_batch_softmax",
        "coview_recsys.losses.in_batch_softmax:InBatchSoftmax",
        summary="the item of a choice among those of the batch",
        source="https://research.google/pubs/pub48840",
    )
    registry.evaluator(
        "full_ranking",
        "coview_recsys.full_ranking:FullRanking",
        summary="recall and NDCG of a ranking of all items, beside popularity and co-occurrence",
    )


def _data(registry: coview.Registrar) -> None:
    registry.modality("user", "coview_recsys.modalities:Users", summary="users, by their number")
    registry.modality("item", "coview_recsys.modalities:Items", summary="items, by their number")
    registry.dataset(
        "interactions", "coview_recsys.data.interactions:Interactions", summary="who has chosen what, in two files"
    )
    registry.dataset(
        "movielens",
        "coview_recsys.data.movielens:MovieLens",
        summary="ratings in the form of MovieLens-100k, split by time",
        source="https://grouplens.org/datasets/movielens/100k/",
    )
    registry.dataset("tastes", "coview_recsys.data.tastes:Tastes", summary="made-up choices of people who share tastes")
    registry.dataset(
        "people", "coview_recsys.data.people:People", summary="the people of tastes, with their taste as class"
    )
