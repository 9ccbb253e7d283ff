"""GPUs: which are there, whether their memory is free, and which run has them."""
