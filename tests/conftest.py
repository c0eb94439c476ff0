"""How many examples, and which? Two Hypothesis profiles: `ci` tries the same ones every time, `dev` looks for new ones.

The environment variable CI, if it is set and not empty, chooses `ci`. No deadlines: a busy machine is not a mistake.
The arrays here are small: one thread multiplies them as fast as many, and waits for no others where cores are shared.
"""
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when NumPy is first imported

from hypothesis import settings

settings.register_profile("dev", deadline=None, max_examples=40, print_blob=True)
settings.register_profile("ci", deadline=None, max_examples=40, print_blob=True, derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
