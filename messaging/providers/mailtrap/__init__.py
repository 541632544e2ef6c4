"""Mailtrap: emails, its reports on them, and what its words mean."""
