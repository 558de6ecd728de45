"""What is known of each enrolled model, folded from its stream of events.

It reads the journal and records enrolments and timed trainings there. No weights are touched.
"""
