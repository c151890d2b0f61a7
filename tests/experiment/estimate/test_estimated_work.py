"""Operations and memory of computations, against published tables, closed forms, and PyTorch's profiler."""

import pytest
import timm
import torch
import torchvision
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

import coview
from coview.builtin.evaluators.cpu_memory import peak_bytes_on_cpu
from coview.experiment.estimate.cards import card_of
from coview.experiment.estimate.extrapolate import most_at, work_at
from coview.experiment.estimate.work import Operation, Recorder, Work

TABLES = {
    "resnet18": torchvision.models.ResNet18_Weights.IMAGENET1K_V1,
    "resnet50": torchvision.models.ResNet50_Weights.IMAGENET1K_V1,
    "mobilenet_v2": torchvision.models.MobileNet_V2_Weights.IMAGENET1K_V1,
    "convnext_tiny": torchvision.models.ConvNeXt_Tiny_Weights.IMAGENET1K_V1,
    "vit_b_16": torchvision.models.ViT_B_16_Weights.IMAGENET1K_V1,
}
"""Parameters, and GMACs of a picture, as torchvision publishes them with its weights."""


def recorded(model, samples, size=224):
    """The operations of a forward and of a backward pass of pictures that have no numbers."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        model.to_empty(device="cpu")
        x = torch.empty(samples, 3, size, size)
        with Recorder() as recorder:
            y = model(x)
            forward = len(recorder.operations)
            y.sum().backward()
    return Work.of(recorder.operations[:forward]), Work.of(recorder.operations[forward:])


@pytest.mark.parametrize("name", TABLES)
def test_operations_and_parameters_are_those_that_torchvision_publishes(name):
    with torch.device("meta"):
        model = getattr(torchvision.models, name)()
    published = TABLES[name].meta
    forward, backward = recorded(model, 2)
    assert sum(parameter.numel() for parameter in model.parameters()) == published["num_params"]
    assert forward.flops / 2 / 2e9 == pytest.approx(published["_ops"], rel=0.01)
    # gradients by weights and by inputs, but for the pictures, are each as much work as the forward pass
    assert 1.9 < backward.flops / forward.flops <= 2.3
    assert not forward.uncounted


def test_a_small_vision_transformer_is_as_published():
    # 22.05 million parameters with a head for 1,000 classes, as timm's results say; 4.6 GMACs (DeiT, arXiv:2012.12877)
    with torch.device("meta"):
        model = timm.create_model("vit_small_patch16_224")
    assert sum(parameter.numel() for parameter in model.parameters()) == 22_050_664
    forward, _ = recorded(model, 2)
    assert forward.flops / 2 / 2e9 == pytest.approx(4.61, rel=0.01)


def test_what_a_perceptron_keeps_for_the_backward_pass():
    n, a, b, c = 7, 5, 11, 3
    model = nn.Sequential(nn.Linear(a, b), nn.ReLU(), nn.Linear(b, c))
    x = torch.randn(n, a)
    recorder = Recorder()
    recorder.know([*model.parameters(), x])
    with recorder:
        y = model(x)
        kept = recorder.live
        y.sum().backward()
    # the rectified numbers, which the second layer's gradient needs, and what has come out
    assert kept == 4 * n * (b + c)
    assert Work.of(recorder.operations).flops == 2 * n * (a * b + b * c) + 2 * n * (a * b + 2 * b * c)
    # in the end the gradients are there, and what has come out
    del y
    assert recorder.live == 4 * (a * b + b + b * c + c)


def test_the_most_memory_is_what_the_profiler_sees():
    model = torchvision.models.VisionTransformer(
        image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=32, mlp_dim=64
    )
    x = torch.randn(64, 3, 32, 32)

    def step():
        model(x).sum().backward()

    seen = peak_bytes_on_cpu(step)
    model.zero_grad(set_to_none=True)
    recorder = Recorder()
    recorder.know([*model.parameters(), *model.buffers(), x])
    with recorder:
        step()
    assert recorder.peak == pytest.approx(seen, rel=0.05)


def test_zeros_count_as_the_numbers_themselves_do():
    model = torchvision.models.resnet18()
    x = torch.randn(2, 3, 32, 32)
    found = []
    for only_shapes in (False, True):
        model.zero_grad(set_to_none=True)
        recorder = Recorder(only_shapes=only_shapes)
        recorder.know([*model.parameters(), *model.buffers(), x])
        with recorder:
            model(x).sum().backward()
        found.append((recorder.operations, recorder.peak))
    assert found[0] == found[1]


def test_many_samples_follow_from_few():
    def taken(n):
        model = nn.Sequential(nn.Linear(5, 11), nn.ReLU(), nn.Linear(11, 3))
        recorder = Recorder()
        recorder.know(model.parameters())
        with recorder:
            z_ND = model(torch.randn(n, 5))
            (z_ND @ z_ND.T).exp().sum().backward()
        return recorder

    few = [taken(n) for n in (2, 4, 8)]
    many = taken(50)
    extrapolated = work_at(50, (2, 4, 8), [recorder.operations for recorder in few])
    assert extrapolated.flops == Work.of(many.operations).flops
    assert extrapolated.bytes == Work.of(many.operations).bytes
    assert most_at(50, (2, 4, 8), [recorder.lives for recorder in few]) == many.peak


def test_the_roofline_of_each_operation():
    card = card_of("a100-80")
    work = Work(
        {
            Operation("bf16", False, 312 * 10**12, 10**6): 2,  # two seconds of arithmetic
            Operation("fp32", True, 156 * 10**12, 0): 1,  # convolutions of fp32 are computed in TF32
            Operation("fp32", False, 195 * 10**11, 0): 1,  # other products are not
            Operation("fp32", False, 10, 2039 * 10**9): 3,
        }
    )
    assert work.seconds(card) == (pytest.approx(4), pytest.approx(3))
    assert work.times(2).seconds(card)[0] == pytest.approx(8)
    assert (work + work).kernels == 14


def test_an_unknown_card_is_refused_with_those_that_are_known():
    with pytest.raises(coview.CoviewError, match=r'no card "h10" in the table, did you mean "h100"') as refused:
        card_of("h10")
    assert "a100-40, a100-80" in refused.value.hint
    with pytest.raises(coview.CoviewError, match="did you mean a100-40 or a100-80"):
        card_of("A100")


def test_figures_of_ones_own_stand_in_for_the_table():
    card = card_of("l4").measured(tflops=50, memory=20, link=5)
    assert (card.flops["bf16"], card.memory, card.link) == (50e12, 20e9, 5e9)
    assert card.source.endswith("TFLOP/s, memory, link as given")
    with pytest.raises(coview.CoviewError, match="tflops: has to be more than 0"):
        card.measured(tflops=0)
