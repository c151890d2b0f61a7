"""Whole graphs: against PyTorch Geometric, networkx and loops."""

import math

import networkx as nx
import numpy as np
import pytest
import torch
from coview_graph.gin import GIN
from coview_graph.graph_views import DropNodes, MaskAttributes, PerturbEdges, PickNode, Subgraph
from coview_graph.infograph import InfoGraph
from coview_graph.motifs import Motifs
from coview_graph.tu import TU
from coview_graph.whole_graphs import WholeGraph, WholeGraphs
from small_graphs import CYCLES, tu_graphs, write_tu
from torch_geometric.data import Batch, Data

import coview
from coview.testing import check_augmentation, check_dataset, check_encoder, check_loss, check_modality

AUGMENTATIONS = [DropNodes, PerturbEdges, MaskAttributes, Subgraph, PickNode]


@pytest.fixture(scope="module")
def values():
    data = Motifs(size=8)
    return [data[row]["graph"] for row in range(5)]


def as_networkx(graph):
    made = nx.Graph()
    made.add_nodes_from((node, {"x": tuple(x)}) for node, x in enumerate(graph.x_NF.tolist()))
    made.add_edges_from(graph.edges_2E.T.tolist())
    return made


def is_simple(graph):
    """Whether each edge is there once in each direction, and none leads from a node to itself."""
    made = as_networkx(graph)
    return graph.edges_2E.shape[1] == 2 * made.number_of_edges() and nx.number_of_selfloops(made) == 0


def test_the_modality_keeps_its_promises(values):
    check_modality(WholeGraphs, values)


def test_a_batch_is_that_of_pytorch_geometric(values):
    def peer(of):
        return Batch.from_data_list(
            [Data(x=torch.from_numpy(g.x_NF), edge_index=torch.from_numpy(g.edges_2E)) for g in of]
        )

    batch = WholeGraphs().collate(values)
    for found, chosen in ((batch, values), (batch.select(torch.tensor([3, 0, 3])), [values[3], values[0], values[3]])):
        expected = peer(chosen)
        assert torch.equal(found.x_NF, expected.x)
        assert torch.equal(found.edges_2E, expected.edge_index)
        assert torch.equal(found.graph_N, expected.batch)
        assert len(found) == len(chosen)


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_augmentations_keep_their_promises(values, augmentation):
    check_augmentation(augmentation, values)


def test_dropped_nodes_leave_an_induced_subgraph(values):
    for number, value in enumerate(values):
        made = DropNodes(share=0.3)(value, coview.Rng(sample=number))
        nodes = len(value.x_NF)
        assert len(made.x_NF) == nodes - int(0.3 * nodes)
        assert is_simple(made)
        matcher = nx.isomorphism.GraphMatcher(
            as_networkx(value), as_networkx(made), node_match=lambda a, b: a["x"] == b["x"]
        )
        assert matcher.subgraph_is_isomorphic()


def test_perturbed_edges_are_as_many_and_some_are_others(values):
    for number, value in enumerate(values):
        made = PerturbEdges(share=0.2)(value, coview.Rng(sample=number))
        before, after = as_networkx(value), as_networkx(made)
        assert is_simple(made)
        assert after.number_of_edges() == before.number_of_edges()
        assert len(set(before.edges) - set(after.edges)) == int(0.2 * before.number_of_edges())


def test_masked_attributes_are_those_of_a_share_of_the_nodes(values):
    made = MaskAttributes(share=0.5)(values[0], coview.Rng())
    changed = (made.x_NF != values[0].x_NF).any(1)
    assert changed.sum() == len(values[0].x_NF) // 2
    assert np.array_equal(made.edges_2E, values[0].edges_2E)


def test_a_subgraph_is_connected(values):
    for number, value in enumerate(values):
        made = Subgraph(share=0.4)(value, coview.Rng(sample=number))
        assert len(made.x_NF) == len(value.x_NF) - int(0.4 * len(value.x_NF))
        assert is_simple(made)
        assert nx.is_connected(as_networkx(made))
    apart = WholeGraph(np.eye(4, dtype=np.float32), np.array([[0, 1], [1, 0]]))
    assert {len(Subgraph(share=0.0)(apart, coview.Rng(sample=number)).x_NF) for number in range(20)} == {1, 2}


