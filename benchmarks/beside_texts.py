"""SimCSE on texts from a pretrained MiniLM, by coview and by sentence-transformers, for beside_others.py.

Both train on the questions of Banking77 without their intents: each text twice, told apart by dropout (0.1) alone,
in-batch negatives at a temperature of 0.05, no head, the mean of at most 32 tokens, AdamW without decay, a linear
schedule after a warm-up of a tenth, gradients clipped at 1. sentence-transformers' part is its
SentenceTransformerTrainer with MultipleNegativesRankingLoss.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from judging import accuracies, agreement
from running import trained
from torch import nn
from transformers import AutoModel, AutoTokenizer

import coview

MAX_LENGTH = 32
RECIPE: dict[str, Any] = {
    "schema": 1,
    "name": "beside-sentence-transformers",
    "augment": [{"use": "dropout_views"}],
    "projector": {"use": "identity"},
    "loss": {"use": "info_nce", "temperature": 0.05, "symmetric": False},
    "schedule": {"use": "linear"},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("banking77", type=Path, help="has train.csv and test.csv with the columns text, category")
    parser.add_argument("stsb", type=Path, help="the test split of STS-B: sentence, sentence, score; no header")
    parser.add_argument("model", type=Path, help="a folder of sentence-transformers, such as all-MiniLM-L6-v2")
    parser.add_argument("--lr", type=float, default=3e-5)
    parser.set_defaults(batch=64, steps=150)


def by_coview(args: argparse.Namespace, registry: coview.Registry) -> nn.Module:
    recipe = {
        **RECIPE,
        "seed": args.seed,
        "data": {"use": "text_table", "workers": 0, **tables(args)},
        "encoder": {"use": f"hf:{args.model.resolve()}", "pooling": "mean", "max_length": MAX_LENGTH, "dropout": 0.1},
        "optimizer": {"use": "adamw", "lr": args.lr, "weight_decay": 0.0},
        "schedule": {**RECIPE["schedule"], "warmup": f"{warmup(args)} steps"},
        "train": {
            "steps": args.steps,
            "batch_size": args.batch,
            "clip_norm": 1.0,
            "precision": args.precision,
            "device": "cpu",
        },
    }
    encoder: Any = trained(recipe, registry)
    model: nn.Module = encoder.model
    return model


def by_sentence_transformers(args: argparse.Namespace, registry: coview.Registry) -> nn.Module:
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.losses import MultipleNegativesRankingLoss

    model = SentenceTransformer(str(args.model), device="cpu")
    model.max_seq_length = MAX_LENGTH
    texts = [sample["text"] for sample in samples(args, "train", registry)]
    with tempfile.TemporaryDirectory() as out:
        settings = SentenceTransformerTrainingArguments(
            output_dir=out,
            max_steps=args.steps,
            per_device_train_batch_size=args.batch,
            learning_rate=args.lr,
            weight_decay=0.0,
            warmup_steps=warmup(args),
            lr_scheduler_type="linear",
            max_grad_norm=1.0,
            dataloader_drop_last=True,
            bf16=args.precision == "bf16",
            seed=args.seed,
            use_cpu=True,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        SentenceTransformerTrainer(
            model=model,
            args=settings,
            train_dataset=Dataset.from_dict({"anchor": texts, "positive": texts}),
            loss=MultipleNegativesRankingLoss(model, scale=20.0),
        ).train()
    transformer: nn.Module = model[0].auto_model
    return transformer


def as_it_comes(args: argparse.Namespace, registry: coview.Registry) -> nn.Module:
    model: nn.Module = AutoModel.from_pretrained(args.model, dtype=torch.float32)
    return model


def warmup(args: argparse.Namespace) -> int:
    """Steps of it: a tenth."""
    return int(args.steps // 10)


def tables(args: argparse.Namespace) -> dict[str, str]:
    folder = args.banking77.resolve()
    return {"path": str(folder / "train.csv"), "test_path": str(folder / "test.csv"), "label": "category"}


def samples(args: argparse.Namespace, split: str, registry: coview.Registry) -> list[coview.Sample]:
    dataset: coview.Dataset = registry.build("dataset", "text_table", supplied={"split": split}, **tables(args))
    return [dataset[index] for index in range(len(dataset))]


def judge(model: Any, args: argparse.Namespace, registry: coview.Registry) -> dict[str, float]:
    """By transformers' model alone: the mean of its tokens, in fp32."""
    tokenizer = AutoTokenizer.from_pretrained(args.model)
    model.eval()

    @torch.no_grad()
    def features(texts: list[str]) -> np.ndarray:
        order = np.argsort([len(text) for text in texts], kind="stable")  # little padding
        found = np.empty((len(texts), model.config.hidden_size))
        for at in range(0, len(texts), 128):
            rows = order[at : at + 128]
            batch = tokenizer(
                [texts[row] for row in rows], padding=True, truncation=True, max_length=MAX_LENGTH, return_tensors="pt"
            )
            mask_NT1 = batch["attention_mask"][..., None]
            found[rows] = (model(**batch).last_hidden_state * mask_NT1).sum(1) / mask_NT1.sum(1)
        return found

    x, y = {}, {}
    for split in ("train", "test"):
        rows = samples(args, split, registry)
        x[split], y[split] = features([row["text"] for row in rows]), np.array([row.label for row in rows])
    with args.stsb.open(newline="", encoding="utf-8") as file:
        left, right, judged = zip(*csv.reader(file), strict=True)
    spearman = agreement(features(list(left)), features(list(right)), np.array(judged, dtype=float))
    return {"STS-B, Spearman": spearman, **accuracies(x["train"], y["train"], x["test"], y["test"])}


CONTENDERS = {
    "as it comes": as_it_comes,
    "sentence-transformers": by_sentence_transformers,
    "coview": by_coview,
}
