"""Does every public door hold? Whatever comes in is served right, or refused by name, and nothing else ever happens.

`DOORS` has a valid call of every public name; `TRUSTING` has those that are no doors, with the reason. A walk through
the package finds names that are in neither, so that a new door cannot be forgotten. At each argument of each door are
thrown `strangers`, things of any kind, and `relatives`, the valid array in other dtypes, orders, strides, shapes and
scales; and Hypothesis makes arrays of its own. A call that is served must give what a plain copy of the argument gives.
"""
import inspect
import os
import re
import signal
import tracemalloc
import warnings
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib.figure import Figure

import scratchvae as sv
from scratchvae import plotting
from scratchvae.analysis import (aggregate, elbo, evidence, gaussian_mixture, gradient_estimators, latent_space,
                                 posterior)
from scratchvae.nn import gradcheck, network

matplotlib.use("Agg")

MODULES = {"divergence": sv.divergence, "gaussian": sv.gaussian, "inference": sv.inference,
           "normal_table": sv.normal_table, "mu_law": sv.mu_law, "aggregate": aggregate, "elbo": elbo,
           "evidence": evidence, "posterior": posterior, "gaussian_mixture": gaussian_mixture, "factors": sv.factors,
           "gradient_estimators": gradient_estimators, "latent_space": latent_space, "gradcheck": gradcheck,
           "network": network}
N, D, K, C = 6, 5, 2, 3  # examples, features, latents, classes


# ---- the doors ------------------------------------------------------------------------------------------------------

def rng(seed=0):
    return np.random.default_rng(seed)


def binary(n=N, d=D):
    x = np.float64(rng(1).random((n, d)) < 0.5)
    x[0], x[1] = 0, 1
    return x


def reals(*shape):
    return rng(2).standard_normal(shape)


LABELS = np.array([0, 1, 2, 0, 1, 2])


def vae(cls=sv.VAE, observation=sv.Bernoulli(), hidden=(4,), dtype=np.float64, **how):
    model = cls(D, hidden=hidden, n_latent=K, observation=observation, rng=rng(), dtype=dtype, **how)
    model.theta += 0.1 * rng(3).standard_normal(model.theta.shape)
    return model


def linear():
    return vae(observation=sv.Gaussian("shared"), hidden=())


def real_vae():
    return vae(observation=sv.Gaussian(0.5), dtype=np.float32)


def mixture():
    return gaussian_mixture.GaussianMixture(2).fit(reals(9, K), rng=rng())


def state_of(thing):
    """What a refused call must leave as it is: arrays bit for bit, numbers, texts; not `grad`, which is scratch."""
    if thing is None or not hasattr(thing, "__dict__"):
        return None
    return {name: (value.dtype.str, value.shape, value.tobytes()) if isinstance(value, np.ndarray) else repr(value)
            for name, value in vars(thing).items()
            if name not in ("grad", "by_order", "networks", "encoder", "decoder", "network", "layer")}


class Door:
    """A valid call: `make()` gives the object it belongs to, if any, and what to call; `good()` its arguments."""

    def __init__(self, make, good, partners=(), may_be_infinite=False, never_used=()):
        self.make, self.good, self.partners, self.may_be_infinite = make, good, partners, may_be_infinite
        self.never_used = never_used
        self.defaults = {p.name: p.default for p in inspect.signature(make()[1]).parameters.values()}


class Fresh:
    def __init__(self, make):
        self.make = make


class Kept(Fresh):
    """A model that is made once, and again only when a call that was served has changed it."""

    def __init__(self, make):
        self.new, self.value = make, None

    def make(self):
        if self.value is None or state_of(self.value) != self.before:
            self.value = self.new()
            self.before = state_of(self.value)
        return self.value


def function(called, partners=(), may_be_infinite=False, /, **good):
    """A function's door. A good argument that is a function of nothing is made anew for each call."""
    return Door(lambda: (None, called), lambda: fresh(good), partners, may_be_infinite)


def method(make, name, partners=(), /, **good):
    kept = Kept(make)

    def made():
        owner = kept.make()
        return owner, getattr(owner, name)
    return Door(made, lambda: fresh(good), partners)


def batch(make, X):
    """`loss_and_grad(*data, **randomness)`, whose data have no names."""
    kept = Kept(make)

    def made():
        model = kept.make()
        return model, lambda X, rng: model.loss_and_grad(X, rng=rng)
    return Door(made, lambda: {"X": X.copy(), "rng": rng()}, never_used=("rng",) if make().__class__ is sv.FVBN else ())


def fresh(good):
    return {name: value.make() if isinstance(value, Fresh) else value.copy() if isinstance(value, np.ndarray) else value
            for name, value in good.items()}


RNG = Fresh(rng)
VAE, REAL, LINEAR = Kept(vae), Kept(real_vae), Kept(linear)
CONDITIONAL = Kept(lambda: vae(n_classes=C))
GRID = posterior.latent_grid(K, half_width=7, step=0.5)
TABLE = np.array([[0.2, 0.3, 0.5], [0.6, 0.4, 0.0]])


def code_model_doors(name, make, X, eps):
    """The doors of an autoencoder or a VAE."""
    doors = {f"{name}.encode": method(make, "encode", X=X), f"{name}.reconstruct": method(make, "reconstruct", X=X),
             f"{name}.decode": method(make, "decode", z=reals(N, K)), f"{name}.accept": method(make, "accept", X=X)}
    if name == "Autoencoder":
        return {**doors, f"{name}.loss_and_grad": batch(make, X)}
    return {**doors, f"{name}.loss_and_grad": method(make, "loss_and_grad", ("X", "eps", "rng"), X=X, eps=eps),
            f"{name}.elbo": method(make, "elbo", ("X", "eps", "rng"), X=X, eps=eps),
            f"{name}.sample": method(make, "sample", n=3, rng=RNG, mean=False), f"{name}.given": method(make, "given", label=0)}


def conditional_doors(name, make, X, eps):
    """Those of a VAE with labels, which go with X, z or a number of samples."""
    labels = {"labels": LABELS}
    return {**{f"{name}.{door}": method(make, door, ("labels",), X=X, **labels) for door in ("encode", "reconstruct", "accept")},
            f"{name}.decode": method(make, "decode", ("labels",), z=reals(N, K), **labels),
            **{f"{name}.{door}": method(make, door, ("X", "eps", "rng", "labels"), X=X, eps=eps, **labels)
               for door in ("loss_and_grad", "elbo")},
            f"{name}.sample": method(make, "sample", ("labels", "n"), n=N, rng=RNG, mean=False, **labels),
            f"{name}.given": method(make, "given", label=1)}


def observation_doors(name, make, x, params):
    return {f"{name}.accept": method(make, "accept", x=x),
            f"{name}.log_prob": method(make, "log_prob", ("x",), x=x, params=params),
            f"{name}.log_prob_and_grad": method(make, "log_prob_and_grad", ("x",), x=x, params=params),
            f"{name}.mean": method(make, "mean", params=params),
            f"{name}.sample": method(make, "sample", params=params, rng=RNG)}


def fitted_doors(name, make, X, Z):
    """The doors of a model with scikit-learn's names; y may be anything, and is not looked at."""
    return {f"{name}.fit": method(make, "fit", ("n_components",), X=X, y=None),
            f"{name}.fit_transform": method(make, "fit_transform", ("n_components",), X=X, y=None),
            f"{name}.transform": method(make, "transform", X=X),
            f"{name}.inverse_transform": method(make, "inverse_transform", Z=Z)}


