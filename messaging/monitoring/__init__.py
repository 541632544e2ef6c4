"""What tells whether Engage and its providers work: health, metrics, alarms, silence, the page Providers."""
