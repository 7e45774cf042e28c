"""Data sets, the trainer, Algorithm 1."""
