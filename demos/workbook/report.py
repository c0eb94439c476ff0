"""How is a class getting on? Every folder checked in child processes, a table of who has what, and the common mistakes."""
import csv
import html
import re
from collections import Counter

from demos.workbook.blanks import BLANKS, UNITS, unit_of
from demos.workbook.runner import NOT_WRITTEN, RIGHT, WRONG, check_all

STYLE = """body { font: 15px/1.45 sans-serif; margin: 2em; max-width: 80em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 } td, th { padding: .2em .5em; border: 1px solid #ddd; text-align: left }
td.right { background: #cfe8d5 } td.wrong { background: #f6d3c4 } td.open { background: #f5f5f5; color: #888 }
th.up { writing-mode: vertical-rl; transform: rotate(180deg); font-weight: normal } code { font-size: .95em }"""
MARK = {RIGHT: ("right", "+"), WRONG: ("wrong", "-"), NOT_WRITTEN: ("open", "&nbsp;")}


def report(folders, out, on_the_pages):
    """Write report.csv and report.html to `out`; a folder that holds no pages is said so and left out."""
    out.mkdir(parents=True, exist_ok=True)
    found = {}
    for folder in folders:
        try:
            found[label(folder, found)] = list(check_all(folder, on_the_pages(folder)))
        except (ValueError, OSError, RuntimeError) as error:
            print(str(error).splitlines()[0])
            continue
        count = Counter(v.status for v in list(found.values())[-1])
        print(f"{folder}: {count[RIGHT]} right, {count[WRONG]} wrong, {count[NOT_WRITTEN]} not written yet", flush=True)
    if not found:
        raise ValueError("no folder with pages of the workbook")
    write_csv(out / "report.csv", found)
    (out / "report.html").write_text(page(found), encoding="utf-8")
    print(f"wrote {out / 'report.csv'} and {out / 'report.html'}")
    return 0


def label(folder, taken):
    """A student's name: that of the folder, with its parent's where two are alike."""
    name = folder.resolve().name
    return name if name not in taken else f"{folder.resolve().parent.name}/{name}"


def write_csv(path, found):
    """One line for each student and function."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["student", "unit", "function", "status", "message"])
        for student, verdicts in found.items():
            for v in verdicts:
                rows.writerow([plain(cell) for cell in (student, unit_of(v.name).name, v.name, v.status,
                                                        v.message.replace("\n", " | "))])


def plain(text):
    """A cell that no spreadsheet takes for a formula."""
    return "'" + text if text[:1] in "=+-@\t\r" and text else text


def page(found):
    """The class on one page: a table of students and functions, then each mistake with how many made it."""
    names = [name for name in BLANKS if any(v.name == name for verdicts in found.values() for v in verdicts)]
    by_unit = [(unit, [b.name for b in unit.blanks if b.name in names]) for unit in UNITS]
    heads = "".join(f'<th colspan="{len(blanks)}">{unit.name}</th>' for unit, blanks in by_unit if blanks)
    functions = "".join(f'<th class="up"><code>{html.escape(name)}</code></th>' for name in names)
    rows = []
    for student, verdicts in found.items():
        status = {v.name: v for v in verdicts}
        cells = "".join(cell(status.get(name)) for name in names)
        right = sum(v.status == RIGHT for v in verdicts)
        rows.append(f"<tr><th>{html.escape(student)}</th><td>{right} of {len(verdicts)}</td>{cells}</tr>")
    common = Counter((v.name, kind(v.message)) for verdicts in found.values() for v in verdicts if v.status == WRONG)
    who = {key: [s for s, verdicts in found.items() if any((v.name, kind(v.message)) == key for v in verdicts)]
           for key in common}
    mistakes = "".join(f"<tr><td>{n}</td><td><code>{html.escape(name)}</code></td><td>{html.escape(message)}</td>"
                       f"<td>{html.escape(', '.join(who[name, message]))}</td></tr>"
                       for (name, message), n in sorted(common.items(), key=lambda item: (-item[1],
                           names.index(item[0][0]))))
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>The workbook: {len(found)} students</title>
<style>{STYLE}</style>
<h1>The workbook: {len(found)} students, {len(names)} functions</h1>
<table><tr><th rowspan="2">student</th><th rowspan="2">right</th>{heads}</tr><tr>{functions}</tr>
{chr(10).join(rows)}
</table>
<p>+ right, - wrong (point at it for why), empty: not written yet.</p>
<h2>Mistakes, the common ones first</h2>
<table><tr><th>students</th><th>function</th><th>what is wrong</th><th>who</th></tr>
{mistakes}
</table>
</html>
"""


def cell(verdict):
    """A table's cell; the message shows when one points at it."""
    if verdict is None:
        return "<td></td>"
    style, mark = MARK[verdict.status]
    return f'<td class="{style}" title="{html.escape(verdict.name + ": " + (verdict.message or verdict.status))}">{mark}</td>'


def kind(message):
    """The message without what differs between students who made the same mistake: lines of their files, and numbers."""
    return re.sub(r"(\[[\d, ]+\])?: got .*", "", message.splitlines()[0] if message else "")
