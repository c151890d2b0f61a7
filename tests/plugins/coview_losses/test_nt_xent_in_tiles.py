"""NT-Xent by tiles and by bands, against the matrix as a whole and against loops."""

from __future__ import annotations

import math

import pytest
import torch
from enumerated import IDS, every_anchor, mean, random_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

import coview
from coview.testing import LOSS_CHECKS, check_loss
from coview_losses import nt_xent as module
from coview_losses import symmetric_nt_xent, tiled_log_sum_exp
from coview_losses.nt_xent import NTXent, nt_xent

ALWAYS, NEVER = {True: 0, False: 0}, {True: 2**62, False: 2**62}


@pytest.fixture(params=["tiles kept", "tiles again"])
def small_tiles(request, monkeypatch):
    """Tiles of 4 rows and bands of 2 or so, whatever the batch."""
    monkeypatch.setattr(module, "SMALLEST_IN_TILES", ALWAYS)
    monkeypatch.setitem(symmetric_nt_xent.TILE_ROWS, "cpu", 4)
    monkeypatch.setattr(symmetric_nt_xent, "KEPT_ELEMENTS", 2**20 if request.param == "tiles kept" else 0)
    monkeypatch.setattr(tiled_log_sum_exp, "BAND_ELEMENTS", 40)


@pytest.fixture
def used(monkeypatch):
    """Which of the two forms in tiles was called."""
    calls = []
    for form in (module.symmetric_nt_xent, module.in_bands):

        def watched(*arguments, form=form):
            calls.append(form.__name__)
            return form(*arguments)

        monkeypatch.setattr(module, form.__name__, watched)
    return calls


