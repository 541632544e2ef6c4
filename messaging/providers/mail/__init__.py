"""Bounce mail: what it says became of our messages."""
