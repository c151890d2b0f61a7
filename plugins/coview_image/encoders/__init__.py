"""From a batch of pictures to vectors."""
