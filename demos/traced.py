"""What does each line of a function make? The library's own lines, watched while they run.

Python calls a trace function before each line of a function and when it returns; what its names hold by then, the line
before it has made. So what a lesson shows of a step is the step itself, and not a second one that may come to differ.
"""
import ast
import inspect
import re
import sys
from collections import namedtuple
from textwrap import dedent

import numpy as np

# depth : how many watched functions it is called within      where : the object's name and the function's
# comment : what stands above the line      text : the line, "" where it goes on after a call within it
# made : name -> array, what has a new value
Line = namedtuple("Line", "depth where comment text made")


def watch(call, functions, names=None):
    """The Lines that `call()` runs through in these functions, each with what it has made.

    functions : plain functions and methods, as sv.Dense.forward      names : object -> what to call it
    """
    sources = {inspect.unwrap(function).__code__: Source(inspect.unwrap(function)) for function in functions}
    names = {id(thing): name for thing, name in (names or {}).items()}
    lines, frames, before = [], [], sys.gettrace()

    def calling(frame, event, _):
        if frame.f_code not in sources:
            return None
        if frames:
            frames[-1].announce(lines)
        frames.append(Frame(frame, sources[frame.f_code], len(frames), names))
        return running

    def running(frame, event, value):
        if event == "line":
            frames[-1].reach(frame, lines)
        elif event == "return":
            frames.pop().leave(frame, value, lines)
        return running

    sys.settrace(calling)
    try:
        call()
    finally:
        sys.settrace(before)
    return lines


class Source:
    """The source of a function: its statements, and the comments above them."""

    def __init__(self, function):
        lines, self.first = inspect.getsourcelines(function)
        text = dedent("".join(lines))
        self.lines, self.span = [line.strip() for line in text.splitlines()], {}
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.stmt) and not hasattr(node, "body"):
                span = range(node.lineno, node.end_lineno + 1)
                self.span |= dict.fromkeys(span, span)

    def statement(self, line):
        """The lines of the statement to which this line of the file belongs, counted from 1 in the function."""
        n = line - self.first + 1
        return self.span.get(n, range(n, n + 1))

    def text(self, statement):
        """The comment above the statement, and the statement, on one line each."""
        start = statement[0] - 1
        above = start
        while self.lines[above - 1].startswith("#"):
            above -= 1
        return (" ".join(line.lstrip("# ") for line in self.lines[above:start]),
                " ".join(re.sub("  +", "  ", line) for line in self.lines[start:statement[-1]]))


class Frame:
    """A call of a watched function: the statement that runs in it, and what its names held before that."""

    def __init__(self, frame, source, depth, names):
        self.source, self.depth, self.running, self.announced = source, depth, None, False
        owner, name = frame.f_locals.get("self"), frame.f_code.co_name
        self.where = name if owner is None else f"{names.get(id(owner), type(owner).__name__)} {name}"
        self.held = self.holds(frame)

    def reach(self, frame, lines):
        """A line begins: if it is another statement's, the one before is done."""
        statement = self.source.statement(frame.f_lineno)
        if statement != self.running:
            self.done(frame, {}, lines)
            self.running, self.announced = statement, False

    def leave(self, frame, value, lines):
        """The function returns; what it gives and has no name is called `returns`, if several with field or place."""
        fields = getattr(value, "_fields", None)
        values = value if isinstance(value, tuple) else (value,)
        named = {id(each) for each in frame.f_locals.values()}
        new = {f"returns {fields[i] if fields else i if len(values) > 1 else ''}".strip(): np.array(each)
               for i, each in enumerate(values) if is_number(each) and id(each) not in named}
        self.done(frame, new, lines)

    def done(self, frame, new, lines):
        """The running statement is through: a Line, if it has made a number."""
        if self.running is None:
            return
        now, before = self.holds(frame), self.held
        made = {name: value for name, value in now.items() if name not in before or differ(value, before[name])} | new
        for name, value in frame.f_locals.items():             # as after m = self.m: one array under two names
            for twin in [twin for twin, own in self.own(frame).items() if own is value]:
                made.pop(twin, None)
                if name not in before and twin in before and not differ(value, before[twin]):
                    made.pop(name, None)
        self.held = now
        if made:
            told = ("", "") if self.announced else self.source.text(self.running)
            lines.append(Line(self.depth, self.where, *told, made))

    def announce(self, lines):
        """The running statement calls a watched function: it comes first."""
        if not self.announced:
            lines.append(Line(self.depth, self.where, *self.source.text(self.running), {}))
            self.announced = True

    def own(self, frame):
        """self.NAME -> what the object holds under it; theta and grad are its parts' together."""
        return {f"self.{name}": value for name, value in getattr(frame.f_locals.get("self"), "__dict__", {}).items()
                if name not in ("theta", "grad")}

    def holds(self, frame):
        """name -> copy of each number and array that the function's names hold, and the object's own."""
        return {name: np.array(value) for name, value in (self.own(frame) | frame.f_locals).items() if is_number(value)}


def differ(a, b):
    """Whether two arrays have different shapes or values."""
    return not np.array_equal(a, b, equal_nan=True)


def is_number(value):
    """Whether it is a float or an array of floats."""
    return isinstance(value, (float, np.floating)) or isinstance(value, np.ndarray) and value.dtype.kind == "f"
