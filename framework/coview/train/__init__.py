"""The training loop, and what it needs: device, precision, optimiser, schedule, checkpoints, stopping."""
