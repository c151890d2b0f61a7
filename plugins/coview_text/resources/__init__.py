"""What ``coview data fetch`` brings for texts: a file for each source."""
