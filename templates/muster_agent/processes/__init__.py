"""Processes of this node: children, descendants, scripts with a deadline."""
