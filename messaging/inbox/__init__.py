"""Reports as they come: kept first, then claimed, parsed and settled; replay, hourly counts, retention."""
