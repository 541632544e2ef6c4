"""A story of contacts and messages, told by real send-outs to receivers that stand in for everybody's.

The story is data: people.toml (who), story.toml (what is sent to whom, and what comes of it) and plots.toml (how the
receiving side behaves in each case). play.py has it happen in its order, desk.py does what people at Engage do,
receiver.py and phones.py what servers and people out there do (by living.py), and clock.py moves the time on.
sendgrid.py and twilio.py build and sign reports as those providers do; tests use them too.
"""
