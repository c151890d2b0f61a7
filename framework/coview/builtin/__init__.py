"""The components that know no modality, registered through the same door as everybody's: the plugin ``core``."""

from __future__ import annotations

from coview.plugins.hookspecs import hookimpl
from coview.plugins.registrar import Registrar


@hookimpl
def coview_register(registry: Registrar) -> None:
    """Registers what is of no modality: data sets, projectors, masks, decoders, optimisers, evaluators and more."""
    _register_datasets(registry)
    registry.projector(
        "mlp",
        "coview.builtin.projectors:MLP",
        summary="linear, batch norm, ReLU, …, linear",
        source="arXiv:2002.05709, section 2.1",
    )
    registry.projector(
        "linear_tanh",
        "coview.builtin.linear_tanh:LinearTanh",
        summary="linear, tanh",
        source="arXiv:2104.08821, section 6.1",
    )
    registry.projector(
        "identity", "coview.builtin.projectors:Identity", summary="no projector: the loss sees the encoder"
    )
    registry.projector(
        "own",
        "coview.builtin.projectors:Own",
        summary="the projection that came with the encoder's weights, for encoders such as hf-clip:NAME",
    )
    registry.predictor(
        "mlp",
        "coview.builtin.projectors:MLP",
        summary="linear, batch norm, ReLU, …, linear",
        source="arXiv:2006.07733, section 3.3",
    )
    registry.mask("random", "coview.builtin.masks.random:Random", summary="tokens one by one")
    registry.mask(
        "span",
        "coview.builtin.masks.span:Span",
        summary="runs of tokens",
        source="arXiv:2006.11477, section 3.1",
    )
    registry.mask("whole_word", "coview.builtin.masks.whole_word:WholeWord", summary="words with all their tokens")
    registry.mask(
        "deletion",
        "coview.builtin.masks.deletion:Deletion",
        summary="single words; the decoder predicts the whole row",
        source="arXiv:2104.06979, section 3.1",
    )
    registry.mask(
        "block",
        "coview.builtin.masks.block:Block",
        summary="rectangles of a grid of tokens",
        source="arXiv:2106.08254, algorithm 1",
    )
    registry.mask(
        "multi_block",
        "coview.builtin.masks.multi_block:MultiBlock",
        summary="all but one large block, from which other blocks are predicted",
        source="arXiv:2301.08243, section 3",
    )
    registry.mask(
        "time_frequency",
        "coview.builtin.masks.time_frequency:TimeFrequency",
        summary="whole columns and rows of a spectrogram's grid",
        source="arXiv:2110.09784, section 2.2",
    )
    registry.decoder("linear", "coview.builtin.decoders:Linear", summary="a linear map of each hidden token")
    registry.decoder(
        "mlp",
        "coview.builtin.decoders:MLP",
        summary="linear, GELU, layer norm, linear",
        source="arXiv:1810.04805",
    )
    registry.decoder("own", "coview.builtin.decoders:Own", summary="the head that came with the encoder's weights")
    registry.decoder(
        "transformer",
        "coview.builtin.decoders:Transformer",
        summary="a transformer over the tokens that were seen, with a learnt token for each hidden one",
        source="arXiv:2111.06377, section 3",
    )
    registry.target("input", "coview.builtin.targets:Input", summary="what the token was made of")
    registry.target(
        "teacher_tokens",
        "coview.builtin.targets:TeacherTokens",
        summary="what a moving average of the encoder makes of the token, seeing the whole view",
        source="arXiv:2202.03555, section 3.3",
    )
    registry.target(
        "teacher_decoder",
        "coview.builtin.targets:TeacherDecoder",
        summary="what the teacher's decoder makes of the teacher's token",
        source="arXiv:2111.07832",
    )
    registry.target(
        "random_codebook",
        "coview.builtin.targets:RandomCodebook",
        summary="the nearest of many random vectors, after a random projection",
        source="arXiv:2202.01855, section 3",
    )
    registry.optimizer("sgd", "coview.builtin.optimizers:sgd", summary="stochastic gradient descent with momentum")
    registry.optimizer(
        "adamw",
        "coview.builtin.optimizers:adamw",
        summary="Adam with decoupled weight decay",
        source="arXiv:1711.05101",
    )
    registry.optimizer(
        "lars",
        "coview.builtin.optimizers:lars",
        summary="layer-wise adaptive rates, for large batches",
        source="arXiv:1708.03888",
        extra="timm",
    )
    registry.family(
        "optimizer",
        "torch",
        "coview.builtin.optimizers:torch_optimizer",
        summary="any optimiser of torch.optim",
        example="torch:RAdam",
    )
    registry.family(
        "optimizer",
        "timm",
        "coview.builtin.optimizers:timm_optimizer",
        summary="any optimiser of timm",
        example="timm:lion",
        extra="timm",
    )
    registry.schedule("constant", "coview.builtin.schedules:Constant", summary="stays at the peak")
    registry.schedule(
        "cosine",
        "coview.builtin.schedules:Cosine",
        summary="falls along half of a cosine",
        source="arXiv:1608.03983",
    )
    registry.schedule("linear", "coview.builtin.schedules:Linear", summary="falls along a line")
    registry.schedule("step", "coview.builtin.schedules:Step", summary="is multiplied by a factor at given moments")
    registry.schedule(
        "wsd",
        "coview.builtin.schedules:WarmupStableDecay",
        summary="stays at the peak, and falls at the end",
        source="arXiv:2404.06395, section 4",
    )
    registry.sampler("uniform", "coview.builtin.samplers:Uniform", summary="all samples once, shuffled")
    registry.sampler(
        "m_per_class",
        "coview.builtin.samplers:MPerClass",
        summary="m samples of each class that is in a batch",
        source="arXiv:1703.07737, section 2.1",
    )
    registry.sampler(
        "no_duplicates",
        "coview.builtin.samplers:NoDuplicates",
        summary="no two samples of a batch with the same value, class or group",
    )
    registry.sampler("by_length", "coview.builtin.samplers:ByLength", summary="samples of similar length together")
    registry.sampler("weighted", "coview.builtin.samplers:Weighted", summary="all classes, or groups, equally often")
    registry.evaluator(
        "knn",
        "coview.builtin.evaluators.knn:KNN",
        summary="weighted nearest neighbours by cosine",
        source="arXiv:1805.01978, section 3.4",
    )
    registry.evaluator(
        "linear_probe",
        "coview.builtin.evaluators.linear_probe:LinearProbe",
        summary="logistic regression on frozen features, regularisation chosen on validation data or folds of train",
        source="arXiv:1610.01644",
    )
    registry.evaluator(
        "mteb_classification",
        "coview.builtin.evaluators.mteb_classification:MTEBClassification",
        summary="scikit-learn's logistic regression on a few labels of each class, ten times, as MTEB does",
        source="arXiv:2210.07316, section 3.2",
    )
    registry.evaluator(
        "mlp_probe",
        "coview.builtin.evaluators.mlp_probe:MLPProbe",
        summary="a perceptron on frozen features, chosen and stopped on validation data",
        source="arXiv:2203.03022, section 3",
    )
    registry.evaluator(
        "few_shot",
        "coview.builtin.evaluators.few_shot:FewShot",
        summary="nearest class mean in N-way K-shot episodes",
        source="arXiv:1703.05175, section 2",
    )
    registry.evaluator(
        "retrieval",
        "coview.builtin.evaluators.retrieval:Retrieval",
        summary="whether the nearest samples are of the same class, or the same sample in another modality: "
        "recall@k, mAP, MRR",
        source="arXiv:1511.06452",
    )
    registry.evaluator(
        "zero_shot",
        "coview.builtin.evaluators.zero_shot:ZeroShot",
        summary="classifying by the names of the classes, in a model of two modalities",
        source="arXiv:2103.00020, section 3.1",
    )
    registry.evaluator(
        "clustering",
        "coview.builtin.evaluators.clustering:Clustering",
        summary="k-means against the classes: NMI, ARI, accuracy by assignment",
    )
    registry.evaluator(
        "similarity",
        "coview.builtin.evaluators.similarity:Similarity",
        summary="correlation of cosines with people's judgements of pairs",
        source="arXiv:2104.08821, section 6.1",
    )
    registry.evaluator(
        "regression",
        "coview.builtin.evaluators.regression:Regression",
        summary="ridge regression of scores on frozen features: R² and Spearman's correlation",
    )
    registry.evaluator(
        "finetune",
        "coview.builtin.evaluators.finetune:Finetune",
        summary="the whole encoder, trained further with labels and stopped early on validation data",
        source="arXiv:2002.05709, appendix B.5",
    )
    registry.evaluator(
        "linear_classifier",
        "coview.builtin.evaluators.linear_classifier:LinearClassifier",
        summary="a linear layer, trained by SGD on the frozen encoder and augmented samples, as in papers on pictures",
        source="arXiv:2004.11362, section 4",
    )
    registry.evaluator(
        "robustness",
        "coview.builtin.evaluators.robustness:Robustness",
        summary="accuracy of a linear probe on test samples that are augmented ever more strongly",
        source="arXiv:1903.12261",
    )
    registry.evaluator(
        "cost",
        "coview.builtin.evaluators.cost:Cost",
        summary="parameters, operations, peak memory and speed of the encoder",
    )
    registry.evaluator(
        "geometry",
        "coview.builtin.evaluators.geometry:Geometry",
        summary="how representations fill their space: effective rank, uniformity, spread, isotropy, mean cosine",
        source="arXiv:2210.02885",
    )
    registry.callback(
        "early_stopping",
        "coview.builtin.callbacks.early_stopping:EarlyStopping",
        summary="ends a run when a number stops improving",
    )
    registry.callback(
        "wandb",
        "coview.builtin.callbacks.wandb:Wandb",
        summary="reports the run to Weights & Biases",
        source="https://wandb.ai",
        extra="coview[wandb]",
    )
    registry.callback(
        "mlflow",
        "coview.builtin.callbacks.mlflow:MLflow",
        summary="reports the run to MLflow",
        source="https://mlflow.org",
        extra="coview[mlflow]",
    )


