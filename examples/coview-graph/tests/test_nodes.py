"""Nodes of one graph: against PyTorch Geometric, networkx, scikit-learn and dense matrices."""

from collections import defaultdict
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
import torch
from coview_graph.corrupt import Corrupt, ShuffleFeatures
from coview_graph.dgi import DGI
from coview_graph.gnn import GNN
from coview_graph.gnn_decoder import GNNDecoder
from coview_graph.graph import Graph
from coview_graph.link_prediction import LinkPrediction
from coview_graph.node_classification import NodeClassification
from coview_graph.node_links import NodeLinks
from coview_graph.nodes import Nodes, NodesOfOneGraph
from coview_graph.planetoid import Planetoid
from coview_graph.random_splits import RandomSplits
from coview_graph.scaled_cosine import ScaledCosine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import normalize
from small_graphs import FEATURES, NODES, communities, write_planetoid
from torch.nn.functional import cosine_similarity
from torch_geometric.io import read_planetoid_data
from torch_geometric.nn import DeepGraphInfomax, GATConv
from torch_geometric.transforms import NormalizeFeatures

import coview
from coview.testing import (
    check_context_augmentation,
    check_dataset,
    check_decoder,
    check_encoder,
    check_evaluator,
    check_loss,
    check_modality,
)


def as_networkx(graph):
    made = nx.Graph()
    made.add_nodes_from(range(len(graph)))
    made.add_edges_from(graph.edges_2E.T.tolist())
    return made


def normalised(graph):
    """D^-1/2 (A + I) D^-1/2 as a dense matrix (Kipf and Welling, arXiv:1609.02907, equation 2)."""
    dense_NN = torch.from_numpy(nx.to_numpy_array(as_networkx(graph)) + np.eye(len(graph)))
    scale_N = dense_NN.sum(1).rsqrt()
    return scale_N[:, None] * dense_NN * scale_N


@pytest.fixture
def graph(planetoid):
    return Planetoid(root=planetoid, name="tiny").context


@pytest.fixture
def values():
    """Samples of one node and of several."""
    x_NF = communities()[0].astype(np.float32)
    return [Nodes(np.array(numbers), x_NF[numbers].mean(0)) for numbers in ([3], [0, 7, 9, 20], [5, 4], [11, 30, 2])]


@pytest.mark.parametrize("train", ["rest", "all", "graph"])
def test_planetoid_keeps_its_promises(planetoid, train):
    check_dataset(Planetoid, parameters={"root": planetoid, "name": "tiny", "train": train})


def test_planetoid_is_what_pytorch_geometric_reads(tmp_path):
    """PyTorch Geometric takes 500 nodes for validation."""
    planetoid = write_planetoid(tmp_path / "larger", nodes=640)
    expected = NormalizeFeatures()(read_planetoid_data(str(planetoid), "tiny"))
    train, test = (Planetoid(split=split, root=planetoid, name="tiny", train="all") for split in ("train", "test"))
    torch.testing.assert_close(train.context.x_NF, expected.x)
    edges = set(map(tuple, expected.edge_index.T.tolist()))
    assert set(map(tuple, train.context.edges_2E.T.tolist())) == edges
    assert train.context.edges_2E.shape[1] == len(edges)
    assert train.labels.tolist() == torch.where(expected.train_mask, expected.y, -1).tolist()
    found = [(sample.id, sample.label) for sample in map(test.__getitem__, range(len(test)))]
    tested = expected.test_mask.nonzero()[:, 0]
    assert found == list(zip(tested.tolist(), expected.y[tested].tolist(), strict=True))
    (whole,) = map(Planetoid(root=planetoid, name="tiny", train="graph").__getitem__, range(1))
    assert whole["node"].numbers.tolist() == list(range(640))


def test_planetoid_runs_no_code(planetoid):
    (planetoid / "ind.tiny.x").write_bytes(b"cposix\nsystem\n(S'true'\ntR.")
    with pytest.raises(coview.CoviewError, match=r"ind.tiny.x is not a file of Planetoid: it asks for posix.system"):
        Planetoid(root=planetoid, name="tiny")


