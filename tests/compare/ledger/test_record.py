"""A record has all that a run's numbers mean, nothing of its machine, and knows whether it is whole."""

import getpass
import json
import math
import platform
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_records import number, record, run_folder

from coview.compare.ledger.from_run import record_of, records_of, runs_of
from coview.compare.ledger.record import CONTENT_KEY, RecordError, content_hash, parse_record
from coview.errors import CoviewError
from coview.track.run_folder import RunFolder


def test_of_a_run_it_has_every_number_as_it_is(small_run):
    made = record_of(small_run.folder, who="lab A")
    rows = json.loads(small_run.folder.results.read_text())["results"]
    assert len(rows) == 3
    assert json.loads(json.dumps([result.as_json() for result in made.results])) == rows
    assert made.recipe_hash == small_run.recipe.hash
    assert (made.name, made.seed, made.modalities, made.who) == ("small", 3, ("image",), "lab A")
    environment = json.loads(small_run.folder.environment.read_text())
    assert made.started == environment["started"]
    assert made.data_version == environment["data"]["version"]
    assert made.code == environment["code"]
    assert made.made_with["libraries"] == environment["libraries"]
    assert {**made.recipe, "name": "small"} == json.loads(json.dumps(small_run.recipe.tables))


def test_nothing_of_the_machine_is_in_it(small_run):
    text = record_of(small_run.folder).as_text()
    home, here = str(Path.home()), str(small_run.path.parents[2])
    for told in (home, here, str(Path.cwd()), platform.node(), "/tmp"):
        assert len(told) < 4 or told not in text, told
    assert "command" not in json.loads(text)["made_with"]
    assert getpass.getuser() not in json.loads(text)["made_with"]


def test_paths_of_data_are_shortened_and_their_version_tells_them_apart(registry, tmp_path):
    for lab in ("a", "b"):
        (tmp_path / lab / "photos").mkdir(parents=True)
    one, other = (
        record_of(
            RunFolder(
                run_folder(
                    tmp_path / f"runs-{lab}",
                    registry,
                    data={"use": "image_folder", "root": str(tmp_path / lab / "photos")},
                    results=[number(0.5, data={"use": "image_folder", "root": str(tmp_path / lab / "photos")})],
                )
            )
        )
        for lab in ("a", "b")
    )
    assert str(tmp_path) not in one.as_text() + other.as_text()
    assert one.recipe["data"]["root"] == other.recipe["data"]["root"] == "…/photos"
    assert one.recipe_hash != other.recipe_hash
    assert one.results[0].protocol_hash == other.results[0].protocol_hash


