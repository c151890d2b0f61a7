"""What a bundle of torchaudio keeps to itself: the architecture, without the weights that its public method downloads.

All that coview knows of the bundles' insides is here, and ``test_torchaudio_bundle.py`` notices when they change.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torchaudio


@cache
def usable_bundles() -> dict[str, Any]:
    """The bundles by name, without those that were tuned to write down speech."""
    pipelines = torchaudio.pipelines
    bundles = {name: getattr(pipelines, name) for name in dir(pipelines) if name.isupper()}
    return {name: bundle for name, bundle in bundles.items() if type(bundle) is pipelines.Wav2Vec2Bundle}


def untrained(bundle: Any) -> Any:
    """The network with random weights."""
    build = torchaudio.models.wavlm_model if bundle._model_type == "WavLM" else torchaudio.models.wav2vec2_model
    return build(**bundle._params)


def weights(bundle: Any) -> Any:
    """The state of the trained network, from torch's cache or from download.pytorch.org.

    Raises:
        OSError: If they are not in the cache and cannot be downloaded.
    """
    return bundle._get_state_dict({"progress": False})


def normalises(bundle: Any) -> bool:
    """Whether the network was trained on waveforms of mean 0 and variance 1."""
    return bool(bundle._normalize_waveform)


def width(bundle: Any) -> int:
    """How many numbers describe a frame."""
    return int(bundle._params["encoder_embed_dim"])
