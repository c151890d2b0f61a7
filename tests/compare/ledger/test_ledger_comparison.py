"""Numbers are joined where they were measured alike and recipes differ in the seed only; pandas says the same."""

import json

import numpy as np
import pandas
import pytest
from ledger_records import number, record, told_by

from coview.compare.ledger.comparison import compare_in
from coview.compare.ledger.from_run import record_of
from coview.compare.ledger.groups import groups_in
from coview.compare.ledger.long_table import COLUMNS, long_rows, write_long_table
from coview.compare.ledger.runs import runs_in
from coview.compare.ledger.text import in_words
from coview.errors import CoviewError

generator = np.random.default_rng(0)
VALUES = {(t, seed): float(v) for (t, seed), v in zip(
    [(t, seed) for t in (0.1, 0.2, 0.5) for seed in range(4)], generator.random(12) * 0.2 + 0.6, strict=True
)}  # fmt: skip


def temperature(t, seed, value=None, name=None, **fields):
    recipe = {"loss": {"use": "nt_xent", "temperature": t}}
    return record(VALUES[t, seed] if value is None else value, seed, recipe=recipe, name=name or "one", **fields)


RECORDS = [temperature(t, seed) for t, seed in VALUES]


def summaries(joined):
    return {summary.variant: summary for summary in joined.analysis.modalities[0].summaries}


def test_means_and_spreads_are_those_of_pandas(tmp_path):
    runs = runs_in(RECORDS)
    (joined,) = compare_in(runs)
    write_long_table(tmp_path / "x.csv", runs, "csv")
    frame = pandas.read_csv(tmp_path / "x.csv").query("kind == 'pretrained'")
    recipes = {made.run: str(made.recipe["loss"]["temperature"]) for made in RECORDS}
    grouped = frame.groupby(frame["run"].map(recipes))["value"]
    found = summaries(joined)
    assert set(found) == {"0.1", "0.2", "0.5"}
    for variant, values in grouped:
        assert found[variant].mean == pytest.approx(values.mean(), abs=1e-12)
        assert found[variant].sd == pytest.approx(values.std(ddof=1), abs=1e-12)
        assert found[variant].seeds == len(values) == 4
        assert (found[variant].untrained, found[variant].raw) == (pytest.approx(0.3), pytest.approx(0.4))
        assert f"{values.mean():.3f} ± {values.std(ddof=1):.3f}" in in_words([joined], tmp_path)


def test_real_runs_are_compared_as_coview_compare_does(small_run, tmp_path):
    (joined,) = compare_in(runs_in([record_of(small_run.folder)]))
    values = {result.kind: result.value for result in small_run.results}
    assert summaries(joined)["small"].mean == values["pretrained"]
    assert summaries(joined)["small"].raw == values["raw"]
    assert joined.groups[0].result.protocol_hash == small_run.results[0].protocol_hash


def other_protocol(seed, **protocol):
    return record(0.9, seed, name="other", results=[number(0.9, **protocol)])


def test_numbers_of_other_protocols_stand_in_tables_of_their_own_with_what_differs(tmp_path):
    runs = runs_in([*RECORDS, other_protocol(0, k=5), other_protocol(1, k=5), other_protocol(2, dataset_version="v2")])
    first, second, third = compare_in(runs)
    assert set(summaries(first)) == {"0.1", "0.2", "0.5"}
    assert (summaries(second)["other"].seeds, second.apart) == (2, ["k: 20 → 5"])
    assert (summaries(third)["other"].seeds, third.apart) == (1, ['dataset_version: "v1" → "v2"'])
    assert "  k: 20 → 5\n" in in_words([first, second, third], tmp_path)


def test_as_many_test_items_belong_to_what_is_measured_alike():
    (one, other) = groups_in(runs_in([record(0.5, 0), record(0.5, 1, results=[number(0.5, n=50)])]))["knn/accuracy"]
    assert {one.result.n, other.result.n} == {100, 50}


def test_recipes_of_several_labs_are_one_variant_where_only_the_seed_and_the_machine_differ():
    labs = [
        record(0.5, 0, recipe={"train": {"device": "cpu"}, "evaluate": [{"use": "knn"}]}, who="lab A"),
        record(0.7, 1, recipe={"train": {"device": "cuda"}, "evaluate": []}, who="lab B"),
    ]
    (joined,) = compare_in(runs_in(labs))
    assert summaries(joined)["one"].mean == pytest.approx(0.6)
    assert joined.who == {("digits", "one"): "lab A, lab B"}
    apart = [record(0.5, 0), record(0.7, 1, data_version="v2")]
    (joined,) = compare_in(runs_in(apart))
    assert set(summaries(joined)) == {"v1", "v2"}
    started = [record(0.5, 0, start={"image": "a"}), record(0.7, 1, start={"image": "b"})]
    assert set(summaries(compare_in(runs_in(started))[0])) == {"a", "b"}