def density_doors(name, make):
    """The doors of a fitted Gaussian."""
    return {f"{name}.score": method(make, "score", X=reals(N, D), y=None),
            f"{name}.score_samples": method(make, "score_samples", X=reals(N, D))}


def autoregressive_doors(name, make, X=binary(), kind=""):
    doors = {**{door: method(make, door, X=X) for door in ("accept", "log_prob", "logits", "params")},
             "loss_and_grad": batch(make, X), "sample": method(make, "sample", n=3, rng=RNG),
             "complete": method(make, "complete", ("X", "known"), X=X, known=np.arange(D) < 2, n_draws=2, rng=RNG)}
    return {f"{name}.{door}{kind}": test for door, test in doors.items()}


NETWORK = {"n_features": D, "hidden": (4,), "activation": "relu", "rng": RNG, "dtype": np.float32}
CODE = {**NETWORK, "n_latent": K, "observation": sv.Bernoulli()}
SMALL = {"n_samples": 4, "rng": RNG}
BETA, NORMAL = sv.inference.Beta(2.0, 3.0), sv.inference.Normal(0.5, 2.0)
X = binary()

DOORS = {
    # what a number means
    "Bernoulli": function(sv.Bernoulli), "CrossEntropy": function(sv.CrossEntropy),
    "Categorical": function(sv.Categorical),
    "DiscretizedLogistic": function(sv.DiscretizedLogistic, n_levels=17, scale=0.5, uniform=0.1),
    "ContinuousBernoulli": function(sv.ContinuousBernoulli), "Gaussian": function(sv.Gaussian, variance=1.0, floor=0.1),
    **observation_doors("Bernoulli", sv.Bernoulli, X, reals(N, D)),
    **observation_doors("CrossEntropy", sv.CrossEntropy, rng(4).random((N, D)), reals(N, D)),
    **observation_doors("ContinuousBernoulli", sv.ContinuousBernoulli, rng(4).random((N, D)), reals(N, D)),
    **observation_doors("Gaussian", lambda: sv.Gaussian("diagonal"), reals(N, D), reals(N, 2 * D)),
    **observation_doors("DiscretizedLogistic", lambda: sv.DiscretizedLogistic(2), X, reals(N, 2 * D)),
    **observation_doors("Categorical", sv.Categorical, LABELS, reals(N, C)),
    "comparable": function(lambda observations: sv.comparable(observations, sv.Bernoulli()),
                           observations=sv.Bernoulli()),
    "gaussian.standardize": function(sv.gaussian.standardize, ("x", "mu"), x=reals(N), mu=reals(N),
                                     sigma=np.full(N, 2.0)),
    "divergence.kl_table": function(sv.divergence.kl_table, ("p", "q"), True, p=TABLE[0], q=TABLE[0]),
    "divergence.kl_quadrature": function(
        sv.divergence.kl_quadrature, ("log_p", "log_q"), log_p=np.log([0.5, 0.3, 0.2]), log_q=np.log([0.1, 0.3, 0.6]),
        cell=1.0),
    "divergence.kl_monte_carlo": function(sv.divergence.kl_monte_carlo, ("log_p", "log_q"), log_p=reals(N),
                                          log_q=-reals(N)),
    "divergence.kl_gaussian": function(
        sv.divergence.kl_gaussian, ("mean", "covariance", "other_mean", "other_covariance"), mean=reals(K),
        covariance=np.eye(K), other_mean=-reals(K), other_covariance=2 * np.eye(K)),
    "divergence.mixture_log_prob_and_grad": function(
        sv.divergence.mixture_log_prob_and_grad, ("weights", "mu", "log_var"), z=reals(N), weights=TABLE[0],
        mu=reals(3),
        log_var=-reals(3)),
    "divergence.fit_forward": function(sv.divergence.fit_forward, ("log_p", "z"), log_p=-reals(7)**2, z=np.arange(7.0)),
    "divergence.fit_reverse": function(
        sv.divergence.fit_reverse, ("lr",), log_prob_and_grad=lambda z: (-0.5 * z * z, -z), mu=0.3, log_var=0.1, lr=0.5,
        n_nodes=8,
        n_steps=1000, tolerance=1e-8),
    "inference.bayes": function(sv.inference.bayes, ("prior", "likelihood"), prior=TABLE[0],
                                likelihood=np.array([0.1, 0.2, 0.9])),
    "inference.update": function(sv.inference.update, ("prior", "log_likelihood"), prior=TABLE[0],
                                 log_likelihood=reals(N, 3)),
    "inference.binomial_log_prob": function(
        sv.inference.binomial_log_prob, ("k", "p"), k=np.arange(4.0), n=3, p=np.array([0.1, 0.2, 0.3, 0.4])),
    "inference.gaussian_mle": function(sv.inference.gaussian_mle, x=reals(N, D)),
    "inference.bernoulli_mle": function(sv.inference.bernoulli_mle, x=X),
    "inference.mle_by_ascent": function(
        sv.inference.mle_by_ascent, ("lr", "x"), observation=sv.Gaussian(1.0), x=reals(N, D), start=np.zeros(D), lr=0.5,
        n_steps=300, tolerance=1e-6),
    "inference.ascend": function(
        sv.inference.ascend, ("lr",), gradient=lambda t: -t, theta=reals(K), lr=0.5, n_steps=300, tolerance=1e-6),
    "inference.gaussian_posterior": function(sv.inference.gaussian_posterior, n=3, mean=1.0, variance=2.0,
                                             prior=NORMAL),
    "inference.beta_posterior": function(sv.inference.beta_posterior, ("n_ones",), n_ones=2, n=3, prior=BETA),
    "inference.beta_mode": function(sv.inference.beta_mode, beta=BETA),
    "inference.beta_log_prob": function(sv.inference.beta_log_prob, p=np.array([0.1, 0.5]), beta=BETA),
    "normal_table.normal_cdf": function(sv.normal_table.normal_cdf, z=reals(N, D)),
    "normal_table.normal_quantile": function(sv.normal_table.normal_quantile, probability=0.3),
    "normal_table.normal_table": function(sv.normal_table.normal_table),
    "normal_table.normal_interval": function(
        sv.normal_table.normal_interval, ("low", "mu", "sigma"), low=-np.ones(N), high=np.ones(N), mu=reals(N),
        sigma=np.full(N, 2.0)),
    # how a network learns
    "Dense": function(sv.Dense, n_in=D, n_out=3, rng=RNG, dtype=np.float64),
    "Append": function(sv.Append, n=2, dtype=np.float64), "Tanh": function(sv.Tanh), "ReLU": function(sv.ReLU),
    "Sigmoid": function(sv.Sigmoid), "Network": function(sv.Network, layers=Fresh(lambda: [sv.Tanh(), sv.ReLU()])),
    "Layer": function(sv.Layer), "Observation": function(sv.Observation),
    "Model": function(lambda dtype: sv.Model(dtype, network=sv.Network([sv.Dense(D, 3, rng=rng(), dtype=np.float64)])),
                      dtype=np.float64),
    "Optimizer": function(sv.Optimizer, lr=0.1, weight_decay=0.1),
    "SGD": function(sv.SGD, lr=0.1, momentum=0.5, weight_decay=0.1),
    "Adagrad": function(sv.Adagrad, lr=0.1, eps=1e-8, weight_decay=0.1),
    "Adagrad.step": method(lambda: sv.Adagrad(0.1), "step", ("theta", "grad"), theta=reals(N), grad=reals(N)),
    "Adam": function(sv.Adam, lr=0.1, beta1=0.9, beta2=0.99, eps=1e-8, weight_decay=0.1),
    "SGD.step": method(lambda: sv.SGD(0.1), "step", ("theta", "grad"), theta=reals(N), grad=reals(N)),
    "Adam.step": method(lambda: sv.Adam(0.1), "step", ("theta", "grad"), theta=reals(N), grad=reals(N)),
    "check_gradient": function(
        sv.check_gradient, ("theta", "grad"), f=lambda t: 0.5 * t @ t, theta=reals(N), grad=reals(N), names=None,
        h=1e-5,
        tolerance=1e-7, floor=1e-8),
    "History": function(sv.History),
    "fit": function(sv.fit, ("X", "model"), model=VAE, X=X, labels=None, epochs=2, batch_size=4,
                    optimizer=Fresh(sv.Adam), clip_norm=1.0,
                    rng=RNG, valid=X, callbacks=(), checkpoint=None, changed=()),
    "fit with labels": function(  # an X that is too large shows in the loss, which is then what is named
        sv.fit, ("X", "labels", "model", "loss"),
        model=Kept(lambda: sv.Classifier(D, (4,), C, rng=rng(), dtype=np.float64)), X=reals(N, D),
        labels=LABELS, epochs=2, batch_size=4, optimizer=Fresh(sv.Adam), clip_norm=0.5, rng=RNG,
        valid=(reals(N, D), LABELS), callbacks=(), checkpoint=None, changed=()),
    "network.mlp": function(
        lambda n_in, hidden, activation, rng, dtype: network.mlp(n_in, hidden, 4, activation=activation, n_shared=1,
                                                                 rng=rng, dtype=dtype),
        n_in=D, hidden=(4,), activation="relu", rng=RNG, dtype=np.float64),
    "save": function(sv.save, model=VAE, path="model.npz"), "load": function(sv.load, path="kept.npz"),
    "Callback": function(sv.Callback), "Progress": function(sv.Progress, interval=1.0),
    "KLWarmup": function(sv.KLWarmup, epochs=3),
    "EarlyStopping": function(sv.EarlyStopping, ("monitor", "direction"), patience=3, monitor="loss", direction="fall"),
    "StepDecay": function(sv.StepDecay, epochs=(1, 3), factor=0.5),
    "LearningRateDecay": function(sv.LearningRateDecay, start=0.5),
    # models
    "Standardizer": function(sv.Standardizer),
    **fitted_doors("Standardizer", lambda: sv.Standardizer().fit(reals(N, D)), reals(N, D), reals(N, D)),
    "PCA": function(sv.PCA, n_components=0.5, whiten=False, solver="svd"),  # also a share, so 1e-300 is none to refuse
    **fitted_doors("PCA", lambda: sv.PCA(K).fit(reals(N, D)), reals(N, D), reals(N, K)),
    "KernelPCA": function(sv.KernelPCA, n_components=2, kernel="rbf", gamma=0.5, degree=3, coef0=1.0, alpha=1.0),
    "KernelPCA with a function": function(lambda kernel: sv.KernelPCA(2, kernel=kernel).fit(reals(N, D)), kernel=np.dot),
    **fitted_doors("KernelPCA", lambda: sv.KernelPCA(K, kernel="rbf").fit(reals(N, D)), reals(N, D), reals(N, K)),
    **density_doors("PCA", lambda: sv.PCA(K).fit(reals(N, D))),
    "PCA.partial_fit": method(lambda: sv.PCA(K).partial_fit(reals(N, D)), "partial_fit", X=reals(N, D), y=None),
    "PCA.set_params": function(lambda n_components=None, whiten=False, solver="svd": sv.PCA(K).set_params(
        n_components=n_components, whiten=whiten, solver=solver), n_components=0.5, whiten=False, solver="svd"),
    **density_doors("ProbabilisticPCA", lambda: sv.ProbabilisticPCA(K).fit(reals(N, D))),
    "ProbabilisticPCA": function(sv.ProbabilisticPCA, n_components=2, max_iter=9, tol=1e-5),
    "ProbabilisticPCA.impute": method(lambda: sv.ProbabilisticPCA(K).fit(reals(N, D)), "impute", X=reals(N, D)),
    **fitted_doors("ProbabilisticPCA", lambda: sv.ProbabilisticPCA(K).fit(reals(N, D)), reals(N, D), reals(N, K)),
    "ProbabilisticPCA.log_prob": method(lambda: sv.ProbabilisticPCA(K).fit(reals(N, D)), "log_prob", X=reals(N, D)),
    "ProbabilisticPCA.posterior": method(lambda: sv.ProbabilisticPCA(K).fit(reals(N, D)), "posterior", X=reals(N, D)),
    "ProbabilisticPCA.sample": method(lambda: sv.ProbabilisticPCA(K).fit(reals(N, D)), "sample", n=3, rng=RNG),
    "Autoencoder": function(sv.Autoencoder, **CODE, noise=0.1, corruption="gaussian"),
    **code_model_doors("Autoencoder", lambda: vae(sv.Autoencoder, observation=sv.Gaussian(1.0), noise=0.1), reals(N, D),
                       None),
    "VAE": function(sv.VAE, **CODE, beta=1.0, n_samples=1, n_classes=1),
    "IWAE": function(sv.IWAE, **CODE, beta=1.0, n_samples=2),
    **code_model_doors("VAE", real_vae, reals(N, D), reals(N, K)),
    **code_model_doors("IWAE", lambda: vae(sv.IWAE), X, reals(3, N, K)),
    **conditional_doors("VAE with labels", lambda: vae(n_classes=C), X, reals(N, K)),
    "Classifier": function(sv.Classifier, **NETWORK, n_classes=C),
    "Classifier.from_encoder": function(sv.Classifier.from_encoder, model=VAE, n_classes=C, rng=RNG),
    **{f"Classifier.{name}": method(lambda: sv.Classifier(D, (4,), C, rng=rng(), dtype=np.float64), name, X=reals(N, D))
       for name in ("predict", "predict_proba", "features")},
    **{f"Classifier.{name}": method(lambda: sv.Classifier(D, (4,), C, rng=rng(), dtype=np.float64), name,
                                    ("X", "labels"),
                                    X=reals(N, D), labels=LABELS) for name in ("accept", "loss_and_grad", "score")},
    "FVBN": function(sv.FVBN, n_features=D, l2=0.1, order=np.arange(D)[::-1], observation=sv.Bernoulli(), rng=RNG, dtype=np.float32),
    "MADE": function(sv.MADE, **NETWORK, n_orders=2, direct=True, gain=0.5, l2=0.01, order=np.stack([np.arange(D), np.arange(D)[::-1]]),
                     observation=sv.Bernoulli()),
    **autoregressive_doors("FVBN", lambda: sv.FVBN(D, rng=rng(), dtype=np.float64)),
    **autoregressive_doors("MADE", lambda: sv.MADE(D, (7,), 2, rng=rng())),
    **autoregressive_doors("MADE", lambda: sv.MADE(D, (7,), 2, observation=sv.DiscretizedLogistic(5), rng=rng()),
                           np.round(4 * rng(4).random((N, D))) / 4, " of levels"),
    # what a trained model is worth
    "log_evidence": function(sv.log_evidence, ("X",), progress=None, vae=REAL, X=reals(N, D), method="defensive", **SMALL),
    "multi_sample_bound": function(sv.multi_sample_bound, ("X",), progress=None, vae=VAE, X=X, k=3, n_repeats=2, rng=RNG,
                                   method="importance"),
    "class_posterior": function(sv.class_posterior, ("X",), progress=None, vae=CONDITIONAL, X=X, prior=np.full(C, 1 / 3),
                                method="importance", **SMALL),
    "log_evidence with labels": function(sv.log_evidence, ("X", "labels"), progress=None, vae=CONDITIONAL, X=X, labels=LABELS,
                                         method="defensive", **SMALL),
    "fit a VAE with labels": function(
        sv.fit, ("X", "labels", "model"), model=CONDITIONAL, X=X, labels=LABELS, epochs=2, batch_size=4,
        optimizer=Fresh(sv.Adam), clip_norm=0.5, rng=RNG, valid=(X, LABELS), callbacks=(), checkpoint=None,
        changed=()),
    "standard_error": function(sv.standard_error, ("ess",), ess=np.full(N, 2.0), n_samples=4),
    "Proposal": function(lambda proposal: sv.log_evidence(vae(), X, method=proposal, n_samples=4, rng=rng()),
                         ("method", "widen", "prior_share"), proposal=sv.Proposal(1.5, 0.1)),
    "active_units": function(sv.active_units, vae=VAE, X=X, threshold=0.1),
    "aggregate_kl": function(sv.aggregate_kl, vae=REAL, X=reals(N, D), **SMALL),
    "latent_grid": function(sv.latent_grid, ("half_width", "step"), n_latent=2, half_width=2.0, step=0.5),
    "grid_posterior": function(sv.grid_posterior, vae=VAE, X=X, grid=GRID),
    "grid_log_evidence": function(sv.grid_log_evidence, vae=VAE, X=X, grid=GRID, n_rows=4),
    "optimize_q": function(sv.optimize_q, ("X", "start", "mu", "log_var"), vae=VAE, X=X,
                           start=(reals(N, K), reals(N, K)), steps=3, n_samples=2,
                           lr=0.03, rng=RNG),
    "pathwise_gradient": function(sv.pathwise_gradient, ("X", "eps", "mu", "log_var", "q"), vae=REAL, X=reals(N, D),
                                  eps=reals(3, N, K),
                                  q=(reals(N, K), reals(N, K))),
    "score_function_gradient": function(
        sv.score_function_gradient, ("X", "eps", "mu", "log_var"), vae=REAL, X=reals(N, D), eps=reals(3, N, K),
        baseline=reals(N), q=None),
    "gradient_estimators.mean_log_likelihood": function(
        gradient_estimators.mean_log_likelihood, ("X", "eps", "mu", "log_var"), vae=VAE, X=X, eps=reals(3, N, K),
        q=None),
    "gradient_estimators.encoder_gradient": function(
        gradient_estimators.encoder_gradient, ("X", "dmu", "dlog_var"), vae=VAE, X=X, dmu=reals(N, K),
        dlog_var=reals(N, K)),
    "elbo.on_grid": function(elbo.on_grid, ("X", "q", "mu", "log_var"), vae=VAE, X=X,
                             q=(reals(N, K) / 9, np.zeros((N, K))), grid=GRID),
    "elbo.in_closed_form": function(elbo.in_closed_form, ("X", "q", "mu", "log_var"), vae=LINEAR, X=reals(N, D),
                                    q=(reals(N, K), reals(N, K))),
    "GaussianMixture": function(gaussian_mixture.GaussianMixture, n_components=2, floor=0.1, max_iter=9, tol=1e-5),
    "GaussianMixture.standard": function(gaussian_mixture.GaussianMixture.standard, K=2),
    "GaussianMixture.fit": method(mixture, "fit", Z=reals(9, K), y=None, rng=RNG),
    "GaussianMixture.score": method(mixture, "score", Z=reals(9, K), y=None),
    **{f"GaussianMixture.{name}": method(mixture, name, Z=reals(9, K))
       for name in ("log_prob", "score_samples", "predict", "predict_proba")},
    "GaussianMixture.sample": method(mixture, "sample", n=3, rng=RNG),
    "GaussianMixture.grid": method(mixture, "grid", n_nodes=50),
    "latent_space.off_centre": function(latent_space.off_centre, z=reals(N, K)),
    "latent_space.class_log_areas": function(latent_space.class_log_areas, ("z", "labels"), z=reals(12, K),
                                             labels=np.tile(LABELS, 2)),
    "latent_space.area_spread": function(latent_space.area_spread, ("z", "labels"), z=reals(12, K),
                                         labels=np.tile(LABELS, 2)),
    "latent_space.isolated_share": function(latent_space.isolated_share, ("z",), z=reals(4, K), codes=reals(9, K),
                                            quantile=0.9),
    "latent_space.grid_log_prob": function(latent_space.grid_log_prob, model=VAE, X=X, sampler=Kept(mixture),
                                           n_nodes=50),
    "latent_space.label_entropy": function(latent_space.label_entropy, labels=LABELS, n_classes=C),
    "latent_space.frechet_distance": function(
        latent_space.frechet_distance, ("features", "others"), features=reals(N, K), others=reals(9, K)),
    **{f"factors.{name}": function(getattr(sv.factors, name), ("z", "factors"), z=reals(N, K), factors=reals(N, 3), n_bins=3)
       for name in ("mutual_information", "mutual_information_gap")},
    "factors.directions": function(sv.factors.directions, ("z", "factors"), z=reals(N, K), factors=reals(N, 3)),
    "factors.read_off": function(sv.factors.read_off, ("z", "factors", "z_test", "factors_test"), z=reals(N, K), factors=reals(N, 3),
                                 z_test=reals(4, K), factors_test=reals(4, 3)),
    # data
    "load_digits": function(sv.load_digits), "load_mnist": function(sv.load_mnist),
    "load_idx": function(sv.load_idx, directory="nowhere", split="train"),
    "binarize": function(sv.binarize, X=reals(N, D), threshold=0.5),
    "stochastic_binarization": function(lambda X, rng: sv.stochastic_binarization(X)(rng), X=rng(4).random((N, D)), rng=RNG),
    "split": function(sv.split, ("labels", "sizes"), labels=LABELS, sizes=(2, 3), seed=1),
    "arc": function(sv.arc, n=3, noise=0.1, rng=RNG, angle=1.0),
    **{name: function(getattr(sv, name), n=3, noise=0.1, rng=RNG) for name in ("circle", "spiral", "s_curve")},
    "faces": function(sv.faces, ("size",), n=2, size=8, position=0.1, brightness=0.2, rng=RNG),
    "draw_faces": function(sv.draw_faces, ("factors", "shift", "ink"), factors=reals(3, 2) / 9, size=8, shift=reals(3, 2) / 9,
                           ink=np.ones(3)),
    "speech_like": function(sv.speech_like, ("rate",), n=300, rate=8000.0, breath=0.1, rng=RNG),
    "windows": function(sv.windows, ("x",), x=reals(9), width=2),
    **{f"mu_law.{name}": function(getattr(sv.mu_law, name), **{argument: np.linspace(-1, 1, 6), "mu": 255.0})
       for name, argument in (("compress", "x"), ("expand", "y"))},
    "mu_law.encode": function(sv.mu_law.encode, x=np.linspace(-1, 1, 6), mu=255.0, n_codes=16),
    "mu_law.decode": function(sv.mu_law.decode, ("codes",), codes=np.arange(6), mu=255.0, n_codes=16),
    "mu_law.quantize": function(sv.mu_law.quantize, y=np.linspace(-1, 1, 6), n_codes=16),
    "mu_law.dequantize": function(sv.mu_law.dequantize, ("codes",), codes=np.arange(6), n_codes=16),
    "mu_law.signal_to_noise": function(
        sv.mu_law.signal_to_noise, ("x", "x_restored"), True, x=reals(6), x_restored=reals(6) / 2),
}

