"""Which class is x of, by Bayes' rule? A model that draws each class can also tell them apart.

A VAE with labels gives p(x given y), the evidence under each class. With the classes' shares p(y) they are a joint
distribution of x and y, and whoever has that has both of these:

    p(x) = sum_y p(y) p(x given y)        p(y given x) = p(y) p(x given y) / p(x)

A classifier learns p(y given x) directly; here nothing is learned but what x of each class look like.
"""
from collections import namedtuple

import numpy as np

from scratchvae.analysis.evidence import a_progress, as_proposal, log_evidence
from scratchvae.checking import door, generator, optional, size
from scratchvae.checking.analysis import data, likelihood_of_classes, prior_of_classes
from scratchvae.probability.log_space import log_mean_exp

ClassPosterior = namedtuple("ClassPosterior", "probability log_evidence log_likelihood ess")


@door("X", "method", vae=likelihood_of_classes, X=data, prior=prior_of_classes, n_samples=size, rng=generator,
      method=as_proposal, progress=optional(a_progress))
def class_posterior(vae, X, *, prior=None, n_samples=1000, rng, method="importance", progress=None):
    """p(y given x) from C evidences: ClassPosterior(probability, log_evidence, log_likelihood, ess).

        probability (N, C) = p(y given x)   log_evidence (N,) = log p(x)   log_likelihood (N, C) = log p(x given y)

    X : (N, D)      prior : p(y) (C,), `vae.class_shares` if not given      the rest as for `log_evidence`, in nats
    UserWarning where those shares are 0 for a class that the last training did not see.
    """
    classes = range(vae.n_classes)
    each = [log_evidence(vae.given(c), X, n_samples=n_samples, rng=rng, method=method)
            for c in (classes if progress is None else progress.along(classes, "class"))]
    log_likelihood, ess = (np.stack(part, axis=1) for part in zip(*each))
    # log p(y) p(x given y), its sum over y, and its share of that
    log_joint = np.log(prior) + log_likelihood
    log_px = log_mean_exp(log_joint, axis=1) + np.log(vae.n_classes)
    return ClassPosterior(np.exp(log_joint - log_px[:, None]), log_px, log_likelihood, ess)
