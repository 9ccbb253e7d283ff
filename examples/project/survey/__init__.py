"""Counts twin primes in a range of integers."""
