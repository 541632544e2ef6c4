"""Vonage: SMS, its reports on them, and what its codes mean."""
