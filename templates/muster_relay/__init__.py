"""muster's relay: programs and files of a machine over one channel; see main.py."""
