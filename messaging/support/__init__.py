"""The Django admin's pages of messages and reports, and its search."""
