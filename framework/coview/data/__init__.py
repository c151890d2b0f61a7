"""Samples, views, seeding and loading: from a data set to the batches that a model sees."""
