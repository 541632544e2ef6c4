"""The SMPP 3.4 client: binds to the SMSCs of SMPP_URLS and puts what they deliver into the inbox of reports.

Section numbers are those of "Short Message Peer to Peer Protocol Specification v3.4", issue 1.2.
"""
