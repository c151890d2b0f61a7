"""Losses of samples whose ids are known to differ: the same value, fewer operations, and nothing asked of the device."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from enumerated import random_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

import coview
from coview_losses import nt_xent as nt_xent_module
from coview_losses.barlow_twins import BarlowTwins
from coview_losses.bilinear_info_nce import BilinearInfoNCE
from coview_losses.clip import CLIP
from coview_losses.info_nce import InfoNCE
from coview_losses.n_pair import NPair
from coview_losses.nnclr import NNCLR
from coview_losses.nt_xent import NTXent, in_bands
from coview_losses.symmetric_nt_xent import symmetric_nt_xent

WIDTH = 5
LOSSES = {
    "nt_xent": lambda: NTXent(temperature=0.3),
    "info_nce": lambda: InfoNCE(temperature=0.3),
    "info_nce, one direction": lambda: InfoNCE(temperature=0.3, symmetric=False),
    "clip": CLIP,
    "bilinear_info_nce": lambda: BilinearInfoNCE(WIDTH),
    "n_pair": NPair,
    "nnclr": NNCLR,
}

WAITING = {"_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "item", "unique", "_unique2"}


class Operations(TorchDispatchMode):
    """The names of operations, but for those that only view memory or make room for it."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        name = function._schema.name.removeprefix("aten::")
        views = any(of.alias_info is not None and not of.alias_info.is_write for of in function._schema.returns)
        if not views and name not in {"empty", "empty_like", "new_empty", "new_empty_strided", "_unsafe_view"}:
            self.names.append(name)
        return function(*arguments, **(options or {}))


def operations(loss, z_VND):
    """Of a forward and a backward pass, after a first one: what is kept from it is not made again."""
    loss(z_VND).backward()
    z_VND.grad = None
    with Operations() as counted:
        loss(z_VND).backward()
    return counted.names


def outcome(loss, views):
    value = loss(views)
    value = value["loss"] if isinstance(value, dict) else value
    leaves = [views.student, *([views.teacher] if views.has_teacher and views.teacher.requires_grad else [])]
    return value.detach(), *torch.autograd.grad(value, leaves)