def test_relative_paths_of_data_are_shortened_too(registry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine" / "photos").mkdir(parents=True)
    path = run_folder(tmp_path / "runs", registry, data={"use": "image_folder", "root": "mine/photos"})
    assert record_of(RunFolder(path)).recipe["data"]["root"] == "…/photos"


def test_other_paths_stay_apart(registry, tmp_path):
    encoders = [{"use": "timm:resnet18", "checkpoint": f"/{lab}/weights.pt"} for lab in ("a", "b")]
    one, other = (
        record_of(RunFolder(run_folder(tmp_path / lab, registry, encoder=encoder, modality={"size": 32})))
        for lab, encoder in zip(("a", "b"), encoders, strict=True)
    )
    assert one.recipe["encoder"]["checkpoint"].startswith("…/weights.pt#")
    assert one.recipe["encoder"]["checkpoint"] != other.recipe["encoder"]["checkpoint"]


def test_the_same_run_gives_the_same_bytes_and_they_are_read_back(small_run):
    made = record_of(small_run.folder)
    assert record_of(small_run.folder).as_text() == made.as_text()
    assert parse_record(made.as_text()) == made
    assert parse_record(made.as_line().encode()) == made
    assert made.as_line().count("\n") == 1


def test_what_a_later_version_has_added_stays():
    document = {**record().document, "further": {"x": 1}}
    del document[CONTENT_KEY]
    text = json.dumps({**document, CONTENT_KEY: content_hash(document)})
    assert json.loads(parse_record(text).as_text())["further"] == {"x": 1}


def test_a_number_that_has_been_changed_is_noticed():
    text = record(0.5).as_text()
    assert text.count('"value": 0.5,') == 1
    with pytest.raises(RecordError, match="changed or damaged"):
        parse_record(text.replace('"value": 0.5,', '"value": 0.9,'))
    assert parse_record(text.replace("\n", "\r\n")) == record(0.5)  # how lines end is no content


WHOLE = record(0.5)


def signed(**changed):
    """A record whose hash is right, whatever is in it."""
    document = {key: value for key, value in {**WHOLE.document, **changed}.items() if key != CONTENT_KEY}
    return json.dumps({**document, CONTENT_KEY: content_hash(document)})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("[]", "not a JSON object"),
        ("[" * 100_000, "nested too deeply"),
        (b"\xff\xfe", "not JSON"),
        ("{}", "not a record of a ledger"),
        ('{"coview_record": 99}', "version 99"),
        (WHOLE.as_text()[:200], "not JSON"),
        (WHOLE.as_text().replace('"value": 0.5', '"value": NaN'), "JSON does not have"),
        (signed(run="../../../etc"), "run is not twelve hex digits"),
        (signed(run="A" * 12), "run is not twelve hex digits"),
        (signed(seed="0"), "seed is not a whole number"),
        (signed(seed=True), "seed is not a whole number"),
        (signed(name=None), "name is not a text"),
        (signed(recipe=[]), "recipe is not an object"),
        (signed(recipe={"train": 1}), "recipe is not a resolved recipe"),
        (signed(recipe={"evaluate": [1]}), "recipe is not a resolved recipe"),
        (signed(code={"a": 1}), "a value of code is not a text"),
        (signed(modalities="image"), "modalities is not what coview writes"),
        (signed(leaks=[{}]), "leaks is not what coview writes"),
        (signed(seconds="1"), "seconds is not a number"),
        (signed(results={}), "results is not an array"),
        (signed(results=[1]), "a result is not complete"),
        (
            signed(results=[{**WHOLE.document["results"][0], "groups": [1]}]),
            "groups of knn/accuracy is not a whole number",
        ),
        (signed(results=[{}]), "a result is not complete"),
        (signed(results=[{**WHOLE.document["results"][0], "value": 7}]), "a result is not complete"),
        (signed(results=[{**WHOLE.document["results"][0], "protocol": {"k": 5}}]), "not what its hash says"),
        (signed(results=[{**WHOLE.document["results"][0], "n": 0}]), "a result is not complete"),
    ],
)
def test_what_is_no_record_is_refused_in_words(text, said):
    with pytest.raises(RecordError, match=said):
        parse_record(text)


def test_a_run_is_told_by_its_recipe_and_when_it_ran(registry, tmp_path, own_run, small_run):
    made = [
        record_of(RunFolder(run_folder(tmp_path / str(index), registry, **given)))
        for index, given in enumerate([{}, {"started": "2026-01-02T00:00:00+00:00"}, {"seed": 5}])
    ]
    assert len({one.run for one in made}) == 3
    moved = own_run.path.rename(tmp_path / "under another name")
    assert record_of(RunFolder(moved)).content == record_of(small_run.folder).content


def test_what_cannot_be_added_is_refused(registry, tmp_path, own_run):
    folder = RunFolder(run_folder(tmp_path / "a", registry))
    folder.recipe.write_text(folder.recipe.read_text().replace("temperature = 0.2", "temperature = 0.3"))
    with pytest.raises(CoviewError, match="has been changed since the numbers beside it were measured"):
        record_of(folder)
    folder.recipe.write_text("= 1")
    with pytest.raises(CoviewError, match=r"recipe\.toml cannot be read"):
        record_of(folder)
    own_run.folder.results.write_text("{}")
    with pytest.raises(CoviewError, match="has no numbers"):
        record_of(own_run.folder)
    own_run.folder.environment.unlink()
    with pytest.raises(CoviewError, match="is not finished"):
        record_of(own_run.folder)


