"""What administrators do with many blocks at once: look, remove, put back, import, export."""
