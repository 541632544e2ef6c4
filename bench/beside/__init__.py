"""What ingest is measured beside, served by the same web server with the same settings."""