def situation(name: str, views: int, samples: int, seed: int = 0):
    """Leaves, and what makes them nt_xent's arguments."""
    student, teacher, queue = (random_rows(*shape, 6, seed=seed + i).requires_grad_() for i, shape in
                               enumerate([(views, samples), (views, samples), (5,)]))  # fmt: skip
    queue_ids = torch.tensor([0, 1, 2, 100, 101])
    return {
        "alone": ([student], {}),
        "one process of several": ([student], {"anchors": slice(1, max(2, samples // 2))}),
        "with local views": ([student], {"teacher_GND": student[:2]}),
        "a teacher": ([student], {"teacher_GND": teacher.detach()}),
        "a teacher with gradient": ([student, teacher], {"teacher_GND": teacher}),
        "a queue": ([student, teacher, queue], {"teacher_GND": teacher, "queue_QD": queue, "queue_ids_Q": queue_ids}),
        "a queue and no teacher": ([student, queue], {"queue_QD": queue}),
    }[name]


SYMMETRIC = ("alone",)
SITUATIONS = (*SYMMETRIC, "one process of several", "with local views", "a teacher", "a teacher with gradient", "a queue",
              "a queue and no teacher")  # fmt: skip


def outcome(leaves, options, ids, temperature, weight=1.0):
    options = {"teacher_GND": leaves[0], **options}
    loss = nt_xent(leaves[0], ids_N=ids, temperature=temperature, **options)
    return loss.detach(), *torch.autograd.grad(weight * loss, leaves)


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("name", SITUATIONS)
@given(
    views=st.integers(2, 3),
    samples=st.integers(2, 13),
    different=st.integers(1, 30),
    temperature=st.sampled_from([0.01, 0.05, 0.5, 10.0]),
    seed=st.integers(0, 99),
)
@settings(max_examples=25)
def test_is_the_whole_matrix_s_value_and_gradient(name, views, samples, different, temperature, seed):
    ids = torch.randint(different, (samples,), generator=torch.Generator().manual_seed(seed))
    leaves, options = situation(name, 3 if name == "with local views" else views, samples, seed)
    found = outcome(leaves, options, ids, temperature, 1e-3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SMALLEST_IN_TILES", NEVER)
        expected = outcome(leaves, options, ids, temperature, 1e-3)
    for got, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(got, wanted, atol=1e-10, rtol=0)


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("name", SITUATIONS)
def test_the_form_is_chosen_by_the_situation(name, used):
    leaves, options = situation(name, 3, 7)
    outcome(leaves, options, torch.arange(7), 0.5)
    assert used == ["symmetric_nt_xent" if name in SYMMETRIC else "in_bands"]


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_small_batch_is_computed_at_once(name, used):
    leaves, options = situation(name, 3, 7)
    outcome(leaves, options, torch.arange(7), 0.5)
    assert used == []


@pytest.mark.usefixtures("small_tiles")
def test_the_student_s_memory_without_its_gradient_is_another_thing(used):
    """A stop-gradient teacher shares memory with the student."""
    z = random_rows(2, 7, 5).requires_grad_()
    for teacher in (z.detach(), z.detach().requires_grad_()):
        nt_xent(z, teacher, torch.arange(7), 0.5)
    assert used == ["in_bands"] * 2


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize(("temperature", "form"), [(0.1, "symmetric_nt_xent"), (0.011, "in_bands")])
def test_low_temperatures_go_row_by_row_in_fp32(used, temperature, form):
    nt_xent(z := random_rows(2, 7, 5, dtype=torch.float32), z, torch.arange(7), temperature)
    assert used == [form]


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("temperature", [0.07, 0.5])
@pytest.mark.parametrize("views", [2, 3])
def test_equals_the_loop(views, temperature):
    seen = coview.Views.of(random_rows(views, 5, 4), ids=torch.tensor(IDS))
    losses = []
    for anchor in every_anchor(seen):
        positives = [s / temperature for s in anchor.positives.values()]
        whole = sum(math.exp(s) for s in positives) + sum(math.exp(s / temperature) for s in anchor.negatives)
        losses.append(mean(-math.log(math.exp(s) / whole) for s in positives))
    assert NTXent(temperature=temperature)(seen).item() == pytest.approx(mean(losses), abs=1e-12)


@pytest.mark.usefixtures("small_tiles")
def test_keeps_what_the_kit_asks_of_every_loss():
    check_loss(NTXent, only=[check for check in LOSS_CHECKS if check != "views_come_together"])


@pytest.mark.slow
@pytest.mark.usefixtures("small_tiles")
def test_brings_views_together():
    check_loss(NTXent, only=["views_come_together"])


@pytest.mark.parametrize("temperature", [0.01, 0.0125, 0.014, 0.02, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("kind", ["random", "views alike", "two opposite bundles", "an outlier"])
def test_in_fp32_at_any_temperature_the_values_are_those_of_fp64(temperature, kind):
    z = random_rows(2, 150, 16, dtype=torch.float32)
    if kind == "views alike":
        z[1] = z[0]
    elif kind == "two opposite bundles":  # every logit is about 1/T or -1/T
        z = torch.nn.functional.normalize(z, dim=-1) * 0.01 + torch.eye(16)[0]
        z[:, ::2] *= -1
    elif kind == "an outlier":  # of which both views are opposite to all others, and to each other
        z = z * 0.01 + torch.eye(16)[0]
        z[0, 0] = -z[1, 1]
    z.requires_grad_()
    exact = z.detach().double().requires_grad_()
    loss, expected = (NTXent(temperature=temperature)(coview.Views.of(x)) for x in (z, exact))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4, abs=1e-5 / temperature)
    found, wanted = (torch.autograd.grad(1e-6 * x, leaf)[0] for x, leaf in ((loss, z), (expected, exact)))
    assert (found - wanted).norm() <= 1e-4 / temperature * wanted.norm() + 1e-12


@pytest.mark.parametrize("views", [2, 3])
@pytest.mark.parametrize("teacher", [False, True])
def test_without_negatives_only_the_positives_remain(views, teacher):
    z = random_rows(views, 600, 4, dtype=torch.float32).requires_grad_()
    seen = coview.Views.of(z, teacher=z.detach().clone() if teacher else None, ids=torch.zeros(600, dtype=torch.int64))
    loss = NTXent()(seen)
    (gradient,) = torch.autograd.grad(loss, z)
    assert gradient.isfinite().all()
    if views == 2:
        assert loss.item() == 0
        assert gradient.abs().max() < 1e-6
    else:
        assert loss.item() >= math.log(2)


def test_rows_without_direction_get_no_gradient():
    z = random_rows(2, 100, 8, dtype=torch.float32)
    z[0, 2] = 0
    (gradient,) = torch.autograd.grad(NTXent()(coview.Views.of(z.requires_grad_())), z)
    assert gradient.isfinite().all()
    assert gradient[0, 2].abs().max() == 0
    assert gradient[0, 0].abs().max() > 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_leaves_it_in_fp32_in_both_passes(dtype):
    z = random_rows(2, 150, 16, dtype=dtype).requires_grad_()
    exact = z.detach().double().requires_grad_()
    with torch.autocast("cpu", dtype=dtype):
        loss = NTXent(temperature=0.1)(coview.Views.of(z))
        (found,) = torch.autograd.grad(1000 * loss, z)
    expected = NTXent(temperature=0.1)(coview.Views.of(exact))
    assert loss.dtype is torch.float32
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    (wanted,) = torch.autograd.grad(1000 * expected, exact)
    torch.testing.assert_close(found, wanted.to(dtype), atol=1e-3, rtol=2e-2)


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("name", SITUATIONS)
def test_a_second_derivative_is_refused(name):
    leaves, options = situation(name, 3, 7)
    loss = nt_xent(leaves[0], ids_N=torch.arange(7), temperature=0.5, **{"teacher_GND": leaves[0], **options})
    (gradient,) = torch.autograd.grad(loss, leaves[0], create_graph=True)
    with pytest.raises(RuntimeError, match="computed in tiles has no second derivative"):
        gradient.square().sum().backward()


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("name", SITUATIONS)
def test_a_second_backward_pass_gives_the_same(name):
    leaves, options = situation(name, 3, 7)
    loss = nt_xent(leaves[0], ids_N=torch.arange(7), temperature=0.5, **{"teacher_GND": leaves[0], **options})
    first = torch.autograd.grad(loss, leaves, retain_graph=True)
    second = torch.autograd.grad(loss, leaves)
    assert all(a.equal(b) for a, b in zip(first, second, strict=True))


class Largest(TorchDispatchMode):
    """Remembers the largest storage of any operation's result, in bytes."""

    def __init__(self):
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        result = function(*arguments, **(options or {}))
        for tensor in tree_iter(result):
            if isinstance(tensor, torch.Tensor):
                self.bytes = max(self.bytes, tensor.untyped_storage().nbytes())
        return result


@pytest.mark.parametrize("name", ["alone", "one process of several", "a teacher with gradient", "a queue"])
@pytest.mark.parametrize("equal_ids", [False, True])
def test_nothing_as_large_as_the_matrix_is_ever_made(name, equal_ids, monkeypatch):
    monkeypatch.setattr(symmetric_nt_xent, "KEPT_ELEMENTS", 2**18)
    monkeypatch.setitem(symmetric_nt_xent.TILE_ROWS, "cpu", 128)
    monkeypatch.setattr(tiled_log_sum_exp, "BAND_ELEMENTS", 2**17)
    samples = 1000
    leaves, options = situation(name, 2, samples)
    ids = torch.zeros(samples, dtype=torch.int64) if equal_ids else torch.arange(samples)
    with Largest() as largest:
        outcome(leaves, options, ids, 0.5)
    assert 2**17 <= largest.bytes <= 2**20 + 2 * samples * 6 * 8
    assert largest.bytes < (2 * samples) ** 2
