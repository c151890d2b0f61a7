"""The parts by the kit, and numbers beside loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from coview_recsys.augment.drop_edges import DropEdges
from coview_recsys.augment.embedding_noise import EmbeddingNoise
from coview_recsys.augment.other_item import OtherItem
from coview_recsys.data.held_out import split_by_time
from coview_recsys.data.interactions import Interactions
from coview_recsys.data.movielens import MovieLens
from coview_recsys.data.people import People
from coview_recsys.data.tastes import Tastes
from coview_recsys.encoders.lightgcn import LightGCN
from coview_recsys.encoders.two_towers import History, Table
from coview_recsys.full_ranking import FullRanking
from coview_recsys.losses.bpr import BPR
from coview_recsys.losses.in_batch_softmax import InBatchSoftmax
from coview_recsys.losses.view_info_nce import ItemInfoNCE, UserInfoNCE
from coview_recsys.modalities import Item, Items, User, Users

import coview
from coview.testing import check_augmentation, check_dataset, check_encoder, check_loss

SMALL = {"users": 30, "items": 40, "tastes": 2, "chosen": 10}


def pairs_of(data):
    """The users and items of all samples."""
    return {(int(of.extras["user"]), int(of.extras["item"])) for of in map(data.__getitem__, range(len(data)))}


@pytest.fixture
def train():
    return Tastes(**SMALL)


@pytest.fixture
def lastfm(tmp_path):
    """Users who choose items of their own half."""
    rng = np.random.default_rng(0)
    lines = [f"{user}\t{2 * item + user % 2}\t1" for user in range(30) for item in rng.choice(20, 8, replace=False)]
    order = rng.permutation(len(lines))
    (tmp_path / "train.txt").write_text("\n".join(lines[at] for at in order[:180]))
    (tmp_path / "test.txt").write_text("\n".join(lines[at] for at in order[180:]))
    return tmp_path


@pytest.fixture
def ratings(tmp_path):
    """Ratings in MovieLens-100k's form, in no order, with numbers from 1."""
    rng = np.random.default_rng(1)
    rows = [(user, item, rng.integers(1, 6), rng.integers(10**6)) for user in range(1, 21) for item in range(1, 13)]
    path = tmp_path / "u.data"
    path.write_text("\n".join("\t".join(map(str, rows[at])) for at in rng.permutation(len(rows))))
    return path


def test_data_keep_their_promises(lastfm, ratings):
    check_dataset(Tastes, parameters=SMALL)
    check_dataset(People, parameters=SMALL)
    check_dataset(Interactions, parameters={"root": lastfm})
    check_dataset(MovieLens, parameters={"path": ratings})
    check_dataset(MovieLens, parameters={"path": ratings, "hold": "latest"})


def test_encoders_keep_their_promises(train):
    users, items = [User(3), User(0, 5), User(7)], [Item(3), Item(0), Item(7)]
    counts = {"users": 30, "items": 40}
    check_encoder(Table, Items(), items, parameters={"items": 40})
    check_encoder(History, Users(), users, parameters={"items": 40}, context=train.context)
    for modality, values in ((Users(), users), (Items(), items)):
        check_encoder(LightGCN, modality, values, parameters=counts, context=train.context)


@pytest.mark.parametrize("loss", [BPR, InBatchSoftmax, UserInfoNCE, ItemInfoNCE])
def test_losses_keep_their_promises(loss):
    check_loss(loss)


def test_the_other_item_keeps_its_promises(train):
    values = [train[row]["item"] for row in range(6)]
    check_augmentation(OtherItem, values)
    chosen = {
        (int(pair.extras["user"]), int(pair.extras["item"])) for pair in map(train.__getitem__, range(len(train)))
    }
    drawn = set()
    for row in range(len(train)):
        other = OtherItem()(train[row]["item"], coview.Rng(seed=0, sample=row))
        assert (int(train[row].extras["user"]), other.number) not in chosen
        drawn.add(other.number)
    assert len(drawn) > 30


