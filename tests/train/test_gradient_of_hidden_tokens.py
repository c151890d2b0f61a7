"""Promise 10: losses of hidden tokens are exact under the gradient cache and over ranks, however unevenly they fall."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import torch
import torch.distributed as dist

import coview
from coview.data.batch import Batch
from coview.model.gather import average_gradients
from coview.model.topology import Topology, build_topology
from coview.recipe.recipe import Recipe
from coview.train.accelerator import make_accelerator
from coview.train.gradient import GradientOfBatch

SAMPLES = 7
TEACHER = {"momentum": 0.9}
RANDOM = {"use": "random", "ratio": [0.2, 0.7], "probability": 0.8}
LINEAR: dict[str, Any] = {}
TRANSFORMER = {"use": "transformer", "layers": 1, "hidden": 8, "heads": 2}

CASES: dict[str, dict[str, Any]] = {
    "mae": {
        "mask": {"use": "random", "ratio": 0.6, "hide": "drop"},
        "decoder": TRANSFORMER,
        "target": {"normalise": "token"},
        "loss": {"use": "token_mse"},
    },
    "uneven": {"mask": RANDOM | {"hide": "drop"}, "decoder": TRANSFORMER, "loss": {"use": "token_mse"}},
    "each_view_alike": {"mask": RANDOM, "decoder": {"use": "mlp"}, "loss": {"use": "token_mse", "over": "samples"}},
    "simmim": {"mask": {"use": "block", "ratio": 0.5}, "loss": {"use": "token_smooth_l1", "beta": 0.0}},
    "data2vec": {
        "mask": RANDOM,
        "target": {"use": "teacher_tokens", "layers": 2},
        "teacher": TEACHER,
        "loss": {"use": "token_smooth_l1", "beta": 2.0},
    },
    "i_jepa": {
        "mask": {"use": "multi_block", "hide": "drop", "target_scale": [0.1, 0.4]},
        "decoder": TRANSFORMER,
        "target": {"use": "teacher_tokens"},
        "teacher": TEACHER,
        "loss": {"use": "token_mse"},
    },
    "ibot": {
        "mask": RANDOM,
        "decoder": {"use": "ibot_head", "prototypes": 6, "hidden": 8, "bottleneck": 4},
        "target": {"use": "teacher_decoder"},
        "teacher": TEACHER,
        "loss": [{"use": "ibot"}, {"use": "koleo", "of": "representations", "weight": 0.1}, {"use": "dino"}],
        "projector": {"use": "dino_head", "width": 6, "hidden": 8, "bottleneck": 4},
    },
    "dinov2": {
        "mask": RANDOM,
        "decoder": {"use": "ibot_head", "prototypes": 6, "hidden": 8, "bottleneck": 4},
        "target": {"use": "teacher_decoder"},
        "teacher": TEACHER,
        "loss": {"use": "ibot", "centering": "sinkhorn"},
    },
    "best_rq": {
        "mask": RANDOM,
        "target": {"use": "random_codebook", "codes": 9, "code_width": 3},
        "loss": {"use": "token_cross_entropy"},
    },
    "cosine": {
        "mask": RANDOM | {"kept": 0.3},
        "target": {"use": "teacher_tokens", "normalise": "instance"},
        "teacher": TEACHER,
        "loss": {"use": "token_cosine"},
    },
}
"""By what they are like."""


def masked_recipe(registry: coview.Registry, case: str, *, views: int = 2) -> Recipe:
    """A recipe on pictures of 8 × 8 pixels, of 4 × 4 patches."""
    tables: dict[str, Any] = {
        "schema": 1,
        "name": "masked",
        "data": {"use": "fashion_mnist", "views": views},
        "encoder": {"use": "vit", "image_size": 8, "patch": 2, "width": 8, "layers": 2, "heads": 2, "channels": 1},
        "modality": {"channels": 1, "mean": [0.5], "std": [0.5]},
        "optimizer": {"use": "sgd", "lr": 0.1},
        "train": {"steps": 3, "batch_size": SAMPLES, "precision": "fp32"},
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "masked.toml"
        file.write_text(tomli_w.dumps({**tables, **CASES[case]}))
        return coview.load_recipe(file, registry=registry)


def masked_topology(registry: coview.Registry, case: str) -> Topology:
    """Of the recipe, in double precision; the teacher is another than the student."""
    built = build_topology(masked_recipe(registry, case), registry).double()
    generator = torch.Generator().manual_seed(1)
    if built.teacher is not None:
        for parameter in built.teacher.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return built


def pictures(own: slice = slice(None)) -> Batch:
    """A batch of two views, or some of its samples."""
    x_VNCHW = torch.randn(2, SAMPLES, 1, 8, 8, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    ids_N = torch.arange(SAMPLES) * 5 + 2
    return Batch({"image": x_VNCHW[:, own].flatten(0, 1)}, ids_N[own], None, None, None, epoch=2, number=1)


def gradient_of(built: Topology, batch: Batch, *, rows: int | None = None, ranks: int = 1) -> dict[str, torch.Tensor]:
    """By parameter, as the loop makes it; and the value of the loss as ``loss``."""
    accelerator = make_accelerator(torch.device("cpu"), "fp32")
    built.train()
    step = GradientOfBatch(
        built, built.student, accelerator, rows=rows, batch_size=-(-SAMPLES // ranks), seed=5, channels_last=False
    )
    assert built.masking is not None
    found = step.add(built.masking.masked(batch), step=4, part=0, share=1.0, progress=0.25, synchronise=True)
    average_gradients([*built.student.parameters(), *built.loss.parameters()])
    gradients = {name: p.grad.clone() for name, p in built.named_parameters() if p.grad is not None}
    return {"loss": found.outputs["loss"].double(), **gradients}


BOUNDS = {2: (0, 3, SAMPLES), 4: (0, 1, 2, 5, SAMPLES)}


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("case", CASES)
def test_the_cache_gives_the_gradient_of_the_plain_step(registry, case, rows):
    whole = gradient_of(masked_topology(registry, case), pictures())
    parts = gradient_of(masked_topology(registry, case), pictures(), rows=rows)
    assert whole.keys() == parts.keys()
    assert sum(float(gradient.norm()) for gradient in whole.values()) > 1e-3
    for name, gradient in whole.items():
        torch.testing.assert_close(
            parts[name], gradient, atol=1e-10, rtol=1e-10, msg=lambda text, n=name: f"{n}: {text}"
        )


@pytest.mark.parametrize("rows", [None, 3])
@pytest.mark.parametrize("case", CASES)
def test_views_by_themselves_give_the_gradient_of_all_together_without_batch_norm(registry, case, rows):
    whole = gradient_of(masked_topology(registry, case), pictures())
    apart = masked_topology(registry, case)
    apart.student.apart = True
    if apart.teacher is not None:
        apart.teacher.towers.apart = True
    for name, gradient in gradient_of(apart, pictures(), rows=rows).items():
        torch.testing.assert_close(
            gradient, whole[name], atol=1e-10, rtol=1e-10, msg=lambda text, n=name: f"{n}: {text}"
        )


def one_rank(rank: int, ranks: int, address: str, answers: torch.multiprocessing.SimpleQueue) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{address}", rank=rank, world_size=ranks)
    own = slice(BOUNDS[ranks][rank], BOUNDS[ranks][rank + 1])
    registry = coview.load_plugins()
    found = {}
    for case in CASES:
        gradients = gradient_of(masked_topology(registry, case), pictures(own), ranks=ranks)
        found[case] = {name: gradient.tolist() for name, gradient in gradients.items()}
    if rank == 0:
        answers.put(found)
    dist.barrier()
    dist.destroy_process_group()


@pytest.mark.parametrize("ranks", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_ranks_make_the_gradient_of_one_process(registry, answer_of_ranks, ranks):
    found = answer_of_ranks(one_rank, ranks)
    for case, gradients in found.items():
        expected = gradient_of(masked_topology(registry, case), pictures())
        assert gradients.keys() == expected.keys(), case
        for name, gradient in expected.items():
            made = torch.tensor(gradients[name], dtype=torch.float64)
            # what a run reports of its loss is summed in fp32
            tolerance = 1e-5 if name == "loss" else 1e-10
            torch.testing.assert_close(made, gradient, atol=tolerance, rtol=tolerance, msg=lambda t, c=case, n=name: f"{c} {n}: {t}")  # fmt: skip