def test_held_out_links_are_edges_that_the_graph_lacks(planetoid, graph):
    check_dataset(NodeLinks, parameters={"root": planetoid, "name": "tiny"})
    whole = as_networkx(graph)
    counts = {"validation": int(0.05 * whole.number_of_edges()), "test": int(0.1 * whole.number_of_edges())}
    left, held = None, set()
    for split, count in counts.items():
        links = NodeLinks(split=split, root=planetoid, name="tiny")
        left = as_networkx(links.context)
        pairs = list(zip(links.pairs.first_P.tolist(), links.pairs.second_P.tolist(), strict=True))
        assert links.pairs.score_P.tolist() == [1] * count + [0] * count
        assert all(whole.has_edge(*pair) and not left.has_edge(*pair) for pair in pairs[:count])
        assert not any(whole.has_edge(*pair) or pair[0] == pair[1] for pair in pairs[count:])
        held |= set(pairs)
    assert len(held) == 2 * sum(counts.values())
    assert left.number_of_edges() == whole.number_of_edges() - sum(counts.values())


def test_the_modality_keeps_its_promises(values):
    check_modality(NodesOfOneGraph, values)


@pytest.mark.parametrize("augmentation", [Corrupt, ShuffleFeatures])
def test_context_augmentations_keep_their_promises(graph, augmentation):
    check_context_augmentation(augmentation, graph)


def test_corrupt_drops_whole_edges_and_whole_features(graph):
    made = Corrupt(edges=0.5, features=0.25)(graph, coview.Rng(seed=1))
    whole, kept = as_networkx(graph), as_networkx(made)
    assert 0.35 < kept.number_of_edges() / whole.number_of_edges() < 0.65
    assert set(kept.edges) <= set(whole.edges)
    assert made.edges_2E.shape[1] == 2 * kept.number_of_edges(), "both directions of an edge are dropped together"
    hidden_F = (made.x_NF == 0).all(0)
    assert 0 < int(hidden_F.sum()) < FEATURES
    torch.testing.assert_close(made.x_NF, graph.x_NF * ~hidden_F)


def test_shuffled_features_are_those_of_other_nodes(graph):
    made = ShuffleFeatures()(graph, coview.Rng(seed=1))
    assert not torch.equal(made.x_NF, graph.x_NF)
    assert sorted(made.x_NF.tolist()) == sorted(graph.x_NF.tolist())
    assert torch.equal(made.edges_2E, graph.edges_2E)


@pytest.mark.parametrize(
    "parameters",
    [
        {"batch_norm": True, "dropout": 0.5},
        {"conv": "gat", "heads": 2, "attention_dropout": 0.5, "width": 8, "activation": "prelu", "layers": 1},
    ],
)
def test_the_encoder_keeps_its_promises(graph, values, parameters):
    parameters = {"inputs": FEATURES, **parameters}
    check_encoder(GNN, NodesOfOneGraph(), values, parameters=parameters, context=graph)


def test_the_encoder_is_the_product_of_dense_matrices(graph, values):
    encoder = GNN(inputs=FEATURES, width=6, hidden=10).double()
    double = Graph(graph.x_NF.double(), graph.edges_2E)
    x_ND = double.x_NF
    for conv in encoder.convs:
        x_ND = (normalised(graph) @ x_ND @ conv.lin.weight.T + conv.bias).relu()
    found = encoder(NodesOfOneGraph().collate(values), double).pooled_ND
    torch.testing.assert_close(found, torch.stack([x_ND[value.numbers].mean(0) for value in values]))


def test_dropped_attention_is_that_of_pytorch_geometric(graph, values):
    encoder = GNN(inputs=FEATURES, conv="gat", heads=2, attention_dropout=0.5, width=8, layers=1)
    peer = GATConv(FEATURES, 4, heads=2, dropout=0.5)
    peer.load_state_dict(encoder.convs[0].state_dict())
    made = []
    for conv in (encoder.convs[0], peer):
        torch.manual_seed(0)
        made.append(conv(graph.x_NF, graph.edges_2E))
    assert torch.equal(*made)
    encoder.eval()
    assert not torch.equal(encoder.convs[0](graph.x_NF, graph.edges_2E), made[0])


@pytest.mark.parametrize("parameters", [{"heads": 2}, {"attention_dropout": 0.1}])
def test_convolutions_without_attention_have_no_parts_of_it(parameters):
    with pytest.raises(ValueError, match="set conv to gat"):
        GNN(inputs=FEATURES, **parameters)


