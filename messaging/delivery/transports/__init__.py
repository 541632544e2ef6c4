"""The ways on which a message leaves: SMTP, the APIs of email providers and SMS gateways, SMPP."""
