"""Bounces: what was said, what it means, and what a marketer reads about it."""
