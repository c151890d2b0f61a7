"""Any timm model: the features that timm gives, strict names, weights only from where the recipe says."""

from __future__ import annotations

import pytest
import timm
import torch

import coview
from coview.plugins.parameters import Parameters
from coview_image.encoders.timm import timm_encoder

SMALL = [
    ("test_convnext", {}, 64, None),
    ("test_vit", {"image_size": 32, "channels": 1}, 32, 5),
    ("test_vit2.r160_in1k", {"image_size": 32, "drop_path": 0.1}, 32, 5),
    ("test_efficientnet", {"channels": 1}, 32, None),
    ("test_mambaout", {}, 64, None),
]
LARGE = [
    ("vit_small_patch14_reg4_dinov2", {"image_size": 56}, 56, 21),
    ("deit_tiny_distilled_patch16_224", {}, 224, 198),
    ("swin_tiny_patch4_window7_224", {"image_size": 56, "drop_path": 0.1}, 56, None),
    ("mobilenetv3_small_050", {}, 64, None),
    ("vgg11", {}, 64, None),
    ("resnet50.a1_in1k", {"channels": 1}, 32, None),
]


@pytest.mark.parametrize(("name", "given", "side", "tokens"), SMALL, ids=[case[0] for case in SMALL])
def test_gives_timms_features_and_exports_them(tmp_path, name, given, side, tokens):
    factory = timm_encoder(name)
    assert Parameters.of(factory, "encoder").check(given) == []
    torch.manual_seed(0)
    encoder = factory(**given).eval()
    x = torch.randn(2, given.get("channels", 3), side, side)
    with torch.no_grad():
        encoding = encoder(x)
        assert encoding.pooled_ND.shape == (2, encoder.width)
        assert torch.equal(encoding.pooled_ND, encoder.model(x))
    assert (encoding.tokens_NTD is None) == (tokens is None)
    if tokens is not None:
        assert encoding.tokens_NTD.shape == (2, tokens, encoder.width)
    encoder.export_hf(tmp_path)
    loaded = timm.create_model(f"local-dir:{tmp_path}", pretrained=True, num_classes=0).eval()
    again = factory(**given, checkpoint=tmp_path).eval()
    with torch.no_grad():
        assert torch.equal(loaded(x), encoding.pooled_ND)
        assert torch.equal(again(x).pooled_ND, encoding.pooled_ND)


def test_an_export_loads_in_transformers(tmp_path):
    from transformers import AutoModel

    encoder = timm_encoder("test_vit")(image_size=32, channels=1).eval()
    encoder.export_hf(tmp_path)
    x = torch.randn(2, 1, 32, 32)
    with torch.no_grad():
        assert torch.equal(AutoModel.from_pretrained(tmp_path).eval()(x).pooler_output, encoder(x).pooled_ND)


@pytest.mark.parametrize(("name", "given", "side", "tokens"), SMALL + LARGE, ids=[case[0] for case in SMALL + LARGE])
def test_builds_on_the_meta_device(name, given, side, tokens):
    with torch.device("meta"):
        encoder = timm_encoder(name)(**given)
        encoding = encoder(torch.empty(2, given.get("channels", 3), side, side))
    assert encoding.pooled_ND.shape == (2, encoder.width)
    assert encoding.tokens_NTD is None if tokens is None else encoding.tokens_NTD.shape == (2, tokens, encoder.width)
    assert all(p.is_meta for p in encoder.parameters())


def test_the_meta_device_needs_no_download(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with torch.device("meta"):
        timm_encoder("convnext_atto")(pretrained=True)


def test_a_classifier_in_a_checkpoint_is_left_out(tmp_path):
    whole = timm.create_model("test_convnext", num_classes=7).eval()
    torch.save(whole.state_dict(), tmp_path / "whole.pth")
    encoder = timm_encoder("test_convnext")(checkpoint=tmp_path / "whole.pth").eval()
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected = whole.forward_head(whole.forward_features(x), pre_logits=True)
        assert torch.equal(encoder(x).pooled_ND, expected)


def test_checkpoints_that_do_not_fit(tmp_path):
    factory = timm_encoder("test_convnext")
    with pytest.raises(coview.CoviewError, match="no such file"):
        factory(checkpoint=tmp_path / "gone.pth")
    (tmp_path / "text.pth").write_text("not weights")
    with pytest.raises(coview.CoviewError, match="does not fit"):
        factory(checkpoint=tmp_path / "text.pth")
    torch.save(timm.create_model("test_resnet").state_dict(), tmp_path / "other.pth")
    with pytest.raises(coview.CoviewError, match="does not fit"):
        factory(checkpoint=tmp_path / "other.pth")
    with pytest.raises(ValueError, match="two sources"):
        factory(checkpoint=tmp_path / "other.pth", pretrained=True)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("convnext_ato", 'did you mean "convnext_atto"'),
        ("ConvNext_Atto", 'did you mean "convnext_atto"'),
        ("resnet18.nonsense", "it has resnet18.a1_in1k"),
        ("zzz", 'no model "zzz"'),
    ],
)
def test_unknown_names(name, message):
    with pytest.raises(LookupError, match=message):
        timm_encoder(name)


def test_what_a_model_does_not_take_is_said():
    with pytest.raises(ValueError, match="image_size cannot be set for timm's resnet18"):
        timm_encoder("resnet18")(image_size=32)
    with pytest.raises(ValueError, match="drop_path cannot be set for timm's vgg11"), torch.device("meta"):
        timm_encoder("vgg11")(drop_path=0.1)
    with torch.device("meta"):
        vit = timm_encoder("vit_tiny_patch16_224")(image_size=32)
        with pytest.raises(coview.CoviewError, match="cannot encode"):
            vit(torch.zeros(1, 3, 48, 48))


def test_a_download_that_fails_is_the_users_to_mend(monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr("coview.plugins.hub._answers", lambda url: True)
    monkeypatch.setattr(timm, "create_model", fail)
    with pytest.raises(coview.CoviewError, match="could not be downloaded: no route to host") as caught:
        timm_encoder("resnet18")(pretrained=True)
    assert "checkpoint" in caught.value.hint


@pytest.mark.parametrize(("given", "starts_at"), [({}, 0.0), ({"zero_init": True}, 0.0), ({"zero_init": False}, 1.0)])
def test_last_norms_start_as_timm_has_them_or_as_asked(given, starts_at):
    encoder = timm_encoder("resnet10t")(**given)
    assert all(block.bn2.weight.mean().item() == starts_at for block in encoder.model.layer1)
    with pytest.raises(ValueError, match="zero_init cannot be set for timm's vit_tiny"):
        timm_encoder("vit_tiny_patch16_224")(zero_init=False)


def test_drop_path_reaches_the_model():
    encoder = timm_encoder("test_convnext")(drop_path=0.5)
    rates = [m.drop_prob for m in encoder.modules() if type(m).__name__ == "DropPath"]
    assert max(rates) == pytest.approx(0.5)
