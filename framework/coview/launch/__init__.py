"""Where runs are computed: those of a comparison, each somewhere, and a single one on several machines."""
