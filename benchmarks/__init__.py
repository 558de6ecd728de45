"""Measurements of every unlearning method against retraining; nothing the product imports."""
