"""Sounds: the modality, data sets, augmentations, encoders."""

from __future__ import annotations

import coview

_AUDIO = "coview[audio]"
_HUB = "coview[audio,hub]"
_BYOL_A = "arXiv:2103.06695"


@coview.hookimpl
def coview_register(registry: coview.Registrar) -> None:
    """Names every component of this plugin."""
    registry.modality(
        "audio",
        "coview_audio.modality:AudioModality",
        summary="sounds of one channel; a batch is padded float32 waveforms and their lengths",
        extra=_AUDIO,
    )
    _register_datasets(registry)
    _register_augmentations(registry)
    _register_encoders(registry)


def _register_datasets(registry: coview.Registrar) -> None:
    registry.dataset(
        "spoken_digits",
        "coview_audio.datasets.spoken_digits:SpokenDigits",
        summary="3840 synthetic spoken digits, 24 voices against 8 others: for a first run, not for evidence",
        source="https://github.com/espeak-ng/espeak-ng",
        extra=_AUDIO,
    )
    registry.dataset(
        "audio_folder",
        "coview_audio.datasets.audio_folder:AudioFolder",
        summary="your own WAV, FLAC, Ogg and MP3 files, one subfolder a class, or a table of them",
        extra=_AUDIO,
    )
    registry.dataset(
        "tuxpaint",
        "coview_audio.datasets.tuxpaint:Tuxpaint",
        summary="6400 spoken names of things in twelve languages, by language, category or word",
        source="https://tuxpaint.org/stamps/",
        extra=_AUDIO,
    )
    registry.dataset(
        "tuxpaint_triples",
        "coview_audio.datasets.tuxpaint_triples:TuxpaintTriples",
        summary="900 things with picture, name and spoken name, or two of them, for models of three modalities",
        source="https://tuxpaint.org/stamps/",
        extra=_AUDIO,
    )
    registry.dataset(
        "asterisk",
        "coview_audio.datasets.asterisk:Asterisk",
        summary="2800 telephone prompts at 8 kHz by five speakers in five languages",
        source="https://downloads.asterisk.org/pub/telephony/sounds/",
        extra=_AUDIO,
    )
    registry.family(
        "dataset",
        "hub",
        "coview_audio.datasets.hub:hub_sounds",
        summary="sounds of a Hugging Face data set, or of a local folder that its library reads",
        example="audio/hub:ashraq/esc50",
        source="https://huggingface.co/docs/datasets",
        extra=_HUB,
    )
    registry.resource(
        "tuxpaint_stamps",
        "coview_audio.datasets.tuxpaint:fetch",
        summary="spoken names and pictures of things, 161 MB",
        licence="GPL-2.0-or-later",
        source="Debian tuxpaint-stamps-default",
        installed="/usr/share/tuxpaint/stamps",
    )
    registry.resource(
        "asterisk_sounds",
        "coview_audio.datasets.asterisk:fetch",
        summary="telephone prompts by five speakers, 98 MB",
        licence="CC-BY-SA-3.0",
        source="Debian asterisk-core-sounds-*-wav",
        installed="/usr/share/asterisk/sounds",
    )


