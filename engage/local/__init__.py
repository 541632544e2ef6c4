"""What `make run` and `make test` need on a bare machine, and nothing else imports."""
