"""The child process in which a student's files run: python -m demos.workbook.child DIR RESULTS TRACE NAME...

It appends a line of JSON to RESULTS before and after each check, so that the parent knows what it was at when it dies. Ten
seconds are given to each; then the line it was in goes to TRACE and the process ends. Memory is limited where the system
offers it, output is cut off, and files are written in DIR alone: enough against accidents, and no wall against malice.
"""
import faulthandler
import importlib.util
import io
import json
import os
import sys
from pathlib import Path

SECONDS, MEMORY, OUTPUT = 10, 2 << 30, 100_000
WRITES = {"os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod",
          "shutil.rmtree",
          "shutil.move", "shutil.copyfile"}
STARTS = {"os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "subprocess.Popen", "os.kill",
          "os.putenv",
          "socket.connect", "socket.bind", "ctypes.dlopen"}


class Flood(Exception):
    """More output than anyone reads."""


class Said(io.TextIOBase):
    """What a student prints: the first lines are kept, a flood is an error."""

    def __init__(self):
        self.text, self.length = "", 0

    def write(self, text):
        self.length += len(text)
        self.text = (self.text + text)[:2000]
        if self.length > OUTPUT:
            raise Flood(f"it prints without end, over {OUTPUT} letters")
        return len(text)

    def lines(self, most=3):
        kept = [line[:120] for line in self.text.splitlines() if line.strip()]
        return kept[:most] + [f"... and {len(kept) - most} lines more"] * (len(kept) > most)


def limit_memory():
    """At most MEMORY more than now, where the system knows such limits."""
    try:
        import resource
        with open("/proc/self/statm") as statm:
            now = int(statm.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, now + MEMORY))
    except (ImportError, OSError, ValueError):
        pass


def watch_files(folder):
    """From now on, refuse to write files outside `folder`, and to start programs or connections."""
    def hook(event, arguments):
        if event == "open":
            path, mode, flags = arguments
            writes = isinstance(mode, str) and any(c in mode for c in "wax+") or (
                mode is None and isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
            if writes and not isinstance(path, int) and not inside(path):
                raise PermissionError(f"it writes a file elsewhere, {os.fsdecode(path)}, which a check does not let it")
        elif event in WRITES and not all(inside(path) for path in arguments if isinstance(path,
            str | bytes | os.PathLike)):
            raise PermissionError(f"it changes files elsewhere ({event}), which a check does not let it")
        elif event in STARTS:
            raise PermissionError(f"it reaches out of its process ({event}), which a check does not let it")

    def inside(path):
        return Path(os.path.realpath(os.fsdecode(path))).is_relative_to(folder)
    sys.addaudithook(hook)


def load(path):
    """The student's file as a module; its own folder is where it imports helpers from."""
    spec = importlib.util.spec_from_file_location(f"page_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def main(folder, results, trace, names):
    from demos.workbook import checking
    from demos.workbook.blanks import unit_of
    folder = Path(folder).resolve()
    out, stacks = open(results, "a"), open(trace, "w")
    limit_memory()
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(folder))
    for fd in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), fd)
    watch_files(folder)

    def note(**line):
        out.write(json.dumps(line) + "\n")
        out.flush()

    pages = {}
    for name in names:
        page, said = folder / unit_of(name).file, Said()
        note(begin=name)
        sys.stdout = sys.stderr = said
        faulthandler.dump_traceback_later(SECONDS, exit=True, file=stacks)
        try:
            status, message = look_at(name, page, pages, checking, said)
        except BaseException as error:
            status, message = checking.WRONG, checking.told(error, page)
        faulthandler.cancel_dump_traceback_later()
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
        note(name=name, status=status, message=message, printed=said.lines())


def look_at(name, page, pages, checking, said):
    """The verdict on one blank."""
    if not page.is_file():
        return checking.WRONG, f"there is no file {page.name}; `start` once more writes it anew, and leaves the others as they are"
    left = checking.unwritten(page, name)
    if left:
        return checking.NOT_WRITTEN, ""
    if page not in pages:
        try:
            pages[page] = load(page)
        except BaseException as error:
            pages[page] = f"the file does not run: {checking.told(error, page)}"
    module = pages[page]
    if isinstance(module, str):
        return checking.WRONG, module
    student = checking.taken_from(module, name)
    if student is None:
        return checking.WRONG, f"{name} is not in {page.name} any more; `start` in another folder writes it anew"
    kept = dict(vars(module))
    checking.lend(module, name)
    try:
        return checking.check(name, student, page)
    finally:
        vars(module).update(kept)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
