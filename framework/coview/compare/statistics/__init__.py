"""What the numbers of a comparison say, and how surely: one concept a file."""
