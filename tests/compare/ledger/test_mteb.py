"""MTEB's result JSON: what its own reader asks for, and numbers that mean there what they mean here."""

import json

import numpy as np
import pytest
from ledger_records import number, record
from sklearn.metrics import normalized_mutual_info_score, v_measure_score

from coview.compare.ledger.mteb import task_name, write_mteb
from coview.compare.ledger.runs import runs_in
from coview.errors import CoviewError

RESULTS = [
    number(0.8, evaluator="linear_probe"),
    number(0.3, "raw", evaluator="linear_probe"),
    number(0.6, evaluator="linear_probe", labels_per_class=5),
    number(0.7, evaluator="core/mteb_classification", labels_per_class=8),
    number(0.51, evaluator="similarity", metric="spearman", dataset="lee"),
    number(0.52, evaluator="similarity", metric="pearson", dataset="lee"),
    *(number(value, evaluator="clustering", metric=m) for m, value in (("nmi", 0.4), ("ari", 0.3), ("accuracy", 0.5))),
    *(number(v, evaluator="retrieval", metric=m) for m, v in (("recall@1", 0.6), ("recall@5", 0.9), ("map", 0.2), ("mrr", 0.7))),
    number(0.9),  # of nearest neighbours, which MTEB does not have
]  # fmt: skip
RUNS = runs_in([record(results=RESULTS, name="a b/c", started="2026-01-01T00:00:00+00:00", modalities=["image"])])


def written(tmp_path, runs=RUNS, metric=None):
    write_mteb(tmp_path, runs, metric)
    files = {path.relative_to(tmp_path): json.loads(path.read_text()) for path in sorted(tmp_path.rglob("*.json"))}
    return {path.name: document for path, document in files.items()}, list(files)


def test_each_task_has_its_scores_under_mtebs_names(tmp_path):
    documents, _ = written(tmp_path)
    by_evaluator = {}
    for name, document in documents.items():
        if name != "model_meta.json":
            (scores,) = document["scores"]["test"]
            by_evaluator.setdefault(document["coview"]["evaluator"], []).append(scores)
    common = {"hf_subset": "default", "languages": ["und-Zyyy"]}
    assert sorted(scores["main_score"] for scores in by_evaluator["linear_probe"]) == [0.6, 0.8]
    assert by_evaluator["core/mteb_classification"] == [{"accuracy": 0.7, "main_score": 0.7, **common}]
    assert by_evaluator["similarity"] == [
        {
            "cosine_spearman": 0.51,
            "spearman": 0.51,
            "cosine_pearson": 0.52,
            "pearson": 0.52,
            "main_score": 0.51,
            **common,
        }
    ]
    assert by_evaluator["clustering"] == [
        {"v_measure": 0.4, "nmi": 0.4, "ari": 0.3, "cluster_accuracy": 0.5, "main_score": 0.4, **common}
    ]
    assert by_evaluator["retrieval"] == [
        {"hit_rate_at_1": 0.6, "hit_rate_at_5": 0.9, "map": 0.2, "mrr": 0.7, "main_score": 0.6, **common}
    ]
    assert set(by_evaluator) == {"linear_probe", "core/mteb_classification", "similarity", "clustering", "retrieval"}


def test_files_lie_where_mteb_looks_for_them(tmp_path):
    documents, paths = written(tmp_path)
    run = RUNS[0].record.run
    assert {path.parent.parts for path in paths} == {("results", "coview__a-b-c", run)}
    for name, document in documents.items():
        if name == "model_meta.json":
            assert (document["name"], document["revision"], document["release_date"]) == (
                "coview/a-b-c",
                run,
                "2026-01-01",
            )
            continue
        assert document["task_name"] == name.removesuffix(".json")
        assert document["dataset_revision"] == "v1"
        assert document["date"] == 1767225600
        assert set(document) == {
            "dataset_revision", "task_name", "mteb_version", "scores", "evaluation_time", "kg_co2_emissions", "date", "coview"
        }  # fmt: skip


def test_numbers_of_other_protocols_are_of_other_tasks():
    one = number(0.5, evaluator="linear_probe")
    assert task_name(one) == task_name(number(0.9, "raw", evaluator="linear_probe", chosen={"l2": [1]}))
    assert task_name(one).startswith("Coview-digits-linear_probe-")
    for other in ({"k": 5}, {"dataset_version": "v2"}, {"dataset": "photos"}, {"evaluator": "zero_shot"}):
        assert task_name(one) != task_name(number(0.5, **{"evaluator": "linear_probe", **other}))


def test_only_what_is_asked_for(tmp_path):
    documents, _ = written(tmp_path, metric="similarity/pearson")
    (scores,) = next(document for name, document in documents.items() if "similarity" in name)["scores"]["test"]
    assert (len(documents), scores["main_score"]) == (2, 0.51)  # a task is whole, with the score that MTEB ranks by
    with pytest.raises(CoviewError, match="no number with a counterpart"):
        write_mteb(tmp_path, RUNS, "knn")


def test_nmi_is_the_v_measure():
    generator = np.random.default_rng(0)
    for _ in range(20):
        classes, clusters = generator.integers(0, 4, 50), generator.integers(0, 6, 50)
        assert normalized_mutual_info_score(classes, clusters) == pytest.approx(
            v_measure_score(classes, clusters), abs=1e-12
        )


def test_mtebs_own_reader_takes_them(tmp_path):
    results = pytest.importorskip("mteb.results")
    model_meta = pytest.importorskip("mteb.models.model_meta")
    _, paths = written(tmp_path)
    for path in paths:
        if path.name == "model_meta.json":
            assert model_meta.ModelMeta(**json.loads((tmp_path / path).read_text())).name == "coview/a-b-c"
            continue
        read = results.TaskResult.from_disk(tmp_path / path)
        (scores,) = json.loads((tmp_path / path).read_text())["scores"]["test"]
        assert read.get_score() == scores["main_score"]
