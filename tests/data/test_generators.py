import pytest
import torch

import coview
from coview.data.generators import seed_generators
from forked import Forked


def test_what_is_drawn_is_what_torchs_own_seed_gives():
    torch.manual_seed(11)
    expected = torch.rand(5), torch.randn(3), torch.randperm(7)
    with coview.seeded(11):
        found = torch.rand(5), torch.randn(3), torch.randperm(7)
    assert all(map(torch.equal, expected, found))
    seed_generators(11)
    assert torch.equal(torch.rand(5), expected[0])


def test_it_is_seeded_again_inside_the_block():
    torch.manual_seed(23)
    expected, before = torch.rand(4), torch.get_rng_state()
    with coview.seeded(1) as seed_again:
        torch.rand(9)
        seed_again(23)
        assert torch.equal(torch.rand(4), expected)
    assert torch.equal(torch.get_rng_state(), before)


def test_afterwards_the_generator_goes_on_where_it_was():
    torch.manual_seed(5)
    expected = torch.rand(4)
    torch.manual_seed(5)
    with coview.seeded(2**62):
        torch.rand(100)
    assert torch.equal(torch.rand(4), expected)


def test_it_is_so_after_an_error_too():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    with pytest.raises(RuntimeError, match="shape"), coview.seeded(1):
        torch.rand(3).reshape(2)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_kind_of_device_that_is_not_there_writes_nothing_down(forks, tmp_path):
    """PyTorch keeps the traceback of each seeding for when CUDA starts: what takes the time."""
    code = """
import traceback, torch, coview
asked = []
traceback.format_stack = lambda *a, **k: asked.append(1) or []
with coview.seeded(3):
    pass
seen = len(asked)
torch.manual_seed(3)
print(seen, torch.cuda.is_available() or len(asked) > 0 or not torch.backends.cuda.is_built())
"""
    status, out, err = Forked(["python", "-c", code], tmp_path).finish()
    assert status == 0, err
    assert out.split() == ["0", "True"]


@pytest.mark.gpu
def test_the_generator_of_a_gpu_is_seeded_and_restored(gpu):
    torch.cuda.manual_seed(4)
    expected = torch.rand(3, device=gpu)
    torch.cuda.manual_seed(4)
    with coview.seeded(9, gpu):
        first = torch.rand(3, device=gpu)
    assert torch.equal(torch.rand(3, device=gpu), expected)
    with coview.seeded(9, gpu):
        assert torch.equal(torch.rand(3, device=gpu), first)
