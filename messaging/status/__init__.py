"""The vocabulary of statuses, the order of events, the fold, and the timeline. Pure."""
