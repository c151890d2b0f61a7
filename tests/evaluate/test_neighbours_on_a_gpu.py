"""The search in large tiles, which a GPU does: exact for every size, by a few operations, and without a wait."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from coview.evaluate import neighbours_on_a_gpu as module
from coview.evaluate.neighbours import _inverse_norms, nearest


def in_large_tiles(queries_QD, bank_BD, k):
    scales = _inverse_norms(queries_QD), _inverse_norms(bank_BD)
    return module.nearest_in_large_tiles(queries_QD, bank_BD, *scales, k)


def check(queries_QD, bank_BD, k):
    cosines, found = in_large_tiles(queries_QD, bank_BD, k)
    norms = [x.double().norm(dim=1, keepdim=True).clamp(min=1e-30) for x in (queries_QD, bank_BD)]
    all_QB = (queries_QD.double() / norms[0]) @ (bank_BD.double() / norms[1]).T
    expected = all_QB.sort(1, descending=True).values[:, :k]
    torch.testing.assert_close(cosines.double(), expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(all_QB.gather(1, found), expected, atol=1e-6, rtol=0)
    assert all(len(set(row.tolist())) == k for row in found)


@given(
    queries=st.integers(1, 40),
    bank=st.integers(1, 400),
    width=st.integers(1, 6),
    k=st.integers(1, 400),
    values=st.sampled_from([0, 1, 3]),
    similarities=st.sampled_from([1, 3000, 2**26]),
    fewest=st.sampled_from([7, 32, 100, 4096]),
    seed=st.integers(0, 99),
)
@settings(max_examples=150, deadline=None)
def test_it_is_a_full_sort(queries, bank, width, k, values, similarities, fewest, seed):
    """Numbers, or a few whole ones with many that are equal and rows of zeros; in tiles and parts of any size."""
    draw = torch.Generator().manual_seed(seed)
    rows = [torch.randn(n, width, generator=draw) for n in (queries, bank)]
    if values:
        rows = [torch.randint(-values, values + 1, (n, width), generator=draw).float() for n in (queries, bank)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SIMILARITIES", similarities)
        patch.setattr(module, "FEWEST_ROWS", fewest)
        patch.setattr(module, "BANK_NUMBERS", 1)
        check(*rows, min(k, bank))


def test_it_finds_what_the_search_on_a_cpu_finds():
    draw = torch.Generator().manual_seed(0)
    queries, bank = torch.randn(300, 12, generator=draw), torch.randn(5000, 12, generator=draw)
    here, there = nearest(queries, bank, 20), in_large_tiles(queries, bank, 20)
    torch.testing.assert_close(here[0], there[0])
    assert (here[1] == there[1]).float().mean() > 0.999


class Operations(TorchDispatchMode):
    """Counts operations, products apart."""

    def __init__(self):
        super().__init__()
        self.products = self.others = 0

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        views = any(of.alias_info is not None and not of.alias_info.is_write for of in function._schema.returns)
        self.products += function._schema.name == "aten::mm"
        self.others += not views and function._schema.name != "aten::mm"
        return function(*arguments, **(options or {}))


def test_for_ten_thousand_queries_it_takes_few_operations_and_asks_for_no_value():
    """On the meta device whoever asks for a value gets an error."""
    queries, bank = torch.empty(10_000, 512, device="meta"), torch.empty(50_000, 512, device="meta")
    with Operations() as counted:
        nearest(queries, bank, 20)
    assert counted.products == 8
    assert counted.others < 150


@pytest.mark.gpu
@pytest.mark.parametrize("bank", [33, 5000, 70_000])
def test_on_a_gpu_it_finds_what_a_cpu_finds(bank, no_waiting):
    draw = torch.Generator().manual_seed(0)
    queries, rows = torch.randn(700, 512, generator=draw), torch.randn(bank, 512, generator=draw)
    expected, _ = nearest(queries, rows, 20)
    on_gpu = queries.cuda(), rows.cuda()
    nearest(*on_gpu, 20)
    no_waiting(True)
    cosines, found = nearest(*on_gpu, 20)
    no_waiting(False)
    torch.testing.assert_close(cosines.cpu(), expected)
    assert found.device.type == "cuda"
