"""The folders of runs: whole or not there, found whatever lies beside them, and mended where a file was lost."""

from __future__ import annotations

import errno
import fcntl
import json
import platform
import re
import shutil

import pytest
from safetensors.torch import load_file

import coview
from coview.experiment.folders import find_unfinished, new_folder, runs_below
from coview.track.run_folder import RunFolder


@pytest.fixture
def resume(call, write_recipe):
    """Resumes the small recipe's run of this test."""

    def resume(*more):
        return call("run", write_recipe(), "--resume", *more)

    return resume


@pytest.fixture
def unfinished(own_run):
    """The small run as if it had been killed after its third step."""
    folder = own_run.folder
    shutil.rmtree(folder.checkpoints / "step-6")
    for link in ("last", "best"):
        (folder.checkpoints / link).unlink()
        (folder.checkpoints / link).symlink_to("step-3")
    for path in (folder.results, folder.report):
        path.unlink()
    environment = json.loads(folder.environment.read_text())
    folder.environment.write_text(json.dumps({**environment, "ended": None, "finished": None}))
    return own_run


def weights(folder):
    return load_file(folder / "checkpoints/last/weights.safetensors")


def assert_whole(folder, expected):
    """The run went to its end, and to the weights of one that was never stopped."""
    found = RunFolder(folder)
    wanted = weights(expected)
    assert all(tensor.equal(wanted[key]) for key, tensor in weights(folder).items())
    environment = json.loads(found.environment.read_text())
    assert environment["finished"] >= environment["ended"] >= environment["started"]
    assert coview.load_recipe(found.recipe).hash[:6] in folder.name
    assert [result.value for result in coview.load_run(folder).results] == [
        result.value for result in coview.load_run(expected).results
    ]
    assert found.report.stat().st_size > 1000
    assert len(json.loads(found.views.read_text())) == 8
    assert not [path for path in folder.rglob(".*") if path.name != ".lock"]


DAMAGE = {"lost": None, "empty": b"", "null": b"null", "a list": b"[1]", "torn": b'{"started": "2026', "no text": b"\xff\xfe\x00",
          "deep": b"[" * 100_000}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_run_whose_files_are_lost_or_damaged_goes_on_all_the_same(resume, unfinished, small_run, damage):
    folder = unfinished.folder
    for path in (folder.environment, folder.recipe, folder.results, folder.views, folder.metrics, folder.report):
        if damage is not None:
            path.write_bytes(damage)
        elif path != folder.recipe:  # without it, it is not a run
            path.unlink(missing_ok=True)
    for path in folder.features.rglob("*.safetensors"):
        path.write_bytes((damage or b"")[:1000])
    done = resume()
    assert done.status == 0, done.err
    assert "goes on from step 3" in done.err
    assert_whole(folder.path, small_run.path)


def test_a_damaged_file_of_results_is_kept_beside_the_new_one(resume, unfinished):
    unfinished.folder.results.write_text("{")
    done = resume()
    assert "results.json is damaged, and now called results.damaged.json" in done.err
    assert (unfinished.path / "results.damaged.json").read_text() == "{"


def test_views_that_are_damaged_after_the_last_step_are_done_without(resume, own_run):
    environment = json.loads(own_run.folder.environment.read_text())
    own_run.folder.environment.write_text(json.dumps({**environment, "finished": None}))
    own_run.folder.views.write_text("[{")
    own_run.folder.report.unlink()
    done = resume()
    assert done.status == 0, done.err
    assert "views.json is damaged, and now called views.damaged.json" in done.err
    assert own_run.folder.report.stat().st_size > 1000


def test_what_a_kill_has_left_half_written_is_removed_at_the_next_resume(resume, unfinished, small_run):
    host = re.sub(r"[^A-Za-z0-9_-]", "_", platform.node())
    (unfinished.folder.checkpoints / ".tmp-6").mkdir()
    for name in (
        f".results.{host}.999999999-0123abcd.tmp.json",
        f"features/.test.{host}.999999999-0123abcd.tmp.safetensors",
    ):
        (unfinished.path / name).write_text("half")
    assert resume().status == 0
    assert_whole(unfinished.path, small_run.path)


