"""A story of contacts and messages, told by playing the providers: genuine signed reports, posted to our own webhooks.

The story is data: people.toml (who), story.toml (what is sent to whom, and what comes of it) and plots.toml (what the
providers say in each case). sendgrid.py and twilio.py build and sign reports as those providers do; tests use them too.
"""
