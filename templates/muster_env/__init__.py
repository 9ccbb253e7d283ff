"""Looks at Python environments on a node, and makes them. `main` is where it begins."""