TRUSTING = {  # a pattern of names -> why they are no doors
    r".*\.(forward|backward|bind|forward_backward|evaluate|value|value_and_grad|value_of_pairs|noise|damage|draw|update|start|through_z|through_kl)":
        "a training step: its input came through `fit`'s door",
    r"gaussian\.(log_prob|kl|kl_standard|reparameterize|\w+_grad|moments)": "the arithmetic of a training step",
    r".*\.(config|arrays|state|flow|named_parameters|n_params|n_features|columns)": "takes nothing, or a number of features from a model",
    r".*\.(get_params|get_covariance|get_precision)": "takes nothing that counts",
    r"(?!PCA).*\.set_params": "the constructor's door, as PCA.set_params shows",
    r".*\.(load_arrays|load_state|from_config)":
        "behind the doors `load` and `fit(checkpoint=)`, which refuse for them",
    r".*\.(log_likelihood|reconstruction_and_kl)|vae\.repeat|Gaussian\.variance_terms|.*\.(scale_terms|variances_to_start|mean_of_x|joined)": "inside `elbo`, and of analysis behind its doors",
    r".*\.accept_rows": "`accept`, inside `fit`",
    r".*\.apply": "behind `encode`, `decode`, `predict` and their like",
    r".*\.along": "inside `log_evidence`",
    r".*\.(begin|end|epoch_begin|epoch_trained|epoch_end|settings|of|multiplier|fits)": "called by `fit` with its run", "History.append": "called by `fit`",
    r"elbo\.(evidence|expected_evidence|bayes|times_q_over_q|three_terms|two_divergences|elbo|derivation)":
        "wants Pieces",
    r"elbo\.(Quadratic.*|log_gaussian|linear_log_likelihood)": "inside `in_closed_form`",
    r"evidence\.(log_weights|propose|effective_sample_size)": "inside `log_evidence`",
    r"evidence\.(as_proposal|effective_sizes)|gradient_estimators\.baseline_for|posterior\.(fine_step|grid_or_default)":
        "is itself the check at a door",
    r"gradient_estimators\.(square_\w+|total_variance)": "formulas of a lesson: one line each",
    r"posterior\.(grid_log_likelihood|moments)": "inside `grid_posterior`, and of what it returns",
    r"gradcheck\.GradientErrors.*": "what `check_gradient` returns, a dict",
    r"gradcheck\.(slopes|numerical_gradient|one_number|look_again|rounding|by_tensor|size_of|relative_errors|second_look)": "inside `check_gradient`, which checks for them",
    r".*\.terms|saveable": "a class, and a decorator of classes",
    r"(Model|Observation|Optimizer)\.\w+": "what a base class leaves to its subclasses, whose doors are here",
    r"network\.(pack|share_out|start_outputs|layers_once|activation_class|activation_name)": "inside `Network`, and is itself the check of a name",
    r"gaussian_mixture\.(spread_points|expectation|maximisation)|latent_space\.nearest_distances": "inside `fit`, inside `isolated_share`",
}


