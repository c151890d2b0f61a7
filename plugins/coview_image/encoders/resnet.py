"""ResNet (arXiv:1512.03385) of three depths, with ImageNet's stem or one for small pictures, on timm's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Lt, MultipleOf
from torch import Tensor, nn

import coview
from coview import no_progress_bar
from coview_image.encoders.folders import SaysPictureSize, pooled_timm, save_timm_folder
from coview_image.encoders.resnet_network import build_resnet, is_plain
from coview_image.encoders.sentence_folder import write_sentence_files
from coview_image.encoders.timm_layers import timm_layer_numbers


class ResNet(SaysPictureSize, nn.Module):
    """A residual network; the vector of a picture is the mean over all places of the last feature map.

    ResNet-18 and ResNet-34 give 8 × width numbers, ResNet-50 gives 32 × width.

    Args:
        stem: "imagenet" is a 7×7 convolution of stride 2 and a max-pool; "small" a 3×3 convolution of stride
            1 and no pool, SimCLR's for CIFAR-10 (appendix B.9): what pictures of up to about 64×64 need.
        channels: Channels of the pictures, the same as the modality's.
        width: Channels of the stem and of the first stage, even; each of the three later stages has twice as
            many as the one before. The paper's is 64; SimCLR's "2×" is 128.
        zero_init: Whether the last BatchNorm of every block starts at zero, as it does in the authors' code of SimCLR,
            BYOL (not in its paper), SimSiam, MoCo v3, Barlow Twins and VICReg, and not in that of MoCo v2, SwAV, DINO
            and SupCon. An untrained network is then little more than its shortcuts, and an easy control to beat.
        drop_path: Probability of leaving out the last block in training (stochastic depth, arXiv:1603.09382); it grows
            from 0 at the first block. With it two passes differ as they do by dropout.
    """

    starts_trained: ClassVar[bool] = False

    depth: ClassVar[int]

    def __init__(
        self,
        *,
        stem: Literal["imagenet", "small"] = "imagenet",
        channels: Literal[1, 3] = 3,
        width: Annotated[int, Ge(2), MultipleOf(2)] = 64,
        zero_init: bool = False,
        drop_path: Annotated[float, Ge(0), Lt(1)] = 0.0,
    ) -> None:
        super().__init__()
        self.stem, self.channels, self.base_width = stem, channels, width
        self.network = build_resnet(self.depth, stem, channels, width, zero_init=zero_init, drop_path=drop_path)
        self.width = int(self.network.num_features)

    def forward(self, x_NCHW: Tensor) -> coview.Encoding:
        """Pooled features (N, D), and those of each place of the last feature map (N, T, D)."""
        map_NDHW = self.network.forward_features(x_NCHW)
        return coview.Encoding(
            pooled_ND=self.network.forward_head(map_NDHW, pre_logits=True),
            tokens_NTD=map_NDHW.flatten(2).transpose(1, 2),
        )

    def layer_numbers(self) -> dict[str, int]:
        """By timm's own matcher: the stem, then each block."""
        return timm_layer_numbers(self.network, "network")

    def export_pooled(self, folder: Path, /) -> coview.PooledTransformer:
        """transformers' wrapper of timm's network.

        Raises:
            ValueError: If timm has no such network.
        """
        if not is_plain(self.stem, self.base_width):
            raise ValueError(
                f'transformers has no class for a ResNet with stem = "{self.stem}" and width = {self.base_width}: '
                'stem = "imagenet" and width = 64 are timm\'s'
            )
        return pooled_timm(self.network, model_args={"in_chans": self.channels}, width=self.width)

    def export_hf(self, folder: Path, /) -> str:
        """Writes a timm folder where timm has this network, else a transformers folder with its code."""
        if is_plain(self.stem, self.base_width):
            model_args = {"in_chans": self.channels}
            return save_timm_folder(self.network, folder, model_args=model_args, picture_size=self.picture_size)
        from coview_image.encoders.hub_resnet import CoviewResNetConfig, CoviewResNetModel

        CoviewResNetConfig.register_for_auto_class()  # type: ignore[no-untyped-call]
        CoviewResNetModel.register_for_auto_class("AutoModel")  # type: ignore[no-untyped-call]
        config = CoviewResNetConfig(
            depth=self.depth, stem=self.stem, num_channels=self.channels, base_width=self.base_width
        )
        model: Any = CoviewResNetModel(config)
        model.network.load_state_dict(self.network.state_dict())
        with no_progress_bar():
            model.eval().save_pretrained(folder)
        return (
            "from transformers import AutoModel\n"
            f"model = AutoModel.from_pretrained({str(folder)!r}, trust_remote_code=True)\n"
            "features = model(pixel_values).pooler_output"
        )

    def export_sentence_transformers(self, folder: Path, /) -> str:
        """Writes the same folder, and what sentence-transformers needs beside it."""
        self.export_hf(folder)
        return write_sentence_files(folder, width=self.width, runs_code=not is_plain(self.stem, self.base_width))


class ResNet18(ResNet):  # noqa: D101  documented by ResNet, as are the others
    depth = 18


class ResNet34(ResNet):  # noqa: D101
    depth = 34


class ResNet50(ResNet):  # noqa: D101
    depth = 50
