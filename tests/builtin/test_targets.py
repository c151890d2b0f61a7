"""Targets against loops and other people's functions."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from coview.builtin.targets import Input, RandomCodebook, TeacherDecoder, TeacherTokens
from coview.model.target import TargetInput

N, T, P = 3, 5, 8
VALUES = torch.randn(N, T, P, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
REAL = torch.arange(T) < torch.tensor([[5], [3], [4]])
LAYERS = tuple(torch.randn(4, N, T, P, generator=torch.Generator().manual_seed(1), dtype=torch.float64))


def test_pixels_are_normalised_by_patch_as_mae_does():
    target = Input(values=P, classes=0, normalise="token")
    made = target(TargetInput(REAL, VALUES))
    for n in range(N):
        for t in range(T):
            patch = VALUES[n, t]
            expected = (patch - patch.mean()) / (patch.var(unbiased=True) + 1e-6) ** 0.5
            torch.testing.assert_close(made[n, t], expected)
    assert (target.width, target.is_class) == (P, False)


def test_a_vocabulary_makes_classes():
    target = Input(values=0, classes=30)
    ids = torch.tensor([[3, 4]])
    assert torch.equal(target(TargetInput(REAL, ids)), ids)
    assert (target.width, target.is_class) == (30, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [({"values": 0, "classes": 0}, "does not say"), ({"values": 0, "classes": 9, "normalise": "token"}, "are classes")],
)
def test_tokens_of_another_kind_are_refused(options, said):
    with pytest.raises(ValueError, match=said):
        Input(**options)


def test_the_mean_of_layers_that_are_normalised_token_by_token():
    target = TeacherTokens(P, layers=4, normalise="layer", normalise_mean="layer")
    norm = nn.LayerNorm(P, elementwise_affine=False).double()
    expected = norm(sum(norm(layer) for layer in LAYERS) / 4)
    torch.testing.assert_close(target(TargetInput(REAL, layers_LNTD=LAYERS)), expected)


def test_the_mean_of_layers_that_are_normalised_over_the_real_tokens_of_a_view():
    """data2vec's for sounds: ``F.instance_norm`` of each layer, of a view without its padding."""
    made = TeacherTokens(P, layers=4, normalise="instance")(TargetInput(REAL, layers_LNTD=LAYERS))
    for n, length in enumerate(REAL.sum(1)):
        views = [layer[n : n + 1, :length].transpose(1, 2) for layer in LAYERS]
        expected = sum(nn.functional.instance_norm(view) for view in views) / 4
        torch.testing.assert_close(made[n, :length], expected[0].T)


def test_layers_may_stay_as_they_are():
    made = TeacherTokens(P, layers=4, normalise="none")(TargetInput(REAL, layers_LNTD=LAYERS))
    torch.testing.assert_close(made, torch.stack(LAYERS).mean(0))


def test_the_nearest_code_is_found_by_going_through_all():
    torch.manual_seed(0)
    target = RandomCodebook(values=P, codes=20, code_width=4).double()
    made = target(TargetInput(REAL, VALUES))
    for n in range(N):
        for t in range(T):
            x = VALUES[n, t]
            x = (x - x.mean()) / (x.var(unbiased=False) + 1e-5) ** 0.5
            projected = x @ target.projection_PC
            unit = projected / projected.norm()
            distances = [(unit - code / code.norm()).norm() for code in target.codebook_KC]
            assert int(made[n, t]) == int(torch.stack(distances).argmin())
    assert (target.width, target.is_class) == (20, True)
    assert not list(target.parameters())
    assert set(target.state_dict()) == {"projection_PC", "codebook_KC"}


def test_codes_are_of_numbers():
    with pytest.raises(ValueError, match="classes: take input"):
        RandomCodebook(values=0)


def test_what_the_teacher_decodes_is_taken_as_it_is():
    decoded = torch.randn(6, 4)
    assert TeacherDecoder()(TargetInput(REAL, decoded_KP=decoded)) is decoded
