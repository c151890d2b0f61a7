"""Representations are fp32: cuDNN's TF32 is off while they are made, and as it was afterwards."""

import pytest
import torch

import coview
from coview.evaluate.full_precision import full_precision


def test_tf32_is_off_meanwhile():
    before = torch.backends.cudnn.allow_tf32
    with full_precision():
        assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == before


def test_it_comes_back_after_an_error():
    before = torch.backends.cudnn.allow_tf32
    with pytest.raises(ZeroDivisionError), full_precision():
        _ = 1 / 0
    assert torch.backends.cudnn.allow_tf32 == before


def test_a_run_embeds_under_it(own_run, monkeypatch):
    seen = []
    forward = type(own_run.encoder).forward

    def watched(self, batch):
        seen.append(torch.backends.cudnn.allow_tf32)
        return forward(self, batch)

    monkeypatch.setattr(type(own_run.encoder), "forward", watched)
    coview.embed(own_run, "digits")  # the run's own features are kept: the encoder would not run
    assert set(seen) == {False}


def test_what_somebody_has_set_for_an_operator_stays():
    convolutions = torch.backends.cudnn.conv
    before, convolutions.fp32_precision = convolutions.fp32_precision, "ieee"
    try:
        with full_precision():
            assert convolutions.fp32_precision == "ieee"
        assert convolutions.fp32_precision == "ieee"
    finally:
        convolutions.fp32_precision = before
