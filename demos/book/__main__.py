"""`python -m demos.book`: put the present code, tables and links into the pages, and say which pages that changed."""
import sys

from demos.book import PAGES, ROOT, renewed

try:
    for page in PAGES:
        text = renewed(page)
        if text != page.read_text(encoding="utf-8"):
            page.write_text(text, encoding="utf-8")
            print(f"renewed {page.relative_to(ROOT)}")
except ValueError as error:
    sys.exit(str(error))