def test_hidden_nodes_are_not_seen(graph):
    """Neither by themselves nor by their neighbours: other features of theirs change nothing."""
    encoder = GNN(inputs=FEATURES, width=6)
    batch = torch.arange(NODES)[None]
    layout = encoder.token_layout(batch, graph)
    hidden_NT = torch.rand(1, NODES, generator=torch.Generator().manual_seed(0)) < 0.5
    mask = coview.TokenMask(layout, hidden_NT, hidden_NT, hidden_NT[:, None], "replace")
    token_F = torch.ones(FEATURES)
    other = Graph(torch.where(hidden_NT[0, :, None], graph.x_NF + 5, graph.x_NF), graph.edges_2E)
    one, two = (encoder.encode_tokens(batch, of, mask, mask_token_D=token_F).tokens_NTD for of in (graph, other))
    assert torch.equal(one, two)
    replaced = Graph(torch.where(hidden_NT[0, :, None], token_F, graph.x_NF), graph.edges_2E)
    assert torch.equal(one, encoder(batch, replaced).tokens_NTD)


@pytest.mark.parametrize("conv", ["gcn", "gat"])
def test_the_decoder_keeps_its_promises(graph, conv):
    def around(seen):
        rows, tokens = seen.wanted_MT.shape
        double = Graph(graph.x_NF.double(), graph.edges_2E)
        return replace(seen, batch=torch.arange(tokens).expand(rows, tokens), context=double)

    zero = "hidden nodes are zero, so that their side of the attention has no gradient, as in GraphMAE"
    excepted = {"its_parameters_learn": zero} if conv == "gat" else {}
    check_decoder(GNNDecoder, parameters={"conv": conv}, around=around, except_for=excepted)


def test_the_decoder_sees_the_neighbours_of_hidden_nodes_only(graph):
    decoder = GNNDecoder(4, 3).double()
    tokens_MTD = torch.randn(1, NODES, 4, dtype=torch.float64)
    wanted_MT = torch.arange(NODES)[None] % 2 == 0
    double = Graph(graph.x_NF.double(), graph.edges_2E)
    seen = coview.DecoderInput(
        tokens_MTD,
        torch.ones_like(wanted_MT),
        wanted_MT,
        (NODES,),
        batch=torch.arange(NODES)[None],
        context=double,
    )
    mapped_ND = (tokens_MTD[0] @ decoder.map.weight.T) * ~wanted_MT[0, :, None]
    expected = normalised(graph) @ mapped_ND @ decoder.conv.lin.weight.T + decoder.conv.bias
    torch.testing.assert_close(decoder(seen), expected[wanted_MT[0]])


def test_scaled_cosine_is_a_power_of_the_cosine_distance():
    check_loss(ScaledCosine, parameters={"alpha": 3.0})
    generator = torch.Generator().manual_seed(0)
    predictions, targets = torch.randn(2, 7, 5, generator=generator)
    tokens = coview.HiddenTokens(predictions, targets, torch.zeros(7, dtype=torch.int64), 1)
    found = ScaledCosine(alpha=3.0)(coview.Views.of(torch.zeros(1, 1, 2), tokens=tokens))
    expected = sum((1 - cosine_similarity(p, t, dim=0)) ** 3 for p, t in zip(predictions, targets, strict=True)) / 7
    torch.testing.assert_close(found, expected)


def test_dgi_is_the_loss_of_pytorch_geometric():
    apart = "it tells the nodes of two graphs apart"
    check_loss(DGI, except_for={"views_come_together": apart, "samples_of_equal_id": apart})
    z_VND = torch.randn(2, 9, 5, generator=torch.Generator().manual_seed(0))
    loss = DGI(5)
    peer = DeepGraphInfomax(5, torch.nn.Identity(), torch.nn.Identity(), torch.nn.Identity())
    peer.weight.data = loss.weight_DD.data
    found = loss(coview.Views.of(z_VND.flip(0), roles=("corrupted", "graph")))
    torch.testing.assert_close(found, peer.loss(z_VND[0], z_VND[1], z_VND[0].mean(0).sigmoid()))


