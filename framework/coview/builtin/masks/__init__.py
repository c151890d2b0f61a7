"""What hides tokens, by no modality in particular."""
