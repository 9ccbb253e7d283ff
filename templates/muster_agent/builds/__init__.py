"""Builds: programs that are compiled once on a node, for every attempt there."""
