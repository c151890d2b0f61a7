"""How many samples are encoded at a time where coview chooses."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

import coview
from coview.recipe.tables import TrainTable
from coview.train.check_batch_norm import check_batch_norm
from coview.train.part_size import FEWEST, ON_A_CPU, PartSize, largest_part, later_state, part_that_fits

LINE = {16: 1000 + 16 * 50, 32: 1000 + 32 * 50}
"""1,000 bytes, and 50 a sample."""


@pytest.mark.parametrize(
    ("room", "samples", "rows_of_loss", "expected"),
    [
        (1000 + 50 * 400, 400, 0, 400),  # exactly the whole
        (1000 + 50 * 400 - 1, 400, 0, 200),  # two parts are the next best
        (1000 + 50 * 120 + 49, 400, 0, 120),
        (1000 + 50 * 400, 400, 8, 200),  # the loss has no room beside the whole
        (1000 + 50 * 400 + 16 * 64, 400, 8, 400),
        (10, 400, 0, FEWEST),  # it is tried all the same
        (-5, 3, 0, FEWEST),
    ],
)
def test_the_largest_part_lies_on_the_line(room, samples, rows_of_loss, expected):
    assert largest_part(LINE, room, samples, rows_of_loss) == expected


def test_what_needs_no_more_for_more_samples_is_encoded_at_once():
    assert largest_part({4: 700, 8: 700}, 700, 1000, 0) == 1000
    assert largest_part({4: 900, 8: 700}, 700, 1000, 0) == 1000


@pytest.mark.parametrize("samples", range(2, 200))
def test_no_part_is_a_single_sample(samples):
    parts = torch.arange(samples).tensor_split(-(-samples // FEWEST))
    assert min(map(len, parts)) >= 2


def test_a_single_sample_is_not_divided():
    def never(count):
        raise AssertionError

    assert part_that_fits(never, 1, 2, 0.0, torch.device("cpu")) == 1


@pytest.mark.parametrize(("reserve", "expected"), [(0.0, 156), (1000.0, 136), (10_000.0, FEWEST)])
def test_a_card_is_asked_what_it_has_and_what_some_samples_take(reserve, expected, monkeypatch):
    """Of 10,000 free bytes and 1,000 that nobody uses four fifths: (8,800 - 1,000 - reserve) / 50."""
    tried = []
    card = {
        "synchronize": lambda device: None,
        "reset_peak_memory_stats": lambda device: None,
        "memory_allocated": lambda device: 700,
        "memory_reserved": lambda device: 1700,
        "mem_get_info": lambda device: (10_000, 80_000),
        "max_memory_allocated": lambda device: 700 + 1000 + 50 * tried[-1],
    }
    for name, answer in card.items():
        monkeypatch.setattr(torch.cuda, name, answer)
    assert part_that_fits(tried.append, 400, 800, reserve, torch.device("cpu")) == expected
    assert tried == [32, 16, 32]


def of_recipe(grad_cache, device):
    return PartSize(TrainTable(steps=1, batch_size=8, grad_cache=grad_cache), torch.device(device))


@pytest.mark.parametrize("kept", [None, 12])
def test_a_number_in_the_recipe_stays_and_a_cpu_needs_none_found(kept):
    for given, device, expected in (
        (None, "cuda", None),
        (5, "cuda", 5),
        (None, "cpu", None),
        (5, "cpu", 5),
        ("auto", "cpu", ON_A_CPU),
    ):
        size = of_recipe(given, device)
        size.resume(kept)
        assert (size.rows, size.is_open) == (expected, False)


def test_a_run_that_goes_on_takes_the_number_that_it_began_with():
    size = of_recipe("auto", "cuda")
    size.resume(None)  # it was stopped before its first batch, or began on a CPU
    assert (size.rows, size.is_open) == (None, True)
    size.resume(12)
    assert (size.rows, size.is_open) == (12, False)


def test_what_an_optimiser_has_made_already_is_not_reserved_again():
    model = torch.nn.Linear(3, 2)
    model.bias.requires_grad_(False)
    optimizer = torch.optim.AdamW([model.weight])
    assert later_state(model, optimizer, 2) == 2 * 6 * 4
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    assert later_state(model, optimizer, 2) == 0


def trained(path, registry, out, **overrides):
    recipe = coview.load_recipe(path, registry=registry, overrides=overrides)
    run = coview.run(recipe, out, registry=registry, quiet=True)
    folder = run.folder.checkpoints / "last"
    return load_file(folder / "weights.safetensors"), torch.load(folder / "state.pt", weights_only=True), run


def test_on_a_cpu_it_is_a_fixed_number_that_the_checkpoint_keeps(write_recipe, registry, tmp_path):
    sets = {"train.batch_size": 2 * ON_A_CPU, "projector.batch_norm": False}
    found, state, run = trained(write_recipe(), registry, tmp_path / "auto", **sets, **{"train.grad_cache": "auto"})
    expected, _, _ = trained(write_recipe(), registry, tmp_path / "number", **sets, **{"train.grad_cache": ON_A_CPU})
    assert state["grad_cache"] == ON_A_CPU
    assert run.recipe.train.grad_cache == "auto"
    assert all(torch.equal(found[name], weight) for name, weight in expected.items())


def test_batch_norm_of_single_views_has_more_than_one_sample(write_recipe, registry, tmp_path):
    from coview.model.topology import build_topology

    sets = ["train.batch_norm=per_view", "train.grad_cache=auto"]
    recipe = coview.load_recipe(write_recipe(), registry=registry, sets=sets)
    student = build_topology(recipe, registry).student
    check_batch_norm(recipe, student, 1)
    with pytest.raises(coview.CoviewError, match="leaves batch norm a single sample"):
        check_batch_norm(replace(recipe, train=recipe.train.model_copy(update={"batch_size": 1})), student, 1)
