"""What became of a send-out, kept in the background, off the path of reports."""
