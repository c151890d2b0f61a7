"""``coview results``: from runs to a ledger, from ledgers to tables and files."""

import json
import os
import shutil

import pandas
import pytest

import coview
from coview.compare.ledger.ledger import read_ledger


@pytest.fixture(scope="module")
def runs(small_run, tmp_path_factory):
    """The small run, with another seed's and a loss's beside it."""
    folder = tmp_path_factory.mktemp("ledger_runs")
    recipe = folder / "recipe.toml"
    shutil.copy(small_run.path.parents[2] / "recipe.toml", recipe)
    shutil.copytree(small_run.path.parent, folder / "runs" / "small", symlinks=True)
    for overrides in ({"seed": 4}, {"loss.temperature": 0.9}):
        loaded = coview.load_recipe(recipe, overrides=overrides, registry=small_run.registry)
        coview.run(loaded, folder / "runs", registry=small_run.registry, quiet=True)
    return folder / "runs"


def test_from_runs_to_tables(call, runs, tmp_path):
    done = call("results", "add", "ledger", runs, "--who", "lab A")
    assert (done.status, done.err) == (0, "")
    assert "3 new, 0 there already: ledger" in done.out
    assert "0 new, 3 there already: ledger" in call("results", "add", "ledger", runs, "--who", "lab A").out
    listed = call("results", "list", "ledger").out
    assert listed.count("lab A") == 3
    assert "3 runs" in listed
    assert "3 runs" in call("results", "list", "ledger", "--metric", "knn/accuracy", "--modality", "image").out
    (first, *others) = json.loads(call("results", "list", "ledger", "--recipe", "small", "--json").out)
    assert len(others) == 2
    assert {row["kind"] for row in first["results"]} == {"pretrained", "untrained", "raw"}
    values = [
        next(r.value for r in coview.load_run(path.parent).results if r.kind == "pretrained")
        for path in sorted(runs.rglob("results.json"))
        if coview.load_run(path.parent).recipe.loss[0].parameters["temperature"] != 0.9
    ]
    shown = call("results", "show", "ledger", "--metric", "knn/accuracy")
    mean = pandas.Series(values)
    assert f"{mean.mean():.3f} ± {mean.std():.3f}" in shown.out
    assert "variant (loss.temperature)" in shown.out
    done = call("results", "show", "ledger", "--baseline", "0.9", "--by", "loss.temperature")
    assert "each is tested against 0.9" in done.out


def test_a_ledger_has_the_report_of_a_comparison(call, runs, tmp_path):
    call("results", "add", "ledger", runs, "--who", "lab A")
    recipe = coview.load_recipe(runs.parent / "recipe.toml", overrides={"seed": 4, "loss.temperature": 0.9})
    coview.run(recipe, tmp_path / "one-more", quiet=True)
    call("results", "add", "ledger", tmp_path / "one-more")
    done = call("results", "show", "ledger", "--metric", "knn/accuracy", "--margin", "99", "--to", "pages/knn.html")
    assert (done.status, done.out.strip()) == (0, "report      pages/knn.html"), done.err
    text = " ".join((tmp_path / "pages" / "knn.html").read_text(encoding="utf-8").split())
    for words in (
        "<h1>knn/accuracy on ", "runs of a ledger, test split, protocol ", "A ledger has no curves",
        "0.5 is of lab A.", "<dt>varied</dt><dd>loss.temperature</dd>", "The stripe is the margin of 99",
        "coview results show ledger --metric knn/accuracy --margin 99 --to pages/knn.html",
        f"<dt>coview</dt><dd>{coview.__version__}</dd>",
    ):  # fmt: skip
        assert words in text, words
    assert "cells.csv" not in text
    assert str(tmp_path) not in text
    shown = call("results", "show", "ledger", "--metric", "knn/accuracy", "--margin", "99").out
    assert "the same within 99" in shown


def test_several_tables_are_several_pages(call, runs, tmp_path):
    shutil.copytree(runs, tmp_path / "own", symlinks=True)
    call("results", "add", "ledger", "own")
    first = min(path.parent for path in (tmp_path / "own").rglob("results.json"))
    call("evaluate", first, "--set", "evaluate.0.k=3")
    call("results", "add", "ledger", first)
    done = call("results", "show", "ledger", "--to", "one.html")
    assert (done.status, "one.html is one page, and there are 2 tables: knn/accuracy" in done.err) == (2, True), (
        done.err
    )
    assert not (tmp_path / "one.html").exists()
    done = call("results", "show", "ledger", "--to", "pages", "--format", "html")
    assert done.status == 0, done.err
    names = sorted(path.name for path in (tmp_path / "pages").iterdir())
    assert [name[:15] for name in names] == ["01-knn-accuracy", "02-knn-accuracy"]
    assert "they were measured differently: k: " in (tmp_path / "pages" / names[1]).read_text(encoding="utf-8")


def test_merge(call, runs):
    first, *others = sorted(path.parent for path in runs.rglob("results.json"))
    call("results", "add", "one", first)
    call("results", "add", "other.jsonl", *others, first)
    done = call("results", "merge", "one", "other.jsonl")
    assert "2 new, 1 there already: one" in done.out
    call("results", "merge", "other", "other.jsonl", "one")
    assert set(read_ledger("one").records) == set(read_ledger("other").records)


