"""What happens at the edge of numbers? Degenerate data, extreme parameters, the smaller dtype, all layouts in memory.

Each model is asked the same questions: `rows` is all that can be computed from X by the models, `MAKERS` all models.
An answer is right at the edge if it is finite, if float32 agrees with float64, if one example gives what it gives in a
batch, and if it does not depend on how the array lies in memory.
"""
import tracemalloc

import numpy as np
import pytest

import scratchvae as sv
from scratchvae.analysis import elbo, gradient_estimators, latent_space

N, D, K = 7, 5, 2


def rng(seed=0):
    return np.random.default_rng(seed)


def moved(model, seed=1, scale=0.3):
    """All parameters off their special values, the same for either dtype."""
    model.theta[:] = scale * rng(seed).standard_normal(model.theta.shape)
    return model


OBSERVATIONS = {"bernoulli": sv.Bernoulli(), "cross-entropy": sv.CrossEntropy(), "continuous": sv.ContinuousBernoulli(),
                "fixed": sv.Gaussian(0.5), "shared": sv.Gaussian("shared"), "diagonal": sv.Gaussian("diagonal")}


def code_model(cls, observation, activation="tanh", hidden=(4,), **how):
    return lambda dtype: moved(cls(D, hidden=hidden, n_latent=K, observation=OBSERVATIONS[observation],
                                   activation=activation,
                                   rng=rng(), dtype=dtype, **how))


MAKERS = {  # name -> dtype -> model; each learns by `forward_backward`
    **{f"{cls.__name__} {name}": code_model(cls, name) for cls in (sv.Autoencoder, sv.VAE, sv.IWAE)
       for name in OBSERVATIONS},
    "VAE linear": code_model(sv.VAE, "shared", hidden=()), "VAE sigmoid": code_model(sv.VAE, "bernoulli", "sigmoid"),
    "VAE beta": code_model(sv.VAE, "bernoulli", beta=0.5, n_samples=3),
    "denoising": code_model(sv.Autoencoder, "fixed", noise=0.3),
    "masking": code_model(sv.Autoencoder, "bernoulli", noise=0.3, corruption="masking"),
    "Classifier": lambda dtype: moved(sv.Classifier(D, (4,), 3, activation="tanh", rng=rng(), dtype=dtype)),
    "FVBN": lambda dtype: moved(sv.FVBN(D, l2=0.1, rng=rng(), dtype=dtype)),
    "MADE": lambda dtype: moved(sv.MADE(D, (6,), 1, activation="tanh", rng=rng(), dtype=dtype)),
    "MADE orders": lambda dtype: moved(sv.MADE(D, (6,), 3, activation="tanh", rng=rng(), dtype=dtype)),
}


def binary(n=N, seed=3):
    return (rng(seed).random((n, D)) < 0.5).astype(np.float64)


def noise(model, n=N):
    """What holds the randomness of a loss fixed, by name; the same numbers for either dtype."""
    if isinstance(model, sv.VAE):
        return {"eps": rng(5).standard_normal((model.n_samples, n, K)).astype(model.dtype)}
    if isinstance(model, sv.Autoencoder) and model.noise:
        return {"eps": rng(5).random((n, D)).astype(model.dtype)}
    return {"order": 0} if isinstance(model, (sv.MADE, sv.FVBN)) else {}


def labels(model, n=N):
    return (np.arange(n) % 3,) if isinstance(model, sv.Classifier) else ()


def loss_and_grad(model, X, order=slice(None)):
    """The loss terms and the gradient of X; of its rows, their labels and their noise in another order, if given."""
    x = model.accept(X[order], *(a[order] for a in labels(model, len(X))))
    fixed = {name: a[..., order, :] if name == "eps" else a for name, a in noise(model, len(X)).items()}
    terms = model.forward_backward(*x, **fixed)
    return np.array(terms, np.float64), model.grad.copy()


