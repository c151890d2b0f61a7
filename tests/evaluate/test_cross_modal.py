"""Retrieval across modalities and zero-shot classification, beside loops by hand and scikit-learn, on projections."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score
from sklearn.metrics.pairwise import cosine_similarity

import coview
from coview.builtin.evaluators.retrieval import Retrieval
from coview.builtin.evaluators.zero_shot import ZeroShot


def unit_rows(n: int, width: int, seed: int) -> torch.Tensor:
    x_ND = torch.randn(n, width, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(x_ND)


def subject(splits, *, classes=None, texts=None) -> coview.CrossModalSubject:
    """Of projections that are given."""
    return coview.CrossModalSubject(
        kind="pretrained",
        classes=classes,
        split=lambda modality, split: splits[modality],
        embed=lambda modality, values: torch.stack([texts[value] for value in values]),
        project=lambda modality, values: 2 * torch.stack([texts[value] for value in values]),
        data=lambda split: None,
    )


def paired(n: int = 40, noise: float = 0.7) -> dict[str, coview.FeatureSplit]:
    images = unit_rows(n, 6, 0)
    texts = torch.nn.functional.normalize(images + noise * unit_rows(n, 6, 1))
    shuffled = torch.randperm(n, generator=torch.Generator().manual_seed(2))  # pairs are told by id, not by row
    ids = torch.arange(n) * 7
    return {
        "image": coview.FeatureSplit(images, ids),
        "text": coview.FeatureSplit(texts[shuffled], ids[shuffled]),
    }


@pytest.mark.parametrize(("query", "gallery"), [("text", "image"), ("image", "text")])
def test_retrieval_equals_the_loop_and_scikit_learn(query, gallery):
    splits = paired()
    results = Retrieval(k=(1, 3), query=query, gallery=gallery).evaluate_cross_modal(subject(splits), coview.Rng(0))
    similarity = cosine_similarity(splits[query].x_ND, splits[gallery].x_ND)
    ranks, precisions = [], []
    for row, own in zip(similarity, splits[query].ids_N.tolist(), strict=True):
        right = splits[gallery].ids_N.numpy() == own
        ranks.append(1 + sum(row > row[right.argmax()]))
        precisions.append(average_precision_score(right, row))
    ranks = np.array(ranks)
    assert ranks.max() > 1
    assert {result.metric: result.value for result in results} == pytest.approx(
        {
            "recall@1": (ranks <= 1).mean(),
            "recall@3": (ranks <= 3).mean(),
            "map": np.mean(precisions),
            "mrr": (1 / ranks).mean(),
        }
    )
    assert all(result.ci_low <= result.value <= result.ci_high and result.n == 40 for result in results)


def test_all_pairs_both_ways_are_each_as_it_is_by_itself():
    splits = {**paired(), "audio": coview.FeatureSplit(unit_rows(40, 6, 6), torch.arange(40) * 7)}
    found = Retrieval(k=(1,), between=("image", "text", "audio")).evaluate_cross_modal(subject(splits), coview.Rng(0))
    ways = ["image-to-text", "image-to-audio", "text-to-image", "text-to-audio", "audio-to-image", "audio-to-text"]
    assert [result.of for result in found] == [way for way in ways for _ in range(3)]
    for way in ways:
        query, gallery = way.split("-to-")
        alone = Retrieval(k=(1,), query=query, gallery=gallery).evaluate_cross_modal(subject(splits), coview.Rng(0))
        assert [result.as_json() for result in found if result.of == way] == [result.as_json() for result in alone]
    # of one right one in 40 a random order has it first once in 40 times, and its reciprocal rank is the mean of 1 / rank
    assert {result.metric: result.chance for result in found} == pytest.approx(
        {"recall@1": 1 / 40, "map": np.mean(1 / np.arange(1, 41)), "mrr": np.mean(1 / np.arange(1, 41))}
    )


def test_a_sample_that_the_gallery_lacks_is_no_query():
    splits = paired()
    kept = torch.arange(30)
    splits["image"] = coview.FeatureSplit(splits["image"].x_ND[kept], splits["image"].ids_N[kept], groups_N=kept % 4)
    found = Retrieval(k=(1,), between=("image", "text")).evaluate_cross_modal(subject(splits), coview.Rng(0))
    assert {(result.of, result.n, round(result.chance, 9)) for result in found if result.metric == "recall@1"} == {
        ("image-to-text", 30, 1 / 40),
        ("text-to-image", 30, round(1 / 30, 9)),
    }
    texts = splits["text"]
    ranks = []
    for row, own in zip(texts.x_ND, texts.ids_N.tolist(), strict=True):
        if own in splits["image"].ids_N.tolist():
            similarity = splits["image"].x_ND @ row
            right = splits["image"].ids_N.tolist().index(own)
            ranks.append(1 + int((similarity > similarity[right]).sum()))
    (mrr,) = (result for result in found if (result.of, result.metric) == ("text-to-image", "mrr"))
    assert mrr.value == pytest.approx(np.mean(1 / np.array(ranks)))
    apart = {"image": splits["image"], "text": coview.FeatureSplit(texts.x_ND, texts.ids_N + 1)}
    with pytest.raises(coview.CoviewError, match="no sample of the test split has both image and text"):
        Retrieval(between=("image", "text")).evaluate_cross_modal(subject(apart), coview.Rng(0))


def test_zero_shot_may_call_classes_otherwise():
    z_TD = unit_rows(3, 5, 3)
    texts = dict(zip(("a tabby", "a dog", "an ox"), z_TD, strict=True))
    labels = torch.arange(30) % 3
    splits = {"image": coview.FeatureSplit(z_TD[labels], torch.arange(30), labels)}
    names = {"n1": "a tabby", "n2": "a dog"}
    asked = subject(splits, classes=("n1", "n2", "an ox"), texts=texts)
    (found,) = ZeroShot(of="image", by="text", names=names).evaluate_cross_modal(asked, coview.Rng(0))
    assert (found.value, found.chance, found.of) == (1.0, 1 / 3, "image")
    assert found.protocol["names"] == ["a tabby", "a dog", "an ox"]
    with pytest.raises(coview.CoviewError, match='names: the data has no class "n3"'):
        ZeroShot(of="image", by="text", names={"n3": "a cow"}).evaluate_cross_modal(asked, coview.Rng(0))


def test_samples_of_equal_ids_are_all_right():
    images = torch.eye(3)[[0, 1, 1]]
    texts = torch.eye(3)[[0, 1, 2]]
    ids = torch.tensor([5, 8, 8])  # one sample with two captions
    splits = {"image": coview.FeatureSplit(images, ids), "text": coview.FeatureSplit(texts, ids)}
    results = Retrieval(k=(1,), query="image", gallery="text").evaluate_cross_modal(subject(splits), coview.Rng(0))
    # each picture of sample 8 finds one of its captions first and the other one last, after the one of sample 5
    assert {result.metric: result.value for result in results} == pytest.approx(
        {"recall@1": 1.0, "map": (1 + 2 * (1 + 2 / 3) / 2) / 3, "mrr": 1.0}
    )


def test_zero_shot_equals_the_papers_figure_3_by_hand():
    names, prompts = ("cat", "dog", "ox"), ("a photo of a {}", "the {}, drawn")
    z_TD = unit_rows(6, 5, 3)
    sentences = [prompt.format(name) for name in names for prompt in prompts]
    texts = dict(zip(sentences, z_TD, strict=True))
    labels = torch.randint(3, (50,), generator=torch.Generator().manual_seed(4))
    x_ND = torch.nn.functional.normalize(z_TD.reshape(3, 2, 5).mean(1)[labels] + 1.2 * unit_rows(50, 5, 5))
    splits = {"image": coview.FeatureSplit(x_ND, torch.arange(50), labels)}
    evaluator = ZeroShot(of="image", by="text", prompts=prompts)
    (result,) = evaluator.evaluate_cross_modal(subject(splits, classes=names, texts=texts), coview.Rng(0))
    hits = []
    for row, label in zip(x_ND.double(), labels, strict=True):
        cosines = []
        for name in names:
            rows = [texts[prompt.format(name)].double() for prompt in prompts]
            mean = sum(rows) / len(rows)
            cosines.append(float(row @ mean / (row.norm() * mean.norm())))
        hits.append(int(np.argmax(cosines)) == int(label))
    assert 0.3 < np.mean(hits) < 1
    assert result.value == pytest.approx(np.mean(hits))
    assert result.per_item.tolist() == hits
    assert result.ci_low < result.value < result.ci_high
    assert result.protocol["prompts"] == list(prompts)
    assert result.protocol["names"] == list(names)


@pytest.mark.parametrize(
    ("evaluator", "parameters", "message"),
    [
        (ZeroShot, {"of": "image", "by": "text", "prompts": ("a photo",)}, r'\{\} .*once, .* got "a photo"'),
        (ZeroShot, {"of": "image", "by": "text", "prompts": ("{} of {}",)}, r'\{\} .*once, .* got "\{\} of \{\}"'),
        (ZeroShot, {"of": "text", "by": "text"}, "of and by are both 'text'"),
        (Retrieval, {"query": "text"}, "query is given without gallery"),
        (Retrieval, {"gallery": "image"}, "gallery is given without query"),
        (Retrieval, {"query": "text", "gallery": "text"}, "query and gallery are both 'text'"),
        (Retrieval, {"query": "text", "gallery": "image", "between": ("text", "image")}, "between is given with query"),
        (Retrieval, {"between": ("text", "image", "text")}, "between has to name each modality once"),
    ],
)
def test_parameters_that_make_no_sense(evaluator, parameters, message):
    with pytest.raises(ValueError, match=message):
        evaluator(**parameters)


def test_a_projection_that_is_not_finite_is_named():
    splits = paired()
    splits["text"].x_ND[3, 0] = torch.nan
    with pytest.raises(coview.CoviewError, match="1 of 40 representations of the test split hold NaN"):
        Retrieval(query="text", gallery="image").evaluate_cross_modal(subject(splits), coview.Rng(0))


@pytest.mark.gpu
def test_on_a_gpu():
    splits = paired()
    there = {
        name: coview.FeatureSplit(split.x_ND.cuda(), split.ids_N)  # ids stay behind, as a run's do
        for name, split in splits.items()
    }
    evaluator = Retrieval(query="text", gallery="image")
    here = evaluator.evaluate_cross_modal(subject(splits), coview.Rng(0))
    found = evaluator.evaluate_cross_modal(subject(there), coview.Rng(0))
    assert [result.value for result in found] == pytest.approx([result.value for result in here])
