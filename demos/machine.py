"""On what was it timed? The processor, its caches, its load, NumPy's BLAS and its threads, in sentences."""
import os
import platform
from pathlib import Path

import numpy as np

from scratchvae.nn.threads import CHOSEN


def described():
    """What a table of times needs beside it; what the system does not tell is left out."""
    told = [f"{processor()}, {cores()} core(s) for this process", caches(), load(),
            f"NumPy {np.__version__} with {blas()}"]
    chosen = [f"{name}={os.environ[name]}" for name in CHOSEN if os.environ.get(name)]
    told[-1] += f"; in this process {' '.join(chosen) or 'it has its own number of threads'}."
    return ". ".join(filter(None, told))


def cores():
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def processor():
    """The model's name."""
    names = [line.partition(":")[2].strip() for line in text("/proc/cpuinfo").splitlines()
             if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def caches():
    """The first core's caches, as L1 Data 32K."""
    found = sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"))
    sizes = [f"L{text(c / 'level')} {text(c / 'type').lower()} {text(c / 'size')}" for c in found]
    return f"Caches: {', '.join(sizes)}" if sizes else ""


def load():
    """How many processes wanted a core in the last minute, before this one: more than 0 disturbs every time below."""
    return f"Load of the last minute: {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""


def blas():
    """The library of matrix products that NumPy was built with."""
    built = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    return f"{built.get('name', 'an unknown BLAS')} {built.get('version', '')}".strip()


def text(path):
    """A file's text, or nothing."""
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
