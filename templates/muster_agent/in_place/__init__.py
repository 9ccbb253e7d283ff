"""Attempts that run in a folder of the node instead of a working copy."""
