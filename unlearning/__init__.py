"""The head of expunge: pure unlearning mathematics and decisions; no framework, clock, file or network."""
