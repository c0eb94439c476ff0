"""The lessons' command line: `python -m demos` lists them, `... NAME` runs one, `... all` runs all in order."""
import argparse
import difflib
import importlib
import os
import signal
import sys

# The order in which threads share out a sum changes its last digit, and after some hundred epochs the first ones. With
# one thread a lesson prints the same numbers whatever the number of cores. It is read when NumPy is first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import matplotlib

from demos import LESSONS
from demos.lesson import Lesson

EPILOG = """Matrix products use one thread, so that a lesson prints the same numbers on any number of cores;
for large --data set the environment's OMP_NUM_THREADS."""


class Paragraphs(argparse.HelpFormatter):
    """Help whose paragraphs fill the terminal's width."""

    def _fill_text(self, text, width, indent):
        return "\n\n".join(super(Paragraphs, self)._fill_text(part, width, indent) for part in text.split("\n\n"))


def lesson_module(name):
    """The module of a lesson."""
    return importlib.import_module(f"demos.{name}")


def first_line(name):
    """The question a lesson asks."""
    return lesson_module(name).__doc__.splitlines()[0]


def list_lessons():
    """One line a lesson."""
    width = max(map(len, LESSONS)) + 2
    print("python -m demos NAME runs a lesson, python -m demos all runs them in this order:\n")
    for name in LESSONS:
        print(f"  {name:<{width}}{first_line(name)}")
    print("\npython -m demos NAME --help says what it shows, how long it takes and what it writes.")


def parser(name):
    """The command line of one lesson, or of all."""
    about = "All lessons, in order; about 8 minutes." if name == "all" else lesson_module(name).__doc__
    p = argparse.ArgumentParser(prog=f"python -m demos {name}", description=about,
                                epilog=EPILOG,
                                formatter_class=Paragraphs)
    p.add_argument("--seed", type=int, default=0, help="of every random draw (default 0)")
    p.add_argument("--quick", action="store_true", help="a few seconds, to see that it runs; the numbers mean little")
    p.add_argument("--out", metavar="DIR", default="out", help="where the figures go (default out/)")
    p.add_argument("--data", metavar="DIR", help="MNIST-format files to use instead of the bundled digits, in lessons that use digits")
    p.add_argument("--show", action="store_true", help="also open a window with each figure")
    return p


def main(arguments):
    """Run what the command line names; the exit status."""
    if not arguments:
        list_lessons()
        return 0
    name, *rest = arguments
    if name in ("-h", "--help"):
        list_lessons()
        return 0
    if name not in (*LESSONS, "all"):
        near = difflib.get_close_matches(name, (*LESSONS, "all"), n=1)
        print(f"no lesson {name!r}{f'; did you mean {near[0]!r}?' if near else ''}  (python -m demos lists them)",
              file=sys.stderr)
        return 2
    options = parser(name).parse_args(rest)
    if not options.show:
        matplotlib.use("Agg")
    try:
        for each in LESSONS if name == "all" else (name,):
            with Lesson(each, **vars(options)) as lesson:
                lesson_module(each).run(lesson)
    except KeyboardInterrupt:
        print("\nstopped; what is listed above as saved is whole")
        return 130
    except (ValueError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    if hasattr(signal, "SIGPIPE"):  # end quietly where a reader, as `head`, has seen enough
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main(sys.argv[1:]))