def test_what_json_does_not_have_is_kept_as_text(registry, tmp_path):
    folder = RunFolder(run_folder(tmp_path, registry, optimizer={"use": "sgd", "lr": 0.1, "weight_decay": 1e-4}))
    text = folder.recipe.read_text().replace("weight_decay = 0.0001", "weight_decay = inf")
    assert "inf" in text
    folder.recipe.write_text(text)
    results = json.loads(folder.results.read_text())
    folder.results.write_text(json.dumps({"results": results["results"]}))
    with folder.metrics.open("w") as file:
        file.write('{"step": 1, "time": NaN}\n')
    made = record_of(folder)
    assert (made.recipe["optimizer"]["weight_decay"], made.seconds) == ("Infinity", None)
    assert parse_record(made.as_text()) == made


def test_a_recipe_that_none_is_is_refused(registry, tmp_path):
    folder = RunFolder(run_folder(tmp_path, registry))
    folder.recipe.write_text(folder.recipe.read_text().replace("seed = 0", 'seed = "a"'))
    folder.results.write_text(json.dumps({"results": [number(0.5).as_json()]}))
    with pytest.raises(CoviewError, match="cannot be added: seed is not a whole number"):
        record_of(folder)
    for text in ("since = 2026-01-01", "data = 1", "evaluate = [1]", "train = []"):
        folder.recipe.write_text(text)
        with pytest.raises(CoviewError, match=r"recipe\.toml cannot be read|cannot be added"):
            record_of(folder)


def test_a_folder_stands_for_its_runs_with_numbers(registry, tmp_path):
    runs = [run_folder(tmp_path / "runs", registry, seed=seed) for seed in (0, 1, 2, 3)]
    (runs[2] / "environment.json").unlink()
    (runs[3] / "results.json").write_text('{"results": []}')
    measured, without = runs_of(tmp_path / "runs")
    assert ({folder.path for folder in measured}, {folder.path for folder in without}) == ({*runs[:2]}, {*runs[2:]})
    assert [folder.path for folder in runs_of(runs[0])[0]] == [runs[0]]
    records, passed_over = records_of([tmp_path / "runs"])
    assert sorted(made.seed for made in records) == [0, 1]
    assert passed_over[0].startswith("2 runs that are not finished, or have no numbers: ")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CoviewError, match="there is no run in it"):
        runs_of(tmp_path / "empty")
    (runs[0] / "results.json").write_text("{")
    (runs[1] / "results.json").unlink()
    with pytest.raises(CoviewError, match="none of its 4 runs is finished and has numbers"):
        runs_of(tmp_path / "runs")


def test_a_comparison_stands_for_the_runs_of_its_cells(registry, tmp_path):
    """Those that it has found elsewhere too, and none that lie in its folder and are of other code."""
    runs = [run_folder(tmp_path / "runs", registry, seed=seed) for seed in (0, 1)]
    comparison = tmp_path / "runs" / "comparison"
    run_folder(comparison, registry, seed=2)
    (comparison / "cells.csv").write_text(f"variant,run\na,../{runs[1].parent.name}/{runs[1].name}\nb,\n")
    assert [folder.path.resolve() for folder in runs_of(comparison)[0]] == [runs[1]]


def test_intervals_that_are_not_there_stay_away(registry, tmp_path):
    result = replace(number(0.5), ci_low=math.nan, ci_high=math.nan)
    made = record_of(RunFolder(run_folder(tmp_path, registry, results=[result])))
    assert math.isnan(parse_record(made.as_text()).results[0].ci_low)
