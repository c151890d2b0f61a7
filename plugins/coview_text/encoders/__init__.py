"""Encoders of texts. Each brings its tokenizer, and none sees padding."""

from __future__ import annotations

import os

# tokenizers' threads do not survive the fork of loader processes, and would share the cores with them
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
