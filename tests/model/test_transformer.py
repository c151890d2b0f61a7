"""A model of transformers with its weights, with random ones, and with none."""

import pytest
import torch

import coview

safetensors = pytest.importorskip("safetensors.torch")
transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    path = tmp_path_factory.mktemp("bert")
    transformers.BertModel(transformers.BertConfig(**sizes, vocab_size=20)).half().save_pretrained(path)
    return path


def load(folder, **how):
    return coview.load_transformer(str(folder), transformers.AutoConfig.from_pretrained(folder), **how)


def test_it_has_the_weights_of_the_folder_in_float32(folder):
    reference = transformers.BertModel.from_pretrained(folder, dtype=torch.float32)
    model, random = load(folder, pretrained=True), load(folder, pretrained=False)
    weight, other = (m.encoder.layer[0].output.dense.weight for m in (model, random))
    assert weight.dtype == other.dtype == torch.float32
    assert torch.equal(weight, reference.encoder.layer[0].output.dense.weight)
    assert not torch.equal(weight, other)


def test_a_pooler_is_there_where_it_is_used(folder):
    assert load(folder, pretrained=True).pooler is None
    assert load(folder, pretrained=False).pooler is None
    assert load(folder, pretrained=True, pooler=True).pooler is not None


def test_weights_that_the_folder_lacks_are_named_and_others_are_left_out_silently(folder, tmp_path, capfd, recwarn):
    weights = safetensors.load_file(folder / "model.safetensors")
    lacking = "encoder.layer.0.output.dense.weight"
    del weights[lacking]
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    safetensors.save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})

    load(folder, pretrained=True)  # without the pooler that the folder has
    assert list(recwarn) == []
    with pytest.warns(UserWarning, match=f"lacks 1 of the tensors of BertModel, .*: {lacking}$"):
        load(tmp_path, pretrained=True)
    assert "LOAD REPORT" not in "".join(capfd.readouterr())


def test_on_the_meta_device_no_weights_are_read(folder, tmp_path):
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    with torch.device("meta"):
        model = load(tmp_path, pretrained=True)
    assert all(weight.is_meta for weight in model.parameters())
    with pytest.raises(OSError, match="no file named"):
        load(tmp_path, pretrained=True)
