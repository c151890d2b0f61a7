import json
import os
import threading

import pytest
import torch
from torch import nn

from coview import CoviewError
from coview.train.checkpoint import (
    Score,
    best_by,
    best_step,
    load_latest,
    load_step,
    save_checkpoint,
    whole_checkpoints,
)
from forked import Forked


def modules(value=0.0):
    model = nn.ModuleDict({"model": nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))})
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.fill_(value)
    return model


def save(folder, step, loss=1.0, keep=2):
    return save_checkpoint(folder, step, loss, modules(step), {"step": step, "list": [1.5]}, keep=keep)


def test_what_is_written_comes_back_with_buffers(tmp_path):
    save(tmp_path, 5)
    found = next(whole_checkpoints(tmp_path))
    other = modules(0)
    found.load_weights(other)
    assert all((tensor == 5).all() for tensor in other.state_dict().values())
    assert found.load_state() == {"step": 5, "list": [1.5]}
    assert (found.step, found.loss) == (5, 1.0)


def test_the_last_ones_and_the_best_are_kept(tmp_path):
    for step, loss in ((1, 3.0), (2, 1.0), (3, 2.0), (4, 2.5), (5, float("nan"))):
        save(tmp_path, step, loss)
    assert sorted(path.name for path in tmp_path.glob("step-*")) == ["step-2", "step-4", "step-5"]
    assert os.readlink(tmp_path / "last") == "step-5"
    assert os.readlink(tmp_path / "best") == "step-2"


@pytest.mark.parametrize(("better", "best"), [("higher", 2), ("lower", 4)])
def test_the_best_of_a_curve_is_kept_besides_the_latest_and_the_one_of_the_lowest_loss(tmp_path, better, best):
    values = {1: None, 2: 0.9, 3: 0.5, 4: 0.1, 5: 0.9, 6: None, 7: 0.5}
    losses = {1: 1.0, 2: 3.0, 3: 2.0, 4: 3.0, 5: 3.0, 6: 3.0, 7: 3.0}
    for step, value in values.items():
        score = None if value is None else Score("knn/accuracy", value, better)
        save_checkpoint(tmp_path, step, losses[step], modules(step), {}, keep=1, keep_best="knn/accuracy", score=score)
    assert sorted(path.name for path in tmp_path.glob("step-*")) == ["step-1", f"step-{best}", "step-7"]
    assert os.readlink(tmp_path / "best") == f"step-{best}"
    assert best_step(tmp_path, "knn/accuracy") == best
    assert next(whole_checkpoints(tmp_path)).score == Score("knn/accuracy", 0.5, better)
    assert best_by(tmp_path, "another/curve", 7) is None
    assert best_by(tmp_path, None, 7) is None
    assert (
        best_by(tmp_path, "knn/accuracy", best - 1) is None
    )  # what a run has passed over that went back does not count
    with pytest.raises(CoviewError, match=r"the recipe has no train\.keep_best"):
        best_step(tmp_path, None)
    model = modules()
    assert load_step(tmp_path, best, model).step == best
    assert all((tensor == best).all() for tensor in model.state_dict().values())
    with pytest.raises(CoviewError, match=r"step 5 is not kept in .*\n  kept are the steps 1, .*7"):
        load_step(tmp_path, 5, model)


def test_one_that_is_taken_away_while_it_is_read_has_a_later_one(tmp_path):
    save(tmp_path, 1)
    stop = threading.Event()

    def train():
        step = 1
        while not stop.is_set():
            step += 1
            save(tmp_path, step, loss=1 / step, keep=1)

    trains = threading.Thread(target=train)
    trains.start()
    try:
        damaged, steps = [], []
        for _ in range(100):
            model = modules()
            found = load_latest(tmp_path, model, damaged)
            assert all((tensor == found.step).all() for tensor in model.state_dict().values())
            steps.append(found.step)
    finally:
        stop.set()
        trains.join()
    assert damaged == []
    assert steps[-1] > steps[0]


