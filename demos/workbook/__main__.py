"""The workbook's command line: start DIR, check DIR [NAME...], run DIR LESSON, report DIR..."""
import argparse
import shlex
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path

from demos.workbook.blanks import BLANKS, UNITS, unit_of
from demos.workbook.runner import NOT_WRITTEN, RIGHT, WRONG, check_all

CHOSEN = "blanks.txt"  # in a student's folder: the teacher's choice, where there is one
MARKS = {RIGHT: "+", WRONG: "-", NOT_WRITTEN: " "}


def start(folder, blanks=None):
    """Write the student's edition: a file a unit. Files that are there are left as they are."""
    chosen = set(BLANKS) if blanks is None else chosen_in(blanks)
    folder.mkdir(parents=True, exist_ok=True)
    if blanks is not None:
        (folder / CHOSEN).write_text("".join(f"{name}\n" for name in BLANKS if name in chosen))
    written = 0
    for unit in UNITS:
        if not any(blank.name in chosen for blank in unit.blanks):
            continue
        path = folder / unit.file
        if path.exists():
            print(f"{path} is there and stays as it is")
            continue
        path.write_text(unit.text(chosen))
        written += 1
    print(f"wrote {written} files with {len(chosen)} functions to write to {folder}\n"
          f"next: fill in a function of {next(u.file for u in UNITS if any(b.name in chosen for b in u.blanks))}, then "
          f"python -m demos.workbook check {shlex.quote(str(folder))}")
    return 0


def chosen_in(path):
    """The blanks that a teacher's file names, one a line; # begins a comment. ValueError for a name that is none."""
    names = [line.partition("#")[0].strip() for line in Path(path).read_text().splitlines()]
    names = [name for name in names if name]
    for name in names:
        named(name)
    return {blank for name in names for blank in named(name)}


def named(name):
    """The blanks that a name means: its own, or all of a unit."""
    if name in BLANKS:
        return [name]
    for unit in UNITS:
        if name in (unit.name, unit.file, unit.file.removesuffix(".py")):
            return [blank.name for blank in unit.blanks]
    import difflib
    near = difflib.get_close_matches(name, [*BLANKS, *(unit.name for unit in UNITS)], n=1)
    raise ValueError(f"no function and no unit {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")
                     + f"\nunits: {', '.join(unit.name for unit in UNITS)}")


def on_the_pages(folder):
    """The blanks that a student's folder has: a teacher may have chosen some, a student deleted others."""
    if not folder.is_dir() or not any((folder / unit.file).exists() for unit in UNITS):
        raise ValueError(f"{folder} holds no page of the workbook; python -m demos.workbook start {shlex.quote(str(folder))} writes them")
    chosen = chosen_in(folder / CHOSEN) if (folder / CHOSEN).exists() else set(BLANKS)
    return [name for name in BLANKS if name in chosen]


def check(folder, names=()):
    """Check, say, and sum up; 0 if nothing is wrong."""
    wanted = {blank for name in names for blank in named(name)}
    asked = [blank for blank in BLANKS if blank in wanted] or on_the_pages(folder)
    verdicts, unit, began = [], None, time.monotonic()
    for verdict in check_all(folder, asked):
        if unit_of(verdict.name) != unit:
            unit = unit_of(verdict.name)
            print(f"\n{unit.file}  {unit.question}")
        say(verdict)
        verdicts.append(verdict)
    if len(verdicts) > 1:
        sum_up(folder, verdicts, time.monotonic() - began)
    return int(any(v.status == WRONG for v in verdicts))


def hint(names, n):
    """The first n hints for each of these functions, in words."""
    for name in [blank for given in names for blank in named(given)]:
        hints = BLANKS[name].hints()
        print(f"{name}:")
        for k, text in enumerate(hints[:n]):
            print(f"  {k + 1}. {text}")
        print(f"  {len(hints) - n} more with --hint {n + 1}" if n < len(hints)
              else "  that is all there is; the docstring has the formula")
    return 0


def watch(folder, names, pause=0.4, rounds=None):
    """Check, and again what stands in a file whenever it is saved; rounds : looks at the files, without end if None."""
    check(folder, names)
    seen = saved(folder)
    print("\nwatching; Ctrl-C ends it", flush=True)
    while rounds is None or (rounds := rounds - 1) >= 0:
        time.sleep(pause)
        now = saved(folder)
        changed = [unit.name for unit in UNITS if now.get(unit.file) != seen.get(unit.file)]
        seen = now
        asked = [blank for name in changed for blank in named(name) if blank in on_the_pages(folder)]
        wanted = {blank for name in names for blank in named(name)} or set(asked)
        if asked := [blank for blank in asked if blank in wanted]:
            check(folder, asked)
    return 0


