from factories import disposition

from tasks.intake.validation_report import render_report


def test_the_report_counts_every_reason_and_loads_nothing():
    judged = [
        disposition("f-1"),
        disposition("f-2"),
        disposition("f-3", outcome="quarantined", reason="<script> in the subject_id"),
    ]
    page = render_report("b-1", judged)
    assert "<script" not in page
    assert "&lt;script&gt; in the subject_id" in page
    assert "http" not in page
    assert "f-3" in page
    assert "f-1" not in page  # an accepted record is counted only


def test_the_report_of_a_large_batch_says_how_many_rows_it_does_not_list():
    judged = [disposition(f"f-{n}", outcome="duplicate", reason="again") for n in range(520)]
    page = render_report("b-1", judged)
    assert page.count(">f-") == 500
    assert "20 more" in page
