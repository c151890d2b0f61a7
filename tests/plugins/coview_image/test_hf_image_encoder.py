"""Vision models that transformers loads, made small here and saved to real folders."""

from __future__ import annotations

import pytest
import torch
import transformers

import coview
from coview.plugins.parameters import Parameters
from coview_image.encoders.hf import hf_image_encoder
from coview_image.encoders.resnet import ResNet18

TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    for name, config in {
        "vit": transformers.ViTConfig(**TINY, intermediate_size=64, image_size=32, patch_size=8),
        "dinov2": transformers.Dinov2Config(**TINY, image_size=28, patch_size=14),
        "clip": transformers.CLIPVisionConfig(**TINY, intermediate_size=64, image_size=32, patch_size=8),
        "resnet": transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16, 32, 64], depths=[1] * 4),
        "bert": transformers.BertConfig(**TINY, intermediate_size=64, vocab_size=50),
        "half": transformers.ViTConfig(**TINY, intermediate_size=64, image_size=32, patch_size=8),
    }.items():
        model = transformers.AutoModel.from_config(config)
        (model.half() if name == "half" else model).save_pretrained(folder / name)
    return folder


def expected_features(model, x, pooling):
    output = model(pixel_values=x)
    if pooling == "pooler":
        return output.pooler_output.flatten(1)
    last = output.last_hidden_state
    if pooling == "cls":
        return last[:, 0]
    return last.mean(1) if last.ndim == 3 else last.mean((2, 3))


@pytest.mark.parametrize("pooling", ["cls", "mean", "pooler"])
@pytest.mark.parametrize("name", ["vit", "dinov2", "clip", "resnet"])
def test_gives_the_models_features_and_exports_them(models, tmp_path, name, pooling):
    factory = hf_image_encoder(str(models / name))
    assert Parameters.of(factory, "encoder").check({"pooling": pooling}) == []
    if (name, pooling) == ("resnet", "cls"):
        with pytest.raises(ValueError, match="no class token"):
            factory(pooling=pooling)
        return
    encoder = factory(pooling=pooling)
    assert encoder.model.training
    encoder.eval()
    side = 28 if name == "dinov2" else 32
    x = torch.randn(2, 3, side, side)
    reference = transformers.AutoModel.from_pretrained(models / name).eval()
    lines = encoder.export_hf(tmp_path / "export")
    again = hf_image_encoder(str(tmp_path / "export"))(pooling=pooling).eval()
    with torch.no_grad():
        encoding = encoder(x)
        assert encoding.pooled_ND.shape == (2, encoder.width)
        assert torch.allclose(encoding.pooled_ND, expected_features(reference, x, pooling), atol=1e-6)
        assert torch.equal(again(x).pooled_ND, encoding.pooled_ND)
        scope = {"pixel_values": x}
        exec(lines, scope)
        assert torch.equal(scope["features"], encoding.pooled_ND)
    assert encoding.tokens_NTD.shape[::2] == (2, encoding.tokens_NTD.shape[2])
    with torch.device("meta"):
        on_meta = factory(pooling=pooling)
    assert on_meta.width == encoder.width
    assert all(p.is_meta for p in on_meta.parameters())


def test_every_weight_gets_a_gradient(models):
    """An unused pooler would be weights without one, which distributed training stops at."""
    encoder = hf_image_encoder(str(models / "vit"))()
    encoder(torch.randn(2, 3, 32, 32)).pooled_ND.sum().backward()
    assert [name for name, p in encoder.named_parameters() if p.grad is None] == []


def test_weights_are_float32_whatever_was_saved(models):
    encoder = hf_image_encoder(str(models / "half"))()
    assert {p.dtype for p in encoder.parameters()} == {torch.float32}


def test_without_pretrained_the_weights_are_others(models):
    pretrained, fresh = (hf_image_encoder(str(models / "vit"))(pretrained=flag) for flag in (True, False))
    same = [torch.equal(a, b) for a, b in zip(pretrained.parameters(), fresh.parameters(), strict=True) if a.ndim > 1]
    assert not all(same)


def test_a_model_of_texts_is_refused(models):
    with pytest.raises(ValueError, match="takes input_ids, not pictures"):
        hf_image_encoder(str(models / "bert"))()


def test_pictures_of_another_size(models):
    encoder = hf_image_encoder(str(models / "vit"))()
    with pytest.raises(coview.CoviewError, match="cannot encode") as caught:
        encoder(torch.zeros(1, 3, 48, 48))
    assert "[modality]" in caught.value.hint


def test_code_that_comes_with_a_model_has_to_be_trusted(tmp_path):
    ResNet18(stem="small", width=8).export_hf(tmp_path)
    factory = hf_image_encoder(str(tmp_path))
    with pytest.raises(coview.CoviewError, match="cannot be loaded") as caught:
        factory(pooling="pooler")
    assert "trust_remote_code" in caught.value.hint
    assert factory(pooling="pooler", trust_remote_code=True).width == 64


def test_what_is_neither_a_folder_nor_a_hub_id(tmp_path):
    for name, message in (
        (str(tmp_path / "gone"), "no such folder"),
        ("./gone", "no such folder"),
        ("a b", "owner/name"),
        ("a/b/c", "owner/name"),
        (str(tmp_path), "no config.json"),
    ):
        with pytest.raises(LookupError, match=message):
            hf_image_encoder(name)


def test_what_the_hub_has_not_is_the_users_to_mend(monkeypatch):
    def unknown(*args, **kwargs):
        raise OSError("owner/name is not a model identifier\nand more lines")

    monkeypatch.setattr("coview.plugins.hub._answers", lambda url: True)
    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", unknown)
    with pytest.raises(coview.CoviewError) as caught:
        hf_image_encoder("owner/name")()
    assert caught.value.message == '"hf:owner/name" cannot be loaded: owner/name is not a model identifier'
    assert "hf:/path/to/folder" in caught.value.hint


def test_a_broken_folder(tmp_path):
    (tmp_path / "config.json").write_text("{not json")
    with pytest.raises(coview.CoviewError, match="cannot be loaded"):
        hf_image_encoder(str(tmp_path))()
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    with pytest.raises(coview.CoviewError, match="cannot be loaded") as caught:
        hf_image_encoder(str(tmp_path))()
    assert "save_pretrained" in caught.value.hint
