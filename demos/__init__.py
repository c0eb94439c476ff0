"""The lessons: each asks one question, measures the answer on real data, and draws it. `python -m demos` lists them."""
import os
import signal
import sys

# In reading order.
LESSONS = ("bayes", "kl", "pca", "gradient_check", "dimension_reduction", "linear_autoencoder", "few_labels",
           "latent_space", "unfolding", "toy", "elbo", "reparameterization", "step", "vae", "conditional", "faces",
           "explore", "evidence", "posterior", "observation", "autoregressive", "mu_law", "mistakes", "speed")

# The order in which threads share out a sum changes its last digit, and after some hundred epochs the first ones. With
# one thread a lesson prints the same numbers whatever the number of cores. It is read when NumPy is first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

if sys.argv[:1] == ["-m"]:  # a command, `python -m demos...`, that has yet to import NumPy: from now on it ends quietly
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)   # where a reader, as `head`, has seen enough
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)    # at Ctrl-C, before there is anything to say
    if "--show" not in sys.argv:
        os.environ["MPLBACKEND"] = "agg"                # Matplotlib, while it is imported, would refuse an unknown name


def run_as_command(spec):
    """`python -m demos.vae` does what `python -m demos vae` does: the last line of each lesson."""
    from demos.__main__ import main
    sys.exit(main([spec.name.rpartition(".")[2], *sys.argv[1:]]))