def test_the_latest_whole_one_is_loaded_and_the_damaged_are_named(tmp_path):
    save(tmp_path, 1)
    save(tmp_path, 2)
    (tmp_path / "step-2" / "weights.safetensors").write_bytes(b"")
    model, damaged = modules(), []
    assert load_latest(tmp_path, model, damaged).step == 1
    assert len(damaged) == 1
    assert load_latest(tmp_path / "none", model, damaged) is None


def test_shared_weights_are_written_once_and_come_back_shared(tmp_path):
    model = nn.ModuleDict({"model": nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3)])})
    model["model"][1].weight = model["model"][0].weight
    save_checkpoint(tmp_path, 1, 1.0, model, {}, keep=1)
    before = model["model"][0].weight.detach().clone()
    with torch.no_grad():
        model["model"][0].weight.zero_()
    next(whole_checkpoints(tmp_path)).load_weights(model)
    assert torch.equal(model["model"][1].weight, before)


@pytest.mark.parametrize("name", ["weights.safetensors", "state.pt", "manifest.json"])
@pytest.mark.parametrize("harm", ["truncate", "remove", "change"])
def test_a_damaged_one_is_passed_over_and_named(tmp_path, name, harm):
    save(tmp_path, 1)
    save(tmp_path, 2)
    path = tmp_path / "step-2" / name
    data = path.read_bytes()
    if harm == "truncate":
        path.write_bytes(data[: len(data) // 2])
    elif harm == "remove":
        path.unlink()
    else:
        path.write_bytes(data[:20] + bytes([data[20] ^ 1]) + data[21:])
    damaged: list[str] = []
    assert next(whole_checkpoints(tmp_path, damaged)).step == 1
    assert "step-2" in damaged[0]


def test_a_half_written_one_is_not_seen(tmp_path):
    save(tmp_path, 1)
    (tmp_path / ".tmp-2").mkdir()
    (tmp_path / ".tmp-2" / "weights.safetensors").write_bytes(b"half")
    assert [found.step for found in whole_checkpoints(tmp_path)] == [1]
    save(tmp_path, 2)
    assert not (tmp_path / ".tmp-2").exists()


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, {here!r})
from test_checkpoint import save
folder = Path(sys.argv[1])
save(folder, 1)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))
try:
    save(folder, 2)
except Exception as error:
    print(type(error).__name__, error)
