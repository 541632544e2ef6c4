"""The Messages tab of a contact's card: rows, details, explanations, filters, twelve months."""
