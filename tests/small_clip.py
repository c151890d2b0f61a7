"""Small CLIP, SigLIP, CLAP and BERT with random weights, and their tokenizer of a few words, for tests."""

from __future__ import annotations

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

WORDS = ("a", "red", "blue", "square", "dog", "cat", "on", "the", "mat")
TEXTS = ("a red dog", "the cat on the mat", "dog", "a blue square on a red mat")
LONGEST, RATE = 12, 16000
SMALL = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
TEXT = {**SMALL, "vocab_size": 13, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
PICTURES = {**SMALL, "hidden_size": 24, "image_size": 16, "patch_size": 8}
SOUNDS = {
    "num_mel_bins": 16, "window_size": 4, "spec_size": 64, "patch_size": 2, "patch_stride": [2, 2],
    "hidden_size": 32, "patch_embeds_hidden_size": 16, "depths": [1, 1], "num_attention_heads": [2, 2],
    "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "drop_path_rate": 0.0, "aff_block_r": 1,
}  # fmt: skip


def tokenizer():
    vocabulary = {word: number for number, word in enumerate(("<pad>", "<s>", "</s>", "<unk>", *WORDS))}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    special = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=LONGEST, **special)


def clip():
    parts = {"text_config": {**TEXT, "max_position_embeddings": LONGEST}, "vision_config": PICTURES}
    return transformers.CLIPModel(transformers.CLIPConfig(**parts, projection_dim=8))


def siglip():
    text = {**TEXT, "max_position_embeddings": LONGEST, "projection_size": 24}
    model = transformers.SiglipModel(transformers.SiglipConfig(text_config=text, vision_config=PICTURES))
    with torch.no_grad():
        model.logit_scale.fill_(2.0)
        model.logit_bias.fill_(-7.0)
    return model


def bert():
    small = {**SMALL, "num_hidden_layers": 1}
    return transformers.BertModel(transformers.BertConfig(vocab_size=13, max_position_embeddings=LONGEST, **small))


def clap(fuses):
    text = {**TEXT, "max_position_embeddings": LONGEST + 2, "projection_dim": 8, "pad_token_id": 1}
    audio = {**SOUNDS, "enable_fusion": fuses, "projection_dim": 8}
    return transformers.ClapModel(transformers.ClapConfig(text_config=text, audio_config=audio, projection_dim=8))
