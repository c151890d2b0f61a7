"""The kit finds what is wrong with an augmentation of batches. Each here is right but for one mistake."""

from __future__ import annotations

from zlib import crc32

import pytest
import torch
from failing import failures
from torch import nn

from coview.testing import BATCH_AUGMENTATION_CHECKS, check_batch_augmentation

BATCH = torch.randn(12, 5, generator=torch.Generator().manual_seed(0))


class Right:
    """Adds noise."""

    batch = True
    replayable = True

    def __init__(self, *, width: float = 1.0) -> None:
        self.width = width

    def __call__(self, batch, rng):
        return batch + self.width * rng.normal(batch.shape[1])


class OfOneSample:
    """With a form for batches."""

    def __call__(self, value, rng):
        return value

    def batched(self):
        return Right()


class WithState(nn.Module):
    """Mixes in the mean of the batch before."""

    batch = True

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean_W", torch.zeros(5))

    def forward(self, batch, rng):
        mixed = batch + self.mean_W * rng.uniform()
        self.mean_W.copy_(batch.mean(0))
        return mixed + rng.normal(batch.shape[1])


class DropsRows(Right):
    replayable = False

    def __call__(self, batch, rng):
        return super().__call__(batch, rng)[1:]


class AMeanOfThemAll(Right):
    def __call__(self, batch, rng):
        return super().__call__(batch, rng) - batch.mean(0)


class OneNumberForAll(Right):
    def __call__(self, batch, rng):
        return batch + rng.normal(batch.shape[1])[:1]


class Remembers(Right):
    last = 0.0

    def __call__(self, batch, rng):
        mixed = super().__call__(batch, rng) + self.last
        self.last = batch[0, 0]
        return mixed


class GlobalTorch(Right):
    def __call__(self, batch, rng):
        return batch + torch.randn(5)


class InPlace(Right):
    def __call__(self, batch, rng):
        return batch.add_(rng.normal(batch.shape[1]))


class Still(Right):
    def __call__(self, batch, rng):
        return batch * 2


class DrawsThoughItSaysNot(Right):
    deterministic = True


class StateBesideTheBuffers(WithState):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, batch, rng):
        self.calls += 1
        return super().forward(batch, rng) + self.calls


class ReplayableWithState(WithState):
    replayable = True


class AsksForAValue(Right):
    def __call__(self, batch, rng):
        rows = rng.chance(0.5).nonzero()[:, 0]
        found = batch.clone()
        found[rows] += 1
        return found


class DrawsAsItLikes(Right):
    def __call__(self, batch, rng):
        drawn = rng.uniform()
        return batch + rng.normal(9 if drawn.is_meta or bool(drawn[0] > 0.5) else 5)[:, :5]


class OrderOfASet(Right):
    """Differs from process to process, and in none by itself."""

    def __call__(self, batch, rng):
        order = " ".join({"wave", "ship", "sail", "storm", "fish", "harbour", "tide", "pan", "bread", "oven"})
        return super().__call__(batch, rng) + crc32(order.encode()) % 100_003


@pytest.mark.parametrize("right", [Right, OfOneSample, WithState])
def test_what_is_right_passes(right):
    check_batch_augmentation(right, BATCH)


def test_a_mapping_of_tensors_is_a_batch_too():
    class OfMapping(Right):
        def __call__(self, batch, rng):
            return {**batch, "x": super().__call__(batch["x"], rng)}

    check_batch_augmentation(OfMapping, {"x": BATCH, "lengths": torch.arange(12)}, views=3)


@pytest.mark.parametrize(
    ("wrong", "check", "says"),
    [
        (DropsRows, "keeps_its_rows", "of 12 rows it makes a tensor of shape (11, 5)"),
        (AMeanOfThemAll, "depends_on_its_keys_alone", "a row comes out differently beside other rows"),
        (OneNumberForAll, "depends_on_its_keys_alone", "a row comes out differently beside other rows"),
        (Remembers, "depends_on_its_keys_alone", "belongs in the buffers of a torch.nn.Module"),
        (GlobalTorch, "uses_no_other_randomness", "the global generator of PyTorch"),
        (InPlace, "leaves_its_batch_alone", "it writes into the batch"),
        (Still, "draws_anew_for_each_key", "24 values of view give one and the same batch"),
        (
            DrawsThoughItSaysNot,
            "draws_anew_for_each_key",
            "it is deterministic, as it says, and 24 values of seed differ",
        ),
        (StateBesideTheBuffers, "keeps_its_state_in_buffers", "what it keeps has to be in buffers"),
        (ReplayableWithState, "is_as_replayable_as_it_says", "has state"),
        (AsksForAValue, "is_as_replayable_as_it_says", "asks for the value of a tensor"),
        (OrderOfASet, "is_the_same_in_another_interpreter", "another PYTHONHASHSEED the batch comes out differently"),
        (DrawsAsItLikes, "is_as_replayable_as_it_says", "draws more numbers for some batches"),
    ],
)
def test_what_is_wrong_is_found_and_said(wrong, check, says):
    failed, message = failures(check_batch_augmentation, wrong, BATCH)
    assert failed == {check}
    assert says in message
    assert message.startswith(f"{wrong.__name__} does not keep")


def test_one_that_does_not_call_itself_replayable_may_ask():
    class Asks(AsksForAValue):
        replayable = False

    check_batch_augmentation(Asks, BATCH)


def test_what_no_factory_can_be_pickled_of_travels_itself():
    made, wrong = Right(), OrderOfASet()
    check_batch_augmentation(lambda: made, BATCH, only=["is_the_same_in_another_interpreter"])
    failed, _ = failures(check_batch_augmentation, lambda: wrong, BATCH)
    assert failed == {"is_the_same_in_another_interpreter"}


def test_one_sample_is_too_few():
    with pytest.raises(ValueError, match="at least two samples"):
        check_batch_augmentation(Right, BATCH[:2])


def test_every_check_is_tried():
    assert set(BATCH_AUGMENTATION_CHECKS) == {
        "keeps_its_rows",
        "depends_on_its_keys_alone",
        "draws_anew_for_each_key",
        "uses_no_other_randomness",
        "leaves_its_batch_alone",
        "keeps_its_state_in_buffers",
        "is_as_replayable_as_it_says",
        "is_the_same_in_another_interpreter",
    }
