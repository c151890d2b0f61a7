"""From a batch of sounds to vectors."""
