"""The evaluators that know no modality, and what they compute with."""