def _register_datasets(registry: Registrar) -> None:
    registry.dataset(
        "pairs_table",
        "coview.builtin.datasets.pairs_table:PairsTable",
        summary="your own pictures, texts, sounds, … together: a CSV, TSV, JSONL or Parquet file, a column each",
    )
    registry.dataset(
        "pairs_shards",
        "coview.builtin.datasets.pairs_shards:PairsShards",
        summary="your own pictures, texts, sounds, … together in tar files (WebDataset's layout), with random access",
    )
    registry.dataset(
        "streamed_tars",
        "coview.builtin.datasets.streamed_tars:StreamedTars",
        summary="tar files (WebDataset's layout) that are larger than the disk, of a folder, a server or a bucket",
    )
    registry.dataset(
        "streamed_parquet",
        "coview.builtin.datasets.streamed_parquet:StreamedParquet",
        summary="Parquet files that are larger than the disk, of the hub, a folder, a server or a bucket",
    )
    registry.family(
        "dataset",
        "hub",
        "coview.builtin.datasets.hub:hub_pairs",
        summary="samples of several modalities of a Hugging Face data set, or of a local folder that its library reads",
        example="core/hub:nlphuji/flickr30k",
        source="https://huggingface.co/docs/datasets",
        extra="coview[hub]",
    )
