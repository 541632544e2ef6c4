"""When an address is blocked: hard bounces, runs of soft ones, outages, rule changes, and what follows a block."""