def test_link_prediction_counts_pairs_that_are_in_the_right_order():
    check_evaluator(LinkPrediction)
    rng = np.random.default_rng(0)
    x_ND = torch.from_numpy(rng.normal(size=(30, 4))).float()
    pairs_P2 = torch.from_numpy(rng.permutation(np.argwhere(np.triu(np.ones((30, 30)), 1)))[:40])
    is_edge_P = torch.arange(40) < 15
    split = coview.FeatureSplit(x_ND, torch.arange(30), pairs_P2=pairs_P2, pair_scores_P=is_edge_P.double())
    features = coview.Features({"test": split})
    auc, ap = LinkPrediction(similarity="dot")(features, coview.Rng())
    score_P = [float(x_ND[a] @ x_ND[b]) for a, b in pairs_P2]
    right = [score_P[edge] > score_P[none] for edge in range(15) for none in range(15, 40)]
    assert auc.value == pytest.approx(sum(right) / len(right))
    order = np.argsort(score_P)[::-1]
    hits = np.cumsum(order < 15)
    precisions = [hits[place] / (place + 1) for place, pair in enumerate(order) if pair < 15]
    assert ap.value == pytest.approx(np.mean(precisions))
    assert auc.ci_low < auc.value < auc.ci_high


def test_node_classification_is_fitted_to_the_labelled_nodes_of_train_alone():
    check_evaluator(NodeClassification)
    generator = torch.Generator().manual_seed(0)
    sizes, splits = {"train": 12, "validation": 30, "test": 50}, {}
    for name, size in sizes.items():
        labels_N = torch.arange(size) % 3
        x_ND = torch.randn(size, 5, generator=generator) + 1.5 * torch.eye(3, 5)[labels_N]
        splits[name] = coview.FeatureSplit(x_ND, torch.arange(size), labels_N)
    (found,) = NodeClassification()(coview.Features(splits, ("a", "b", "c")), coview.Rng())
    x = {name: normalize(split.x_ND.numpy()) for name, split in splits.items()}
    y = {name: split.labels_N.numpy() for name, split in splits.items()}
    best = 0.0
    for power in range(-10, 11):
        fitted = LogisticRegression(C=2.0**power, max_iter=1000).fit(x["train"], y["train"])
        if fitted.score(x["validation"], y["validation"]) > best:
            best, expected = fitted.score(x["validation"], y["validation"]), fitted.score(x["test"], y["test"])
    assert found.value == pytest.approx(expected)
    assert found.protocol["fitted to"] == "12 nodes of train"


def test_a_tenth_of_all_nodes_is_labelled_as_in_grace():
    """The same draws by a loop: 5 folds choose C, and each node counts by the draws in which it was not labelled."""
    check_evaluator(RandomSplits, parameters={"share": 0.5})
    generator = torch.Generator().manual_seed(0)
    splits, first = {}, 0
    for name, size in {"train": 60, "validation": 40, "test": 50}.items():
        labels_N = torch.arange(size) % 3
        x_ND = torch.randn(size, 5, generator=generator) + 1.5 * torch.eye(3, 5)[labels_N]
        splits[name] = coview.FeatureSplit(x_ND, torch.arange(first, first + size), labels_N)
        first += size
    (found,) = RandomSplits(share=0.4, draws=2)(coview.Features(splits, ("a", "b", "c")), coview.Rng())
    x = normalize(np.concatenate([split.x_ND.numpy().astype(np.float64) for split in splits.values()]))
    y = np.concatenate([split.labels_N.numpy() for split in splits.values()])
    seeds, right = coview.Rng().numpy, defaultdict(list)
    for _ in range(2):
        labelled, others = train_test_split(np.arange(150), train_size=0.4, random_state=int(seeds.integers(2**31)))
        assert len(labelled) == 60
        scores = {}
        for power in range(-10, 10):
            model = OneVsRestClassifier(LogisticRegression(C=2.0**power, solver="liblinear"))
            of_folds = []
            for fit, rest in StratifiedKFold(5).split(x[labelled], y[labelled]):
                model.fit(x[labelled[fit]], y[labelled[fit]])
                of_folds.append(model.score(x[labelled[rest]], y[labelled[rest]]))
            scores[2.0**power] = np.mean(of_folds)
        model = LogisticRegression(C=max(scores, key=scores.get), solver="liblinear")
        predicted = OneVsRestClassifier(model).fit(x[labelled], y[labelled]).predict(x[others])
        for node, hit in zip(others, predicted == y[others], strict=True):
            right[node].append(hit)
    assert found.value == pytest.approx(np.mean([np.mean(hits) for hits in right.values()]))
    assert found.n == len(right)