def rows(model, X, order=slice(None)):
    """Every answer with a row for each row of X, by name; of the rows and their noise in another order, if given."""
    answers = {}
    if isinstance(model, sv.VAE):
        eps = rng(5).standard_normal((1, N, K))[:, :len(X)].astype(model.dtype)[:, order]
    X = X[order]
    if isinstance(model, sv.VAE):
        answers |= dict(zip(("mu", "log_var"), model.encode(X))) | model.elbo(X, eps=eps)._asdict()
    if isinstance(model, (sv.VAE, sv.Autoencoder)):
        answers["reconstruction mean"] = model.reconstruct(X)
    if isinstance(model, sv.Autoencoder):
        answers["code"] = model.encode(X)
    if isinstance(model, sv.Classifier):
        answers |= {"probability": model.predict_proba(X), "class": model.predict(X), "features": model.features(X)}
    if isinstance(model, (sv.MADE, sv.FVBN)):
        answers |= {"log_prob": model.log_prob(X), "logits": model.logits(X)}
    if isinstance(model, (sv.PCA, sv.KernelPCA, sv.ProbabilisticPCA)):
        answers["code"] = model.transform(X)
        answers["restored"] = model.inverse_transform(model.transform(X))
    if isinstance(model, sv.ProbabilisticPCA):
        answers["log_prob"] = model.log_prob(X)
    return answers


FITTED = {"PCA svd": lambda X: sv.PCA(K).fit(X), "PCA covariance": lambda X: sv.PCA(K, solver="covariance").fit(X),
          "KernelPCA": lambda X: sv.KernelPCA(K, kernel="rbf").fit(X),
          "ProbabilisticPCA": lambda X: sv.ProbabilisticPCA(K).fit(X)}


def close(one, other, rtol, what=""):
    """Equal to rtol of the largest absolute value."""
    one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
    np.testing.assert_allclose(one, other, rtol=0, atol=rtol * max(np.abs(other).max(initial=0), 1e-30),
                               err_msg=str(what))


# ---- dtype, batch, memory -------------------------------------------------------------------------------------------

def check_float32_agrees(maker):
    """The loss terms and every tensor's gradient to 1e-4 of the tensor's largest number; all answers too."""
    X = binary()
    single, double = maker(np.float32), maker(np.float64)
    double.theta[:] = single.theta  # rounded once, so that both have the same function to compute
    (terms, grad), (want_terms, want_grad) = loss_and_grad(single, X), loss_and_grad(double, X)
    assert grad.dtype == np.float32
    close(terms, want_terms, 1e-4)
    start = 0
    for name, view in double.named_parameters().items():
        part = slice(start, start + view.size)
        start += view.size
        close(grad[part], want_grad[part], 1e-4, name)
    for name, answer in rows(double, X).items():
        close(rows(single, X)[name], answer, 1e-4, name)


@pytest.mark.parametrize("kind", MAKERS)
def test_float32_agrees(kind):
    check_float32_agrees(MAKERS[kind])


@pytest.mark.parametrize("kind", FITTED)
def test_float32_agrees_when_fitted(kind):
    X = rng().standard_normal((20, D)) * 0.5 ** np.arange(D)
    X = X.astype(np.float32).astype(np.float64)
    single, double = FITTED[kind](X.astype(np.float32)), FITTED[kind](X)
    for name, answer in rows(double, X).items():
        close(rows(single, X.astype(np.float32))[name], answer, 1e-4, name)


class OneStream(np.random.Generator):
    """A generator whose float32 numbers are its float64 numbers, rounded; NumPy's own are others."""

    def standard_normal(self, size=None, dtype=np.float64, out=None):
        return super().standard_normal(size).astype(dtype)

    def random(self, size=None, dtype=np.float64, out=None):
        return super().random(size).astype(dtype)


RELU = {  # name -> dtype, seed -> model
    **{f"{cls.__name__} {name}": lambda dtype, seed, cls=cls, name=name: moved(
        code_model(cls, name, "relu", hidden=(6, 4))(dtype), seed, 0.5)
       for cls in (sv.Autoencoder, sv.VAE, sv.IWAE) for name in ("bernoulli", "continuous", "diagonal")},
    "Classifier": lambda dtype, seed: moved(sv.Classifier(D, (6, 4), 3, rng=rng(), dtype=dtype), seed, 0.5),
    "MADE": lambda dtype, seed: moved(sv.MADE(D, (9,), 3, rng=rng(), dtype=dtype), seed, 0.5),
}


