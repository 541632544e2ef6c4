"""Handing messages over: claiming them, the transport (relay, receiving server, provider), and trying again."""
