"""Membership inference: how well seen rows can be told from unseen ones, and how surely."""
