from statistics import mean

import pytest
from docs.prose import PAGES, ROOT, sentences, words


def test_the_readme_fits_on_a_few_screens():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_sentences_are_short_on_average_over_all_pages():
    lengths = [words(s) for page in PAGES for s in sentences(page.read_text())]
    assert len(lengths) > 500
    assert mean(lengths) <= 25


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_sentences_are_short_on_every_page(page):
    found = sentences(page.read_text())
    if found:  # a page may be made from code altogether
        assert mean(words(s) for s in found) <= 25
    assert [s for s in found if words(s) > 50] == []


def test_code_tables_and_headings_are_no_prose():
    page = (
        "# A title\n\nOne two. Three [four five](x.md)!\n\n```bash\nsix\n```\n\n| seven |\n- eight"
    )
    assert sentences(page) == ["One two.", "Three four five!", "- eight"]
