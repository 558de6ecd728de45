"""Measuring a candidate: its utility, what it still knows of the forget set, and the intervals.

It measures and does not judge; the judging is the gate's.
"""
