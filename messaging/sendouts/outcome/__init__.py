"""What became of a send-out: by receiving domain, by reason, over time; kept in the background, off the path of reports."""
