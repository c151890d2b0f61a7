"""Losses for any modality: contrastive, metric, of batch statistics, of distillation."""

from __future__ import annotations

import coview


@coview.hookimpl
def coview_register(registry: coview.Registrar) -> None:
    """Registers the losses, and the head that one of them needs."""
    for name, attribute, summary, source in CONTRASTIVE + METRIC + STATISTICS + DISTILLATION + OF_TOKENS:
        registry.loss(name, f"coview_losses.{name}:{attribute}", summary=summary, source=source)
    registry.projector(
        "dino_head",
        "coview_losses.dino_head:DINOHead",
        summary="linear, GELU, …, unit length, cosines to prototypes",
        source="arXiv:2104.14294, appendix C",
    )
    registry.decoder(
        "ibot_head",
        "coview_losses.ibot_head:IBOTHead",
        summary="linear, GELU, …, unit length, cosines to prototypes, of each token",
        source="arXiv:2111.07832, appendix A",
    )


CONTRASTIVE = (
    (
        "nt_xent",
        "NTXent",
        "SimCLR's: each view against every view of every other sample",
        "arXiv:2002.05709",
    ),
    (
        "info_nce",
        "InfoNCE",
        "one view against the other view of every other sample, as in CPC, MoCo and CLIP",
        "arXiv:1807.03748",
    ),
    (
        "bilinear_info_nce",
        "BilinearInfoNCE",
        "InfoNCE in one direction by a learnt bilinear similarity",
        "arXiv:2010.10915, section 3",
    ),
    (
        "dcl",
        "DCL",
        "NT-Xent whose denominator leaves the positive out",
        "arXiv:2110.06848",
    ),
    (
        "dclw",
        "DCLW",
        "DCL that draws more where a sample's views agree less",
        "arXiv:2110.06848",
    ),
    (
        "debiased",
        "Debiased",
        "negatives corrected for those of the anchor's own class",
        "arXiv:2007.00224",
    ),
    (
        "hard_negative",
        "HardNegative",
        "the more alike a negative is, the more it counts",
        "arXiv:2010.04592",
    ),
    (
        "sup_con",
        "SupCon",
        "positives are all views of all samples of a class; needs labels",
        "arXiv:2004.11362",
    ),
    (
        "clip",
        "CLIP",
        "InfoNCE in both directions with a learnable temperature",
        "arXiv:2103.00020, figure 3",
    ),
    (
        "siglip",
        "SigLIP",
        "each pair of rows is a yes-or-no question; learnable scale and bias",
        "arXiv:2303.15343, section 3.2",
    ),
    (
        "gist",
        "GIST",
        "InfoNCE without the negatives that a guide finds as alike as the own pair; needs a target branch",
        "arXiv:2402.16829",
    ),
    (
        "nnclr",
        "NNCLR",
        "the positive is the nearest row in the queue; needs a queue and a target branch",
        "arXiv:2104.14548",
    ),
    (
        "spectral_contrastive",
        "SpectralContrastive",
        "squared similarities in place of exponentials",
        "arXiv:2106.04156",
    ),
    (
        "alignment_uniformity",
        "AlignmentUniformity",
        "distance of positives, and log potential of all other pairs",
        "arXiv:2005.10242, section 4.1",
    ),
)

METRIC = (
    (
        "triplet",
        "Triplet",
        "the positive is nearer than the negative by a margin; given by three views or mined",
        "arXiv:1503.03832, arXiv:1703.07737",
    ),
    (
        "n_pair",
        "NPair",
        "InfoNCE on inner products, with a penalty on long rows",
        "Sohn, NeurIPS 2016",
    ),
    (
        "circle",
        "Circle",
        "each similarity is pushed harder the farther it is from its goal",
        "arXiv:2002.10857",
    ),
)

STATISTICS = (
    (
        "barlow_twins",
        "BarlowTwins",
        "the cross-correlation of two views' dimensions has to be the identity",
        "arXiv:2103.03230",
    ),
    (
        "vicreg",
        "VICReg",
        "views agree, every dimension varies, no two vary together",
        "arXiv:2105.04906",
    ),
    (
        "w_mse",
        "WMSE",
        "views agree after the batch has been whitened",
        "arXiv:2007.06346",
    ),
    (
        "tico",
        "TiCo",
        "views agree, and keep off the directions in which batches varied most",
        "arXiv:2206.10698",
    ),
    (
        "mmcr",
        "MMCR",
        "the centroids of samples' views fill space: nuclear norms",
        "arXiv:2303.03307",
    ),
    (
        "sigreg",
        "SIGReg",
        "LeJEPA's: views agree, and all projections together are a standard normal",
        "arXiv:2511.08544, sections 4 and 5",
    ),
    (
        "koleo",
        "KoLeo",
        "a regulariser: each row keeps away from its nearest neighbour",
        "arXiv:1806.03198",
    ),
)

DISTILLATION = (
    (
        "negative_cosine",
        "NegativeCosine",
        "BYOL's and SimSiam's: a prediction is like the target's other view, no negatives",
        "arXiv:2011.10566",
    ),
    (
        "dino",
        "DINO",
        "the student's distribution over prototypes follows the teacher's, centred and sharpened",
        "arXiv:2104.14294",
    ),
    (
        "swav",
        "SwAV",
        "a view predicts the prototypes of the other views, all of which are used alike",
        "arXiv:2006.09882",
    ),
    (
        "ressl",
        "ReSSL",
        "a view is as similar to the queue's rows as the target's view is; needs a queue",
        "arXiv:2107.09282",
    ),
    (
        "msn",
        "MSN",
        "a view predicts the target's sharpened prototypes, and on the whole all prototypes",
        "arXiv:2204.07141, section 3",
    ),
)

OF_TOKENS = (
    (
        "token_mse",
        "TokenMSE",
        "mean squared error of hidden tokens",
        "arXiv:2111.06377, section 3",
    ),
    (
        "token_smooth_l1",
        "TokenSmoothL1",
        "smooth L1 of hidden tokens, or absolute error",
        "arXiv:2202.03555",
    ),
    (
        "token_cosine",
        "TokenCosine",
        "cosine distance of hidden tokens",
        "arXiv:2211.07636, section 2",
    ),
    (
        "token_cross_entropy",
        "TokenCrossEntropy",
        "which token of a vocabulary, or of a codebook, a hidden one was",
        "arXiv:1810.04805, section 3.1",
    ),
    (
        "token_reconstruction",
        "TokenReconstruction",
        "what a hidden token was, in any modality: squared error of numbers, cross-entropy of classes",
        "arXiv:2111.06377, section 3",
    ),
    (
        "ibot",
        "IBOT",
        "the student's distribution of a hidden token over prototypes follows the teacher's",
        "arXiv:2111.07832",
    ),
)