def public_names():
    """All public functions, classes and methods of scratchvae's first level, of its modules there and of analysis."""
    for home, module in {"": sv, **MODULES}.items():
        for name, thing in vars(module).items():
            here = home == "" or getattr(thing, "__module__", None) == module.__name__
            if name.startswith("_") or inspect.ismodule(thing) or not callable(thing) or not here:
                continue
            if home and getattr(sv, name, None) is thing:
                continue  # met at the first level
            name = f"{home}.{name}" if home else name
            is_tuple = inspect.isclass(thing) and issubclass(thing, tuple)  # a namedtuple holds what it is given
            if not (home and is_tuple):
                yield name
            if inspect.isclass(thing) and not is_tuple:
                yield from (f"{name}.{m}" for m in dir(thing) if not m.startswith("_") and callable(getattr(thing, m)))


def test_no_door_is_forgotten():
    names = set(public_names())
    trusting = {name for name in names if any(re.fullmatch(pattern, name) for pattern in TRUSTING)} - DOORS.keys()
    doors = {name.split()[0] for name in DOORS}  # "fit with labels" is another way through `fit`
    assert names - trusting - doors == set()
    assert doors - names == set()
    assert [p for p in TRUSTING if not any(re.fullmatch(p, name) for name in names)] == []
    assert {name.split(".")[0] for name in names} >= {"VAE", "PCA", "fit"}
    # a test that runs `__main__` leaves it there
    submodules = {n for n, m in vars(sv).items() if inspect.ismodule(m)} - {"__main__"}
    assert submodules <= {*MODULES, "analysis", "checking", "data", "models", "nn", "probability", "plotting",
                                     "extending", "writing"}


