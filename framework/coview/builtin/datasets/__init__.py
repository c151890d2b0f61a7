"""Data sets that know no modality: they read the values of any by what it says of files and texts."""
