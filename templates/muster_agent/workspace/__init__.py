"""Working copies of slots, and what they are made from."""