@pytest.mark.parametrize("kind", RELU)
def test_float32_agrees_where_no_relu_is_near_its_kink(kind, monkeypatch):
    """The derivative jumps at a kink, so a seed is taken with which all ReLUs' inputs are well away from it."""
    met, forward = [], sv.ReLU.forward
    monkeypatch.setattr(sv.ReLU, "forward", lambda self, x: met.append(x.ravel()) or forward(self, x))

    def inputs(model):
        met.clear()
        loss_and_grad(model, binary()), rows(model, binary())
        return np.concatenate(met)

    seed = next(s for s in range(400) if np.abs(inputs(RELU[kind](np.float64, s))).min() > 1e-3)
    single, double = RELU[kind](np.float32, seed), RELU[kind](np.float64, seed)
    assert np.array_equal(inputs(single) > 0, inputs(double) > 0) and 0.1 < (inputs(double) > 0).mean() < 0.9
    check_float32_agrees(lambda dtype: RELU[kind](dtype, seed))


# ---- what every model promises --------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", MAKERS)
def test_rows_permute(kind):
    """Examples in another order, with their labels and noise: answers in that order, the same loss and gradient."""
    model, X, order = MAKERS[kind](np.float64), binary(), np.roll(rng(4).permutation(N), 1)
    for name, answer in rows(model, X, order).items():
        close(answer, rows(model, X)[name][order], 1e-12, name)
    for one, other in zip(loss_and_grad(model, X, order), loss_and_grad(model, X)):
        close(one, other, 1e-12)


@pytest.mark.parametrize("kind", MAKERS)
def test_a_step_changes_nothing_but_grad(kind):
    """Data, labels, noise and theta are bit for bit what they were; so is the second answer."""
    model, X = MAKERS[kind](np.float64), binary()
    data, fixed = (X, *labels(model)), noise(model)
    watched = [*data, model.theta, *(a for a in fixed.values() if isinstance(a, np.ndarray))]
    bits, answers = [a.tobytes() for a in watched], []
    for _ in range(2):
        answers.append((model.loss_and_grad(*data, **fixed), model.grad.tobytes()))
        rows(model, X)
        model.grad[:] = np.nan  # overwritten, not added to
    assert [a.tobytes() for a in watched] == bits and answers[0] == answers[1]


@pytest.mark.filterwarnings("ignore:X. all values are 0 or 1")  # under the continuous Bernoulli, on purpose
@pytest.mark.parametrize("kind", MAKERS)
def test_the_same_seed_gives_the_same_history(kind):
    """Bit for bit, and so are the parameters; another seed gives others."""
    def trained(seed):
        model = MAKERS[kind](np.float32)
        valid = (binary(seed=8), *labels(model))
        history = sv.fit(model, binary(), *labels(model), epochs=4, batch_size=3, optimizer=sv.Adam(0.01),
                         rng=rng(seed),
                         valid=valid)
        return model.theta.tobytes(), {f"{part} {name}": values.tobytes() for part in ("train", "valid")
                                       for name, values in getattr(history, part).items()}

    first, again, other = trained(1), trained(1), trained(2)
    assert first == again and first[0] != other[0] and first[1]["train loss"] != other[1]["train loss"]


def check_one_example_is_a_batch(model, X):
    """What comes out for a row does not depend on the company."""
    together = rows(model, X)
    for n in (1, 3):
        for name, answer in rows(model, X[:n]).items():
            close(answer, together[name][:n], 1e-12, name)


