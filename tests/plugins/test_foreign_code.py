"""No class that a model's folder names is imported, unless it is the libraries' own or somebody has agreed to it."""

from __future__ import annotations

import json

import pytest

import coview
from coview.plugins.foreign_code import foreign_code

TRANSFORMER = {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}
DENSE = {"idx": 1, "name": "1", "path": "1", "type": "sentence_transformers.models.Dense"}
FOREIGN = {
    "a module": ("modules.json", [{**TRANSFORMER, "type": "evil.Evil"}], "names evil.Evil"),
    "one like the library's": (
        "modules.json",
        [{**TRANSFORMER, "type": "sentence_transformers_evil.E"}],
        "sentence_transformers_evil.E",
    ),
    "a module elsewhere": ("modules.json", [TRANSFORMER, {**DENSE, "path": "../other"}], r"names \.\./other"),
    "a module at the root": ("modules.json", [TRANSFORMER, {**DENSE, "path": "/other"}], "names /other"),
    "a way of a router": ("1/router_config.json", {"types": {"query_0": "evil.Evil"}}, "1/router_config.json names"),
    "a way of an older router": ("1/config.json", {"types": {"query_0": "evil.Evil"}}, "1/config.json names evil.Evil"),
    "an activation": ("1/config.json", {"activation_function": "evil.Act"}, "names evil.Act"),
    "a tokenizer": ("1/config.json", {"tokenizer_class": "evil.Tokenizer"}, "names evil.Tokenizer"),
    "an activation of a cross-encoder": (
        "config.json",
        {"sentence_transformers": {"activation_fn": "evil.A"}},
        "evil.A",
    ),
    "a kernel of the hub": ("config.json", {"text_config": {"attn_implementation": "evil/kernel"}}, "evil/kernel"),
}
OWN = {
    "modules": ("modules.json", [TRANSFORMER, DENSE]),
    "an activation": ("1/config.json", {"activation_function": "torch.nn.modules.activation.Tanh", "bias": True}),
    "a model": ("config.json", {"activation_function": "gelu_new", "auto_map": {"AutoModel": "a--b.C"}, "type": "x.y"}),
    "a tokenizer": ("tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "model_type": "v1.5"}),
    "an attention": ("config.json", {"_attn_implementation": "sdpa"}),
}


def write(folder, name, content):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(content))


@pytest.mark.parametrize("case", FOREIGN)
def test_what_is_no_librarys_own_is_found(tmp_path, case):
    name, content, says = FOREIGN[case]
    write(tmp_path, name, content)
    found = foreign_code(tmp_path)
    assert found is not None
    with pytest.raises(coview.CoviewError, match=says) as caught, coview.model_source("hf", str(tmp_path), contents=""):
        pass
    assert "trust_remote_code = true" in caught.value.hint
    with coview.model_source("hf", str(tmp_path), contents="", trust_remote_code=True) as source:
        assert source.name == str(tmp_path)


@pytest.mark.parametrize("case", OWN)
def test_what_is_theirs_is_not(tmp_path, case):
    write(tmp_path, *OWN[case])
    assert foreign_code(tmp_path) is None


def test_a_modules_folder_may_be_a_link(tmp_path):
    write(tmp_path / "elsewhere", *FOREIGN["an activation"][:2])
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "1_Dense").symlink_to(tmp_path / "elsewhere" / "1")
    (tmp_path / "model" / "again").symlink_to(tmp_path / "model")
    assert foreign_code(tmp_path / "model") == "1_Dense/config.json names evil.Act"


@pytest.mark.parametrize("content", ["{", "[" * 100_000, "\x00"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, content):
    (tmp_path / "modules.json").write_text(content)
    with (
        pytest.raises(coview.CoviewError, match=r"cannot be loaded: modules\.json is damaged"),
        coview.model_source("hf", str(tmp_path), contents="what a test asks for"),
    ):
        pass


@pytest.mark.parametrize("use", ["sentence-transformers", "hf"])
@pytest.mark.parametrize("case", ["a module", "a way of a router", "an activation"])
def test_the_folders_file_is_not_executed(registry, tmp_path, use, case):
    """With whatever version of the libraries is installed; see the floors in pyproject.toml too."""
    write(tmp_path, "config.json", {"model_type": "bert"})
    write(tmp_path, "modules.json", [TRANSFORMER, DENSE])
    write(tmp_path, *FOREIGN[case][:2])
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'EXECUTED')!r}, 'w')")
    with pytest.raises(coview.CoviewError, match=r"names evil\."):
        registry.build("encoder", f"{use}:{tmp_path}", modality="text")
    assert not (tmp_path / "EXECUTED").exists()
