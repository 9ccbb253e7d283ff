"""Locks of what the runs of a node share: GPUs, CPU slots, and the permits of `max_concurrent`."""