def test_what_a_run_is_measured_by_is_another_variant_where_it_may_end_the_run():
    stopping = {"callback": [{"use": "early_stopping", "changes_run": True}]}
    telling = {"callback": [{"use": "wandb"}]}
    for more, variants in ((stopping, 2), (telling, 1), ({}, 1)):
        runs = [record(0.5, k, recipe={**more, "evaluate": [{"use": "knn", "k": k}]}, run=told_by(k)) for k in (5, 20)]
        assert len(summaries(compare_in(runs_in(runs))[0])) == variants


def test_values_that_read_alike_are_two():
    runs = [record(0.5, i, recipe={"x": x}, run=told_by(i)) for i, x in enumerate((0.1, "0.1"))]
    for by in ([], ["loss.use"], ["x"]):
        assert len(summaries(compare_in(runs_in(runs), by=by)[0])) == 2, by


def test_what_by_leaves_out_is_kept_apart_and_said():
    runs = runs_in(RECORDS[:8])
    (joined,) = compare_in(runs, by=["loss.use"])
    assert set(summaries(joined)) == {"nt_xent · 0.1", "nt_xent · 0.2"}
    assert joined.notes == ["runs of nt_xent are kept apart, because they differ in loss.temperature: 0.1 → 0.2"]
    (joined,) = compare_in(runs_in([record(0.5, 0, who="A"), record(0.5, 1, who="B"), record(0.5, 2)]), by=["who"])
    assert set(summaries(joined)) == {"A", "B", "(unknown)"}


def test_variants_are_called_by_their_recipes_where_much_differs():
    def many(name, lr, seed=0, **more):
        recipe = {"optimizer": {"lr": lr, "use": f"u{lr}"}, "a": lr, "b": lr, **more}
        return record(0.5, seed, name=name, recipe=recipe, run=told_by(name, lr, seed))

    (joined,) = compare_in(runs_in([many("cold", 1), many("cold", 1, seed=1), many("warm", 2)]))
    assert set(summaries(joined)) == {"cold", "warm"}
    (joined,) = compare_in(runs_in([many("cold", 1), many("cold", 2), many("cold", 3)]))
    assert all(variant.startswith("cold (") for variant in summaries(joined))
    assert len(summaries(joined)) == 3


def test_data_sets_are_one_table_where_variants_are_called_alike():
    def on(dataset, t, seed, value):
        return temperature(
            t,
            seed,
            name=dataset,
            results=[number(value, dataset=dataset)],
            data_version=dataset,
            run=told_by(dataset, t, seed),
        )

    records = [
        on(dataset, t, seed, 0.5 + t / 2 + seed / 100 + shift)
        for dataset, shift in (("digits", 0.0), ("photos", 0.1), ("sounds", 0.05))
        for t in (0.1, 0.2, 0.5)
        for seed in range(3)
    ]
    (joined,) = compare_in(runs_in(records), by=["loss.temperature"])
    assert [each.scores.modality for each in joined.analysis.modalities] == [g.result.dataset for g in joined.groups]
    ranks = joined.analysis.ranks
    assert dict(zip(ranks.variants, ranks.rank_V, strict=True)) == pytest.approx({"0.1": 3, "0.2": 2, "0.5": 1})
    assert len(compare_in(runs_in(records))) == 3


def test_of_two_runs_of_one_seed_the_first_counts():
    later = temperature(0.1, 0, value=0.9, run=told_by("again"), started="2026-02-01T00:00:00+00:00")
    (joined,) = compare_in(runs_in([later, *RECORDS[:4]]))
    assert summaries(joined)["one"].seeds == 4
    assert summaries(joined)["one"].mean == pytest.approx(np.mean([VALUES[0.1, seed] for seed in range(4)]))
    first = f"{VALUES[0.1, 0]:.4f}"
    assert joined.notes == [f"seed 0 of one was run 2 times ({first}, 0.9000), and the first counts"]


