"""Estimates of whole recipes: memory, traffic, time, against closed forms and against what a step really comes to."""

import numpy as np
import pytest
import torch

import coview
from coview.experiment.estimate import one_step
from coview.experiment.estimate.between_cards import average_bytes
from coview.experiment.estimate.counted import counted
from coview.experiment.estimate.step_time import Range, step_time


@pytest.fixture
def recipe(write_recipe, registry):
    def load(**overrides):
        path = write_recipe()
        overrides = {name.replace("__", "."): value for name, value in overrides.items()}
        return coview.load_recipe(path, overrides=overrides, registry=registry)

    return load


def numbers(parts, *names):
    return sum(part.parameters for part in parts if not names or part.name in names)


def sent_by_each(rows, cards):
    """Bytes that each card sends in a ring that sums up a vector of float32: the algorithm itself, chunk by chunk."""
    chunks = [np.array_split(np.ones(rows, np.float32) * card, cards) for card in range(cards)]
    sent = np.zeros(cards)
    for turn in range(2 * (cards - 1)):
        moved = []
        for card in range(cards):
            chunk = (card - turn) % cards if turn < cards - 1 else (card + 1 - (turn - cards + 1)) % cards
            moved.append((card, chunk, chunks[card][chunk].copy()))
        for card, chunk, value in moved:
            sent[card] += value.nbytes
            other = chunks[(card + 1) % cards]
            other[chunk] = other[chunk] + value if turn < cards - 1 else value
    for own in chunks:
        assert np.concatenate(own) == pytest.approx(sum(range(cards)))
    return sent


def test_a_ring_sends_what_its_algorithm_does():
    assert sent_by_each(840, 8) == pytest.approx(average_bytes(840 * 4, 8))
    assert average_bytes(1000, 1) == 0


def test_what_stays_in_memory_is_counted_in_numbers_of_the_model(recipe, registry):
    adamw = recipe(optimizer={"use": "adamw", "lr": 0.001}, teacher={"momentum": 0.99}, queue={"size": 100})
    found = counted(adamw, registry, 2, half=False, seconds=0.01)
    model = numbers(found.parts, "encoder", "projector")
    trained = torch.nn.Linear(7, 3)
    optimizer = torch.optim.AdamW(trained.parameters())
    trained(torch.ones(7)).sum().backward()
    optimizer.step()
    state = optimizer.state[trained.weight]
    of_each = sum(value.numel() for value in state.values() if value.ndim) / trained.weight.numel()
    assert of_each == 2
    kept = found.kept
    assert (kept.gradients, kept.buckets, kept.optimizer) == (4 * model, 4 * model, 4 * of_each * model)
    assert kept.weights == pytest.approx(4 * model, rel=0.02)  # and the statistics of batch norm
    assert kept.teacher == kept.weights
    assert kept.queue == 100 * (8 * 4 + 8 + 8)
    assert numbers(found.parts, "teacher") == model
    between = found.between
    assert between.gradients == 4 * model  # 2 (n - 1) / n of them, of two
    # two views of 32 samples in 8 dimensions of both branches, and ids: the other card's half
    assert between.rows == (2 * 32 * 8 * 4 * 2 + 32 * 8) / 2
    assert between.row_gradients == 2 * 32 * 8 * 4


def test_momentum_is_one_number_for_each_that_is_trained(recipe, registry):
    kept = counted(recipe(), registry, 1, half=False, seconds=0.01).kept
    assert (kept.optimizer, kept.buckets, kept.teacher) == (kept.gradients, 0, 0)


def test_few_samples_say_what_shapes_say(recipe, registry, monkeypatch):
    by_shapes = counted(recipe(), registry, 1, half=True, seconds=0.01).step
    assert not by_shapes.why_few

    def refuse(*arguments, **named):
        raise RuntimeError("the values of this tensor are asked for\nand more")

    monkeypatch.setattr(one_step, "_faked", refuse)
    by_few = counted(recipe(), registry, 1, half=True, seconds=0.01).step
    assert by_few.why_few == "the values of this tensor are asked for"
    assert by_few.work.flops == by_shapes.work.flops
    assert by_few.activations == pytest.approx(by_shapes.activations, rel=1e-2)
    assert by_few.most == pytest.approx(by_shapes.most, rel=1e-2)


def test_checkpoints_and_the_gradient_cache_take_less_memory_and_more_arithmetic(recipe, registry):
    def step(**overrides):
        return counted(recipe(**overrides), registry, 1, half=False, seconds=0.01).step

    plain, again, cached = step(), step(train__checkpoint_activations=True), step(train__grad_cache=8)
    assert again.activations < plain.activations / 2
    assert again.work.flops == pytest.approx(plain.work.flops + plain.forward.flops, rel=0.1)
    assert cached.samples == 8
    assert cached.activations == pytest.approx(plain.activations / 4, rel=0.01)
    assert cached.work.flops == pytest.approx(plain.work.flops + plain.forward.flops, rel=0.01)


def test_the_slowest_of_what_goes_on_at_once_is_the_step():
    everything = {"roofline": (0.2, 0.1), "kernels": 1000, "sent": 4e9, "link": 1e10, "data": 0.5}
    time = step_time(**everything, reached=Range(0.5, 0.75))
    assert (time.device.low, time.device.high) == (pytest.approx(0.4), pytest.approx(0.6))
    assert (time.launches.low, time.launches.high) == (pytest.approx(0.005), pytest.approx(0.012))
    assert (time.link.low, time.link.high) == (pytest.approx(0.5), pytest.approx(1.0))
    assert (time.whole.low, time.whole.high, time.binds) == (pytest.approx(0.5), pytest.approx(1.0), "link")
    assert step_time(**{**everything, "sent": 0, "data": 2.0}, reached=Range(1, 1)).binds == "data"
    assert step_time(**{**everything, "sent": 0, "data": None}, reached=Range(1, 1)).binds == "compute"


def test_a_run_is_held_against_its_estimate(small_run, registry):
    found = coview.estimate(small_run.recipe, device="here", measured=small_run.path, seconds=0.01, registry=registry)
    run = found.calibration
    assert run.seconds == pytest.approx(32 / run.samples_per_s)
    least = sum(found.counted.work.seconds(found.card))
    assert run.reached == pytest.approx(least / run.seconds, rel=0.5)  # the speed of this machine was measured again
    assert run.ratio.low == pytest.approx(run.estimated.low / run.seconds)
    assert not run.remark
    assert found.as_json()["measured"]["ranks"] == 1
    other = coview.estimate(small_run.recipe, device="h100", measured=small_run.path, seconds=0.01, registry=registry)
    assert "the estimate is of h100" in other.calibration.remark


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"device": "h100", "count": 5}, "train.batch_size: 32 cannot be shared by 5 cards"),
        ({"device": "here", "count": 2}, "this machine's CPU is one device"),
        ({"device": "h100", "utilisation": 2.0}, "utilisation: has to be more than 0 and at most 1, got 2.0"),
        ({"device": "h100", "samples": 8}, "a batch of 32 is more than the 8 training samples"),
    ],
)
def test_what_makes_no_sense_is_refused(recipe, registry, asked, said):
    with pytest.raises(coview.CoviewError, match=said.replace("(", r"\(")):
        coview.estimate(recipe(), seconds=0.01, registry=registry, **asked)
