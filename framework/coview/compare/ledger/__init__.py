"""A ledger: the results of many runs and labs in one place, joined only where they were measured alike."""
