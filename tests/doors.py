"""What is a valid call of every public function, class and method? `DOORS`, by name: what is called, and good arguments.

Most arguments are good by their name (`GOOD`), or by their default; a line says the others, and which of its arguments
a refusal may name beside the one that is wrong: its partners, wrong only together.
"""
import inspect
from operator import attrgetter

import numpy as np

import scratchvae as sv
from scratchvae.analysis import aggregate, elbo, evidence, gaussian_mixture, gradient_estimators, posterior
from scratchvae.nn import gradcheck, network

MODULES = {module.__name__.split(".")[-1]: module for module in (
    sv.divergence, sv.gaussian, sv.inference, sv.normal_table, sv.mu_law, sv.factors, sv.latent_space, aggregate, elbo,
    evidence, posterior, gaussian_mixture, gradient_estimators, gradcheck, network)}
N, D, K, C = 6, 5, 2, 3  # examples, features, latents, classes


def rng(seed=0):
    return np.random.default_rng(seed)


def reals(*shape):
    return rng(2).standard_normal(shape)


BITS, GREY, LABELS = np.float64(rng(1).random((N, D)) < 0.5), rng(4).random((N, D)), np.array([0, 1, 2, 0, 1, 2])
BITS[0], BITS[1] = 0, 1


def vae(cls=sv.VAE, observation=sv.Bernoulli(), hidden=(4,), dtype=np.float64, **how):
    model = cls(D, hidden=hidden, n_latent=K, observation=observation, rng=rng(), dtype=dtype, **how)
    model.theta += 0.1 * rng(3).standard_normal(model.theta.shape)
    return model


def state_of(thing):
    """What a refused call must leave as it is: arrays bit for bit, numbers, texts; not `grad`, which is scratch."""
    if thing is None or not hasattr(thing, "__dict__"):
        return None
    return {name: (value.dtype.str, value.shape, value.tobytes()) if isinstance(value, np.ndarray) else repr(value)
            for name, value in vars(thing).items()
            if name not in ("grad", "by_order", "networks", "encoder", "decoder", "network", "layer")}


class Fresh:
    """Made anew for each call."""

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


RNG, VAE, CONDITIONAL = Fresh(rng), Kept(vae), Kept(lambda: vae(n_classes=C))
REAL = Kept(lambda: vae(observation=sv.Gaussian(0.5), dtype=np.float32))
LINEAR = Kept(lambda: vae(observation=sv.Gaussian("shared"), hidden=()))
MIXTURE = Kept(lambda: sv.GaussianMixture(2).fit(reals(9, K), rng=rng()))
CLASSIFIER = Kept(lambda: sv.Classifier(D, (4,), C, rng=rng(), dtype=np.float64))
GRID, Q, SHARES = posterior.latent_grid(K, half_width=7, step=0.5), (reals(N, K), reals(N, K)), np.array([0.2, 0.3, 0.5])
BETA, NORMAL = sv.inference.Beta(2.0, 3.0), sv.inference.Normal(0.5, 2.0)

GOOD = {  # what is good for an argument of this name, if its door does not say otherwise
    "rng": RNG, "vae": VAE, "model": VAE, "X": reals(N, D), "x": reals(N, D), "z": reals(N, K), "Z": reals(N, K),
    "n_features": D, "n_latent": K, "n_classes": C, "hidden": (4,), "n_in": D, "n_out": 3, "n": 3, "n_samples": 4,
    "epochs": 2, "batch_size": 4, "optimizer": Fresh(sv.Adam), "clip_norm": 0.5, "lr": 0.1, "theta": reals(N),
    "grad": reals(N), "n_nodes": 50, "n_steps": 300, "tolerance": 1e-6, "n_components": 2, "noise": 0.1, "floor": 0.1,
    "n_codes": 16, "grid": GRID, "factors": reals(N, 3), "n_bins": 3}
ANYTHING, UNSAID = {"name", "label", "stream", "flat"}, {"labels", "order", "n_features", "n_classes", "dtype"}


