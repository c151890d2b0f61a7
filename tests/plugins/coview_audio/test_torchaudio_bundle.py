"""What coview takes of the insides of torchaudio's bundles: that it is there, and is what the public functions build."""

from __future__ import annotations

import pytest
import torch
import torchaudio

from coview_audio.encoders.torchaudio_bundle import normalises, untrained, usable_bundles, weights, width

PUBLIC = {
    "WAV2VEC2_BASE": ("wav2vec2_base", 768),
    "WAV2VEC2_LARGE_LV60K": ("wav2vec2_large_lv60k", 1024),
    "HUBERT_LARGE": ("hubert_large", 1024),
    "WAVLM_BASE": ("wavlm_base", 768),
}
NORMALISED = {
    "HUBERT_LARGE", "HUBERT_XLARGE", "WAV2VEC2_LARGE_LV60K", "WAV2VEC2_XLSR53", "WAV2VEC2_XLSR_1B",
    "WAV2VEC2_XLSR_2B", "WAV2VEC2_XLSR_300M", "WAVLM_LARGE",
}  # fmt: skip
"""As the documentation of ``Wav2Vec2Bundle.get_model`` lists them."""


@pytest.mark.parametrize("name", PUBLIC)
def test_the_network_is_the_one_that_the_public_function_builds(name):
    function, wide = PUBLIC[name]
    bundle = usable_bundles()[name]
    with torch.device("meta"):
        found, public = untrained(bundle), getattr(torchaudio.models, function)()
    shapes = [{key: value.shape for key, value in model.state_dict().items()} for model in (found, public)]
    assert shapes[0] == shapes[1]
    assert width(bundle) == wide


def test_the_bundles_whose_waveforms_are_normalised():
    assert {name for name, bundle in usable_bundles().items() if normalises(bundle)} == NORMALISED


def test_the_weights_are_those_that_the_public_method_loads(monkeypatch):
    bundle = usable_bundles()["WAV2VEC2_BASE"]
    with torch.device("meta"):
        trained = untrained(bundle).state_dict()
    asked = []

    def download(url, **options):
        asked.append(url)
        return dict(trained)

    monkeypatch.setattr(torchaudio.pipelines._wav2vec2.utils, "load_state_dict_from_url", download)
    with torch.device("meta"):
        bundle.get_model()
    assert weights(bundle).keys() == trained.keys()
    assert asked[0] == asked[1]
    assert asked[0].startswith("https://download.pytorch.org/")
