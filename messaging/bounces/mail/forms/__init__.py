"""Bounces that are no DSN: what hundreds of mail systems say in words of their own.

`general.py` reads them by what they share; `words.toml` holds how they word it, in the languages of the world.
"""
