"""The ResNet itself, apart from coview, so that an exported model can carry this file with it.

Nothing here may import coview: ``hub_resnet.py`` and this file are copied beside the weights.
"""

from __future__ import annotations

from typing import Any, Literal

import timm
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from torch import nn

BLOCKS: dict[int, tuple[Any, tuple[int, ...]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
}


def build_resnet(
    depth: int,
    stem: Literal["imagenet", "small"],
    channels: int,
    width: int,
    *,
    zero_init: bool = False,
    drop_path: float = 0.0,
) -> ResNet:
    """timm's ResNet without a classifier.

    Args:
        depth: 18, 34 or 50.
        stem: "imagenet" is a 7×7 convolution of stride 2 and a max-pool of stride 2; "small" a 3×3
            convolution of stride 1 and no pool (SimCLR, appendix B.9).
        channels: Of the pictures.
        width: Channels of the stem and the first stage; each later stage has twice as many.
        zero_init: Whether the last BatchNorm of every block starts at zero.
        drop_path: Probability of leaving out the last block in training; it grows from 0 at the first.
    """
    if is_plain(stem, width):
        plain = timm.create_model(
            f"resnet{depth}",
            num_classes=0,
            in_chans=channels,
            zero_init_last=zero_init,
            drop_path_rate=drop_path,
        )
        assert isinstance(plain, ResNet)
        return plain
    block, layers = BLOCKS[depth]
    # timm fixes an ordinary stem's width at 64; a "deep" one, replaced below, is twice as wide as stem_width.
    network = ResNet(
        block,
        layers,
        num_classes=0,
        in_chans=channels,
        channels=tuple(width * 2**stage for stage in range(4)),
        stem_type="deep",
        stem_width=width // 2,
        zero_init_last=zero_init,
        drop_path_rate=drop_path,
    )
    if stem == "small":
        first = nn.Conv2d(channels, width, kernel_size=3, stride=1, padding=1, bias=False)
        network.add_module("maxpool", nn.Identity())
    else:
        first = nn.Conv2d(channels, width, kernel_size=7, stride=2, padding=3, bias=False)
    nn.init.kaiming_normal_(first.weight, mode="fan_out", nonlinearity="relu")  # as timm's other convolutions
    network.add_module("conv1", first)
    return network


def is_plain(stem: str, width: int) -> bool:
    """Whether timm has this very network under its own name."""
    return stem == "imagenet" and width == 64