def saved(folder):
    """File name -> when it was last written, of the pages that are there."""
    return {unit.file: (folder / unit.file).stat().st_mtime_ns for unit in UNITS if (folder / unit.file).exists()}


def next_thing(folder):
    """The first function that is not right."""
    return next((v.name for v in check_all(folder, on_the_pages(folder)) if v.status != RIGHT), next(iter(BLANKS)))


def say(verdict):
    """One function's line, and what is wrong below it."""
    first, *rest = (verdict.message or "").splitlines() or [""]
    print(f"  {MARKS[verdict.status]} {verdict.name:<36} {verdict.status}", flush=True)
    for line in [first, *rest]:
        if line:
            print(textwrap.fill(line, 112, initial_indent="      ", subsequent_indent="        "))
    for line in verdict.printed:
        print(f"      it printed: {line}")


def sum_up(folder, verdicts, seconds):
    """The table, and the next thing to do."""
    print(f"\n  {'unit':<16} {'right':>6} {'wrong':>6} {'to write':>9}")
    for unit in UNITS:
        count = Counter(v.status for v in verdicts if unit_of(v.name) == unit)
        if count:
            print(f"  {unit.name:<16} {count[RIGHT]:>6} {count[WRONG]:>6} {count[NOT_WRITTEN]:>9}")
    count = Counter(v.status for v in verdicts)
    print(f"  {'together':<16} {count[RIGHT]:>6} {count[WRONG]:>6} {count[NOT_WRITTEN]:>9}   in {seconds:.1f} s")
    todo = next((v for status in (WRONG, NOT_WRITTEN) for v in verdicts if v.status == status), None)
    if todo is None:
        print(f"\nall are right. Next: python -m demos.workbook run {shlex.quote(str(folder))} vae")
    else:
        word = "mend" if todo.status == WRONG else "write"
        print(f"\nnext: {word} {todo.name} in {folder / unit_of(todo.name).file}"
              f"\n      a hint: python -m demos.workbook check {shlex.quote(str(folder))} {todo.name} --hint 1")


def parser():
    p = argparse.ArgumentParser(prog="python -m demos.workbook", description=__doc__)
    commands = p.add_subparsers(dest="command", required=True)
    c = commands.add_parser("start", help="write the student's edition into a folder")
    c.add_argument("folder", metavar="DIR", type=Path)
    c.add_argument("--blanks", metavar="FILE", help="names of functions or units, one a line: only these")
    c = commands.add_parser("check", help="look at the student's functions, each alone, and say what is wrong")
    c.add_argument("folder", metavar="DIR", type=Path)
    c.add_argument("names", metavar="NAME", nargs="*", help="functions or units; all by default")
    c.add_argument("--hint", metavar="N", type=int, help="instead, the first N hints for the functions named")
    c.add_argument("--watch", action="store_true", help="check again whenever a file is saved, until Ctrl-C")
    c = commands.add_parser("run", help="run a lesson of the book with the student's right functions in the library")
    c.add_argument("folder", metavar="DIR", type=Path)
    c.add_argument("lesson", metavar="LESSON", help="as python -m demos lists them")
    c.add_argument("options", nargs=argparse.REMAINDER, help="of the lesson, as --quick")
    c = commands.add_parser("report", help="a class's folders: who has what, and which mistakes are common")
    c.add_argument("folders", metavar="DIR", type=Path, nargs="+")
    c.add_argument("--out", metavar="DIR", type=Path, default=Path("."),
                   help="where report.csv and report.html go (default here)")
    return p


def main(arguments):
    """Run what the command line names; the exit status."""
    options = parser().parse_args(arguments)
    try:
        if options.command == "start":
            return start(options.folder, options.blanks)
        if options.command == "run":
            from demos.workbook.lesson import run
            return run(options.folder, options.lesson, options.options, on_the_pages(options.folder))
        if options.command == "report":
            from demos.workbook.report import report
            return report(options.folders, options.out, on_the_pages)
        if options.hint is not None:
            return hint(options.names or [next_thing(options.folder)], max(1, options.hint))
        return (watch if options.watch else check)(options.folder, options.names)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
