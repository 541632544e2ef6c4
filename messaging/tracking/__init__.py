"""Opens, clicks and ways out: the pixel, links, tokens, and bots told from people."""