class Door:
    """A valid call: `make()` gives the object it belongs to, if any, and what to call; `good()` its arguments.

    Of arguments that are UNSAID a constructor has all tried, any other door those that it says; of rng and eps one.
    """

    def __init__(self, make, partners="", **said):
        called = make()[1]
        self.make, self.partners = make, partners.split()
        parameters = inspect.signature(called).parameters.values()
        self.defaults = {p.name: p.default for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
        if inspect.isclass(called) and any(p.kind is p.VAR_KEYWORD for p in parameters):  # which are a base's
            base = inspect.signature(called.__base__).parameters.values()
            self.defaults = {p.name: p.default for p in base} | self.defaults
        unsaid = set() if inspect.isclass(called) else UNSAID | ({"rng"} if "eps" in self.defaults else set())
        self.values = {name: said.get(name, GOOD.get(name, default)) for name, default in self.defaults.items()
                       if name in said or name not in ANYTHING | unsaid}

    def good(self):
        return {name: value.make() if isinstance(value, Fresh) else value.copy() if isinstance(value, np.ndarray)
                else value for name, value in self.values.items()}


DOORS = {}


def door(names, partners="", by=None, **said):
    """The doors of these names, functions and classes, or one that is called `by` what fixes its other arguments."""
    for name in names.split(", "):
        home, _, rest = name.rpartition(".")
        call = by or getattr(MODULES[home] if home in MODULES else attrgetter(home)(sv) if home else sv, rest)
        DOORS[name] = Door(lambda call=call: (None, call), partners, **said)


def methods(owner, kept, names, partners="", kind="", **said):
    """The doors of these methods of a model."""
    def made(name):
        model = kept.make()
        if name != "loss_and_grad" or "eps" in said:
            return model, getattr(model, name)
        if "labels" in said:  # *data, **randomness: they have no names
            return model, lambda X, labels: model.loss_and_grad(X, labels)
        return model, lambda X, rng: model.loss_and_grad(X, rng=rng)

    for name in names.split():
        DOORS[f"{owner}.{name}{kind}"] = Door(lambda name=name: made(name), partners, **said)


# ---- what a number means
door("Bernoulli, CrossEntropy, Categorical, ContinuousBernoulli, DiscretizedLogistic, Gaussian", variance=1.0, scale=0.5)
for name, make, x, n_params in (
        ("Bernoulli", sv.Bernoulli, BITS, D), ("CrossEntropy", sv.CrossEntropy, GREY, D),
        ("ContinuousBernoulli", sv.ContinuousBernoulli, GREY, D), ("Categorical", sv.Categorical, LABELS, C),
        ("Gaussian", lambda: sv.Gaussian("diagonal"), reals(N, D), 2 * D),
        ("DiscretizedLogistic", lambda: sv.DiscretizedLogistic(2), BITS, 2 * D)):
    methods(name, Kept(make), "accept", x=x)
    methods(name, Kept(make), "log_prob log_prob_and_grad", "x", x=x, params=reals(N, n_params))
    methods(name, Kept(make), "mean sample", params=reals(N, n_params))
door("comparable", by=lambda observations: sv.comparable(observations, sv.Bernoulli()), observations=sv.Bernoulli())
door("gaussian.standardize", "x mu", x=reals(N), mu=reals(N), sigma=np.full(N, 2.0))
door("divergence.kl_table", "p q", p=SHARES, q=SHARES)
door("divergence.kl_quadrature", "log_p log_q", log_p=np.log([0.5, 0.3, 0.2]), log_q=np.log([0.1, 0.3, 0.6]), cell=1.0)
door("divergence.kl_monte_carlo", "log_p log_q", log_p=reals(N), log_q=-reals(N))
door("divergence.kl_gaussian", "mean covariance other_mean other_covariance", mean=reals(K), covariance=np.eye(K),
     other_mean=-reals(K), other_covariance=2 * np.eye(K))
door("divergence.mixture_log_prob_and_grad", "weights mu log_var", z=reals(N), weights=SHARES, mu=reals(3),
     log_var=-reals(3))
door("divergence.fit_forward", "log_p z", log_p=-reals(7)**2, z=np.arange(7.0))
door("divergence.fit_reverse", "lr", log_prob_and_grad=lambda z: (-0.5 * z * z, -z), mu=0.3, log_var=0.1, lr=0.5,
     n_nodes=8, n_steps=1000, tolerance=1e-8)
door("inference.bayes", "prior likelihood", prior=SHARES, likelihood=np.array([0.1, 0.2, 0.9]))
door("inference.update", "prior log_likelihood", prior=SHARES, log_likelihood=reals(N, 3))
door("inference.binomial_log_prob", "k p", k=np.arange(4.0), n=3, p=np.array([0.1, 0.2, 0.3, 0.4]))
door("inference.gaussian_mle")
door("inference.bernoulli_mle", x=BITS)
door("inference.mle_by_ascent", "lr x", observation=sv.Gaussian(1.0), start=np.zeros(D), lr=0.5)
door("inference.ascend", "lr", gradient=lambda t: -t, theta=reals(K), lr=0.5)
door("inference.gaussian_posterior", mean=1.0, variance=2.0, prior=NORMAL)
door("inference.beta_posterior", "n_ones", n_ones=2, prior=BETA)
door("inference.beta_mode, inference.beta_log_prob", p=np.array([0.1, 0.5]), beta=BETA)
door("normal_table.normal_cdf, normal_table.normal_table", z=reals(N, D))
door("normal_table.normal_quantile", probability=0.3)
door("normal_table.normal_interval", "low mu sigma", low=-np.ones(N), high=np.ones(N), mu=reals(N), sigma=np.full(N, 2.0))
# ---- how a network learns
door("Dense, Tanh, ReLU, Sigmoid, Append, Layer, Observation, Optimizer, SGD, Adagrad, Adam, History, Callback, Progress, "
     "LearningRateDecay, KLWarmup")
door("Network", layers=Fresh(lambda: [sv.Tanh(), sv.ReLU()]))
door("Model", by=lambda dtype: sv.Model(dtype, network=sv.Network([sv.Dense(D, 3, rng=rng(), dtype=np.float64)])),
     dtype=np.float64)
for optimizer in ("SGD", "Adagrad", "Adam"):
    methods(optimizer, Kept(lambda optimizer=optimizer: getattr(sv, optimizer)(0.1)), "step", "theta grad")
door("check_gradient", "theta grad", f=lambda t: 0.5 * t @ t, tolerance=1e-7, floor=1e-8)
door("fit", "X model", X=BITS, labels=None, valid=BITS)
door("fit with labels", "X labels model loss", by=sv.fit,  # an X that is too large shows in the loss, which is named
     model=CLASSIFIER, labels=LABELS, valid=(reals(N, D), LABELS))
door("network.mlp", by=lambda n_in, hidden, activation, rng, dtype: network.mlp(
    n_in, hidden, 4, activation=activation, n_shared=1, rng=rng, dtype=dtype), activation="relu", dtype=np.float64)
door("save", path="model.npz")
door("load", path="kept.npz")
door("fit a VAE with labels", "X labels model", by=sv.fit, model=CONDITIONAL, X=BITS, labels=LABELS, valid=(BITS, LABELS))
door("EarlyStopping", "monitor direction", direction="fall")
door("StepDecay", epochs=(1, 3))
# ---- models
door("Standardizer, Autoencoder, VAE, IWAE, Classifier, ProbabilisticPCA, GaussianMixture")
door("FVBN", order=np.arange(D)[::-1])
door("MADE", gain=0.5, l2=0.01, n_orders=2, order=np.stack([np.arange(D), np.arange(D)[::-1]]))
door("PCA", n_components=0.5)  # also a share, so 1e-300 is none to refuse
door("PCA.set_params", by=lambda n_components=None, whiten=False, solver="svd": sv.PCA(K).set_params(
    n_components=n_components, whiten=whiten, solver=solver), n_components=0.5)
door("KernelPCA", kernel="rbf", gamma=0.5)
door("KernelPCA with a function", by=lambda kernel: sv.KernelPCA(2, kernel=kernel).fit(reals(N, D)), kernel=np.dot)
for name, make, Z in (("Standardizer", sv.Standardizer, reals(N, D)), ("PCA", lambda: sv.PCA(K), reals(N, K)),
                      ("KernelPCA", lambda: sv.KernelPCA(K, kernel="rbf"), reals(N, K)),
                      ("ProbabilisticPCA", lambda: sv.ProbabilisticPCA(K), reals(N, K))):
    fitted = Kept(lambda make=make: make().fit(reals(N, D)))
    methods(name, fitted, "fit fit_transform", "n_components gamma")  # y may be anything, and is not looked at
    methods(name, fitted, "transform inverse_transform", Z=Z)
    if name in ("PCA", "ProbabilisticPCA"):
        methods(name, fitted, "score score_samples")
methods("PCA", Kept(lambda: sv.PCA(K).partial_fit(reals(N, D))), "partial_fit")
methods("ProbabilisticPCA", fitted, "impute log_prob posterior sample")
AUTOENCODER, IWAE = Kept(lambda: vae(sv.Autoencoder, sv.Gaussian(1.0), noise=0.1)), Kept(lambda: vae(sv.IWAE))
methods("Autoencoder", AUTOENCODER, "encode reconstruct decode accept loss_and_grad")
for name, kept, X, eps in ("VAE", REAL, reals(N, D), reals(N, K)), ("IWAE", IWAE, BITS, reals(3, N, K)):
    methods(name, kept, "encode reconstruct decode accept sample", X=X)
    methods(name, kept, "loss_and_grad elbo", "X eps rng", X=X, eps=eps)
    methods(name, kept, "given", label=0)
methods("VAE with labels", CONDITIONAL, "encode reconstruct accept decode", "labels", X=BITS, labels=LABELS)
methods("VAE with labels", CONDITIONAL, "loss_and_grad elbo", "X eps rng labels", X=BITS, labels=LABELS, eps=reals(N, K))
methods("VAE with labels", CONDITIONAL, "sample", "labels n", n=N, labels=LABELS)
methods("VAE with labels", CONDITIONAL, "given", label=1)
door("Classifier.from_encoder", n_classes=C)
methods("Classifier", CLASSIFIER, "predict predict_proba features")
methods("Classifier", CLASSIFIER, "accept loss_and_grad score", "X labels", labels=LABELS)
for name, make, X, kind in (
        ("FVBN", lambda: sv.FVBN(D, rng=rng(), dtype=np.float64), BITS, ""),
        ("MADE", lambda: sv.MADE(D, (7,), 2, rng=rng()), BITS, ""),
        ("MADE", lambda: sv.MADE(D, (7,), 2, observation=sv.DiscretizedLogistic(5), rng=rng()), np.round(4 * GREY) / 4,
         " of levels")):
    methods(name, Kept(make), "accept log_prob logits params loss_and_grad sample", kind=kind, X=X)
    methods(name, Kept(make), "complete", "X known", kind, X=X, known=np.arange(D) < 2, n_draws=2)
# ---- what a trained model is worth
door("log_evidence", "X", vae=REAL)
door("aggregate_kl", vae=REAL)
door("log_evidence with labels", "X labels", by=sv.log_evidence, vae=CONDITIONAL, X=BITS, labels=LABELS)
door("multi_sample_bound", "X", X=BITS, k=3, n_repeats=2)
door("class_posterior", "X", vae=CONDITIONAL, X=BITS, prior=np.full(C, 1 / 3))
door("standard_error", "ess", ess=np.full(N, 2.0))
door("Proposal", "method widen prior_share", by=lambda proposal: sv.log_evidence(
    vae(), BITS, method=proposal, n_samples=4, rng=rng()), proposal=sv.Proposal(1.5, 0.1))
door("active_units, grid_posterior, grid_log_evidence", X=BITS)
door("latent_grid", "half_width step", step=0.5, half_width=2.0)
door("optimize_q", "X start mu log_var", X=BITS, start=Q, steps=3, n_samples=2)
door("pathwise_gradient", "X eps mu log_var q", vae=REAL, eps=reals(3, N, K), q=Q)
door("score_function_gradient", "X eps mu log_var", vae=REAL, eps=reals(3, N, K), baseline=reals(N))
door("gradient_estimators.mean_log_likelihood", "X eps mu log_var", X=BITS, eps=reals(3, N, K))
door("gradient_estimators.encoder_gradient", "X dmu dlog_var", X=BITS, dmu=reals(N, K), dlog_var=reals(N, K))
door("elbo.on_grid", "X q mu log_var", X=BITS, q=(reals(N, K) / 9, np.zeros((N, K))))
door("elbo.in_closed_form", "X q mu log_var", vae=LINEAR, q=Q)
door("GaussianMixture.standard", K=2)
methods("GaussianMixture", MIXTURE, "fit score log_prob score_samples predict predict_proba sample grid", Z=reals(9, K))
door("latent_space.off_centre")
door("latent_space.class_log_areas, latent_space.area_spread", "z labels", z=reals(12, K), labels=np.tile(LABELS, 2))
door("latent_space.isolated_share", "z", z=reals(4, K), codes=reals(9, K))
door("latent_space.grid_log_prob", X=BITS, sampler=MIXTURE)
door("latent_space.label_entropy", labels=LABELS, n_classes=C)
door("latent_space.frechet_distance", "features others", features=reals(N, K), others=reals(9, K))
door("factors.mutual_information, factors.mutual_information_gap", "z factors", z=reals(12, K), factors=reals(12, 3))
door("factors.directions", "z factors")
door("factors.read_off", "z factors z_test factors_test", z_test=reals(4, K), factors_test=reals(4, 3))
# ---- data
door("load_digits, load_mnist, circle, spiral, s_curve, arc")
door("load_idx", directory="nowhere")
door("binarize", "threshold", threshold=0.5)
door("stochastic_binarization", by=lambda X, rng: sv.stochastic_binarization(X)(rng), X=GREY)
door("split", "labels sizes", labels=LABELS, sizes=(2, 3))
door("faces", "size", size=8)
door("draw_faces", "factors shift ink", factors=reals(3, 2) / 9, size=8, shift=reals(3, 2) / 9, ink=np.ones(3))
door("speech_like", "rate", n=300, rate=8000.0)
door("windows", "x", x=reals(9), width=2)
door("mu_law.compress, mu_law.expand, mu_law.encode, mu_law.quantize", x=np.linspace(-1, 1, 6), y=np.linspace(-1, 1, 6),
     mu=255.0)
door("mu_law.decode, mu_law.dequantize", "codes", codes=np.arange(6), mu=255.0)
door("mu_law.signal_to_noise", "x x_restored", x=reals(6), x_restored=reals(6) / 2)
