"""Nodes of one graph for coview."""

from __future__ import annotations

import coview


@coview.hookimpl
def coview_register(registry: coview.Registrar) -> None:
    """Says what is in the plugin."""
    registry.modality("node", "coview_graphs.nodes:Nodes", summary="nodes of one graph")
    registry.dataset(
        "planetoid",
        "coview_graphs.planetoid:Planetoid",
        summary="Cora, CiteSeer and PubMed in Planetoid's files, with their official splits",
        source="https://arxiv.org/abs/1603.08861",
    )
    registry.augmentation(
        "corrupt",
        "coview_graphs.corrupt:Corrupt",
        modality="node",
        summary="drops edges and hides features of the whole graph, once for each view",
        source="https://arxiv.org/abs/2006.04131",
    )
    registry.encoder(
        "gcn",
        "coview_graphs.gcn:GCN",
        modality="node",
        summary="a graph convolutional network",
        source="https://arxiv.org/abs/1609.02907",
    )
