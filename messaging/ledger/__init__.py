"""Recording events: the only writer of Message.status. Also which message an event is about, and the sweep."""
