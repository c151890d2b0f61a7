"""A batch in the contexts of its views: parts of it, and what changes contexts, a function of (seed, epoch, batch, view)."""

import torch
from torch import nn

import coview
from coview.data.batch import Batch, some_samples
from coview.data.building import ContextStep
from coview.data.rng import Rng
from coview.data.same import same
from coview.model.context import AtContext, Contexts, InContext
from coview.model.widths import encode

N = 5


class Reads(nn.Module):
    """What is in the context at the numbers of a batch."""

    takes_context = True
    width = 2
    calls = 0

    def forward(self, batch, context):
        type(self).calls += 1
        return coview.Encoding(context[batch["number"]])


def batch(epoch=0, number=0, local=False):
    inputs = {"a": {"number": torch.arange(2 * N) % 4}, "b": torch.zeros(N, 1)}
    small = {"a": {"number": torch.arange(N)}} if local else {}
    return Batch(inputs, torch.arange(N), None, None, None, small, epoch=epoch, number=number)


class Adds:
    of_context = True

    def __call__(self, context, rng):
        return context + float(rng.numpy.random())


def contexts(*steps, seed=3):
    return Contexts(seed, {"a": torch.arange(16.0).view(8, 2)}, steps, ("a", "b", "a", "a"), 3)


def test_one_context_is_for_all_views_and_is_encoded_once():
    Reads.calls = 0
    found = contexts().around(batch()).inputs
    assert found["b"].shape == (N, 1), "of a modality whose encoder takes none"
    encoding = encode(Reads(), found["a"])
    assert Reads.calls == 1
    assert torch.equal(encoding.pooled_ND, torch.arange(16.0).view(8, 2)[torch.arange(2 * N) % 4])


def test_contexts_of_views_are_functions_of_seed_epoch_batch_and_view():
    step = ContextStep("a", 1, (0, 2, 3), Adds())
    whole = contexts(step).around(batch(epoch=2, number=7, local=True))
    for part, views in ((whole.inputs["a"], (0, 2)), (whole.local_inputs["a"], (3,))):
        assert len(part.contexts) == len(views)
        for view, context in zip(views, part.contexts, strict=True):
            drawn = Rng(3, 2, 99, view, 1, batch=7).of_view().numpy.random()
            assert torch.equal(context, torch.arange(16.0).view(8, 2) + drawn)
    others = [
        contexts(step).around(batch(epoch=2, number=8)),
        contexts(step).around(batch(epoch=1, number=7)),
        contexts(step, seed=4).around(batch(epoch=2, number=7)),
    ]
    assert not any(same(other.inputs["a"].contexts, whole.inputs["a"].contexts) for other in others)
    again = contexts(step)
    again.around(batch(epoch=5))
    assert same(again.around(batch(epoch=2, number=7)).inputs["a"].contexts, whole.inputs["a"].contexts)


def test_a_step_for_some_views_leaves_the_others_and_a_shared_one_draws_once():
    some, shared = ContextStep("a", 0, (2,), Adds()), ContextStep("a", 0, (0, 2), Adds(), drawn_as=0)
    plain, added = contexts(some).around(batch()).inputs["a"].contexts
    assert torch.equal(plain, torch.arange(16.0).view(8, 2))
    assert not torch.equal(added, plain)
    first, second = contexts(shared).around(batch()).inputs["a"].contexts
    assert torch.equal(first, second)


def test_any_part_is_encoded_in_the_contexts_of_its_views():
    whole = contexts(ContextStep("a", 1, (0, 2), Adds())).around(batch())
    encoded = encode(Reads(), whole.inputs["a"]).pooled_ND.view(2, N, 2)
    by_hand = [
        context[torch.arange(2 * N)[view * N :][:N] % 4] for view, context in enumerate(whole.inputs["a"].contexts)
    ]
    assert torch.equal(encoded, torch.stack(by_hand))
    part = some_samples(whole, slice(1, 4)).inputs["a"]
    assert isinstance(part, InContext)
    assert torch.equal(encode(Reads(), part).pooled_ND.view(2, 3, 2), encoded[:, 1:4])


def test_an_encoder_at_a_context_is_one_that_takes_none():
    at = AtContext(Reads(), torch.arange(16.0).view(8, 2))
    assert at.width == 2
    assert torch.equal(encode(at, {"number": torch.tensor([3])}).pooled_ND, torch.tensor([[6.0, 7.0]]))
    assert not at.state_dict()
