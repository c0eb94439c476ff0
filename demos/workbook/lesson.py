"""Do one's own functions carry a lesson? The student's right functions in the library's place, and a lesson run on them."""
import sys
import types
from pathlib import Path

from demos.workbook.blanks import BLANKS, unit_of
from demos.workbook.runner import NOT_WRITTEN, RIGHT, check_all


def run(folder, lesson, options, names):
    """Run a lesson on the functions of `folder` that are right; says which they are. The lesson's exit status."""
    from demos.__main__ import main
    verdicts = list(check_all(folder, names))
    mine = [v.name for v in verdicts if v.status == RIGHT]
    print(f"yours: {', '.join(mine) or 'none yet'}")
    for v in verdicts:
        if v.status == RIGHT and "a remark: " in v.message:
            print(f"{v.name}: {v.message[v.message.index('a remark: '):].splitlines()[0]}")
    for status, words in ((NOT_WRITTEN, "not written yet"), ("wrong", "wrong")):
        others = [v.name for v in verdicts if v.status == status]
        if others:
            print(f"the library's, for yours {'is' if len(others) == 1 else 'are'} {words}: {', '.join(others)}")
    put_in(Path(folder).resolve(), mine)
    return main([lesson, *options])


def put_in(folder, names):
    """From now on the library computes with the student's functions of these names."""
    from demos.catalogue_of_mistakes import find
    from demos.workbook import checking
    sys.path.insert(0, str(folder))
    pages = {}
    for name in names:
        pages.setdefault(folder / unit_of(name).file, []).append(name)
    for path, mine in pages.items():
        module = types.ModuleType(f"page_{path.stem}")
        module.__file__ = str(path)
        exec(compile(path.read_text(), str(path), "exec"), vars(module))
        written = {name: checking.taken_from(module, name) for name in mine}
        for blank in unit_of(mine[0]).blanks:  # a page's classes, and what is not right on it, are the library's for the others
            if "." in blank.name or blank.name not in mine:
                first, home = blank.name.partition(".")[0], checking.owner(blank.name)
                vars(module)[first] = home if "." in blank.name else getattr(home, blank.name)
        for name, student in written.items():
            function = find(BLANKS[name].where)
            key = f"__student_{name.replace('.', '_')}__"
            function.__globals__[key], function.__code__ = student, checking.detour(function, key)
