"""Contents that all runs on a node share."""
