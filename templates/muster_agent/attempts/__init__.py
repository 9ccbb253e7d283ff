"""Slots, and the life of an attempt: start, logs, termination, outputs, result."""