def test_light_graph_convolution_equals_the_dense_product(train):
    """E(k+1) = D^-1/2 A D^-1/2 E(k) with the matrix of the whole graph, and the mean of all layers."""
    graph, encoder = train.context, LightGCN(users=30, items=40, width=8, layers=2)
    a_MM = torch.zeros(70, 70)
    for user, item in zip(graph.users_E.tolist(), graph.items_E.tolist(), strict=True):
        a_MM[user, 30 + item] = a_MM[30 + item, user] = 1
    scale_M = a_MM.sum(1).clamp(min=1).rsqrt()
    a_MM = scale_M[:, None] * a_MM * scale_M
    e_MD = torch.cat([encoder.users.weight, encoder.items.weight])
    expected_MD = (e_MD + a_MM @ e_MD + a_MM @ a_MM @ e_MD) / 3
    users = encoder(Users().collate([User(4), User(9)]), graph).pooled_ND
    items = encoder(Items().collate([Item(0), Item(39)]), graph).pooled_ND
    torch.testing.assert_close(users, expected_MD[[4, 9]])
    torch.testing.assert_close(items, expected_MD[[30, 69]])


def test_noise_has_its_length_and_keeps_signs(train):
    encoder = LightGCN(users=30, items=40, width=8, layers=1)
    noisy = EmbeddingNoise(length=0.05)(train.context, coview.Rng(seed=1))
    clean = torch.cat(
        [train.context.normalised @ encoder.items.weight, train.context.normalised.T @ encoder.users.weight]
    )
    moved = torch.cat(encoder.tables(noisy)) - clean
    has_neighbours = clean.abs().sum(1) > 0
    torch.testing.assert_close(moved[has_neighbours].norm(dim=1), torch.full((int(has_neighbours.sum()),), 0.05))
    assert (moved * clean >= 0).all()
    torch.testing.assert_close(torch.cat(encoder.tables(noisy)), clean + moved)


def test_edges_are_dropped_and_degrees_follow(train):
    graph = train.context
    dropped = DropEdges(share=0.3)(graph, coview.Rng(seed=1))
    assert 0.6 < len(dropped.users_E) / len(graph.users_E) < 0.8
    edges = set(zip(graph.users_E.tolist(), graph.items_E.tolist(), strict=True))
    assert set(zip(dropped.users_E.tolist(), dropped.items_E.tolist(), strict=True)) < edges
    assert dropped.matrix.to_dense().sum(1).tolist() == dropped.user_degrees.tolist()


def test_bpr_equals_the_loop():
    z_VND = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))
    rows = []
    for u, i, j in z_VND.transpose(0, 1).tolist():
        difference = sum(a * (b - c) for a, b, c in zip(u, i, j, strict=True))
        rows.append(-math.log(1 / (1 + math.exp(-difference))))
    assert float(BPR()(coview.Views.of(z_VND, roles=BPR.needs.roles))) == pytest.approx(sum(rows) / 5)


def test_a_user_who_is_there_twice_counts_once():
    a_ND, b_ND = torch.nn.functional.normalize(torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(0)), dim=-1)
    twice = torch.tensor([0, 1, 2, 3, 1])
    views = coview.Views.of(torch.stack([a_ND, b_ND])[:, twice], roles=("user_a", "user_b"), extras={"user": twice})
    logits = (a_ND @ b_ND.T / 0.2).tolist()
    of_user = [math.log(sum(map(math.exp, row))) - row[at] for at, row in enumerate(logits)]
    assert float(UserInfoNCE()(views)) == pytest.approx(sum(of_user[user] for user in twice) / 5, rel=1e-5)


def test_leave_one_out_takes_the_last_of_each_user():
    users = np.array([0, 0, 0, 0, 1, 1, 2, 2, 2])
    times = np.array([5, 3, 9, 1, 7, 8, 4, 4, 4])
    assert split_by_time(users, times, "last", 0.1).tolist() == [1, 0, 2, 0, 0, 0, 0, 1, 2]


