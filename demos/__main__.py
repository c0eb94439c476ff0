"""The lessons' command line: `python -m demos` lists them, `... NAME` runs one, `... all` runs all in order."""
import argparse
import ast
import difflib
import importlib
import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path

from demos import LESSONS

EPILOG = """Matrix products use one thread, so that a lesson prints the same numbers on any number of cores;
for large --data set the environment's OMP_NUM_THREADS."""
ALL = """All lessons, in order. Takes about 20 minutes; with --data DIR of 60,000 images an hour."""
SHOW_NOTHING = "agg", "cairo", "pdf", "pgf", "ps", "svg", "template", "inline"   # backends without a window


class Paragraphs(argparse.HelpFormatter):
    """Help whose paragraphs fill the terminal's width."""

    def _fill_text(self, text, width, indent):
        return "\n\n".join(super(Paragraphs, self)._fill_text(part, width, indent) for part in text.split("\n\n"))


def lesson_module(name):
    """The module of a lesson."""
    return importlib.import_module(f"demos.{name}")


def about(name):
    """What a lesson says of itself, read from its file: to import it would take NumPy and Matplotlib."""
    return ast.get_docstring(ast.parse(Path(__file__).with_name(f"{name}.py").read_bytes()))


def first_line(name):
    """The question a lesson asks."""
    return about(name).splitlines()[0]


def list_lessons():
    """One line a lesson."""
    width = max(map(len, LESSONS)) + 2
    print("python -m demos NAME runs a lesson, python -m demos all runs them in this order:\n")
    for name in LESSONS:
        print(f"  {name:<{width}}{first_line(name)}")
    print("\npython -m demos NAME --help says what it shows, how long it takes and what it writes.")


def parser(name):
    """The command line of one lesson, or of all; --data for those that speak of it."""
    text = ALL if name == "all" else about(name)
    p = argparse.ArgumentParser(prog=f"python -m demos {name}", description=text, epilog=EPILOG,
                                formatter_class=Paragraphs)
    p.add_argument("--seed", type=int, default=0, help="of every random draw (default 0)")
    p.add_argument("--quick", action="store_true", help="a few seconds, to see that it runs; the numbers mean little")
    p.add_argument("--out", metavar="DIR", default="out", help="where the figures go (default out/)")
    if "--data DIR" in text:
        p.add_argument("--data", metavar="DIR", help="digits or mnist, the bundled ones, or a folder of such files; "
                       "of several sets, as EMNIST's, one: DIR/emnist-letters")
        p.add_argument("--names", metavar="A,B,...", help="names of the classes of --data, or a file of them")
    if "--walk" in text:
        p.add_argument("--walk", action="store_true", help="stop after each line until Enter is pressed")
    p.add_argument("--show", action="store_true", help="also open a window with each figure")
    return p


def no_window():
    """Why --show cannot open a window, or None: known before training, as Matplotlib warns only when it shows."""
    asked = os.environ.get("MPLBACKEND", "")
    try:
        import matplotlib.pyplot as plt
        plt.switch_backend(plt.get_backend())
    except (ImportError, ValueError) as error:  # an unknown name already at the import of Matplotlib
        os.environ["MPLBACKEND"] = "agg"
        if "matplotlib" not in sys.modules:  # its parts are there; without them it can be imported again
            for part in [name for name in sys.modules if name.startswith("matplotlib.")]:
                del sys.modules[part]
        reason = str(error).partition(";")[0]
        return f"MPLBACKEND is {asked!r}: {reason}" if asked else reason
    if plt.get_backend().lower().rpartition("_")[2] not in SHOW_NOTHING:
        return None
    if asked:
        return f"MPLBACKEND is {asked!r}, which shows nothing; unset it"
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "there is no display: neither DISPLAY nor WAYLAND_DISPLAY is set; try it on a desktop, or by ssh -X"
    return "there is no toolkit; install one, as by pip install PyQt6, or on Debian and Ubuntu apt install python3-tk"


@contextmanager
def interruptible():
    """Within, Ctrl-C raises KeyboardInterrupt, also where demos/__init__.py lets it end the process."""
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if handler is signal.SIG_DFL:
            signal.signal(signal.SIGINT, handler)


def main(arguments):
    """Run what the command line names; the exit status."""
    if not arguments or arguments[0] in ("-h", "--help"):
        list_lessons()
        return 0
    name, *rest = arguments
    if name not in (*LESSONS, "all"):
        near = difflib.get_close_matches(name, (*LESSONS, "all"), n=1)
        print(f"no lesson {name!r}{f'; did you mean {near[0]!r}?' if near else ''}  (python -m demos lists them)",
              file=sys.stderr)
        return 2
    options = parser(name).parse_args(rest)
    if options.show and (reason := no_window()):
        print(f"--show: no window can be opened ({reason}); figures are only saved", file=sys.stderr)
        options.show = False
    if not options.show:
        import matplotlib
        matplotlib.use("agg")
    from demos.lesson import Lesson
    try:
        status = 0
        Lesson(name, **vars(options)).try_out()
        for each in LESSONS if name == "all" else (name,):
            module = lesson_module(each)
            try:
                with interruptible(), Lesson(each, **vars(options)) as lesson:
                    module.run(lesson)
            except (ValueError, OSError, FloatingPointError) as error:  # of `all`, the others may do
                print(f"{each}: {error}", file=sys.stderr)
                status = 1
    except KeyboardInterrupt:
        print("\nstopped; what is listed above as saved is whole")
        return 130
    except (ValueError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
