"""Can the book be read from front to back? Terms told before they are used, openings, and blocks that fit a page."""
import re

import pytest

from demos.book import CHAPTERS, PAGES, ROOT
from demos.lesson import WIDTH

TEXT = {name: page.read_text(encoding="utf-8") for name, page in CHAPTERS.items()}
GLOSSARY = re.findall(r"^\| ([^|]+) \| [^|]+ \| [^|]+ \| \[(\w+)\]\(\2\.md\) \|$",
                      (ROOT / "demos" / "book" / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)


def prose(name):
    """A chapter's sentences up to the exercises: without its question, code, tables, figures and what links say."""
    text = TEXT[name].partition("\n\n*")[2].partition("\n")[2].partition("**Exercises.**")[0]
    text = re.sub(r"^```.*?^```$|^<!-- [^\n]*", "", text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`]*`|!?\[[^\]]*\]\([^)]*\)", "", text)


def word(term):
    """A pattern of the term, its plural too; in its own case where that is its name."""
    return re.compile(r"\b" + term.replace(" ", r"\s+") + r"(?:e?s)?\b", 0 if term.isupper() or term == "Adam" else re.I)


def test_the_glossary_is_as_long_as_promised():
    assert len(GLOSSARY) >= 60


@pytest.mark.parametrize("term,where", GLOSSARY, ids=[term for term, _ in GLOSSARY])
def test_no_term_is_used_before_the_chapter_that_tells_it(term, where):
    pattern, order = word(term), list(CHAPTERS)
    assert [name for name in order[:order.index(where)] if pattern.search(prose(name))] == []
    here = prose(where)
    bold = next((span for span in re.finditer(r"\*\*[^*]+\*\*", here) if pattern.search(span[0])), None)
    assert bold, f"{where} does not say in bold what it calls {term}"
    assert not pattern.search(here[:bold.start()]), f"{where} uses {term} before it says what it is"


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_opens_with_a_picture_and_tells_a_case_by_hand(name):
    assert re.search(rf"^```sh\npython -m demos {name}\n[^`]*```\n\n!\[", TEXT[name], re.MULTILINE)
    assert re.search(r"by hand", prose(name), re.IGNORECASE)


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_no_block_is_wider_than_a_page(page):
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert [line for language, block in blocks if language != "math"
            for line in block.splitlines() if len(line) > WIDTH] == []