@pytest.mark.parametrize("name", ["{} (copy)", "x-copy", "a-b-c-d", "Copy of {}", "{}-old", "20991231-235959-ffffffff"])
def test_a_copy_beside_a_run_is_not_taken_for_one(resume, own_run, registry, name):
    shutil.copytree(own_run.path, own_run.path.with_name(name.format(own_run.path.name)), symlinks=True)
    done = resume()
    assert done.status == 0, done.err
    assert f"{own_run.path.name} is finished: nothing is left to do" in done.err
    assert coview.load_run(own_run.path.parent, registry=registry).path == own_run.path


def test_a_copy_can_be_looked_at_by_its_own_name_and_alone(own_run, registry):
    copy = own_run.path.with_name("x-copy")
    own_run.path.rename(copy)
    assert coview.load_run(copy, registry=registry).results
    assert coview.load_run(copy.parent, registry=registry).path == copy


def test_the_tenth_run_of_a_second_is_later_than_the_second(own_run, registry):
    recipe = own_run.recipe
    for number in (2, 10, 9):
        path = own_run.path.with_name(f"{own_run.path.name}-{number}")
        shutil.copytree(own_run.path, path, symlinks=True)
    found = find_unfinished(own_run.path.parents[1], recipe, registry)
    assert found.path.name == f"{own_run.path.name}-10"


def started(run, name, at):
    """A copy of a run as one that was started at some time has it, its files written now."""
    path = run.path.with_name(name)
    shutil.copytree(run.path, path, symlinks=True)
    record = RunFolder(path).environment
    record.write_text(json.dumps({**json.loads(record.read_text()), "started": at}))
    return path


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        # the hour that is there twice at the end of summer time
        (("20261025-023000", "2026-10-25T00:30:00+00:00"), ("20261025-021000", "2026-10-25T01:10:00+00:00")),
        # started in Tokyo, then in Los Angeles
        (("20261101-200000", "2026-11-01T11:00:00+00:00"), ("20261101-050000", "2026-11-01T12:00:00+00:00")),
        # with other offsets than UTC's in the record
        (("20261101-200000", "2026-11-01T20:00:00+09:00"), ("20261101-050000", "2026-11-01T05:00:00-07:00")),
    ],
)
def test_the_latest_run_is_that_of_the_latest_recorded_start(own_run, registry, earlier, later):
    digits = own_run.recipe.hash[:6]
    # the later one is copied first: the files of the earlier one are newer
    last = started(own_run, f"{later[0]}-{digits}", later[1])
    started(own_run, f"{earlier[0]}-{digits}", earlier[1])
    shutil.rmtree(own_run.path)
    out = last.parents[1]
    assert coview.load_run(last.parent, registry=registry).path == last  # evaluate, embed, export, compare RUN
    assert find_unfinished(out, own_run.recipe, registry).path == last  # --resume
    assert [folder.path for folder in runs_below(out)][-1] == last  # the cells of a comparison
    for folder in runs_below(out):
        folder.environment.unlink()  # then the names say it, in local time
    assert runs_below(out)[-1].path.name.startswith(max(earlier[0], later[0]))


def test_the_latest_of_runs_that_somebody_has_named(own_run, registry):
    last = started(own_run, "a", "2026-11-01T12:00:00+00:00")
    started(own_run, "b", "2026-11-01T11:00:00+00:00")
    shutil.rmtree(own_run.path)
    assert coview.load_run(last.parent, registry=registry).path == last


def test_runs_of_one_second_have_folders_of_their_own(own_run, tmp_path):
    made = [new_folder(tmp_path / "out", own_run.recipe) for _ in range(12)]
    assert len({folder.path for folder in made}) == 12
    for folder in made:
        assert coview.load_recipe(folder.recipe).hash == own_run.recipe.hash


def test_the_report_of_a_finished_run_is_made_again_where_it_is_missing(resume, own_run):
    own_run.folder.report.unlink()
    before = own_run.folder.results.read_bytes()
    done = resume()
    assert done.status == 0, done.err
    assert "its report is missing: it is made again" in done.err
    assert own_run.folder.report.stat().st_size > 1000
    assert own_run.folder.results.read_bytes() == before


