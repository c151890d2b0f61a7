"""A vision transformer of any size (arXiv:2010.11929), on timm's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import timm
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor, nn

import coview
from coview_image.encoders.folders import SaysPictureSize, pooled_timm, save_timm_folder
from coview_image.encoders.patches import EncodesPatches
from coview_image.encoders.sentence_folder import write_sentence_files
from coview_image.encoders.timm_layers import timm_layer_numbers
from coview_image.pixels import LARGEST_SIDE

_BASE = "vit_base_patch16_224"
"""Of which every size is a variation, so that timm itself can make it again."""


class ViT(EncodesPatches, SaysPictureSize, nn.Module):
    """A vision transformer with random weights. Its patches can be hidden, by ``[mask]``.

    ViT-S/16 has a width of 384, 12 layers and 6 heads; ViT-B/16 768, 12 and 12; ViT-L/16 1024, 24 and 16.

    Args:
        image_size: Side of the pictures in pixels, a multiple of ``patch``.
        patch: Side of a patch in pixels; the paper's 16 and 32, 14 for ViT-H.
        width: Width of the tokens, a multiple of ``heads``.
        layers: Layers of the transformer.
        heads: Heads of its attention.
        channels: Channels of the pictures, the same as the modality's.
        pool: "cls": what comes out for the class token; "mean": the mean over the patches.
        class_token: Whether there is one; I-JEPA has none.
        positions: "learnt"; "sine": fixed sines and cosines of row and column, zero for the class token (MAE's and
            I-JEPA's, arXiv:2111.06377, A.1).
        any_size: Whether pictures of other sizes than ``image_size`` are taken too, in multiples of ``patch``, such as
            the local crops of DINO: the positions are then resampled, as timm has it (``dynamic_img_size``).
        drop_path: Largest probability of leaving out a layer in training (stochastic depth, arXiv:1603.09382).
        layer_scale: First value of learnable numbers that multiply each layer's output (arXiv:2103.17239); 0: no
            such numbers. DINOv2: 1e-5; data2vec: 1e-4.
    """

    starts_trained: ClassVar[bool] = False

    def __init__(
        self,
        *,
        image_size: Annotated[int, Gt(0), Le(LARGEST_SIDE)] = 224,
        patch: Annotated[int, Ge(1)] = 16,
        width: Annotated[int, Ge(1)] = 384,
        layers: Annotated[int, Ge(1)] = 12,
        heads: Annotated[int, Ge(1)] = 6,
        channels: Literal[1, 3] = 3,
        pool: Literal["cls", "mean"] = "cls",
        class_token: bool = True,
        positions: Literal["learnt", "sine"] = "learnt",
        any_size: bool = False,
        drop_path: Annotated[float, Ge(0), Lt(1)] = 0.0,
        layer_scale: Annotated[float, Ge(0), Le(1)] = 0.0,
    ) -> None:
        super().__init__()
        if image_size % patch:
            raise ValueError(f"image_size = {image_size} is not a multiple of patch = {patch}")
        if width % heads:
            raise ValueError(f"width = {width} is not a multiple of heads = {heads}")
        if pool == "cls" and not class_token:
            raise ValueError('pool = "cls" is of the class token, and class_token is false: take pool = "mean"')
        if positions == "sine" and width % 4:
            raise ValueError(f'positions = "sine" needs a width that is a multiple of 4, got {width}')
        self._model_args: dict[str, Any] = {
            "img_size": image_size,
            "patch_size": patch,
            "embed_dim": width,
            "depth": layers,
            "num_heads": heads,
            "in_chans": channels,
            "init_values": layer_scale or None,
            "global_pool": "avg" if pool == "mean" else "token",
            "class_token": class_token,
            **({"dynamic_img_size": True} if any_size else {}),
            # the mean is of tokens that are normalised each, as those that a decoder sees
            "fc_norm": False,
        }
        training_args: dict[str, Any] = {"drop_path_rate": drop_path} if drop_path > 0 else {}
        self.model: Any = timm.create_model(_BASE, num_classes=0, **self._model_args, **training_args)
        if positions == "sine":
            self._fix_positions(image_size // patch)
        self.width = width
        self.use_patches(self.model)

    def _fix_positions(self, side: int) -> None:
        """Puts sines and cosines in place of what timm would learn."""
        embedded_1TD = self.model.pos_embed.requires_grad_(False)
        patches_PD = coview.sine_positions((side, side), embedded_1TD.shape[2])
        before = embedded_1TD.shape[1] - len(patches_PD)
        embedded_1TD.data[0, :before] = 0
        embedded_1TD.data[0, before:] = patches_PD.to(embedded_1TD)

    def forward(self, x_NCHW: Tensor) -> coview.Encoding:
        """Pooled features (N, D), and those of the class token and each patch (N, T, D)."""
        self.check_size(x_NCHW)
        return self.patches.encode(x_NCHW)

    def check_size(self, x_NCHW: Tensor) -> None:
        """Refuses pictures of a size that its positions are not for.

        Raises:
            CoviewError: If they are.
        """
        wanted, patch = self._model_args["img_size"], self._model_args["patch_size"]
        height, width = x_NCHW.shape[2:]
        if self._model_args.get("dynamic_img_size"):
            if height % patch or width % patch:
                raise coview.CoviewError(
                    f"the encoder takes pictures whose sides are multiples of {patch} pixels, and these have "
                    f"{width} × {height}",
                    hint="set size in random_resized_crop, or another patch in [encoder]",
                )
        elif (height, width) != (wanted, wanted):
            raise coview.CoviewError(
                f"the encoder takes pictures of {wanted} × {wanted} pixels, and these have {width} × {height}",
                hint="give the encoder their image_size, or set size in [modality] and in random_resized_crop; with "
                "any_size = true it takes pictures of several sizes, such as local crops",
            )

    def layer_numbers(self) -> dict[str, int]:
        """By timm's own matcher: embeddings, then each layer."""
        return timm_layer_numbers(self.model, "model")

    def export_pooled(self, folder: Path, /) -> coview.PooledTransformer:
        """transformers' wrapper of it."""
        return pooled_timm(self.model, model_args=self._hub_args(), width=self.width)

    def export_hf(self, folder: Path, /) -> str:
        """Writes a folder in timm's hub format, which transformers loads as well."""
        return save_timm_folder(self.model, folder, model_args=self._hub_args(), picture_size=self.picture_size)

    def export_sentence_transformers(self, folder: Path, /) -> str:
        """Writes the same folder, and what sentence-transformers needs beside it."""
        self.export_hf(folder)
        return write_sentence_files(folder, width=self.width)

    def _hub_args(self) -> dict[str, Any]:
        return {key: value for key, value in self._model_args.items() if value is not None}
