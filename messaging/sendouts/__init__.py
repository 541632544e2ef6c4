"""Send-outs: who gets one and who does not, the rows of its messages, and how far it is."""