def test_a_run_that_ends_while_its_report_is_written_is_not_finished(resume, unfinished, small_run, monkeypatch):
    def end(folder):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("coview.experiment.session.write_report", end)
        assert resume().status == 130
    environment = json.loads(unfinished.folder.environment.read_text())
    assert environment["ended"]
    assert environment["finished"] is None
    assert resume().status == 0
    assert_whole(unfinished.path, small_run.path)
    assert "has not finished" not in unfinished.folder.report.read_text()


def test_a_report_that_cannot_be_made_costs_no_run(resume, unfinished, monkeypatch):
    def fail(folder):
        raise ZeroDivisionError("in a figure")

    monkeypatch.setattr("coview.experiment.session.write_report", fail)
    done = resume()
    assert done.status == 0
    assert "no report: Traceback" in done.err
    assert "in a figure" in done.err
    assert json.loads(unfinished.folder.environment.read_text())["finished"]


def test_a_file_system_without_locks_is_said_once_and_the_run_goes_on(resume, unfinished, small_run, monkeypatch):
    def refuse(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    done = resume()
    assert done.status == 0, done.err
    assert done.err.count("has no locks") == 1
    assert_whole(unfinished.path, small_run.path)


FULL_FROM_THE_FIRST_WRITE = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def full(event, args):
    if event == "os.mkdir" and "/small/2" in str(args[0]):
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
sys.addaudithook(full)
"""


def test_a_run_whose_first_file_cannot_be_written_leaves_nothing(fork_command, write_recipe, tmp_path):
    done = fork_command("run", write_recipe(), before=FULL_FROM_THE_FIRST_WRITE)
    assert done.status == 2, done.err
    assert "error: runs cannot be written to runs: File too large" in done.err
    assert not list((tmp_path / "runs").iterdir())


def test_a_new_run_that_cannot_be_locked_leaves_no_folder(call, write_recipe, tmp_path, monkeypatch):
    def held(descriptor, operation):
        raise OSError(errno.EWOULDBLOCK, "Resource temporarily unavailable")

    monkeypatch.setattr(fcntl, "flock", held)
    done = call("run", write_recipe(), "--out", "runs")
    assert done.status == 2
    assert "another process is writing" in done.err
    assert not list(tmp_path.glob("runs/*"))


@pytest.mark.parametrize("text", [("steps = 6", "steps = 7"), ("width = 8", "width = 4")])
def test_another_recipe_to_resume_leaves_no_folder(call, write_recipe, small_recipe, own_run, tmp_path, text):
    before = sorted(tmp_path.glob("runs/**/*"))
    done = call("run", write_recipe(small_recipe.replace(*text)), "--resume", "--out", "runs")
    assert done.status == 2
    assert "is a run of another recipe" in done.err
    assert sorted(tmp_path.glob("runs/**/*")) == before


def test_a_recipe_that_does_not_fit_its_data_leaves_no_folder(call, write_recipe, small_recipe, tmp_path):
    for resume in ([], ["--resume"]):
        done = call("run", write_recipe(small_recipe.replace("batch_size = 32", "batch_size = 5000")), *resume)
        assert done.status == 2
        assert not (tmp_path / "runs").exists()


def test_runs_behind_a_link_are_found_once_and_a_link_that_leads_up_ends(tmp_path):
    elsewhere = tmp_path / "disk" / "digits" / "20261124-110717-96bfd2"
    elsewhere.mkdir(parents=True)
    (elsewhere / "recipe.toml").write_text("")
    out = tmp_path / "runs" / "comparison"
    out.mkdir(parents=True)
    (out / "runs").symlink_to(tmp_path / "disk", target_is_directory=True)
    (out / "again").symlink_to(tmp_path / "disk", target_is_directory=True)
    (tmp_path / "disk" / "up").symlink_to(tmp_path / "runs", target_is_directory=True)
    (found,) = runs_below(tmp_path / "runs")
    assert found.path.resolve() == elsewhere
