"""Handing messages over: claiming them, the way out (relay, receiving server, provider), and trying again."""
