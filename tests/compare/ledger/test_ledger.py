"""A ledger is the set of its records: adding and merging are unions, whatever is damaged is named."""

import json
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_records import number, record, run_folder

from coview.compare.ledger.add import add_runs
from coview.compare.ledger.ledger import read_ledger, write_records
from coview.compare.ledger.merge import merge_ledgers
from coview.compare.ledger.runs import contradictions_in, runs_in
from coview.errors import CoviewError

POOL = [
    *(record(0.5 + seed / 10, seed) for seed in range(3)),
    record(0.9, 0),  # the same run as the first, with another number
    record(0.5, 0, who="lab B"),  # the same run and number
    record(0.5, 0, results=[number(0.5), number(0.7, k=5)]),  # the same run, measured further
]
"""Records that agree with each other and records that do not."""

subsets = st.sets(st.integers(0, len(POOL) - 1)).map(lambda chosen: [POOL[index] for index in sorted(chosen)])
endings = st.sampled_from(["", ".jsonl"])


def contents(path):
    return set(read_ledger(path).records)


def told(path):
    """All that tables and lists are made of."""
    runs = runs_in(read_ledger(path).records.values())
    return [(run.record.run, run.who, run.results, run.contradictions) for run in runs]


@settings(max_examples=25)  # each writes a dozen ledgers, and waits for the disk
@given(one=subsets, other=subsets, third=subsets, first_ends=endings, second_ends=endings)
def test_merging_is_commutative_associative_and_idempotent(one, other, third, first_ends, second_ends):
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder)
        for name, records in (("a", one), ("b", other), ("c", third)):
            write_records(at / name, records)

        def merged(name, *others):
            path = at / f"{name}{first_ends if len(name) % 2 else second_ends}"
            merge_ledgers(path, [at / given if isinstance(given, str) else given for given in others])
            return path

        ab, ba = merged("ab", "a", "b"), merged("ba1", "b", "a")
        ab_c, a_bc = merged("ab-c", ab, "c"), merged("a-bc1", "a", merged("bc", "b", "c"))
        union = {made.content for made in (*one, *other, *third)}
        assert contents(ab) == contents(ba) == {made.content for made in (*one, *other)}
        assert contents(ab_c) == contents(a_bc) == union
        assert told(ab) == told(ba)
        assert told(ab_c) == told(a_bc)
        before = told(ab_c)
        again = merge_ledgers(ab_c, [ab_c, at / "a", a_bc])
        assert again.new == []
        assert told(ab_c) == before


def test_the_same_run_added_twice_is_one_record(small_run, tmp_path):
    first = add_runs(tmp_path / "ledger", [small_run.path])
    assert (len(first.new), len(first.known)) == (1, 0)
    again = add_runs(tmp_path / "ledger", [small_run.path, small_run.path.parent])
    assert (len(again.new), len(again.known)) == (0, 1)
    assert [path.name for path in (tmp_path / "ledger").iterdir()] == [f"{first.new[0].content}.json"]


def test_copying_files_is_merging(tmp_path):
    write_records(tmp_path / "a", POOL[:2])
    write_records(tmp_path / "b", POOL[1:3])
    shutil.copytree(tmp_path / "a", tmp_path / "copied")
    shutil.copytree(tmp_path / "b", tmp_path / "copied", dirs_exist_ok=True)
    merge_ledgers(tmp_path / "merged", [tmp_path / "a", tmp_path / "b"])

    def files(path):
        return {file.name: file.read_bytes() for file in path.iterdir()}

    assert files(tmp_path / "copied") == files(tmp_path / "merged")
    shutil.copytree(tmp_path / "b", tmp_path / "a" / "of-lab-b")
    assert contents(tmp_path / "a") == contents(tmp_path / "merged")


def test_records_of_one_run_are_one_run_with_all_its_numbers():
    (run,) = runs_in([POOL[0], POOL[4], POOL[5]])
    assert run.who == "lab B"
    assert run.contradictions == ()
    assert sorted((result.kind, result.value) for result in run.results) == [
        ("pretrained", 0.5), ("pretrained", 0.7), ("raw", 0.4), ("untrained", 0.3)
    ]  # fmt: skip