@pytest.mark.parametrize("kind", MAKERS)
def test_one_example_is_a_batch(kind):
    model = MAKERS[kind](np.float64)
    check_one_example_is_a_batch(model, binary())
    # the gradient of a batch is the mean of its rows' gradients (a penalty is the same in each)
    X, grads = binary(), []
    for n in range(N):
        fixed = {name: value[..., n:n + 1, :] if name == "eps" else value for name, value in noise(model).items()}
        model.forward_backward(*(a[n:n + 1] for a in (X, *labels(model))), **fixed)
        grads.append(model.grad.copy())
    close(np.mean(grads, axis=0), loss_and_grad(model, X)[1], 1e-12)


@pytest.mark.parametrize("kind", FITTED)
def test_one_example_is_a_batch_when_fitted(kind):
    X = rng().standard_normal((20, D))
    check_one_example_is_a_batch(FITTED[kind](X), X)


def lies(X):
    """The same numbers, lying differently in memory."""
    read_only = X.copy()
    read_only.flags.writeable = False
    wide = np.zeros((2 * len(X), 2 * X.shape[1]))
    wide[::2, 1::2] = X
    return {"F": np.asfortranarray(X), "read-only": read_only, "strided": wide[::2, 1::2],
            "reversed": X[::-1].copy()[::-1],
            "big-endian": X.astype(">f8"), "list": X.tolist()}


@pytest.mark.parametrize("kind", [*MAKERS, *FITTED])
def test_memory_does_not_matter(kind):
    X = binary() if kind in MAKERS else rng().standard_normal((20, D))
    before = X.copy()
    make = (lambda X: MAKERS[kind](np.float64)) if kind in MAKERS else FITTED[kind]
    want = rows(make(X), X)
    for where, array in lies(X).items():
        model = make(array)
        for name, answer in rows(model, array).items():
            close(answer, want[name], 1e-11, (where, name))
        if kind in MAKERS and where != "list":
            close(loss_and_grad(model, array)[1], loss_and_grad(model, X)[1], 1e-11, where)
    assert np.array_equal(X, before)


# ---- degenerate data ------------------------------------------------------------------------------------------------

DEGENERATE = {
    "constant features": np.where(np.arange(D) < 3, 1.0, binary()), "all zero": np.zeros((N, D)),
    "all one": np.ones((N, D)),
    "duplicated rows": np.repeat(binary(2), 4, axis=0), "one row": binary(1), "fewer rows than columns": binary(3),
    "rank one": np.outer(np.arange(6) % 2, np.ones(D))}


@pytest.mark.filterwarnings("ignore:X. all values are 0 or 1")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", MAKERS)
def test_degenerate_data(kind, dtype):
    """Everything is finite, and training for a while leaves it so; labels fewer than classes are refused."""
    for what, X in DEGENERATE.items():
        model = MAKERS[kind](dtype)
        if kind == "Classifier" and len(X) < 3:
            with pytest.raises(ValueError, match="^labels: want at least one for each of 3 classes"):
                sv.fit(model, X, *labels(model, len(X)), epochs=1, rng=rng())
            continue
        with np.errstate(all="ignore"):  # a BLAS kernel may raise a flag for numbers that it does not give back
            terms, grad = loss_and_grad(model, X)
        assert np.isfinite(terms).all() and np.isfinite(grad).all(), what
        history = sv.fit(model, X, *labels(model, len(X)), epochs=8, batch_size=4, optimizer=sv.Adam(0.05), rng=rng())
        assert all(np.isfinite(values).all() for values in history.train.values()), what
        assert all(np.isfinite(answer).all() for answer in rows(model, X[:N]).values()), what


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("cls", [sv.Autoencoder, sv.VAE, sv.IWAE])
@pytest.mark.parametrize("variance", ["shared", "diagonal"])
def test_pixels_that_never_change_meet_the_floor(variance, cls, value):
    """The density grows without a bound on v but never beyond that of the floor: D times log N(0; 0, floor)."""
    X, floor = np.full((16, D), value), 1e-3
    model = cls(D, hidden=(4,), n_latent=K, observation=sv.Gaussian(variance, floor=floor), rng=rng(), dtype=np.float64)
    history = sv.fit(model, X, epochs=150, batch_size=16, optimizer=sv.Adam(0.03), rng=rng())
    best = -0.5 * D * (np.log(floor) + np.log(2 * np.pi))
    bound = -history.train["loss"]
    assert np.isfinite(bound).all() and best - D / 4 < bound[-50:].mean() <= best
    assert cls is sv.IWAE or bound.max() <= best  # a sampled log w can by chance be above


