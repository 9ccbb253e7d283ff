"""The agent's socket and the coordinators that attach to it."""