@pytest.mark.parametrize("name", LOSSES)
@given(
    views=st.integers(2, 4),
    samples=st.integers(2, 9),
    local=st.booleans(),
    teacher=st.sampled_from(["none", "constant", "with gradient"]),
    share=st.booleans(),
    dtype=st.sampled_from([torch.float64, torch.float32, torch.bfloat16]),
    seed=st.integers(0, 99),
)
@settings(max_examples=30, deadline=None)
def test_it_comes_to_the_same_with_and_without_masks(name, views, samples, local, teacher, share, dtype, seed):
    torch.manual_seed(seed)
    loss = LOSSES[name]()
    student = random_rows(views, samples, WIDTH, seed=seed, dtype=dtype).requires_grad_()
    global_views = 2 if local and loss.needs.local_views else views
    target = None
    if teacher != "none" or loss.needs.teacher:
        target = random_rows(global_views, samples, WIDTH, seed=seed + 1, dtype=dtype)
        target.requires_grad_(teacher == "with gradient" and not loss.needs.teacher)
    queue = random_rows(6, WIDTH, seed=seed + 2, dtype=dtype) if loss.needs.queue == "required" else None
    seen = coview.Views.of(student, teacher=target, global_views=global_views, queue=queue)
    if share:
        seen = replace(seen, anchors=slice(1, max(2, samples // 2)))
    assert seen.ids_differ
    found, expected = outcome(loss, seen), outcome(loss, replace(seen, ids_differ=False))
    exact = {torch.float64: 1e-12, torch.float32: 2e-6, torch.bfloat16: 1e-2}[dtype]  # a gradient is of its rows' type
    torch.testing.assert_close(found[0], expected[0], atol=min(exact, 1e-5), rtol=min(exact, 1e-5))
    for got, wanted in zip(found[1:], expected[1:], strict=True):
        torch.testing.assert_close(got, wanted, atol=exact, rtol=exact)


@pytest.mark.parametrize("name", ["nt_xent", "info_nce", "clip"])
def test_with_a_queue_the_masks_stay(name):
    """Its rows may be of samples of the batch, whose ids all differ."""
    views = coview.Views.of(
        random_rows(2, 4, WIDTH).requires_grad_(),
        teacher=random_rows(2, 4, WIDTH, seed=1),
        queue=random_rows(3, WIDTH, seed=2),
        queue_ids=torch.tensor([1, 7, 8]),
    )
    found, expected = (outcome(LOSSES[name](), replace(views, ids_differ=known)) for known in (True, False))
    assert views.ids_differ
    assert all(torch.equal(got, wanted) for got, wanted in zip(found, expected, strict=True))


def test_moco_leaves_the_batch_out_whatever_is_known_of_its_ids():
    loss = InfoNCE(symmetric=False, negatives="queue")
    views = coview.Views.of(
        random_rows(2, 4, WIDTH).requires_grad_(),
        teacher=random_rows(2, 4, WIDTH, seed=1),
        queue=random_rows(3, WIDTH, seed=2),
    )
    found, expected = (outcome(loss, replace(views, ids_differ=known)) for known in (True, False))
    assert all(torch.equal(got, wanted) for got, wanted in zip(found, expected, strict=True))


@pytest.mark.parametrize("views", [2, 3])
@pytest.mark.parametrize("form", ["tiles", "bands"])
def test_in_tiles_it_comes_to_the_same(views, form, monkeypatch):
    monkeypatch.setattr(nt_xent_module, "SMALLEST_IN_TILES", {True: 0, False: 0})
    monkeypatch.setitem(symmetric_nt_xent.__globals__["TILE_ROWS"], "cpu", 4)
    monkeypatch.setattr("coview_losses.tiled_log_sum_exp.BAND_ELEMENTS", 40)
    z = random_rows(views, 11, WIDTH).requires_grad_()
    seen = coview.Views.of(z, ids=torch.randperm(40)[:11])
    seen = replace(seen, anchors=slice(3, 9)) if form == "bands" else seen
    found, expected = (outcome(NTXent(), replace(seen, ids_differ=known)) for known in (True, False))
    for got, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(got, wanted, atol=1e-12, rtol=1e-12)


def test_without_masks_it_has_a_second_derivative():
    z = random_rows(2, 4, 3).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda z: NTXent()(coview.Views.of(z)), (z,))


@pytest.mark.parametrize("name", [*LOSSES, "barlow_twins"])
@pytest.mark.parametrize("local", [False, True])
def test_nothing_is_asked_of_the_device(name, local):
    """Tensors of the meta device have no values: whoever asks for one, or for how many are so, gets an error."""
    loss = (LOSSES | {"barlow_twins": BarlowTwins})[name]().to("meta")
    z = torch.empty(3, 12, WIDTH, device="meta", requires_grad=True)
    views = coview.Views.of(z, teacher=torch.empty_like(z) if loss.needs.teacher else None)
    if loss.needs.queue == "required":
        views = replace(views, queue=torch.empty(7, WIDTH, device="meta"), queue_ids=torch.empty(7, device="meta"))
    if local and loss.needs.local_views:
        views = replace(views, teacher=views.teacher[:2])
    output = loss(views)
    with Operations() as counted:
        (output["loss"] if isinstance(output, dict) else output).backward()
    assert not WAITING & set(counted.names)


def test_in_tiles_nothing_is_asked_of_the_device():
    z = torch.empty(2, 40, WIDTH, device="meta", requires_grad=True)
    ids, on_host = torch.arange(40, device="meta"), torch.arange(40)
    symmetric_nt_xent(z, ids, 0.5, on_host).backward()
    nothing = torch.empty(0, WIDTH, device="meta")
    share = slice(10, 30)
    in_bands(z, z, ids, 0.5, share, nothing, torch.empty(0, dtype=torch.int64, device="meta"), on_host).backward()
    with pytest.raises((NotImplementedError, RuntimeError)):
        in_bands(z, z, ids, 0.5, share, nothing, torch.empty(0, dtype=torch.int64, device="meta"))


@pytest.mark.parametrize("name", ["nt_xent", "info_nce"])
def test_what_is_tried_by_shapes_alone_leaves_nothing_behind(name):
    """As an estimate does: what it makes has no numbers."""
    loss = LOSSES[name]()
    with FakeTensorMode(allow_non_fake_inputs=True):
        loss(coview.Views.of(torch.randn(2, 13, WIDTH, requires_grad=True))).backward()
    assert loss(coview.Views.of(random_rows(2, 13, WIDTH))).item() > 0


def plain_nt_xent(z_VND):
    u_KD = functional.normalize(z_VND.flatten(0, 1), dim=1)
    logits_KK = u_KD @ u_KD.T / 0.5
    logits_KK.fill_diagonal_(-torch.inf)
    positive_K = torch.arange(len(u_KD), device=u_KD.device).roll(len(u_KD) // 2)
    return functional.cross_entropy(logits_KK, positive_K)


def plain_info_nce(z_VND):
    a_ND, b_ND = (functional.normalize(z_ND, dim=1) for z_ND in z_VND)
    logits_NN = a_ND @ b_ND.T / 0.07
    own_N = torch.arange(len(a_ND), device=a_ND.device)
    return (functional.cross_entropy(logits_NN, own_N) + functional.cross_entropy(logits_NN.T, own_N)) / 2


def plain_barlow_twins(z_VND):
    a_ND, b_ND = (functional.batch_norm(z_ND, None, None, training=True) for z_ND in z_VND)
    c_DD = a_ND.T @ b_ND / len(a_ND)
    off_diagonal_DD = c_DD - torch.diag(c_DD.diag())
    return (1 - c_DD.diag()).square().sum() + 0.005 * off_diagonal_DD.square().sum()


@pytest.mark.parametrize("rows", [512, 4096, 8192])
@pytest.mark.parametrize(
    ("loss", "plain"),
    [(NTXent, plain_nt_xent), (InfoNCE, plain_info_nce), (BarlowTwins, plain_barlow_twins)],
    ids=["nt_xent", "info_nce", "barlow_twins"],
)
def test_it_takes_no_more_operations_than_the_obvious_form(loss, plain, rows):
    built, z = loss(), torch.empty(2, rows // 2, 128, device="meta", requires_grad=True)
    ours, obvious = operations(lambda z: built(coview.Views.of(z)), z), operations(plain, z)
    assert len(ours) <= len(obvious), (ours, obvious)
    small = random_rows(2, 9, 4).requires_grad_()
    torch.testing.assert_close(outcome(built, coview.Views.of(small))[0], plain(small).detach())
