"""Does the race judge what it may, and start its processes as it says?"""
import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from demos import machine, race
from scratchvae.nn.threads import CHOSEN


def test_a_ratio_is_of_rounds_and_judged_where_nine_in_ten_agree():
    theirs = np.linspace(1, 3, 21)  # the machine's speed drifts by a factor of three, the ratio does not
    assert race.Ratio.of(0.8 * theirs, theirs) == pytest.approx((0.8, 0.8, 0.8))
    shares = np.full(20, 0.8)
    assert race.Ratio.of(shares, np.ones(20)).sign() == -1 and race.Ratio.of(1 / shares, np.ones(20)).sign() == 1
    shares[:2] = 1.3  # two rounds in twenty disagree, half of them on the far side of nine in ten
    assert race.Ratio.of(shares, np.ones(20)).sign() == 0
    assert str(race.Ratio(0.8, 0.756, 1.3)) == "0.80 (0.76-1.30)"


def test_what_is_said_follows_the_rounds():
    fast, slow, even = race.Ratio(0.8, 0.7, 0.9), race.Ratio(1.3, 1.2, 1.4), race.Ratio(1.05, 0.9, 1.2)
    assert race.verdicts({"a": fast, "b": slow, "c": even}) == "faster in a; slower in b; not to be told apart in c"
    assert race.verdicts({"a": fast, "d": fast}) == "faster in a and d"
    told = race.within({(f"{name}: x", "idle"): {"ratio": r} for name, r in (("a", slow), ("b", even), ("c", fast))})
    assert told == ("More than a tenth slower than with one thread: a (idle). "
                    "Rounds on both sides of that limit: b (idle).")
    assert race.within({("c: x", "idle"): {"ratio": fast}}) == "More than a tenth slower than with one thread: none."


@pytest.mark.parametrize("threads", [1, 2, None])
def test_a_process_has_as_many_threads_as_it_was_given(threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    code = f"import os, json; print(json.dumps([os.environ.get(name) for name in {CHOSEN!r}]))"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True,
                          **race.pinned(threads))
    assert json.loads(done.stdout) == [threads and str(threads)] * len(CHOSEN)


def test_a_busy_process_is_busy_and_ends():
    spent = os.times().children_user
    with race.busy(1):
        time.sleep(0.5)
    assert os.times().children_user > spent


def test_the_machine_is_described_also_where_it_tells_nothing(monkeypatch):
    assert f"NumPy {np.__version__}" in machine.described()
    monkeypatch.setattr(machine, "text", lambda path: "")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert machine.described().endswith("its own number of threads.") and ". ." not in machine.described()