def test_no_argument_is_forgotten():
    for name, door in DOORS.items():
        parameters = inspect.signature(door.make()[1]).parameters.values()
        wanted = {p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
        # one of rng and eps; the others are named elsewhere
        free = {"rng", "eps", "labels", "order", "name", "n_features", "n_classes", "dtype", "label", "stream",
                "flat"}
        assert wanted - free <= door.good().keys(), name


# ---- what is thrown -------------------------------------------------------------------------------------------------

def strangers():
    """Things of every kind, none of which is an array that anything here wants."""
    structured = np.zeros(N, [("a", float), ("b", int)])
    return {
        "None": None, "text": "text", "empty text": "", "bytes": b"bytes", "True": True, "0": 0, "-1": -1, "0.0": 0.0,
        "-1.5": -1.5,
        "nan": np.nan, "inf": np.inf, "-inf": -np.inf, "1e300": 1e300, "1e-300": 1e-300, "2^63": 2**63,
        "10^400": 10**400,
        "-10^400": -(10**400), "10^5000": 10**5000, "long double": np.longdouble("1e4000"), "complex": 1j,
        "object": object(), "class": int,
        "builtin": len, "dict": {"a": 1}, "set": {1, 2}, "empty list": [], "empty tuple": (),
        "ragged": [[1.0], [1.0, 2.0]],
        "words": ["a", "b"], "list of None": [None, None], "generator": (i for i in range(3)),
        "array of object": np.array([None, 1]),
        "0-d object": np.array(None), "words as array": np.array(["a", "b"]),
        "dates": np.array(["2020-01-01"], "M8[D]"),
        "time": np.array([3], "m8[s]"), "structured": structured, "complex array": np.ones((N, D), complex),
        "empty": np.zeros(0), "no rows": np.zeros((0, D)), "no columns": np.zeros((N, 0)), "0-d nan": np.array(np.nan),
        "masked": np.ma.masked_array(np.ones((N, D)), np.eye(N, D)), "masked constant": np.ma.masked, 
        "RandomState": np.random.RandomState(0), "seed sequence": np.random.SeedSequence(0), "pair": (None, None),
        "strange dtype": np.dtype("f2"), "deep list": [[[[1.0]]]], "Fresh": Fresh(None)}


def relatives(good):
    """`good` (an array) in other dtypes, orders, strides, shapes and scales; name -> array."""
    flat, wide = good.reshape(-1), np.asfortranarray(good)
    doubled = np.repeat(good, 2, axis=0)
    read_only = good.copy()
    read_only.flags.writeable = False
    thrown = {
        "F": wide, "strided": doubled[::2], "reversed": good[::-1].copy()[::-1], "read-only": read_only,
        "list": good.tolist(), "tuple": tuple(good.tolist()), "big-endian": good.astype(good.dtype.newbyteorder(">")),
        "matrix": good.view(np.matrix) if good.ndim == 2 else good,
        "memoryview": memoryview(np.ascontiguousarray(good)),
        "unaligned": np.frombuffer(b"x" + good.tobytes(), np.uint8)[1:].view(good.dtype).reshape(good.shape),
        "transposed": good.T, "flat": flat, "one more dimension": good[None], "column": flat[:, None],
        "row": flat[None],
        "one row": good[:1], "twice the rows": doubled, "one row less": good[:-1],
        "more columns": np.concatenate([good, good], -1),
        "fewer columns": good[..., :-1], "0-d": np.array(good.flat[0]), "scalar": good.flat[0],
        "same everywhere": np.full_like(good, good.flat[0]),
        "broadcast row": np.broadcast_to(good[:1], good.shape), "zeros": np.zeros_like(good),
        "ones": np.ones_like(good),
        "negative": -1.0 * good - 1, "permuted": good[::-1], "object": good.astype(object), "words": good.astype(str),
        "complex": good.astype(complex), "bytes": np.ascontiguousarray(good).view(np.uint8),
    }
    for dtype in (np.float16, np.float32, np.float64, np.longdouble, np.int8, np.uint8, np.int16, np.int64, np.uint64,
                  bool):
        with np.errstate(all="ignore"):
            numbers = np.abs(good) if np.dtype(dtype).kind == "u" else good
            thrown[np.dtype(dtype).name] = numbers.astype(dtype)
    for value in (np.nan, np.inf, -np.inf, 1e-320, -1e9, 1e19, -3e38, 1e39, -1e155, 1.7e308):
        planted = good.astype(np.float64)
        planted.flat[good.size // 2] = value
        thrown[f"planted {value}"], thrown[f"all {value}"] = planted, np.full(good.shape, value)
    return thrown


NEVER_NUMBERS = {"text", "empty text", "bytes", "nan", "inf", "-inf", "complex", "object", "class", "builtin", "dict",
                 "set", "words", "list of None", "generator", "array of object", "0-d object", "words as array",
                 "dates", "time", "structured",
                 "complex array", "0-d nan", "masked", "masked constant", "RandomState", "seed sequence",
                 "strange dtype", "Fresh", "10^400", "-10^400", "10^5000", "long double", "ragged"}


def serves_gaps(name):
    """Whether NaN is a missing value here."""
    return re.fullmatch(r"ProbabilisticPCA\.(fit|fit_transform|transform|log_prob|score|score_samples|posterior|impute)", name)


def is_number(good):
    return isinstance(good, (int, float)) and not isinstance(good, bool)


def never_served(door, argument, good, what):
    """Whether this stranger must not be served at this argument, by the kind of what is good there."""
    if argument in door.never_used:
        return False
    if what == "None":
        return not (good is None or door.defaults.get(argument) is None)
    if isinstance(good, np.ndarray):
        empty = ("empty", "no rows", "no columns", "empty list", "empty tuple")
        return what in empty or what in NEVER_NUMBERS and what != "long double"
    if isinstance(good, bool):
        return what != "True"
    if is_number(good):
        return what in NEVER_NUMBERS or (isinstance(good, int)
                                         and what in ("True", "0.0", "-1.5", "1e300", "1e-300", "deep list"))
    if isinstance(good, (np.random.Generator, sv.nn.model.Model)):
        return True
    return False


# ---- what is asserted -----------------------------------------------------------------------------------------------

def fingerprint(value):
    if isinstance(value, np.ndarray) and value is not np.ma.masked:
        content = repr(value) if value.dtype.hasobject else value.tobytes()
        return value.dtype.str, value.shape, value.strides, content
    if isinstance(value, tuple):
        return tuple(fingerprint(v) for v in value)
    return None


def drawn(values):
    """Where every generator among the values stands: a call refused at the door draws nothing."""
    return [repr(v.bit_generator.state) for v in values if isinstance(v, np.random.Generator)]


def numbers_in(result):
    """All numeric arrays in what a door returned."""
    if isinstance(result, (tuple, list)):
        return [a for part in result for a in numbers_in(part)]
    if isinstance(result, dict):
        return [a for part in result.values() for a in numbers_in(part)]
    if isinstance(result, sv.History):
        return numbers_in(result.train) + numbers_in(result.valid)
    if isinstance(result, (np.ndarray, np.generic, float, int)):
        return [np.asarray(result)]
    if hasattr(result, "__dict__") and not callable(result):
        parts = [part for name, part in vars(result).items() if name not in ("networks", "by_order")]
        return [a for part in parts for a in numbers_in(part)]
    return []


def plain(value):
    """The same numbers as a plain array of native bytes in C order, or the value itself if it is no array."""
    if isinstance(value, (np.ndarray, list, memoryview)) or (isinstance(value, tuple) and type(value) is tuple):
        array = np.array(value, order="C", subok=False)
        return array.astype(array.dtype.newbyteorder("="))
    return value


@contextmanager
def at_most(seconds):
    """A hang is a failure, too (where there are alarms)."""
    def ring(*arguments):
        raise TimeoutError(f"took over {seconds} seconds")

    if not hasattr(signal, "setitimer"):
        yield
        return
    old = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def check_served_or_refused(name, argument, value, what, must_refuse=False):
    """One call with one strange argument; returns whether it was served."""
    door = DOORS[name]
    (owner, call), good = door.make(), door.good()
    model = good.get("model", good.get("vae"))
    before = [state_of(thing) for thing in (owner, model)], [fingerprint(v) for v in (*good.values(), value)]
    before_draws = drawn(good.values())
    is_step = name.endswith(".step")  # which changes theta: that is its service
    with warnings.catch_warnings(), at_most(10):
        warnings.simplefilter("error")
        try:
            result = call(**{**good, argument: value})
        except (ValueError, TypeError, FloatingPointError) as error:
            names = {argument, *(door.partners if argument not in ("rng", "vae") else ())}
            message = f"{name}({argument}={what}): {type(error).__name__}: {error}"
            is_path = argument in ("path", "directory", "checkpoint") and (
                str(value) in str(error) or repr(value) in str(error))
            assert is_path or any(re.search(rf"\b{n}\b", str(error)) for n in names), f"not named: {message}"
            after = [state_of(thing) for thing in (owner, model)], [fingerprint(v) for v in (*good.values(), value)]
            has_trained = isinstance(error, FloatingPointError) and "at epoch" in str(error)  # before it diverged
            assert after == before or has_trained, f"changed, though refused: {message}"
            if not isinstance(error, FloatingPointError):  # which shows only in the middle of a computation
                assert drawn(good.values()) == before_draws, f"drew, though refused: {message}"
            return False
        except AssertionError:
            assert name == "check_gradient"
            return False
        except BaseException as error:
            raise AssertionError(f"{name}({argument}={what}): {type(error).__name__}: {error}") from error
    assert not must_refuse, f"{name}({argument}={what}) was served: {result!r}"
    if not is_step:
        after = [fingerprint(v) for v in (*good.values(), value)]
        assert after == before[1], f"{name}({argument}={what}) changed its input"
    got = numbers_in(result)
    if not door.may_be_infinite:
        finite = all(np.isfinite(a).all() for a in got if a.dtype.kind == "f")
        assert finite, f"{name}({argument}={what}) gave {result!r}"
    if isinstance(door.good()[argument], np.ndarray) and isinstance(value, (np.ndarray, list, memoryview)):
        want = numbers_in(door.make()[1](**{**door.good(), argument: plain(value)}))
        assert len(got) == len(want)
        for one, other in zip(got, want):
            scale = np.abs(other[np.isfinite(other)]).max(initial=0) if other.dtype.kind == "f" else 0
            # What check_gradient gives is rounding error itself, another one for another memory layout.
            atol = 1e-7 if name == "check_gradient" else 1e-5 * float(scale)
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=atol, err_msg=f"{name}({argument}={what})")
    return True


def arguments():
    return [(name, argument) for name, door in DOORS.items() for argument in door.good()]


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A folder of its own, with a model in it."""
    before = os.getcwd()
    os.chdir(tmp_path_factory.mktemp("hostile"))
    sv.save(vae(), "kept.npz")
    yield
    os.chdir(before)


@pytest.mark.parametrize("name", sorted(set(DOORS) - {"load_idx"}))
def test_what_is_good_is_served(name, here):
    door = DOORS[name]
    door.make()[1](**door.good())


@pytest.mark.parametrize("name, argument", arguments())
def test_strangers(name, argument, here):
    good = DOORS[name].good()[argument]
    for what, value in strangers().items():
        if what == "10^5000" and not is_number(good) or what in ("class", "builtin") and callable(good):
            continue  # Python itself refuses to print it; a function's own errors are its own
        check_served_or_refused(name, argument, value, what, never_served(DOORS[name], argument, good, what))


def array_arguments():
    return [(name, argument) for name, argument in arguments() if isinstance(DOORS[name].good()[argument], np.ndarray)]


@pytest.mark.parametrize("name, argument", array_arguments())
def test_relatives(name, argument, here):
    good = DOORS[name].good()[argument]
    served = set()
    for what, value in relatives(good).items():
        refuse = re.search("nan|inf|object|words|complex", what) is not None
        if serves_gaps(name) and "nan" in what:
            continue  # which marks a missing value: tests/test_missing_values.py
        if name.endswith(".step") and re.match("planted|all", what):
            continue  # a step is arithmetic; `fit` looks at every loss and says what is not finite
        if check_served_or_refused(name, argument, value, what, refuse):
            served.add(what)
    if not name.endswith(".step") and name != "check_gradient":  # which want theta's very dtype and kind
        assert served >= {"F", "strided", "reversed", "read-only", "unaligned", "list"}


@st.composite
def arrays(draw):
    """Any dtype that numbers come in, and some that they do not; any few sizes; any order and stride."""
    dtype = draw(st.one_of(hnp.floating_dtypes(endianness="?"), hnp.integer_dtypes(endianness="?"),
                           hnp.unsigned_integer_dtypes(),
                           hnp.boolean_dtypes(), hnp.complex_number_dtypes(), hnp.unicode_string_dtypes(max_len=3)))
    shape = draw(st.one_of(st.sampled_from([(N, D), (N, K), (N,), (3, N, K), (K,), (3,)]),
                           hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=7)))
    array = draw(hnp.arrays(dtype, shape))
    if array.ndim and draw(st.booleans()):
        array = array[::draw(st.sampled_from([-1, 2, -2]))]
    return array.T if draw(st.booleans()) else array


@settings(max_examples=int(os.environ.get("HOSTILE_EXAMPLES", 200)))
@given(st.sampled_from(array_arguments()), arrays())
def test_arbitrary_arrays(where, value):
    if not where[0].endswith(".step"):  # whose numbers `fit` looks at
        check_served_or_refused(*where, value, f"{value!r} {value.strides}", value.dtype.kind in "cU" or not value.size)


def check_memory(name, argument):
    """A bad array of 4 MB is refused in a small multiple of its size, wherever the bad number is."""
    bad = np.ones((1 << 17, 4))
    bad[-1, -1] = np.inf
    tracemalloc.start()
    check_served_or_refused(name, argument, bad, "a large array with infinity at its end", must_refuse=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 * bad.nbytes, (name, argument, peak / bad.nbytes)  # its fingerprints, two copies, are among them


@pytest.mark.parametrize("name, argument", array_arguments()[::3])
def test_memory(name, argument):
    check_memory(name, argument)


# ---- doors that take more than one thing at once --------------------------------------------------------------------

NO_NUMBERS = {"text": "1", "NaN": np.nan, "infinity": np.inf, "None": None, "True": True, "array": np.ones(2),
              "complex": 1j,
              "10^400": 10**400, "list": [1.0]}


@pytest.mark.parametrize("what", [*NO_NUMBERS, "negative", "zero"])
@pytest.mark.parametrize("call, argument, good, may_be_any_number", [
    (lambda prior: sv.inference.gaussian_posterior(3, 1.0, 2.0, prior), "prior", NORMAL, ["mean"]),
    (lambda prior: sv.inference.beta_posterior(2, 3, prior), "prior", BETA, []),
    (lambda beta: sv.inference.beta_mode(beta), "beta", BETA, []),
    (lambda beta: sv.inference.beta_log_prob(np.array([0.1, 0.5]), beta), "beta", BETA, []),
], ids=["gaussian_posterior", "beta_posterior", "beta_mode", "beta_log_prob"])
def test_members_of_a_prior(call, argument, good, may_be_any_number, what):
    """A namedtuple holds what it is given, so whoever uses it must look at its members, and names the wrong one."""
    for member in good._fields:
        if what in ("negative", "zero") and member in may_be_any_number:
            continue
        bad = good._replace(**{member: {"negative": -1.5, "zero": 0.0, **NO_NUMBERS}[what]})
        with pytest.raises((ValueError, TypeError), match=rf"^{argument}\.{member}: "):
            call(bad)
    call(good)


def classifier():
    return sv.Classifier(D, (4,), C, rng=rng(), dtype=np.float64)


@pytest.mark.parametrize("error, words, call", [
    (TypeError, "^valid: want X or .X, labels., got 3 things", lambda model: sv.fit(
        classifier(), X, LABELS, epochs=1, rng=rng(), valid=(X, LABELS, LABELS))),
    (TypeError, "^labels, valid: VAE learns from X alone", lambda model: sv.fit(
        model, X, epochs=1, rng=rng(), valid=(X, X, X))),
    (TypeError, "^valid: ", lambda model: sv.fit(classifier(), X, LABELS, epochs=1, rng=rng(), valid=())),
    (ValueError, "^valid: a classifier needs labels", lambda model: sv.fit(
        classifier(), X, LABELS, epochs=1, rng=rng(), valid=X)),
    (ValueError, "^model: KLWarmup raises a VAE's beta, Classifier has none", lambda model: sv.fit(
        classifier(), X, LABELS, epochs=1, rng=rng(), callbacks=[sv.KLWarmup(3)])),
    (ValueError, "^monitor: want one of loss, elbo, reconstruction, kl, the `terms` of VAE, got 'accuracy'", lambda model: sv.fit(
        model, X, epochs=1, rng=rng(), valid=X, callbacks=[sv.EarlyStopping(monitor="accuracy")])),
    (TypeError, "^layers: ", lambda model: sv.Network([sv.Tanh(), np.tanh])),
    (TypeError, "^layers: ", lambda model: sv.Network([model])),
    (TypeError, "^layers: ", lambda model: sv.Network([])),
    (ValueError, "^layers: want each layer with parameters once", lambda model: sv.Network(
        [layer := sv.Dense(3, 3, rng=rng()), sv.Tanh(), layer])),
    (ValueError, "^layers: want each layer with parameters once", lambda model: sv.Network(
        [layer := sv.Network([sv.Dense(3, 3, rng=rng())]), layer])),
    (ValueError, "^log_p: want shape .N,., got .2, 3.", lambda model: sv.divergence.fit_forward(
        -np.ones((2, 3)), np.arange(6.0).reshape(2, 3))),
])
def test_what_is_wrong_only_together(error, words, call):
    model = vae()
    before = state_of(model)
    with pytest.raises(error, match=words):
        call(model)
    assert state_of(model) == before


@pytest.mark.parametrize("layer", [sv.Tanh, sv.ReLU, sv.Sigmoid])
def test_a_layer_without_parameters_may_be_used_twice(layer):
    one, dense = layer(), sv.Dense(4, 4, rng=rng(), dtype=np.float64)
    y, caches = sv.Network([one, dense, one]).forward(reals(3, 4))
    np.testing.assert_array_equal(y, layer().forward(dense.forward(layer().forward(reals(3, 4))[0])[0])[0])


# ---- figures --------------------------------------------------------------------------------------------------------

CURVE, IMAGES = np.arange(1.0, 5), np.linspace(0, 1, 36).reshape(4, 9)
TERMS = {name: CURVE for name in ("elbo", "reconstruction", "kl")}
def sv_history():
    history = sv.History()
    history.append("train", {"loss": 1.0, "log_prob": -1.0})
    return history


FIGURES = {  # what a figure shows -> how it is drawn, the names of its arguments, and what is good
    "image_grid images": (lambda images: plotting.image_grid(images, "t"), ["images"], IMAGES),
    "image_grid n_columns": (lambda n: plotting.image_grid(IMAGES, "t", n_columns=n), ["n_columns"], 2),
    "manifold images": (lambda images: plotting.manifold(images, "t"), ["images"], IMAGES),
    "manifold_grid n": (plotting.manifold_grid, ["n"], 3),
    "traversal images": (lambda images: plotting.traversal(images, [-1, 1], "t", ["a", "b"]),
                         ["images", "row_labels"], IMAGES),
    "latent_scatter z": (lambda z: plotting.latent_scatter(z, LABELS, "t"), ["z", "labels"], reals(N, 2)),
    "latent_scatter labels": (lambda labels: plotting.latent_scatter(reals(N, 2), labels, "t"), ["labels"], LABELS),
    "lines x": (lambda x: plotting.lines(x, {"AE": CURVE}, "t", "x", "y"), ["x", "curves"], CURVE),
    "lines curve": (lambda y: plotting.lines(CURVE, {"AE": y}, "t", "x", "y"), ["curves"], CURVE),
    "lines error": (lambda e: plotting.lines(CURVE, {"AE": CURVE}, "t", "x", "y", errors={"AE": e}), ["errors"], CURVE),
    "lines curves": (lambda curves: plotting.lines(CURVE, curves, "t", "x", "y"), ["curves"], {"AE": CURVE}),
    "bars value": (lambda value: plotting.bars({"AE": value}, "t", "y"), ["values"], 1.0),
    "bars values": (lambda values: plotting.bars(values, "t", "y"), ["values"], {"AE": 1.0}),
    "training_curves term": (lambda term: plotting.training_curves({**TERMS, "elbo": term}, None, "t"),
                             ["train"], CURVE),
    "training_curves history": (plotting.training_curves, ["train", "terms"], sv_history()),
    "training_curves valid": (lambda valid: plotting.training_curves(TERMS, valid, "t"), ["valid"], TERMS),
    "training_curves best": (lambda best: plotting.training_curves(TERMS, TERMS, "t", best=best), ["best"], 2),
    "label x": (lambda x: plotting.label(Figure().add_subplot(), x, 1, "name"), ["x"], 2.0),
    "label x": (lambda x: plotting.label(Figure().add_subplot(), x, 1, "name"), ["x"], 2.0),
    "diagram model": (lambda model: plotting.diagram(model), ["model"], sv.Network([sv.Tanh()])),
    "panels n": (lambda n: plotting.panels(n, "t"), ["n"], 2),
}
SAMPLES = ("list", "read-only", "strided", "big-endian", "object", "words", "complex", "one row", "more columns",
           "planted nan", "planted inf", "all -inf")


@pytest.mark.parametrize("where", FIGURES)
def test_figures(where):
    """The data of every figure: drawn, or refused by name before a figure is made; and left as they were."""
    draw, names, good = FIGURES[where]
    thrown = {what: value for what, value in strangers().items() if what != "10^5000"}
    if isinstance(good, np.ndarray):
        thrown |= {what: value for what, value in relatives(good).items() if what in SAMPLES}
    drawn = set()
    with warnings.catch_warnings(), at_most(60):
        warnings.simplefilter("error")
        for what, value in thrown.items():
            before = fingerprint(value)
            try:
                draw(value)
                drawn.add(what)
            except (ValueError, TypeError) as error:
                assert any(str(error).startswith(name) for name in names), (what, error)
                assert plt.get_fignums() == [], what
            plt.close("all")
            assert fingerprint(value) == before, what
        draw(good)
        plt.close("all")
    if isinstance(good, np.ndarray):
        assert not drawn & {*NEVER_NUMBERS, "planted nan", "planted inf", "all -inf"}
        assert drawn >= {"list", "read-only", "strided", "big-endian"}


# ---- files ----------------------------------------------------------------------------------------------------------

@st.composite
def almost_files(draw, real):
    """Arbitrary bytes; after a zip's first bytes; or a real file with a piece cut out, doubled or replaced."""
    junk = draw(st.binary(max_size=200))
    start, stop = sorted((draw(st.integers(0, len(real))), draw(st.integers(0, len(real)))))
    return draw(st.sampled_from([junk, real[:4] + junk, real[:start] + junk + real[stop:], real[:stop] + real[start:],
                                 real[:start] + real[stop:]]))


@settings(max_examples=int(os.environ.get("HOSTILE_EXAMPLES", 150)))
@given(st.data())
def test_load_of_arbitrary_bytes(here, data):
    """A model that is whole, or ValueError with the file's name; never anything else."""
    Path("doubtful.npz").write_bytes(data.draw(almost_files(Path("kept.npz").read_bytes())))
    with warnings.catch_warnings(), at_most(10):
        warnings.simplefilter("error")
        try:
            model = sv.load("doubtful.npz")
        except ValueError as error:
            assert "doubtful.npz" in str(error)
        else:
            assert np.isfinite(model.theta).all() and model.config() == sv.load("kept.npz").config()



@pytest.mark.parametrize("name, call", [
    ("n_features", lambda n: sv.VAE(n, rng=rng())), ("n_features", lambda n: sv.FVBN(n, rng=rng())),
    ("hidden", lambda n: sv.VAE(9, hidden=(n,), rng=rng())), ("n_out", lambda n: sv.VAE(10**6, hidden=(10**6,), rng=rng())),
    ("n_classes", lambda n: sv.Classifier(9, n_classes=n, rng=rng())), ("n", lambda n: vae().sample(n, rng=rng())),
    ("n", lambda n: sv.FVBN(9, rng=rng()).sample(n, rng=rng())), ("n", lambda n: sv.arc(n, rng=rng())),
    ("n", lambda n: sv.speech_like(n, rng=rng())), ("n", lambda n: sv.GaussianMixture.standard(2).sample(n, rng=rng())),
    ("n_nodes", lambda n: sv.GaussianMixture.standard(2).grid(n)), ("K", lambda n: sv.GaussianMixture.standard(n)),
    ("n_samples", lambda n: sv.log_evidence(vae(), X, n_samples=n, rng=rng())),
    ("k", lambda n: sv.multi_sample_bound(vae(), X, k=n, rng=rng())),
    ("half_width, step", lambda n: sv.latent_grid(2, step=1 / n))])
def test_counts_whose_numbers_no_memory_holds_are_refused_by_name(name, call):
    with pytest.raises(ValueError, match=rf"^(\w+\[\d\]: )?{name}"):
        call(2**39)
