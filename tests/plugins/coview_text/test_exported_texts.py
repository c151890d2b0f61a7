"""What coview exports of texts, loaded by each library's documented route in a process without coview.

From a file, and with texts longer than the run's ``max_length``: where a text is cut is a part of what is exported.
"""

import json
import subprocess
import sys

import numpy as np
import pytest
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers

import coview

TOPICS = ("the cat sat on a warm mat", "rain falls on the cold hills")
WORDS = sorted({word for topic in TOPICS for word in topic.split()})

RECIPE = """
schema = 1
name = "texts"

[data]
use = "text_lines"
path = "{root}/train.txt"
test_path = "{root}/test.txt"
workers = 0

[[augment]]
use = "random_deletion"
p = 0.3

[encoder]
{encoder}

[projector]
hidden = 16
width = 8

[loss]
use = "nt_xent"

[optimizer]
use = "sgd"
lr = 0.05

[train]
steps = 2
batch_size = 8
device = "cpu"
precision = "fp32"
"""

SMALL = 'use = "text_transformer"\nlayers = 1\nheads = 2\nwidth = 16\nvocabulary = 300\nmax_length = 8\npooling = '
CASES = {
    "own, mean": SMALL + '"mean"',
    "own, cls": SMALL + '"cls"',
    "bert, mean": 'use = "hf:{root}/bert"\nmax_length = 8\npooling = "mean"',
    "bert, cls": 'use = "hf:{root}/bert"\nmax_length = 8\npooling = "cls"',
}

# as https://www.sbert.net/docs/quickstart.html has it
BY_SENTENCE_TRANSFORMERS = """
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(folder)
features = model.encode(texts)
"""

# as https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2 has it, with the mean, or [CLS]
BY_TRANSFORMERS = """
from transformers import AutoModel, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModel.from_pretrained(folder).eval()
encoded = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
with torch.no_grad():
    tokens = model(**encoded)[0]
mask = encoded["attention_mask"].unsqueeze(-1).expand(tokens.size()).float()
mean = torch.sum(tokens * mask, 1) / torch.clamp(mask.sum(1), min=1e-9)
features = (mean if "mean" in case else tokens[:, 0]).numpy()
"""

PROGRAM = """
import json, sys
import numpy, torch
texts = open("test.txt").read().splitlines()
for case, form, code in json.load(open("routes.json")):
    folder = f"exported/{case} {form}"
    exec(code)
    numpy.save(folder + ".npy", features)
assert not [name for name in sys.modules if name.partition(".")[0].startswith("coview")], "it needs no coview"
"""


def write_texts(root):
    rng = np.random.default_rng(0)
    for split, count in (("train", 30), ("test", 8)):
        lengths = rng.integers(2, 20, count)
        (root / f"{split}.txt").write_text(
            "".join(" ".join(rng.choice(WORDS, length)) + f" {WORDS[row % 5]}\n" for row, length in enumerate(lengths))
        )
    vocabulary = {word: number for number, word in enumerate(["[PAD]", "[UNK]", *WORDS])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]"
    ).save_pretrained(root / "bert")
    config = transformers.BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, vocab_size=60
    )
    transformers.AutoModel.from_config(config).save_pretrained(root / "bert")


def test_a_librarys_own_route_gives_the_runs_features(tmp_path):
    pytest.importorskip("sentence_transformers")
    write_texts(tmp_path)
    forms = {"hf": BY_TRANSFORMERS, "sentence-transformers": BY_SENTENCE_TRANSFORMERS}
    expected = {}
    for case, encoder in CASES.items():
        (tmp_path / "recipe.toml").write_text(
            RECIPE.replace("{encoder}", encoder).replace("{root}", str(tmp_path)), encoding="utf-8"
        )
        run = coview.run(coview.load_recipe(tmp_path / "recipe.toml"), tmp_path / "runs", quiet=True)
        for form in forms:
            coview.export(run, to=form, out=tmp_path / "exported" / f"{case} {form}")
        expected[case] = coview.embed(run).numpy()
    routes = [(case, form, code) for case in CASES for form, code in forms.items()]
    (tmp_path / "routes.json").write_text(json.dumps(routes))
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    for case, form, _ in routes:
        features = np.load(tmp_path / "exported" / f"{case} {form}.npy")
        np.testing.assert_allclose(features, expected[case], rtol=1e-4, atol=1e-5, err_msg=f"{case}, {form}")
