"""``use = "hf:NAME"``: a sound model of the Hugging Face hub, or a local folder in its format."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import MODEL_MAPPING, AutoConfig, AutoModel

import coview
from coview import hub_or_cache, no_progress_bar
from coview_audio.encoders.hf_inputs import Frontend, frontend_of
from coview_audio.encoders.masked import masked_mean
from coview_audio.encoders.mel_input import check_rate

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_AS_FOLDER = 'use = "hf:/path/to/folder"'


class HuggingFaceAudioEncoder(nn.Module):
    """A sound model that transformers loads, in float32: wav2vec 2.0, HuBERT, WavLM and their like on waveforms, the
    encoder of Whisper, or AST, each with the preparation that its folder asks for.

    What transformers would mask at random in training (``mask_time_prob``, ``layerdrop``) is off: views are what the
    recipe's augmentations make of a sound.

    Args:
        pretrained: Start from its weights; false: from its architecture alone, with random weights.
        pooling: "mean" over the frames that are real; "cls" is what AST says of the whole sound.
        trust_remote_code: Run the Python code that comes with the model. Only for sources you trust.
    """

    def __init__(
        self,
        name: str,
        /,
        *,
        pretrained: bool = True,
        pooling: Literal["mean", "cls"] = "mean",
        trust_remote_code: bool = False,
    ) -> None:
        super().__init__()
        self.pooling = pooling
        if Path(name).is_dir():
            with no_progress_bar():
                self.model, self._frontend = _load(name, pretrained, trust_remote_code)
        else:
            with hub_or_cache() as unreachable:
                self.model, self._frontend = _load(name, pretrained, trust_remote_code, unreachable)
        if pooling == "cls" and not self._frontend.has_class_token:
            raise ValueError(f'{name}: pooling = "cls": the model has no class token; "mean" may do')
        if (unused := getattr(self.model, "masked_spec_embed", None)) is not None:
            unused.requires_grad_(False)
        self.width = int(self.model.config.hidden_size)
        self.model.train()

    def forward(self, batch: Mapping[str, Tensor]) -> coview.Encoding:
        """Pooled features (N, D), and those of each frame (N, T, D)."""
        check_rate(self, batch, self._frontend.sample_rate)
        tokens_NTD, mask_NT, class_ND = self._frontend(self.model, batch["waveform_NT"], batch["lengths_N"])
        if self.pooling == "cls":
            assert class_ND is not None
            return coview.Encoding(pooled_ND=class_ND, tokens_NTD=tokens_NTD, mask_NT=mask_NT)
        return coview.Encoding(pooled_ND=masked_mean(tokens_NTD, mask_NT), tokens_NTD=tokens_NTD, mask_NT=mask_NT)

    def export_hf(self, folder: Path, /) -> str:
        """Writes a transformers folder."""
        with no_progress_bar():
            self.model.save_pretrained(folder)
        self._frontend.save(folder)
        kind = type(self.model)
        return (
            f"from transformers import AutoFeatureExtractor\nfrom {kind.__module__} import {kind.__name__}\n"
            f"prepare = AutoFeatureExtractor.from_pretrained({str(folder)!r})\n"
            f"model = {kind.__name__}.from_pretrained({str(folder)!r}).eval()\n"
            "output = model(**prepare(waveform, sampling_rate=prepare.sampling_rate, return_tensors='pt'))"
        )


def hf_audio_encoder(name: str) -> Callable[..., HuggingFaceAudioEncoder]:
    """The factory of ``hf:NAME``.

    Args:
        name: A hub id such as ``facebook/hubert-base-ls960``, or a local folder with a ``config.json``.

    Raises:
        LookupError: If it is neither a folder nor of a hub id's form.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise LookupError(f'"hf:{name}": the folder has no config.json, so transformers cannot load it')
        return partial(HuggingFaceAudioEncoder, str(folder))
    if name.startswith((".", "/", "~")) or not _HUB_ID.fullmatch(name):
        raise LookupError(f'"hf:{name}": there is no such folder, and a hub id is of the form owner/name')
    return partial(HuggingFaceAudioEncoder, name)


def _load(name: str, pretrained: bool, trust_remote_code: bool, unreachable: str = "") -> tuple[Any, Frontend]:
    # A meta-device model is only to be looked at; transformers refuses to load weights onto that device
    on_meta = torch.empty(0).device.type == "meta"
    with _loading(name, unreachable):
        config = AutoConfig.from_pretrained(name, trust_remote_code=trust_remote_code)
    config.apply_spec_augment = False
    config.layerdrop = config.encoder_layerdrop = 0.0
    model_class: Any = MODEL_MAPPING.get(type(config), None)  # none for code that comes with the model
    frontend = frontend_of(name, config, model_class)
    options: dict[str, Any] = {"dtype": torch.float32, "trust_remote_code": trust_remote_code}
    with _loading(name, unreachable):
        if not pretrained or on_meta:
            model = AutoModel.from_config(config, **options)  # type: ignore[no-untyped-call]
        else:
            model = AutoModel.from_pretrained(name, config=config, **options)
    return frontend.part_of(model), frontend


@contextmanager
def _loading(name: str, unreachable: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        if unreachable and isinstance(error, OSError):  # a ValueError is about what was found
            raise coview.CoviewError(
                f'"hf:{name}" is neither a folder here nor in the cache, and {unreachable}',
                hint=f"give the path of a local folder, {_AS_FOLDER}, or connect to the network",
            ) from error
        raise coview.CoviewError(
            f'"hf:{name}" cannot be loaded: {(str(error).strip().splitlines() or [type(error).__name__])[0]}',
            hint=_hint(name, str(error)),
        ) from error


def _hint(name: str, error: str) -> str:
    if "trust_remote_code" in error:
        return "it comes with its own Python code: set trust_remote_code = true if you trust its source"
    if Path(name).is_dir():
        return "the folder has to hold what save_pretrained writes: config.json and model.safetensors"
    return f"check the name, or give the path of a local folder, {_AS_FOLDER}"
