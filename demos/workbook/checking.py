"""Is one function right, and if not, why? The student's function in the library's place, and its answers compared."""
import ast
import linecache
import traceback
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from demos.catalogue_of_mistakes import find
from demos.workbook.blanks import BLANKS, unit_of
from demos.workbook.calls import agree
from demos.workbook.cases import cases_of
from demos.workbook.diagnosis import Answers, Failed, diagnose

NOT_WRITTEN, RIGHT, WRONG = "not written yet", "right", "wrong"


# ---- the student's function, wherever the library holds its own ----------------------------------------------------------

@contextmanager
def in_place_of(function, student):
    """The library with the student's function in it, as long as the context lasts: whatever holds `function` calls it."""
    key, kept = f"__student_{function.__name__}__", function.__code__
    function.__globals__[key], function.__code__ = student, detour(function, key)
    try:
        yield
    finally:
        function.__code__ = kept


def detour(function, key):
    """Code that hands all arguments on; in a class, where the old code knew its class, as `super()` must."""
    knows = "        __class__\n" * bool(function.__code__.co_freevars)
    text = f"class Detour:\n    def {function.__name__}(*args, **kwargs):\n{knows}        return {key}(*args, **kwargs)\n"
    names = {}
    exec(compile(text, "<the student's function>", "exec"), function.__globals__, names)
    return vars(names["Detour"])[function.__name__].__code__


def taken_from(module, name):
    """The student's function of this name, or None; a method that asks for `super()` knows the library's class."""
    thing = module
    for part in name.split("."):
        thing = getattr(thing, part, None)
    function = getattr(thing, "__func__", thing)
    for variable, cell in zip(getattr(getattr(function, "__code__", None), "co_freevars", ()), getattr(function,
        "__closure__", None) or ()):
        if variable == "__class__":
            cell.cell_contents = owner(name)
    return function if callable(function) else None


def owner(name):
    """What holds a blank in the library: its class, or its module."""
    where = BLANKS[name].where
    module, _, path = where.partition(":")
    import importlib
    thing = importlib.import_module(f"scratchvae.{module}")
    for part in path.split(".")[:-1]:
        thing = getattr(thing, part)
    return thing


def lend(module, name):
    """While `name` is looked at, the page's other blanks are the library's."""
    for blank in unit_of(name).blanks:
        first = blank.name.partition(".")[0]
        if blank.name != name and first != name:
            home = owner(blank.name)
            vars(module)[first] = home if "." in blank.name else getattr(home, blank.name)


# ---- one check ------------------------------------------------------------------------------------------------------

def unwritten(path, name):
    """Whether the function in the student's file is still as it was cut; None if there is none."""
    try:
        node = ast.parse(Path(path).read_text(errors="replace"))
        for part in name.split("."):
            node = [child for child in node.body if getattr(child, "name", None) == part][-1]
        body = node.body
    except (SyntaxError, ValueError, IndexError, AttributeError):
        return None
    body = body[1:] if ast.get_docstring(node) is not None else body
    return all(isinstance(line, ast.Pass) or isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)
               or isinstance(line, ast.Raise) and "NotImplementedError" in ast.unparse(line) for line in body)


def check(name, student, page):
    """The verdict on a student's function, and a message. page : the file that it stands in"""
    function = find(BLANKS[name].where)

    def asked(*arguments, **named):
        with in_place_of(function, student):
            return student(*arguments, **named)

    answers = Answers(function, asked, cases_of(name))
    try:
        if problem := answers.ask():
            return WRONG, problem
        if answers.wrong():
            return WRONG, diagnose(answers, BLANKS[name])
        if problem := answers.once_more():
            return WRONG, problem
    except Failed as failure:
        if isinstance(failure.error, NotImplementedError):
            return NOT_WRITTEN, ""
        return WRONG, told(failure.error, page) + failure.where
    return RIGHT, answers.remark() or ""


def told(error, page):
    """An error that a student's function raised, in a line or two: what, and where in the student's file."""
    text = str(error).strip().splitlines()
    what = f"{type(error).__name__}: {text[0][:200]}" if text else type(error).__name__
    if isinstance(error, RecursionError):
        what = "it calls itself without end (the library's function of this name is yours while it is checked)"
    elif isinstance(error, MemoryError):
        what = "it asked for more memory than a check is given"
    elif isinstance(error, SystemExit):
        what = "it ends the program (exit); a function returns"
    elif isinstance(error, AttributeError) and "is part of one vector" in str(error):
        name = str(error).partition(":")[0]
        return (f"self.{name} is replaced by another array, where it must be filled: it is a view into one vector, so write "
                f"self.{name}[...] = ..., or give it as out=")
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == Path(page)]
    at = f"\n{Path(page).name}, line {lines[-1].lineno}: {lines[-1].line}" if lines else ""
    if isinstance(error, SyntaxError) and error.lineno:
        where = Path(error.filename or page).name
        line = (error.text or linecache.getline(str(page), error.lineno)).strip()
        what, at = f"{type(error).__name__}: {error.msg}", f"\n{where}, line {error.lineno}: {line}"
    return what + at
