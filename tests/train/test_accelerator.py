"""What of accelerate's insides is used is there, and does what it is used for."""

import torch

from coview.train.accelerator import make_accelerator


def test_a_second_handle_may_have_another_precision():
    cpu = torch.device("cpu")
    for precision, mixed in (("bf16", "bf16"), ("fp32", "no"), ("bf16", "bf16")):
        accelerator = make_accelerator(cpu, precision)
        assert accelerator.mixed_precision == mixed
        assert accelerator.state.mixed_precision == mixed
        assert accelerator.device == cpu
