"""What an encoder costs: parameters, operations, memory, time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge
from scipy import stats
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from coview.builtin.evaluators.cpu_memory import peak_bytes_on_cpu
from coview.data.rng import Rng
from coview.evaluate.encoder_subject import EncoderSubject
from coview.evaluate.result import Result
from coview.evaluating import intervals, map_tensors, to_device


class Cost:
    """Parameters, floating-point operations, peak memory and speed of the encoder, in evaluation mode and fp32.

    Speed and memory depend on the machine: the protocol names the device and the threads, so that numbers of different
    machines are not compared. Loading and collating samples is not part of it. Peak memory is of weights, inputs and
    all that is computed from them, by PyTorch's allocator.

    With ``target_loss`` also the seconds that training took until a logged loss was first as low: training alone,
    without evaluation and without the time between a run and its resumption. The log has every tenth step's loss unless
    ``train.log_every`` says otherwise, and the time is no finer. A loss that was never reached gives no number.

    Args:
        batch_size: Samples of a batch, fewer if the test split has fewer.
        repeats: Batches that are timed, after two that are not; the speed is their median.
        target_loss: The loss whose time ``seconds_to_loss`` gives; absent: it is not measured.
    """

    splits = ("test",)
    labels = None

    def __init__(
        self,
        *,
        batch_size: Annotated[int, Ge(1)] = 64,
        repeats: Annotated[int, Ge(5)] = 20,
        target_loss: float | None = None,
    ) -> None:
        self.batch_size, self.repeats, self.target_loss = batch_size, repeats, target_loss

    def evaluate_encoder(self, subject: EncoderSubject, rng: Rng, /) -> list[Result]:
        """The numbers of one encoder; none of the raw features."""
        if subject.encoder is None:
            return []
        encoder, N = subject.encoder.eval(), min(self.batch_size, len(subject.data["test"]))
        values = [subject.data["test"][row][subject.modality_name] for row in range(N)]
        inputs = to_device(subject.collator.collate(values), subject.device)
        numbers: dict[str, tuple[float, float, float]] = {}
        numbers["parameters"] = _exact(sum(parameter.numel() for parameter in encoder.parameters()))
        numbers["flops_per_sample"] = _exact(_flops(encoder, inputs) / N)
        seconds = _timed(lambda: encoder(inputs), self.repeats, subject.device)
        per_second = N / seconds
        low, high = _median_interval(per_second, rng.numpy)
        numbers["samples_per_s"] = float(np.median(per_second)), low, high
        numbers["peak_memory_mib"] = _exact(_peak_bytes(encoder, inputs, subject.device) / 2**20)
        protocol: dict[str, Any] = {
            "batch_size": N,
            "precision": "fp32",
            "mode": "evaluation, no gradients",
            "device": _device_name(subject.device),
            "threads": torch.get_num_threads(),
            "repeats": self.repeats,
            "interval": "95 % bootstrap of the median over batches; none of what is counted",
        }
        results = [
            Result(name, *number, N, "test", protocol, better="higher" if name == "samples_per_s" else "lower")
            for name, number in numbers.items()
        ]
        return results + self._seconds_to_loss(subject)

    def _seconds_to_loss(self, subject: EncoderSubject) -> list[Result]:
        target = self.target_loss
        if target is None:
            return []
        reached = [row for row in subject.metrics if row.get("loss") is not None and row["loss"] <= target]
        protocol = {
            "target_loss": target,
            "device": _device_name(subject.device),
            "threads": torch.get_num_threads(),
            "interval": "none: one run",
        }
        return [
            Result("seconds_to_loss", *_exact(row["time"]), 1, "train", protocol, better="lower") for row in reached[:1]
        ]


def _exact(value: float) -> tuple[float, float, float]:
    return float(value), float(value), float(value)


def _flops(encoder: nn.Module, inputs: Any) -> int:
    """Of matrix products and convolutions, a multiplication and an addition counted as two."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        encoder(inputs)
    return int(counter.get_total_flops())


def _peak_bytes(encoder: nn.Module, inputs: Any, device: torch.device) -> int:
    with torch.no_grad():
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
            encoder(inputs)
            return torch.cuda.max_memory_allocated(device)
        held = [*encoder.parameters(), *encoder.buffers()]

        def hold(tensor: Tensor) -> Tensor:
            held.append(tensor)
            return tensor

        map_tensors(hold, inputs)
        return sum(tensor.nbytes for tensor in held) + peak_bytes_on_cpu(lambda: encoder(inputs))


def _timed(encode: Callable[[], Any], repeats: int, device: torch.device) -> np.ndarray:
    """Seconds of each batch."""
    cuda = device.type == "cuda"
    seconds = []
    with torch.no_grad():
        for _ in range(repeats + 2):
            started = time.perf_counter()
            encode()
            if cuda:
                torch.cuda.synchronize(device)
            seconds.append(time.perf_counter() - started)
    return np.array(seconds[2:])


def _median_interval(values: np.ndarray, generator: np.random.Generator) -> tuple[float, float]:
    if np.ptp(values) == 0:  # a coarse clock: scipy would warn
        return float(values[0]), float(values[0])
    found = stats.bootstrap((values,), np.median, method="percentile", rng=generator).confidence_interval
    return intervals.covering(float(np.median(values)), (float(found.low), float(found.high)))


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