"""


def in_another_process(code, folder):
    """What the code prints there."""
    status, out, err = Forked(["python", "-c", code, str(folder)], folder).finish()
    assert status == 0, err
    return out


@pytest.mark.usefixtures("forks")
def test_a_disk_that_refuses_leaves_the_one_before_and_nothing_half_written(tmp_path):
    code = FULL_DISK.format(here=os.path.dirname(__file__))
    printed = in_another_process(code, tmp_path)
    assert printed.startswith("CoviewError the checkpoint of step 2 could not be written"), printed
    assert "the last good checkpoint is step 1" in printed
    assert [found.step for found in whole_checkpoints(tmp_path)] == [1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best", "last", "step-1"]


def test_an_unwritable_folder_is_a_message(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CoviewError, match="there is no checkpoint before it"):
        save(tmp_path / "file" / "checkpoints", 1)


def test_the_manifest_is_json_without_nan(tmp_path):
    save(tmp_path, 1, float("nan"))
    assert json.loads((tmp_path / "step-1" / "manifest.json").read_text())["loss"] is None


@pytest.mark.parametrize("part", range(12))
def test_no_bit_of_the_manifest_can_change_unnoticed(tmp_path, part):
    save(tmp_path, 1)
    save(tmp_path, 12, loss=0.5)
    path = tmp_path / "step-12" / "manifest.json"
    data = path.read_bytes()
    for at in range(part, len(data), 12):
        for bit in (1, 2, 4, 64):
            changed = bytes([data[at] ^ bit])
            if changed.isspace() and data[at : at + 1].isspace():  # JSON's white space says nothing
                continue
            path.write_bytes(data[:at] + changed + data[at + 1 :])
            assert [found.step for found in whole_checkpoints(tmp_path)] == [1], (at, bit, changed)
    path.write_bytes(data)
    assert [found.step for found in whole_checkpoints(tmp_path)] == [12, 1]


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "7", '"step"', "{}", '{"step": 1e999, "loss": 1, "files": {}}', '{"step": null, "sha256": null}']
    + ['{"files": ' + "[" * depth + "]" * depth + "}" for depth in (100, 900, 3000, 200_000)]
    + ['{"step": ' + "9" * 5000 + "}", "\x00\xff"],
    ids=lambda text: text[:24],
)
def test_a_manifest_of_anything_is_passed_over_and_does_not_count(tmp_path, text):
    save(tmp_path, 1)
    save(tmp_path, 2)
    (tmp_path / "step-2" / "manifest.json").write_text(text)
    damaged: list[str] = []
    assert next(whole_checkpoints(tmp_path, damaged)).step == 1
    assert "step-2: manifest.json" in damaged[0]
    save(tmp_path, 3)
    assert [found.step for found in whole_checkpoints(tmp_path)] == [3, 1]


def test_a_manifest_under_another_steps_name_is_passed_over(tmp_path):
    save(tmp_path, 1)
    save(tmp_path, 2)
    (tmp_path / "step-2").rename(tmp_path / "step-4")
    assert [found.step for found in whole_checkpoints(tmp_path)] == [1]


def test_a_damaged_later_one_takes_no_place_from_what_is_written_after_a_resume(tmp_path):
    for step in (1, 5, 9):
        save(tmp_path, step, keep=3)
    (tmp_path / "step-9" / "state.pt").write_bytes(b"")
    (tmp_path / "step-5" / "state.pt").write_bytes(b"")
    save(tmp_path, 2, loss=0.5, keep=1)
    assert next(whole_checkpoints(tmp_path)).step == 2
    assert (os.readlink(tmp_path / "last"), os.readlink(tmp_path / "best")) == ("step-2", "step-2")


def test_what_a_kill_has_left_is_removed_with_the_next_one(tmp_path):
    save(tmp_path, 1)
    for name in (".tmp-2", ".tmp-7", ".tmp-old-step-0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights.safetensors").write_bytes(b"half")
    (tmp_path / ".tmp-last").symlink_to("step-1")
    save(tmp_path, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best", "last", "step-1", "step-3"]


FULL_IN_STATE = """
import resource, signal, sys, torch
from pathlib import Path
sys.path.insert(0, {here!r})
from test_checkpoint import modules
from coview.train.checkpoint import save_checkpoint
folder = Path(sys.argv[1])
save_checkpoint(folder, 1, 1.0, modules(), {{}}, keep=2)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    save_checkpoint(folder, 2, 1.0, modules(), {{"optimizer": torch.zeros(20_000)}}, keep=2)
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.usefixtures("forks")
def test_a_disk_that_fills_while_the_state_is_written_is_the_same_message(tmp_path):
    """``torch.save`` makes a RuntimeError of it."""
    code = FULL_IN_STATE.format(here=os.path.dirname(__file__))
    printed = in_another_process(code, tmp_path)
    assert printed.startswith("CoviewError the checkpoint of step 2 could not be written"), printed
    assert "File too large; the last good checkpoint is step 1" in printed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best", "last", "step-1"]


def test_a_bug_while_writing_stays_one_and_leaves_nothing(tmp_path):
    save(tmp_path, 1)
    with pytest.raises(AttributeError, match="local"):  # a function of a function cannot be pickled
        save_checkpoint(tmp_path, 2, 1.0, modules(), {"f": lambda: 0}, keep=2)
    assert [found.step for found in whole_checkpoints(tmp_path)] == [1]
    assert not list(tmp_path.glob(".tmp-*"))
