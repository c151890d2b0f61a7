"""Contrastive and metric losses for any modality."""

from __future__ import annotations

import coview


@coview.hookimpl
def coview_register(registry: coview.Registry) -> None:
    """Registers the losses."""
    for name, attribute, summary, source in CONTRASTIVE + METRIC:
        registry.loss(name, f"coview_losses.{name}:{attribute}", summary=summary, source=source)


CONTRASTIVE = (
    (
        "nt_xent",
        "NTXent",
        "SimCLR's: each view against every view of every other sample",
        "arXiv:2002.05709, equation 1",
    ),
    (
        "info_nce",
        "InfoNCE",
        "one view against the other view of every other sample, as in CPC, MoCo and CLIP",
        "arXiv:1807.03748, equation 4",
    ),
    (
        "dcl",
        "DCL",
        "NT-Xent whose denominator leaves the positive out",
        "arXiv:2110.06848, equation 5",
    ),
    (
        "dclw",
        "DCLW",
        "DCL that draws more where a sample's views agree less",
        "arXiv:2110.06848, equation 6",
    ),
    (
        "debiased",
        "Debiased",
        "negatives corrected for those of the anchor's own class",
        "arXiv:2007.00224, equations 7 and 8",
    ),
    (
        "hard_negative",
        "HardNegative",
        "the more alike a negative is, the more it counts",
        "arXiv:2010.04592, equation 4",
    ),
    (
        "sup_con",
        "SupCon",
        "positives are all views of all samples of a class; needs labels",
        "arXiv:2004.11362, equation 2",
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
        "nnclr",
        "NNCLR",
        "the positive is the nearest row in the queue; needs a queue and a target branch",
        "arXiv:2104.14548, equations 3 and 4",
    ),
    (
        "spectral_contrastive",
        "SpectralContrastive",
        "squared similarities in place of exponentials",
        "arXiv:2106.04156, equation 6",
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
        "Sohn, NeurIPS 2016, equation 7",
    ),
    (
        "circle",
        "Circle",
        "each similarity is pushed the harder, the farther it is from where it should be",
        "arXiv:2002.10857, equations 6 and 8",
    ),
)
