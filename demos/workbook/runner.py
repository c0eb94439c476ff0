"""How are many functions checked, whatever they do? In a child process; when it dies, in another one from the next on."""
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import namedtuple
from pathlib import Path

from demos.workbook.blanks import BLANKS, unit_of

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 15  # seconds without a word after which a child is ended from outside
NOT_WRITTEN, RIGHT, WRONG = "not written yet", "right", "wrong"

Verdict = namedtuple("Verdict", "name status message printed", defaults=("", ()))


def check_all(folder, names=None):
    """The Verdict on each blank of a student's folder, in order; one after another, as they come."""
    waiting = list(BLANKS if names is None else names)
    while waiting:
        for verdict in check_in_one_child(Path(folder).resolve(), waiting):
            waiting.remove(verdict.name)
            yield verdict


def check_in_one_child(folder, names):
    """Verdicts until the child has done all or dies; then the last one is on what it died of."""
    with tempfile.TemporaryDirectory() as room:
        results, trace = Path(room, "results"), Path(room, "trace")
        results.touch()
        child = subprocess.Popen(
            [sys.executable, "-m", "demos.workbook.child", str(folder), str(results), str(trace), *names], cwd=room,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        begun, n_read, waited = None, 0, 0.0
        while True:
            try:
                error = child.communicate(timeout=0.05)[1]
                done = True
            except subprocess.TimeoutExpired:
                done, waited = False, waited + 0.05
            lines = results.read_text().splitlines(keepends=True)
            for line in lines[n_read:]:
                if not line.endswith("\n"):
                    break
                n_read, waited, line = n_read + 1, 0.0, json.loads(line)
                begun = line.get("begin")
                if begun is None:
                    yield Verdict(line["name"], line["status"], line["message"], tuple(line["printed"]))
            if done:
                break
            if waited > PATIENCE:
                child.kill()
        if child.returncode and begun is None and n_read == 0:
            raise RuntimeError(f"the check itself does not run: {error.decode(errors='replace').strip().splitlines()[-1:]}")
        if begun:
            stack = trace.read_text() if trace.exists() else ""
            yield Verdict(begun, WRONG, cause_of_death(child.returncode, stack, folder, begun))


def cause_of_death(status, stack, folder, name):
    """Why a child ended in the middle of a check."""
    page = unit_of(name).file
    frames = [(Path(path), int(line)) for path, line in re.findall(r'File "(.+)", line (\d+)', stack)]
    if frames:
        mine = [(path, line) for path, line in frames if path.is_relative_to(folder)]
        if not mine:
            return "it was still running after 10 s, and was stopped"
        path, line = mine[0]
        try:
            text = path.read_text(errors="replace").splitlines()[line - 1].strip()
        except (OSError, IndexError):
            text = ""
        return f"it was still running after 10 s, and was stopped: a loop that never ends?\n{path.name}, line {line}: {text}"
    if status and status < 0:
        return f"the process ended by signal {-status}: out of memory, or a crash inside a compiled function ({page})"
    return f"it ends the whole process (os._exit?) with status {status}; a function returns ({page})"
