"""Checks muster on the GPUs of this machine."""
