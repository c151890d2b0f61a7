"""Graphs for coview: the nodes of one graph, and whole graphs."""

from __future__ import annotations

import coview


@coview.hookimpl
def coview_register(registry: coview.Registrar) -> None:
    """Says what is in the plugin."""
    _nodes_of_one_graph(registry)
    _whole_graphs(registry)


def _nodes_of_one_graph(registry: coview.Registrar) -> None:
    registry.modality("node", "coview_graph.nodes:NodesOfOneGraph", summary="nodes of one graph")
    registry.dataset(
        "planetoid",
        "coview_graph.planetoid:Planetoid",
        summary="Cora, CiteSeer and PubMed in Planetoid's files, with their official splits",
        source="https://arxiv.org/abs/1603.08861",
    )
    registry.dataset(
        "node_links",
        "coview_graph.node_links:NodeLinks",
        summary="the same graphs without some edges, which are to be found again",
        source="https://arxiv.org/abs/1611.07308",
    )
    registry.augmentation(
        "corrupt",
        "coview_graph.corrupt:Corrupt",
        modality="node",
        summary="drops edges and hides features of the whole graph, once for each view",
        source="https://arxiv.org/abs/2006.04131",
    )
    registry.augmentation(
        "shuffle_features",
        "coview_graph.corrupt:ShuffleFeatures",
        modality="node",
        summary="gives each node the features of another node",
        source="https://arxiv.org/abs/1809.10341",
    )
    registry.encoder("gnn", "coview_graph.gnn:GNN", modality="node", summary="graph convolutions, or graph attention")
    registry.decoder(
        "gnn_decoder",
        "coview_graph.gnn_decoder:GNNDecoder",
        summary="predicts hidden nodes from their neighbours",
        source="https://arxiv.org/abs/2205.10803",
    )
    registry.loss(
        "scaled_cosine",
        "coview_graph.scaled_cosine:ScaledCosine",
        summary="GraphMAE's: a power of the cosine distance of hidden nodes",
        source="https://arxiv.org/abs/2205.10803",
    )
    registry.loss(
        "dgi",
        "coview_graph.dgi:DGI",
        summary="nodes of the graph against nodes of a corrupted one, by a summary of the graph",
        source="https://arxiv.org/abs/1809.10341",
    )
    registry.evaluator(
        "node_classification",
        "coview_graph.node_classification:NodeClassification",
        summary="can a linear classifier tell the classes of nodes, from the labelled training nodes alone?",
        source="https://arxiv.org/abs/2006.04131",
    )
    registry.evaluator(
        "random_splits",
        "coview_graph.random_splits:RandomSplits",
        summary="can a linear classifier tell the classes of nodes from a tenth of them?",
        source="https://github.com/CRIPAC-DIG/GRACE",
    )
    registry.evaluator(
        "link_prediction",
        "coview_graph.link_prediction:LinkPrediction",
        summary="does the similarity of two nodes say whether there is an edge between them?",
        source="https://arxiv.org/abs/1611.07308",
    )


def _whole_graphs(registry: coview.Registrar) -> None:
    registry.modality("graph", "coview_graph.whole_graphs:WholeGraphs", summary="whole graphs")
    registry.dataset(
        "tu",
        "coview_graph.tu:TU",
        summary="MUTAG, PROTEINS and others in the text files of TU Dortmund",
        source="https://arxiv.org/abs/2007.08663",
    )
    registry.dataset("motifs", "coview_graph.motifs:Motifs", summary="trees with a motif that is their class")
    graphcl = "https://arxiv.org/abs/2010.13902"
    for name, target, summary in (
        ("drop_nodes", "DropNodes", "leaves out some nodes"),
        ("perturb_edges", "PerturbEdges", "takes edges out, and puts as many in"),
        ("mask_attributes", "MaskAttributes", "replaces the features of some nodes by noise"),
        ("subgraph", "Subgraph", "keeps the nodes around a random one"),
    ):
        registry.augmentation(
            name, f"coview_graph.graph_views:{target}", modality="graph", summary=summary, source=graphcl
        )
    infograph = "https://arxiv.org/abs/1908.01000"
    registry.augmentation(
        "pick_node",
        "coview_graph.graph_views:PickNode",
        modality="graph",
        summary="lets a random node stand for the graph",
        source=infograph,
    )
    registry.encoder(
        "gin",
        "coview_graph.gin:GIN",
        modality="graph",
        summary="a graph isomorphism network",
        source="https://arxiv.org/abs/1810.00826",
    )
    registry.loss(
        "infograph",
        "coview_graph.infograph:InfoGraph",
        summary="nodes of a graph against nodes of other graphs",
        source=infograph,
    )