def test_the_encoder_keeps_its_promises(values):
    with_nodes = [PickNode()(value, coview.Rng(sample=number)) for number, value in enumerate(values[:2])]
    check_encoder(GIN, WholeGraphs(), [*values, *with_nodes], parameters={"inputs": 8, "hidden": 4})


def test_the_encoder_is_a_loop_over_nodes_and_neighbours(values):
    encoder = GIN(inputs=8, hidden=4, layers=2).double().eval()
    doubled = [value._replace(x_NF=value.x_NF.astype(np.float64)) for value in values]
    picked = [value._replace(node=3) for value in doubled]
    for value, of_graph, of_node in zip(
        doubled,
        encoder(WholeGraphs().collate(doubled)).pooled_ND,
        encoder(WholeGraphs().collate(picked)).pooled_ND,
        strict=True,
    ):
        graph, x_ND, made = as_networkx(value), torch.from_numpy(value.x_NF), []
        for conv, norm in zip(encoder.convs, encoder.norms, strict=True):
            summed = [x_ND[node] + sum(x_ND[other] for other in graph[node]) for node in range(len(x_ND))]
            x_ND = norm(conv.nn(torch.stack(summed)).relu())
            made.append(x_ND)
        made_ND = torch.cat(made, 1)
        torch.testing.assert_close(of_graph, made_ND.sum(0))
        torch.testing.assert_close(of_node, made_ND[3])


def test_infograph_is_a_loop_over_nodes_and_graphs():
    check_loss(InfoGraph)
    graph_ND, node_ND = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
    positive, negative = [], []
    for i, node in enumerate(node_ND):
        for j, graph in enumerate(graph_ND):
            score = float(node @ graph)
            if i == j:
                positive.append(math.log(2) - math.log(1 + math.exp(-score)))
            else:
                negative.append(math.log(1 + math.exp(-score)) + score - math.log(2))
    found = InfoGraph()(coview.Views.of(torch.stack([node_ND, graph_ND]), roles=("node", "graph")))
    assert float(found) == pytest.approx(np.mean(negative) - np.mean(positive), rel=1e-5)


def test_tu_is_what_the_files_have(tu):
    check_dataset(TU, parameters={"root": tu, "name": "tiny"})
    splits = [TU(split=split, root=tu, name="tiny", folds=5, fold=1) for split in ("train", "test")]
    samples = [sample for split in splits for sample in map(split.__getitem__, range(len(split)))]
    assert sorted(sample.id for sample in samples) == list(range(CYCLES))
    assert [len(split) for split in splits] == [24, 6]
    assert np.bincount(splits[1].labels).tolist() == [3, 3]
    for sample in samples:
        graph, expected = sample["graph"], tu_graphs()[sample.id]
        assert nx.utils.graphs_equal(nx.Graph(as_networkx(graph).edges), nx.Graph(expected.edges))
        assert graph.x_NF.tolist() == [[1.0, 0.0] if node % 2 == 0 else [0.0, 1.0] for node in expected]
        assert sample.label == sample.id % 2


def test_tu_without_features_has_degrees(tmp_path):
    data = TU(root=write_tu(tmp_path / "plain", labels=False), name="tiny", degrees=4)
    for sample in map(data.__getitem__, range(len(data))):
        degrees = [min(degree, 3) for _, degree in tu_graphs()[sample.id].degree]
        assert sample["graph"].x_NF.argmax(1).tolist() == degrees


def test_tu_says_which_file_is_missing(tu):
    (tu / "tiny_graph_labels.txt").unlink()
    with pytest.raises(coview.CoviewError, match=r"has no tiny_graph_labels.txt"):
        TU(root=tu, name="tiny")


def test_motifs_differ_in_nothing_but_how_nodes_are_connected():
    check_dataset(Motifs, parameters={"size": 12})
    data = Motifs(size=200, copies=2)
    samples = [data[row] for row in range(len(data))]
    triangles = [sum(nx.triangles(as_networkx(sample["graph"])).values()) // 3 for sample in samples]
    assert triangles == [2 if sample.label == 0 else 0 for sample in samples]
    sums_CF = [np.mean([s["graph"].x_NF.sum(0) for s in samples if s.label == label], axis=0) for label in (0, 1)]
    assert np.abs(sums_CF[0] - sums_CF[1]).max() < 1.0