def test_a_number_that_records_have_differently_is_named_and_left_out():
    (run,) = runs_in([POOL[3], POOL[0]])
    (contradiction,) = run.contradictions
    assert contradiction.values == (0.5, 0.9)
    assert contradiction.contents == (POOL[0].content, POOL[3].content)
    assert "knn/accuracy of the pretrained features on digits is 0.5" in str(contradiction)
    assert sorted(result.kind for result in run.results) == ["raw", "untrained"]
    assert contradictions_in([POOL[0], POOL[1], POOL[4]]) == []


def test_rounding_is_no_contradiction():
    (run,) = runs_in([record(0.5), record(0.5 + 1e-9)])
    assert run.contradictions == ()
    assert len(run.results) == 3


def test_adding_says_what_contradicts(tmp_path, registry):
    first = run_folder(tmp_path / "runs", registry, results=[number(0.5)])
    add_runs(tmp_path / "ledger", [first])
    results = json.loads((first / "results.json").read_text())
    results["results"] = [number(0.6).as_json()]
    (first / "results.json").write_text(json.dumps(results))
    merged = add_runs(tmp_path / "ledger", [first])
    assert len(merged.new) == 1
    assert [found.values for found in merged.contradictions] == [(0.5, 0.6)]


@pytest.mark.parametrize("name", ["ledger", "ledger.jsonl"])
def test_damaged_and_foreign_records_are_named_and_passed_over(tmp_path, name):
    path = tmp_path / name
    write_records(path, POOL[:2])
    damaged = POOL[2].as_line().replace('"value": 0.7', '"value": 0.8')
    if path.is_dir():
        (path / "damaged.json").write_text(damaged)
        (path / "foreign.json").write_text("[1, 2]")
        (path / "README.md").write_text("# ours")
        (path / ".git").mkdir()
        (path / ".git" / "x.json").write_text("{}")
        places = [path / "damaged.json", path / "foreign.json"]
    else:
        with path.open("a") as file:
            file.write(f"\n{damaged}[1, 2]\n")
        places = [f"{path}:4", f"{path}:5"]
    ledger = read_ledger(path)
    assert set(ledger.records) == {made.content for made in POOL[:2]}
    assert [line.rpartition(": it ")[0] for line in ledger.passed_over] == [str(place) for place in places]
    assert "has been changed or damaged" in ledger.passed_over[0]
    assert len(merge_ledgers(tmp_path / "other", [path]).passed_over) == 2
    write_records(path, POOL[2:3])  # what is damaged stays as it is, for its owner to look at
    assert len(read_ledger(path).records) == 3
    assert len(read_ledger(path).passed_over) == 2


def test_a_record_under_another_name_is_the_same_record(tmp_path):
    write_records(tmp_path / "ledger", POOL[:1])
    file = tmp_path / "ledger" / f"{POOL[0].content}.json"
    file.rename(file.with_name("mine (copy).json"))
    assert write_records(tmp_path / "ledger", POOL[:1]) == []


def test_runs_that_cannot_be_added_do_not_keep_others_out(tmp_path, registry):
    good = run_folder(tmp_path / "runs", registry)
    bad = run_folder(tmp_path / "bad", registry, seed=1)
    (bad / "results.json").write_text('{"results": [{}]}')
    merged = add_runs(tmp_path / "ledger", [bad, good, tmp_path / "none"])
    assert len(merged.new) == 1
    assert [line.split(":")[0] for line in merged.passed_over] == [
        str(bad / "results.json"), str(tmp_path / "none")
    ]  # fmt: skip
    with pytest.raises(CoviewError, match="a result is not complete"):
        add_runs(tmp_path / "other", [bad])
    assert not (tmp_path / "other").exists()


def test_a_ledger_is_not_made_among_the_files_of_runs(tmp_path, registry):
    run = run_folder(tmp_path / "runs", registry)
    before = sorted(tmp_path.rglob("*"))
    for path in (run, run.parent, run.parent.parent, run / "recipe.toml"):
        with pytest.raises(CoviewError, match="not a ledger"):
            add_runs(path, [run])
    assert sorted(tmp_path.rglob("*")) == before


def test_a_ledger_that_is_not_there_or_cannot_be_written(tmp_path):
    with pytest.raises(CoviewError, match="there is no such ledger"):
        merge_ledgers(tmp_path / "ledger", [tmp_path / "none"])
    (tmp_path / "file").write_text("")
    with pytest.raises(CoviewError, match="cannot be written"):
        write_records(tmp_path / "file" / "ledger", POOL[:1])
    with pytest.raises(CoviewError, match="is not a ledger"):
        read_ledger(tmp_path / "file")