def test_other_code_is_said():
    codes = [{"loss losses/nt_xent": "coview 0.1.0 aaa"}, {"loss losses/nt_xent": "coview 0.1.0 bbb"}]
    (joined,) = compare_in(runs_in([record(0.5, seed, code=code) for seed, code in enumerate(codes)]))
    assert joined.notes == [
        "runs of one are joined although their code differs: loss losses/nt_xent: coview 0.1.0 aaa → coview 0.1.0 bbb"
    ]


def test_a_contradicted_number_is_in_no_table():
    runs = runs_in([*RECORDS[:2], temperature(0.1, 0, value=0.99)])
    (joined,) = compare_in(runs)
    assert summaries(joined)["one"].mean == VALUES[0.1, 1]
    assert [row["value"] for row in long_rows(runs) if row["kind"] == "pretrained"] == [VALUES[0.1, 1]]


def test_each_variant_can_be_tested_against_one(tmp_path):
    (joined,) = compare_in(runs_in(RECORDS), baseline="0.1")
    assert joined.table.baseline == "0.1"
    assert "each is tested against 0.1" in in_words([joined], tmp_path)
    with pytest.raises(CoviewError, match=r'no variant is called "0\.3"'):
        compare_in(runs_in(RECORDS), baseline="0.3")


def test_what_is_not_there_is_said():
    runs = runs_in(RECORDS)
    with pytest.raises(CoviewError, match='no run has the number knn/acuracy, did you mean "knn/accuracy"'):
        compare_in(runs, metric="knn/acuracy")
    with pytest.raises(CoviewError, match=r"no run has loss\.heat in its recipe"):
        compare_in(runs, by=["loss.heat"])
    with pytest.raises(CoviewError, match="no run has a number"):
        compare_in([])


def test_a_number_is_asked_for_by_its_name():
    results = [number(0.5), number(0.6, labels_per_class=10), number(0.7, metric="f1"), number(0.8, evaluator="knn2")]
    runs = runs_in([record(results=results)])
    assert list(groups_in(runs)) == ["knn/accuracy", "knn/accuracy@10", "knn/f1", "knn2/accuracy"]
    assert list(groups_in(runs, "knn")) == ["knn/accuracy", "knn/accuracy@10", "knn/f1"]
    assert list(groups_in(runs, "knn/accuracy")) == ["knn/accuracy", "knn/accuracy@10"]
    assert list(groups_in(runs, "knn/accuracy@all")) == ["knn/accuracy"]
    assert list(groups_in(runs, "knn/accuracy@10")) == ["knn/accuracy@10"]


def test_what_leaks_and_who_has_stopped_a_run_is_said_with_it(tmp_path):
    leak = {"data": "digits", "version": "v1", "said": "Train and test of digits overlap: …."}
    elsewhere = {**leak, "version": "v2", "said": "of another version"}
    made = record(0.5, leaks=[leak, elsewhere], stopped="stopped at step 5 by early_stopping: patience")
    text = in_words(compare_in(runs_in([made])), tmp_path)
    assert leak["said"] in text
    assert "of another version" not in text
    assert "Runs that were stopped before their last step: one (1)." in text


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_the_long_table_has_every_number(tmp_path, form, small_run):
    runs = runs_in([*RECORDS, record_of(small_run.folder, who="lab A")])
    assert write_long_table(tmp_path / "deep" / "x", runs, form) == 39
    frame = pandas.read_csv(tmp_path / "deep" / "x") if form == "csv" else pandas.read_parquet(tmp_path / "deep" / "x")
    assert list(frame.columns) == list(COLUMNS)
    (of_run,) = [part for who, part in frame.groupby("who", dropna=True) if who == "lab A"]
    for result in small_run.results:
        (row,) = of_run.query(f"kind == '{result.kind}'").to_dict("records")
        assert (row["value"], row["ci_low"], row["n"]) == (result.value, result.ci_low, result.n)
        assert (row["protocol_hash"], row["number"]) == (result.protocol_hash, "knn/accuracy")
        assert json.loads(row["protocol"]) == dict(result.protocol)
        assert (row["seed"], row["recipe_hash"], row["modality"]) == (3, small_run.recipe.hash, "image")


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_name_that_is_no_utf8_can_be_written(tmp_path, form):
    write_long_table(tmp_path / "x", runs_in([record(0.5, who="lab \udce9")]), form)
    frame = pandas.read_csv(tmp_path / "x") if form == "csv" else pandas.read_parquet(tmp_path / "x")
    assert set(frame["who"]) == {r"lab \udce9"}
