"""A file for each provider: what it reports, in its own words, and what that means."""
