"""One module per command, so that a command imports only what it needs."""