def _register_augmentations(registry: coview.Registrar) -> None:
    for name, target, summary, source in (
        ("random_excerpt", "random_excerpt:RandomExcerpt", "an excerpt at a random place", "arXiv:2010.10915"),
        ("add_noise", "add_noise:AddNoise", "white, coloured or recorded noise at a signal-to-noise ratio", ""),
        ("gain", "gain:Gain", "louder or softer", ""),
        ("shift", "shift:Shift", "earlier or later", ""),
        ("polarity", "polarity:Polarity", "the wave upside down", ""),
        ("band_pass", "band_pass:BandPass", "a band of frequencies alone, as in a telephone", ""),
        ("reverb", "reverb:Reverb", "in a room, by a made or a recorded impulse response", ""),
        (
            "dynamic_range_compression",
            "dynamic_range_compression:DynamicRangeCompression",
            "loud parts softer, by a compressor with attack, release and knee",
            "doi:10.17743/jaes.2012.0049",
        ),
        ("time_stretch", "time_stretch:TimeStretch", "faster or slower at the same pitch", ""),
        ("pitch_shift", "pitch_shift:PitchShift", "higher or lower at the same tempo", ""),
        (
            "speed_perturbation",
            "speed_perturbation:SpeedPerturbation",
            "faster and higher or slower and lower, as a tape",
            "doi:10.21437/Interspeech.2015-711",
        ),
        ("log_mel", "log_mel:LogMelStep", "from waveforms to log-mel, for the steps that work on that", _BYOL_A),
        ("mixup", "mixup:Mixup", "an earlier sound in the background of the log-mel", _BYOL_A),
        ("random_resize_crop", "random_resize_crop:RandomResizeCrop", "a resized part of the log-mel", _BYOL_A),
        (
            "standardise_batch",
            "standardise_batch:StandardiseBatch",
            "the log-mel of a batch at mean 0 and standard deviation 1",
            _BYOL_A,
        ),
        ("spec_augment", "spec_augment:SpecAugment", "bands and stretches of the log-mel masked", "arXiv:1904.08779"),
    ):
        registry.augmentation(
            name, f"coview_audio.augment.{target}", modality="audio", summary=summary, source=source, extra=_AUDIO
        )
    registry.family(
        "augmentation",
        "audiomentations",
        "coview_audio.augment.audiomentations:audiomentations_transform",
        modality="audio",
        summary="any audiomentations transform by its class name, its parameters checked strictly",
        example="audiomentations:AirAbsorption",
        source="https://github.com/iver56/audiomentations",
        extra=_AUDIO,
    )
    registry.family(
        "augmentation",
        "torchaudio",
        "coview_audio.augment.torchaudio:torchaudio_transform",
        modality="audio",
        summary="torchaudio's transforms of waveforms, and its masks of log-mel",
        example="torchaudio:FrequencyMasking",
        source="https://docs.pytorch.org/audio/stable/transforms.html",
        extra=_AUDIO,
    )


def _register_encoders(registry: coview.Registrar) -> None:
    registry.encoder(
        "audio_cnn",
        "coview_audio.encoders.audio_cnn:AudioCNN",
        modality="audio",
        summary="BYOL-A's three convolutions on log-mel",
        source=_BYOL_A,
        extra=_AUDIO,
    )
    registry.encoder(
        "mel_vit",
        "coview_audio.encoders.mel_vit:MelViT",
        modality="audio",
        summary="a vision transformer on patches of log-mel, which can be hidden",
        source="arXiv:2207.06405, section 3",
        extra=_AUDIO,
    )
    for depth in (18, 34):
        registry.encoder(
            f"audio_resnet{depth}",
            f"coview_audio.encoders.resnet:AudioResNet{depth}",
            modality="audio",
            summary=f"ResNet-{depth} on log-mel",
            source="arXiv:1512.03385",
            extra=_AUDIO,
        )
    registry.family(
        "encoder",
        "hf-clip",
        "coview_audio.encoders.hf_clip:hf_clip_audio_encoder",
        modality="audio",
        summary="the sound encoder of a pretrained CLAP, of the hub or a local folder",
        example="hf-clip:laion/clap-htsat-unfused",
        source="https://huggingface.co/docs/transformers",
        extra=_HUB,
    )
    registry.family(
        "encoder",
        "hf",
        "coview_audio.encoders.hf:hf_audio_encoder",
        modality="audio",
        summary="wav2vec 2.0, HuBERT, WavLM, Whisper's encoder, AST: of the Hugging Face hub, or in a local folder",
        example="hf:facebook/hubert-base-ls960",
        source="https://huggingface.co/docs/transformers",
        extra=_HUB,
    )
    registry.family(
        "encoder",
        "timm",
        "coview_audio.encoders.timm:timm_audio_encoder",
        modality="audio",
        summary="a convolutional network of timm on log-mel, from random weights",
        example="timm:efficientnet_b0",
        source="https://huggingface.co/docs/timm",
        extra=_AUDIO,
    )
    registry.family(
        "encoder",
        "torchaudio",
        "coview_audio.encoders.torchaudio:torchaudio_encoder",
        modality="audio",
        summary="wav2vec 2.0, HuBERT and WavLM by the names of torchaudio's bundles",
        example="torchaudio:WAV2VEC2_BASE",
        source="https://docs.pytorch.org/audio/stable/pipelines.html",
        extra=_AUDIO,
    )