def test_a_contradiction_is_told_and_where_it_lies(call, own_run):
    call("results", "add", "ledger", own_run.path)
    document = json.loads(own_run.folder.results.read_text())
    document["results"][0] |= {"value": 0.123, "ci_low": 0.1, "ci_high": 0.2, "against": None}
    own_run.folder.results.write_text(json.dumps(document))
    done = call("results", "add", "ledger", own_run.path)
    assert "contradicts run" in done.out
    assert "0.123" in done.out
    done = call("results", "list", "ledger")
    assert "Remove the record that is wrong: ledger" in done.err
    wrong = next(path for path, record in _by_value(0.123))
    os.remove(wrong)
    assert call("results", "list", "ledger").err == ""


def _by_value(value):
    ledger = read_ledger("ledger")
    return [
        (ledger.places[content], record)
        for content, record in ledger.records.items()
        if any(result.value == value for result in record.results)
    ]


def test_files_out(call, runs, tmp_path):
    call("results", "add", "ledger", runs)
    assert "9 numbers of 3 runs: out.csv" in call("results", "show", "ledger", "--to", "out.csv").out
    call("results", "show", "ledger", "--to", "out.parquet")
    call("results", "show", "ledger", "--to", "table", "--format", "csv")
    one, other = pandas.read_csv("out.csv"), pandas.read_parquet("out.parquet")
    assert list(one["value"]) == list(other["value"]) == list(pandas.read_csv("table")["value"])
    done = call("results", "show", "ledger", "--to", "mteb", "--format", "mteb")
    assert (done.status, "no number with a counterpart in MTEB" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "ledger", "nowhere"], "nowhere: there is no such folder"),
        (["add", "ledger", "file.txt"], "file.txt: it is a file, not the folder of a run"),
        (["add", "file.txt", "nowhere"], "file.txt is not a ledger"),
        (["add", "ledger", "empty"], "empty: there is no run in it"),
        (["list", "nowhere"], "nowhere: there is no such ledger"),
        (["list", "file.txt"], "file.txt is not a ledger"),
        (["list", "empty"], "empty has no records"),
        (["list", "foreign"], "foreign has no records"),
        (["show", "foreign.jsonl"], "foreign.jsonl has no records"),
        (["merge", "ledger", "nowhere"], "nowhere: there is no such ledger"),
        (["show", "empty", "--format", "csv"], "--format says what --to writes, and there is no --to"),
    ],
)
def test_bad_input_is_one_plain_message(call, tmp_path, arguments, said):
    (tmp_path / "file.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "foreign").mkdir()
    for name, content in (
        ("foreign/a.json", b"\x00\xff"),
        ("foreign/b.json", b"{}"),
        ("foreign.jsonl", b"[1]\n\xff\n"),
    ):
        (tmp_path / name).write_bytes(content)
    done = call("results", *arguments)
    assert done.status == 2
    assert f"error: {said}" in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "ledger").exists()


def test_what_is_asked_for_and_not_there(call, own_run):
    call("results", "add", "ledger", own_run.path)
    for option, value, said in (
        ("--recipe", "big", "recipes: small; modalities: image"),
        ("--modality", "text", "recipes: small; modalities: image"),
        ("--metric", "knn/acuracy", 'did you mean "knn/accuracy"'),
        ("--by", "loss.heat", "no run has loss.heat"),
        ("--baseline", "none", 'no variant is called "none"'),
        ("--margin", "-1", "-1.0 is not in the range"),
        ("--to", "somewhere", "FILE.csv, FILE.parquet, FILE.html, or FOLDER with --format mteb or html"),
    ):
        done = call("results", "show", "ledger", option, value)
        assert (done.status, said in done.err) == (2, True), (option, done.err)


def test_listing_and_merging_import_no_torch(start, own_run, call):
    call("results", "add", "ledger", own_run.path)
    before = (
        "import atexit, sys; atexit.register(lambda: print('torch' in sys.modules))\nfrom coview.cli.main import _run"
    )
    for arguments in (("list", "ledger"), ("merge", "other", "ledger")):
        before += f"\nprint(_run({['results', *arguments]!r}, False), 'torch' in sys.modules)"
    done = start("results", "show", "ledger", "--to", "x.csv", before=before)
    said = [line for line in done.out.splitlines() if line.endswith(("True", "False"))]
    assert (done.status, said) == (0, ["0 False", "0 False", "False"]), done.err


@pytest.mark.parametrize("form", ["csv", "parquet", "mteb"])
def test_what_is_of_a_comparison_is_refused_where_only_numbers_are_written(call, runs, tmp_path, form):
    call("results", "add", "ledger", runs)
    flags = {"--margin": "0.01", "--by": "loss.use", "--baseline": "0.9"}
    for flag, value in flags.items():
        done = call("results", "show", "ledger", "--to", "written", "--format", form, flag, value)
        assert done.status == 2
        assert done.err.splitlines()[0] == (
            f"error: {flag} is for a comparison, and {form} has the numbers without a comparison"
        )
    done = call(
        "results", "show", "ledger", "--to", "written", "--format", form, *(w for f in flags.items() for w in f)
    )
    assert "--by and --baseline and --margin are for a comparison" in done.err
    assert not (tmp_path / "written").exists()
