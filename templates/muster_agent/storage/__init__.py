"""Files in the run's folder."""
