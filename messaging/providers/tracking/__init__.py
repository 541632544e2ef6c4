"""Our own pages: opens, clicks, and who wants no more."""