@pytest.mark.parametrize("solver", ["svd", "covariance"])
def test_pca_of_degenerate_data(solver):
    for what, X in DEGENERATE.items():
        if len(X) < 2:
            with pytest.raises(ValueError, match="X: .*2 rows"):
                sv.PCA(solver=solver).fit(X)
            continue
        fitted = sv.PCA(solver=solver).fit(X)
        k = min(X.shape)
        close(fitted.components_ @ fitted.components_.T, np.eye(k), 1e-12, what)
        close(fitted.inverse_transform(fitted.transform(X)), X, 1e-7 if solver == "covariance" else 1e-12, what)
        close(fitted.explained_variance_.sum(), X.var(axis=0, ddof=1).sum(), 1e-10, what)


def test_kernel_and_probabilistic_pca_of_degenerate_data():
    """They fit if there is a direction of variance and, for a density, noise; otherwise they say so by name."""
    for what, X in DEGENERATE.items():
        varied = len(X) > 1 and X.std(axis=0).any()
        for kernel in ("linear", "poly", "rbf"):
            if varied:
                fitted = sv.KernelPCA(1, kernel=kernel).fit(X)
                assert all(np.isfinite(a).all() for a in rows(fitted, X).values()), what
                close(fitted.transform(X), fitted.X_transformed_fit_, 1e-8, what)
            else:
                with pytest.raises(ValueError, match="^X: "):
                    sv.KernelPCA(1, kernel=kernel).fit(X)
        rank = np.linalg.matrix_rank(X - X.mean(axis=0))
        if rank > 1:
            fitted = sv.ProbabilisticPCA(1).fit(X)
            assert all(np.isfinite(a).all() for a in rows(fitted, X).values()), what
        else:
            with pytest.raises(ValueError, match="n_components|X"):
                sv.ProbabilisticPCA(1).fit(X)


def test_one_class_is_refused_in_training_and_served_in_a_batch():
    X, model = binary(), MAKERS["Classifier"](np.float64)
    with pytest.raises(ValueError, match="labels"):
        sv.fit(model, X, np.ones(N, int), epochs=1, rng=rng())
    terms = model.loss_and_grad(X, np.ones(N, int))
    assert np.isfinite(terms.loss) and np.isfinite(model.grad).all()
    with pytest.raises(ValueError, match="labels"):
        latent_space.area_spread(rng().standard_normal((N, K)), np.ones(N, int))
    assert latent_space.label_entropy(np.ones(N, int), 3) == 0.0


# ---- extreme parameters ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e2, 1e4])
@pytest.mark.parametrize("kind", [
    "VAE bernoulli", "VAE continuous", "VAE cross-entropy", "Autoencoder bernoulli", "IWAE bernoulli",
    "Autoencoder continuous", "IWAE continuous", "MADE", "MADE orders", "FVBN", "Classifier"])
