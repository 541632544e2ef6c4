"""SMPP: receipts of SMS centres, and what their codes mean."""
