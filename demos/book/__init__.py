"""The lesson book's pages, and what in them is not written by hand: code, tables and the links from page to page.

What stands below a mark is put there by `python -m demos.book`:

    <!-- table kl: The Gaussian -->            the block of figures/kl.txt whose first line has these words
    <!-- table kl: The Gaussian | 3 lines -->  so many lines from the first that has these words
    <!-- table kl: The Gaussian | 2 blocks --> this block and the next
    <!-- table benchmarks/reproduced.txt: published -->      the same of a file, named from the project's folder
    <!-- rows mistakes: KL halved | Adam -->   the lines that have these words
    <!-- code scratchvae/models/vae.py: VAE.sample -->            the body of a function, without its docstring
    <!-- code ...: VAE.sample: mu .. return | VAE.encode -->      from the line that begins so to the next one
    <!-- pages -->                             the chapters before and after

The pages of formulas, of figures and of planted mistakes are made whole, from the chapters, the map and the catalogue.
Nothing is found by a number, which the next run may change; words that are found nowhere, or twice, are refused.
"""
import ast
import re
from pathlib import Path
from textwrap import dedent

from demos import LESSONS
from demos.catalogue_of_mistakes import MISTAKES

ROOT = Path(__file__).parent.parent.parent
FIGURES = ROOT / "demos" / "figures"
CHAPTERS = {name: Path(__file__).with_name(f"{name}.md") for name in LESSONS}
AFTER = [Path(__file__).with_name(f"{name}.md")
         for name in ("published", "map", "glossary", "formulas", "figures", "catalogue", "sources", "korean")]
PAGES = [ROOT / "README.md", ROOT / "demos" / "README.md", *CHAPTERS.values(), *AFTER]

BLOCK = re.compile(r"^<!-- (table|rows|code) ([^\n]*?): ([^\n]*) -->$(?:\n```(\w+)\n.*?^```$)?", re.MULTILINE | re.DOTALL)
LINKS = re.compile(r"^<!-- pages -->\n.*$", re.MULTILINE)


def renewed(page):
    """The text of a page with the present code, tables and links; ValueError, with its mark, for what is not found."""
    def block(match):
        kind, where, what, language = match.groups()
        try:
            lines = {"table": table, "rows": rows, "code": code}[kind](where, what)
        except (ValueError, OSError) as error:
            raise ValueError(f"{page.relative_to(ROOT)}: {kind} {where}: {what}: {error}") from None
        language = language or {"code": "python"}.get(kind, "text")
        return "\n".join([match[0].partition("\n")[0], f"```{language}", *lines, "```"])
    text = page.read_text(encoding="utf-8")
    for made in (formulas, figures, catalogue):
        if page.stem == made.__name__:
            text = text[:text.index("\n## ") + 1] + made()
    return LINKS.sub(lambda _: f"<!-- pages -->\n{links(page)}", BLOCK.sub(block, text))


def transcript(lesson):
    """The lines that a lesson printed, or those of a file."""
    path = ROOT / lesson if "/" in lesson else FIGURES / f"{lesson}.txt"
    return [line.rstrip() for line in path.read_text(encoding="utf-8").splitlines()]


def rows(lesson, words):
    """The lines of a transcript, each the one that has the words of a piece."""
    printed = transcript(lesson)
    return [only([line for line in printed if piece in " ".join(line.split())], f"lines with {piece!r}")
            for piece in words.split(" | ")]


def table(lesson, words):
    """The block of a transcript, or a part of it, whose first line has these words."""
    printed = transcript(lesson)
    words, _, extent = words.partition(" | ")
    count, _, unit = extent.partition(" ")
    heads = [i for i, line in enumerate(printed) if words in " ".join(line.split())
             and (unit == "lines" or i == 0 or not printed[i - 1])]
    start = only(heads[:1] if unit == "lines" else heads, "first lines")
    if unit == "lines":
        return printed[start:start + int(count)]
    ends = [i for i in range(start, len(printed)) if not printed[i]] + [len(printed)]
    return printed[start:ends[int(count or 1) - 1]]