def test_large_logits(kind, size, dtype):
    """|logit| up to 1e4: loss and gradient are finite, probabilities in [0, 1], the loss about the wrong logits'."""
    model, X = MAKERS[kind](dtype), binary()
    network = getattr(model, "decoder", None) or getattr(model, "network", None)
    last = network.layers[-1]
    last.W[:] = 0
    for name, direct in model.networks.items():
        direct.theta[:] *= not name.startswith("direct")
    last.b[:] = size * np.where(np.arange(len(last.b)) % 2, 1, -1)
    if kind == "FVBN":
        model.l2 = 0.0
    terms, grad = loss_and_grad(model, X)
    assert np.isfinite(terms).all() and np.isfinite(grad).all()
    for answer in rows(model, X).values():
        assert np.isfinite(answer).all()
    mean = rows(model, X).get("reconstruction mean", rows(model, X).get("probability", np.zeros(1)))
    assert (mean >= 0).all() and (mean <= 1).all()
    if kind in ("FVBN", "MADE", "MADE orders", "Autoencoder bernoulli"):
        # pixels against their logits cost `size` nats each
        wrong = (X != np.arange(D) % 2).sum(axis=1).mean()
        close(terms[0], size * wrong, 1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("log_var", [-50.0, 50.0])
@pytest.mark.parametrize("cls", [sv.VAE, sv.IWAE])
@pytest.mark.parametrize("observation, activation", [
    *((name, "tanh") for name in OBSERVATIONS), *((name, "relu") for name in OBSERVATIONS if name != "diagonal")])
def test_extreme_log_var_of_q(observation, activation, cls, log_var, dtype):
    """sigma of e^-25 and e^25: the KL is the formula's, loss and gradient are finite. (With ReLUs, z of e^25 makes a
    diagonal log variance of e^25, too, and no float holds such a variance.)"""
    model, X = code_model(cls, observation, activation)(dtype), binary()
    last = model.encoder.layers[-1]
    last.W[:], last.b[:] = 0, 0
    last.b[K:] = log_var
    terms, grad = loss_and_grad(model, X)
    assert np.isfinite(terms).all() and np.isfinite(grad).all()
    kl = model.elbo(X, rng=rng()).kl
    close(kl, np.full(N, 0.5 * K * (np.expm1(log_var) - log_var)), 1e-6 if dtype == np.float32 else 1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("s", [-50.0, 50.0])
@pytest.mark.parametrize("variance", ["shared", "diagonal"])
def test_extreme_log_var_of_x(variance, s, dtype):
    """v = floor + e^s at s = -50, where it is the floor, and at 50; as the textbook has it."""
    observation, x, m = sv.Gaussian(variance), rng().standard_normal((N, D)), np.zeros((N, D))
    params = np.concatenate([m, np.full((N, observation.n_params(D) - D), s)], axis=1).astype(dtype)
    log_p, grad = observation.log_prob_and_grad(x.astype(dtype), params)
    v = 1e-3 + np.exp(s)
    close(log_p, -0.5 * np.sum(x**2 / v + np.log(2 * np.pi * v), axis=1), 1e-5 if dtype == np.float32 else 1e-13)
    assert np.isfinite(grad).all() and (s > 0 or np.abs(grad[:, D:]).max() < 1e-12)
    assert np.isfinite(observation.sample(params, rng())).all()


@pytest.mark.parametrize("log_var", [-50.0, 50.0])
def test_gaussian_formulas_at_extreme_log_var(log_var):
    mu, lv = rng().standard_normal((N, K)), np.full((N, K), log_var)
    for value in (sv.gaussian.kl_standard(mu, lv), sv.gaussian.kl(mu, lv, -mu, -lv), sv.gaussian.log_prob(mu, -mu, lv),
                  sv.gaussian.reparameterize(mu, lv, mu)):
        assert np.isfinite(value).all()
    assert (sv.gaussian.kl(mu, lv, mu, lv) == 0).all()


# ---- what is measured of a model ------------------------------------------------------------------------------------

def measures(vae, X, rng=rng):
    """All that `analysis` says of a VAE and X, by name; sampled with noise of its own."""
    eps = rng(6).standard_normal((3, len(X), K))
    grid = sv.latent_grid(K, step=0.5)
    answers = {"evidence": sv.log_evidence(vae, X, n_samples=20, rng=rng()),
               "bound": sv.multi_sample_bound(vae, X, k=3, rng=rng()),
               "aggregate": sv.aggregate_kl(vae, X, rng=rng()),
               **({"active": sv.active_units(vae, X)} if len(X) > 1 else {}),  # one row has no spread
               "grid": (sv.grid_log_evidence(vae, X, grid),), "pathwise": sv.pathwise_gradient(vae, X, eps),
               "score": sv.score_function_gradient(vae, X, eps),
               "mean": (gradient_estimators.mean_log_likelihood(vae, X, eps),),
               "q*": sv.optimize_q(vae, X, steps=3, n_samples=2, rng=rng())}
    if not vae.hidden:
        answers["closed form"] = tuple(elbo.derivation(elbo.in_closed_form(vae, X)).values())
    return {f"{name} {i}": np.asarray(part) for name, parts in answers.items() for i, part in enumerate(parts)}


@pytest.mark.parametrize("kind", ["VAE bernoulli", "VAE continuous", "VAE linear", "VAE diagonal"])
def test_measures_at_the_edge(kind):
    vae = MAKERS[kind](np.float64)
    for what, X in DEGENERATE.items():
        for name, value in measures(vae, X).items():
            assert np.isfinite(value).all(), (what, name)
    X = binary()
    want = measures(vae, X)
    for where, array in lies(X).items():
        for name, value in measures(vae, array).items():
            close(value, want[name], 1e-9, (where, name))


@pytest.mark.parametrize("kind", ["VAE bernoulli", "VAE continuous", "VAE linear"])
def test_measures_in_float32(kind):
    """Each from the same draws in both: see `OneStream`."""
    single, double = MAKERS[kind](np.float32), MAKERS[kind](np.float64)
    double.theta[:] = single.theta
    one, other = (measures(m, binary(), lambda seed=0: OneStream(np.random.PCG64(seed))) for m in (single, double))
    for name in other:
        close(one[name], other[name], 1e-4, name)


def test_latent_space_in_float32():
    """Of codes in float32, and of log p(x) by a float32 decoder."""
    single, double = MAKERS["VAE bernoulli"](np.float32), MAKERS["VAE bernoulli"](np.float64)
    double.theta[:] = single.theta
    X, classes, answers = binary(30), np.arange(30) % 3, []
    for model in (single, double):
        z, model_of_z = model.encode(X)[0], sv.GaussianMixture(2)
        model_of_z.fit(z, rng=rng())
        answers.append({
            "centre": latent_space.off_centre(z), "areas": latent_space.class_log_areas(z, classes),
            "spread": latent_space.area_spread(z, classes), "share": latent_space.isolated_share(z[:9], z[9:], 0.5),
            "distance": latent_space.frechet_distance(z[:15], z[15:]), "density": model_of_z.log_prob(z),
            "log p": latent_space.grid_log_prob(model, X, model_of_z, 400)})
    for name, value in answers[1].items():
        close(answers[0][name], value, 1e-4, name)


def test_latent_space_at_the_edge():
    z, codes = np.zeros((9, K)), np.repeat(rng().standard_normal((1, K)), 9, axis=0)
    assert latent_space.off_centre(z) == 0 and latent_space.off_centre(codes) == pytest.approx(1, rel=1e-12)
    assert latent_space.isolated_share(codes, codes) == 0 and latent_space.isolated_share(z, codes) == 1
    assert latent_space.frechet_distance(codes, codes) < 1e-20
    with pytest.raises(ValueError, match="hyperplane"):
        latent_space.class_log_areas(codes, np.zeros(9, int))
    mixture = sv.analysis.gaussian_mixture.GaussianMixture(2).fit(rng().standard_normal((20, K)) * [1, 1e-9], rng=rng())
    assert np.isfinite(mixture.log_prob(z)).all() and np.isfinite(mixture.sample(5, rng=rng())).all()


@pytest.mark.parametrize("measure", [
    lambda X: sv.VAE(2, hidden=(512,), n_latent=2, observation=sv.Gaussian(1), rng=rng()).elbo(X, rng=rng()),
    lambda X: sv.MADE(2, hidden=(512,), rng=rng()).log_prob(X),
    lambda X: sv.Classifier(2, hidden=(512,), n_classes=2, rng=rng()).predict(X)], ids=["VAE", "MADE", "Classifier"])
def test_memory_does_not_grow_with_a_wide_layer_times_all_examples(measure):
    """Blocks of rows are measured by the widest layer: 100,000 rows of 2 numbers would be 200 MB in one of 512."""
    X = np.zeros((100_000, 2), np.float32)
    tracemalloc.start()
    measure(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4e7
