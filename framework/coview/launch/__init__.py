"""Where the runs of a comparison are computed: one small interface, and a file for each place."""
