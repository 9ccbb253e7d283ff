"""GPUs: which are there, and whether their memory is free."""
