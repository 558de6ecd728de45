"""The head of expunge: pure mathematics and decisions; no framework, clock, file or network."""
