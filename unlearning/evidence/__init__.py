"""What was measured, as plain values that can be written down and read again.

No computation and no torch: the gate and the pages read these.
"""
