"""What follows from what was decided: ladder, budget, approval, deadlines, statuses. No torch.

Rules alone, as functions of plain values; the hands that follow them are in `tasks`.
"""