@pytest.mark.parametrize("hold", ["last", "latest"])
def test_nothing_that_is_tested_is_in_training(ratings, hold):
    splits = {name: MovieLens(path=ratings, hold=hold, split=name) for name in MovieLens.splits}
    pairs = {name: pairs_of(data) for name, data in splits.items()}
    assert not pairs["train"] & pairs["test"]
    assert not pairs["train"] & pairs["validation"]
    assert not pairs["validation"] & pairs["test"]
    graph = splits["test"].context
    assert set(zip(graph.users_E.tolist(), graph.items_E.tolist(), strict=True)) == pairs["train"]
    if hold == "latest":
        rows = np.loadtxt(ratings, dtype=int)
        times = {(user - 1, item - 1): time for user, item, _, time in rows.tolist()}
        latest = {name: [times[pair] for pair in of] for name, of in pairs.items()}
        assert max(latest["train"]) < min(latest["validation"]) <= max(latest["validation"]) < min(latest["test"])


def test_recall_and_ndcg_equal_a_loop(train):
    test = Tastes(split="test", **SMALL)
    generator = torch.Generator().manual_seed(0)
    tables = {"user": torch.randn(30, 6, generator=generator), "item": torch.randn(40, 6, generator=generator)}
    subject = coview.CrossModalSubject(
        kind="pretrained",
        classes=None,
        split=lambda modality, split: None,
        embed=lambda modality, values: None,
        project=lambda modality, values: tables[modality][[value.number for value in values]],
        data=lambda split: test,
    )
    results = FullRanking(k=(3, 10)).evaluate_cross_modal(subject, coview.Rng(0))
    graph = test.context
    edges = list(zip(graph.users_E.tolist(), graph.items_E.tolist(), strict=True))
    together = np.zeros((40, 40))
    for user, item in edges:
        for other in (i for u, i in edges if u == user and i != item):
            together[item, other] += 1
    truth: dict[int, list[int]] = {}
    for row in range(len(test)):
        truth.setdefault(int(test[row].extras["user"]), []).append(int(test[row].extras["item"]))
    expected: dict[tuple[str, str], list[float]] = {}
    for user, wanted in truth.items():
        known = [item for u, item in edges if u == user]
        scores = {
            "": [float(tables["user"][user].double() @ tables["item"][item].double()) for item in range(40)],
            "popularity": [sum(i == item for _, i in edges) for item in range(40)],
            "co-occurrence": [sum(together[item, own] for own in known) for item in range(40)],
        }
        for of, score in scores.items():
            ranked = sorted((item for item in range(40) if item not in known), key=lambda item: -score[item])
            for k in (3, 10):
                hits = [item in wanted for item in ranked[:k]]
                best = sum(1 / math.log2(rank + 2) for rank in range(min(k, len(wanted))))
                gained = sum(hit / math.log2(rank + 2) for rank, hit in enumerate(hits))
                expected.setdefault((of, f"recall@{k}"), []).append(sum(hits) / len(wanted))
                expected.setdefault((of, f"ndcg@{k}"), []).append(gained / best)
    found = {(result.of, result.metric): result.value for result in results}
    assert found == pytest.approx({name: np.mean(values) for name, values in expected.items()})
    assert {result.n for result in results} == {len(truth)}


def test_what_cannot_be_read_is_said(tmp_path, ratings):
    (tmp_path / "train.txt").write_text("0 1\n1 x\n")
    with pytest.raises(coview.CoviewError, match=r"train.txt cannot be read"):
        Interactions(root=tmp_path)
    ratings.write_text("1\t1\t3\t7\n")
    with pytest.raises(coview.CoviewError, match=r"u.data has no rating of 5 or more"):
        MovieLens(path=ratings, least=5.0)
    with pytest.raises(coview.CoviewError, match=r"set encoder.user.users to 30"):
        LightGCN(users=10, items=40).tables(Tastes(**SMALL).context)