def code(path, pieces):
    """The lines of a source file that a mark names, a line of dots between its pieces."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    tree = ast.parse("\n".join(lines))
    shown = []
    for piece in pieces.split(" | "):
        name, _, span = piece.partition(": ")
        shown += ["..."] * bool(shown) + part(body(tree, lines, name), span)
    return shown


def body(tree, lines, name):
    """The lines of a class, or those of a function below its docstring."""
    node = tree
    for each in name.split("."):
        node = only([n for n in node.body if getattr(n, "name", None) == each], f"definitions of {each}")
    if isinstance(node, ast.ClassDef):
        return lines[node.lineno - 1:node.end_lineno]
    first = node.body[0]
    return lines[first.end_lineno if ast.get_docstring(node) is not None else first.lineno - 1:node.end_lineno]


def part(lines, span):
    """The lines from the one that begins with the words before " .. " to the next that begins with those after it."""
    if span:
        begin, _, end = span.partition(" .. ")
        start = only([i for i, line in enumerate(lines) if line.lstrip().startswith(begin)], f"lines {begin!r}")
        stops = [i for i in range(start, len(lines)) if lines[i].lstrip().startswith(end or begin)]
        lines = lines[start:only(stops[:1], f"lines {end!r}") + 1]
    return dedent("\n".join(lines)).splitlines()


def only(found, what):
    """The one that was found."""
    if len(found) != 1:
        raise ValueError(f"{len(found)} {what}")
    return found[0]


def formulas():
    """Every numbered equation, by chapter, with the function that is it and the test that would fail if it were not."""
    mapped = dict(re.findall(r"^\| \((\d+\.\d+)\) \| (.* \| .*) \|$",
                             Path(__file__).with_name("map.md").read_text(encoding="utf-8"), re.MULTILINE))
    parts = []
    for page in CHAPTERS.values():
        lines = [f"## [{title(page)}]({page.name})\n"]
        for body, number in re.findall(r"^```math\n((?:(?!```).)*?)\\tag\{(\S+?)\}.*?^```$",
                                       page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            function, check = mapped[number].split(" | ")
            lines.append(f"- **({number})** $`{' '.join(body.split())}`$\n  {function}, {check}")
        parts += ["\n".join(lines) + "\n"] * (len(lines) > 1)
    return "\n".join(parts)


def figures():
    """A contact sheet: every figure with its title, by chapter, three in a row."""
    parts = []
    for page in CHAPTERS.values():
        shown = re.findall(r"!\[([^\]]+)\]\((\.\./figures/[^)]+)\)", page.read_text(encoding="utf-8"))
        cells = [f"[![{text}]({path})]({path})<br>{text}" for text, path in shown]
        rows = [" | ".join((cells[i:i + 3] + ["", ""])[:3]) for i in range(0, len(cells), 3)]
        if rows:
            parts.append("\n".join([f"## [{title(page)}]({page.name})\n", "| | | |", "| --- | --- | --- |",
                                    *(f"| {row} |" for row in rows)]) + "\n")
    return "\n".join(parts)


def catalogue():
    """Every planted mistake by topic, with what one sees and the check that rejects it."""
    parts = []
    for topic in dict.fromkeys(mistake.topic for mistake in MISTAKES):
        rows = [f"| {m.name} | {m.look} | {m.check.removeprefix('test_')} |".replace("||", r"\|\|")
                for m in MISTAKES if m.topic == topic]
        parts.append("\n".join([f"## {topic}\n", "| mistake | what one sees | rejected by, in tests/test_... |",
                                "| --- | --- | --- |", *rows]) + "\n")
    return "\n".join(parts)


def title(page):
    """A page's heading."""
    return re.match(r"# (.*)", page.read_text(encoding="utf-8"))[1]


def links(page):
    """The line that leads from a page to its neighbours and to the contents."""
    i = PAGES.index(page)
    before, after = PAGES[i - 1] if i > 2 else None, PAGES[i + 1] if i + 1 < len(PAGES) else None
    return " · ".join(f"[{arrow}{title(to)}]({to.name})" if to else f"[{arrow}](../README.md)" for arrow, to in
                      (("< ", before), ("contents", None), ("> ", after)) if to or arrow == "contents")
