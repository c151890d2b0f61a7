"""``use = "timm:NAME"``: any model of timm, without its classifier."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import timm
from annotated_types import Ge, Gt, Le, Lt
from torch import Tensor, nn

import coview
from coview import hub_or_cache
from coview_image.encoders.folders import SaysPictureSize, pooled_timm, save_timm_folder
from coview_image.encoders.patches import EncodesPatches
from coview_image.encoders.sentence_folder import write_sentence_files
from coview_image.encoders.timm_layers import timm_layer_numbers
from coview_image.pixels import LARGEST_SIDE


class TimmEncoder(EncodesPatches, SaysPictureSize, nn.Module):
    """A model of timm without its classifier; the vector of a picture is what the classifier would have seen.

    The patches of its vision transformers (``vit_*``, ``deit_*``) can be hidden, by ``[mask]``.

    Args:
        pretrained: Download timm's weights. Without it nothing is downloaded.
        checkpoint: Weights to start from: a .safetensors or .pth file of the same model, or a folder that
            ``coview export`` wrote. A classifier in it is left out.
        channels: Channels of the pictures, the same as the modality's.
        image_size: Side of the pictures in pixels, for models that have to know it beforehand (most
            transformers).
        drop_path: Largest probability of leaving out a block in training (stochastic depth,
            arXiv:1603.09382).
        zero_init: Whether the last norm of each block starts at zero, for models that have this choice, such as
            ResNets. Absent: as timm has it, which for ResNets is true.
    """

    def __init__(
        self,
        name: str,
        /,
        *,
        pretrained: bool = False,
        checkpoint: Path | None = None,
        channels: Literal[1, 3] = 3,
        image_size: Annotated[int, Gt(0), Le(LARGEST_SIDE)] | None = None,
        drop_path: Annotated[float, Ge(0), Lt(1)] = 0.0,
        zero_init: bool | None = None,
    ) -> None:
        super().__init__()
        if pretrained and checkpoint is not None:
            raise ValueError("pretrained = true and checkpoint are two sources of weights: give one of them")
        self.model_args: dict[str, Any] = {"in_chans": channels}
        if image_size is not None:
            self.model_args["img_size"] = image_size
        training_args: dict[str, Any] = {"drop_path_rate": drop_path} if drop_path > 0 else {}
        if zero_init is not None:
            training_args["zero_init_last"] = zero_init
        is_empty = coview.on_meta_device()
        self.model: Any = _create(name, pretrained and not is_empty, {**self.model_args, **training_args})
        if checkpoint is not None:
            _load(self.model, name, coview.expanded(checkpoint), is_empty=is_empty)
        self.width = int(getattr(self.model, "head_hidden_size", None) or self.model.num_features)
        self.use_patches(self.model)

    def forward(self, x_NCHW: Tensor) -> coview.Encoding:
        """Pooled features (N, D), and all tokens (N, T, D) where the model has tokens."""
        try:
            features = self.model.forward_features(x_NCHW)
        except AssertionError as error:  # how timm's models refuse pictures of a size that they were not built for
            raise coview.CoviewError(
                f"{type(self.model).__name__} cannot encode a batch of shape {tuple(x_NCHW.shape)}: {error}",
                hint="give the encoder image_size, or set size in [modality] and in random_resized_crop",
            ) from error
        pooled_ND = self.model.forward_head(features, pre_logits=True)
        has_tokens = isinstance(features, Tensor) and features.ndim == 3 and features.shape[-1] == self.width
        return coview.Encoding(pooled_ND=pooled_ND, tokens_NTD=features if has_tokens else None)

    def layer_numbers(self) -> dict[str, int]:
        """By timm's own matcher, which it decays learning rates by."""
        return timm_layer_numbers(self.model, "model")

    def export_pooled(self, folder: Path, /) -> coview.PooledTransformer:
        """transformers' wrapper of it."""
        return pooled_timm(self.model, model_args=self.model_args, width=self.width)

    def export_hf(self, folder: Path, /) -> str:
        """Writes a folder in timm's hub format, which transformers loads as well."""
        return save_timm_folder(self.model, folder, model_args=self.model_args, picture_size=self.picture_size)

    def export_sentence_transformers(self, folder: Path, /) -> str:
        """Writes the same folder, and what sentence-transformers needs beside it."""
        self.export_hf(folder)
        return write_sentence_files(folder, width=self.width)


def timm_encoder(name: str) -> Callable[..., TimmEncoder]:
    """The factory of ``timm:NAME``.

    Args:
        name: As ``timm.list_models`` has it, with or without the tag of its weights (``resnet50.a1_in1k``).

    Raises:
        LookupError: If timm has no such model, with the nearest names.
    """
    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        raise LookupError(f'timm has no model "{name}"{coview.did_you_mean(architecture, timm.list_models())}')
    if tag:
        tagged = timm.list_pretrained(f"{architecture}.*")
        if name not in tagged:
            known = f": it has {', '.join(tagged)}" if tagged else ""
            raise LookupError(f'timm has no weights "{tag}" of "{architecture}"{known}')
    return partial(TimmEncoder, name)


_NAMES = {"img_size": "image_size", "drop_path_rate": "drop_path", "zero_init_last": "zero_init"}
"""What coview calls arguments that some models of timm take."""


def _create(name: str, pretrained: bool, args: dict[str, Any]) -> Any:
    unreachable = ""
    try:
        if not pretrained:
            return timm.create_model(name, num_classes=0, **args)
        with hub_or_cache() as unreachable:
            return timm.create_model(name, pretrained=True, num_classes=0, **args)
    except TypeError as error:
        argument = next((key for key in _NAMES if f"'{key}'" in str(error)), None)
        if argument is None:
            raise
        parameter = _NAMES[argument]
        raise ValueError(f"{parameter} cannot be set for timm's {name}: it takes none") from error
    except (OSError, RuntimeError) as error:
        if not pretrained:
            raise
        raise coview.CoviewError(
            f"the weights of timm's {name} could not be downloaded: {unreachable or _first_line(error)}",
            hint="connect to the network, or leave out pretrained, or give checkpoint = a local file",
        ) from error


def _load(model: nn.Module, name: str, checkpoint: Path, *, is_empty: bool) -> None:
    file = checkpoint / "model.safetensors" if checkpoint.is_dir() else checkpoint
    if not file.is_file():
        raise coview.CoviewError(f"checkpoint {checkpoint}: there is no such file")
    if is_empty:
        return
    try:
        keys = timm.models.load_checkpoint(model, str(file), strict=False, weights_only=True)
    except Exception as error:  # unpickling, safetensors and load_state_dict raise what they like on a foreign file
        raise coview.CoviewError(f"checkpoint {file} does not fit timm's {name}: {_first_line(error)}") from error
    if keys.missing_keys:
        few = ", ".join(keys.missing_keys[:3])
        raise coview.CoviewError(
            f"checkpoint {file} does not fit timm's {name}: it lacks {len(keys.missing_keys)} weights: {few}"
        )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
