"""Do the exercises come out as their answers say? Every one that is an edit and a call, done beside answers.md."""
import inspect
import json
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from functools import cache
from itertools import product

import numpy as np
import pytest
import test_gaussian
import test_vae

import scratchvae as sv
from demos import bayes, dimension_reduction, gradient_check, kl, mu_law, observation, step, toy
from demos.book import ROOT
from demos.catalogue_of_mistakes import MISTAKES, edited, plant
from demos.images import read
from demos.lesson import Lesson
from demos.linear_autoencoder import principal_angles
from demos.trained import digit_vae
from demos.vae import independent_pixels
from scratchvae.analysis import elbo, gradient_estimators, latent_space, posterior
from scratchvae.analysis.gaussian_mixture import GaussianMixture
from scratchvae.models import fvbn
from scratchvae.models import pca as pca_module
from scratchvae.probability import gaussian, inference

pytestmark = pytest.mark.slow
ANSWERS = (ROOT / "demos" / "book" / "answers.md").read_text(encoding="utf-8")


@contextmanager
def changed(function, *edits):
    """The function with each old piece of its source replaced by the new one."""
    function = inspect.unwrap(function)
    kept, function.__code__ = function.__code__, edited(function, edits, function.__name__)
    try:
        yield
    finally:
        function.__code__ = kept


def comes_out(exercise, *said, within=0.1):
    """That the answer has these words, and that the last number of each is the one measured, to a share of it."""
    for number, words, values in zip(last_numbers(exercise, said, 1), *zip(*said)):
        for value in np.atleast_1d(values):      # of several runs, each
            assert abs(value - number) <= within * abs(number), f"{exercise}: {words}, but measured {value:.4g}"


def lie_between(exercise, *said):
    """That the answer has these words, and that all of each one's values lie between its last two numbers."""
    for (low, high), words, values in zip(last_numbers(exercise, said, 2), *zip(*said)):
        assert low <= np.min(values) and np.max(values) <= high, f"{exercise}: {words}, but measured {values}"


def last_numbers(exercise, said, n):
    """The last n numbers of each of the words, (words, ...), which the answer to the exercise must have."""
    chapter, question = exercise.split()
    section = re.search(rf"^## \d+\. {chapter}\n(.*?)(?=^## |\Z)", ANSWERS, re.MULTILINE | re.DOTALL)[1]
    answer = re.search(rf"^{question}\. (.*)$", section, re.MULTILINE)[1]
    found = []
    for words, *_ in said:
        assert words in answer, f"{exercise}: the answer no longer says {words!r}"
        numbers = re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", words.replace(",", ""))[-n:]
        found.append(float(numbers[0]) if n == 1 else [float(number) for number in numbers])
    return found


@pytest.fixture
def lesson(tmp_path):
    """A lesson's options on the bundled digits; a chapter's own start is its streams'."""
    return Lesson("exercise", out=tmp_path)


@pytest.fixture(scope="module")
def digits():
    """The bundled digits in their three parts, grey."""
    return read("digits")


# ---- 1 to 5 ---------------------------------------------------------------------------------------------------------

def test_bayes_1(lesson):
    with changed(bayes.uncover, ("(ones + 1) / (counts[:, None] + 2)", "ones / counts[:, None]")):
        with pytest.raises(ValueError, match="log_likelihood: contains NaN or infinity"), np.errstate(all="ignore"):
            bayes.uncover(lesson, lesson.images(binary=True))
    comes_out("bayes 1")


def test_bayes_2(lesson):
    def end(*edit):
        with changed(bayes.uncover, *edit):
            return bayes.uncover(lesson, lesson.images(binary=True))[64]

    rows = [end(), *(end(("p = (ones + 1) / (counts[:, None] + 2)", f"p = (ones + {n}) / (counts[:, None] + {2 * n})"))
                     for n in (50, 100))]
    assert 0 <= rows[0]["right"].value - rows[2]["right"].value < 0.025
    comes_out("bayes 2", ("from about 95", 100 * rows[0]["sure"].value), ("to about 83", 100 * rows[1]["sure"].value),
              ("and 70", 100 * rows[2]["sure"].value), within=0.03)


def test_bayes_3(lesson, monkeypatch):
    plain = bayes.uncover(lesson, lesson.images(binary=True))[64]
    update = inference.update
    monkeypatch.setattr(inference, "update", lambda prior, log_likelihood: update(prior, 0.5 * log_likelihood))
    halved = bayes.uncover(lesson, lesson.images(binary=True))[64]
    assert halved["right"].value == plain["right"].value
    comes_out("bayes 3", ("to about 89", 100 * halved["sure"].value), within=0.03)


def test_kl_1(lesson, monkeypatch):
    monkeypatch.setattr(kl, "BUMPS", (np.array([0.9, 0.1]), *kl.BUMPS[1:]))
    _, left, right = kl.two_orders(lesson).values()
    assert abs(left["mu"] - right["mu"]) < 1e-6
    comes_out("kl 1", ("-log 0.9 = 0.105", left["reverse"]), within=0.05)


def test_kl_2(lesson, monkeypatch):
    monkeypatch.setattr(kl, "BUMPS", (kl.BUMPS[0], np.array([-0.7, 0.7]), kl.BUMPS[2]))
    forward, left, right = kl.two_orders(lesson).values()
    assert abs(left["mu"] - right["mu"]) < 1e-8
    comes_out("kl 2", ("sigma 0.97", forward["sigma"]), ("and 0.93", left["sigma"]), within=0.006)


def test_kl_3(lesson):
    plain = kl.between_digits(lesson)
    with changed(kl.between_digits, ("0.01 *", "1e-6 *")):
        fine = kl.between_digits(lesson)
    with changed(kl.between_digits, ("0.01 *", "1e-8 *")):
        finer = kl.between_digits(lesson)
    assert fine["largest"] - plain["largest"] == pytest.approx(2 * (finer["largest"] - fine["largest"]), rel=0.2)
    assert fine["smallest"] == pytest.approx(plain["smallest"], rel=0.2)
    comes_out("kl 3", ("nearly 1.9", fine["largest"]), within=0.03)


def test_pca_1(digits):
    X = digits.train.astype(np.float64)
    centred = sv.PCA(1).fit(X)
    with changed(pca_module.joined, ("means(X)[0]", "np.zeros(X.shape[1])")):
        model = sv.PCA(1).fit(X)
    mean = X.mean(axis=0)
    lost = [((X - m.inverse_transform(m.transform(X))) ** 2).sum(axis=1).mean() for m in (model, centred)]
    assert lost[0] == pytest.approx(((X**2).sum() - model.singular_values_[0] ** 2) / len(X), rel=1e-9)
    assert abs(model.components_[0] @ mean) / np.linalg.norm(mean) > 0.999
    comes_out("pca 1", ("about 70", 100 * model.explained_variance_ratio_[0]), ("4.5", lost[0]), ("4.0", lost[1]),
              within=0.03)


def test_pca_2_and_3(digits):
    X = digits.train.astype(np.float64)
    scaled = X * np.where(np.arange(64) == 20, 10.0, 1.0)
    model = sv.PCA(1).fit(scaled)
    assert model.explained_variance_ratio_[0] > 0.75
    comes_out("pca 2", ("is 0.99", model.components_[0, 20]), within=0.01)
    order = np.random.default_rng(0).permutation(64)
    shuffled, plain = (sv.PCA(8).fit(rows).singular_values_ for rows in (X[:, order], X))
    np.testing.assert_allclose(shuffled, plain, rtol=1e-9)


def test_dimension_reduction_1():
    def lost(share):
        rng = np.random.default_rng(0)
        (X, _), (new, _) = (sv.arc(n, dimension_reduction.NOISE, angle=share * 2 * np.pi, rng=rng) for n in (300, 1000))
        model = sv.PCA(1).fit(X)
        return ((new - model.inverse_transform(model.transform(new))) ** 2).sum(axis=1).mean()

    comes_out("dimension_reduction 1", ("about 0.003", lost(1 / 8)), ("On a half it is about 0.1", lost(1 / 2)),
              ("quarters about 0.3", lost(3 / 4)), within=0.2)


def test_dimension_reduction_2():
    errors = {}
    for shape, make in (("arc", sv.arc), ("circle", sv.circle)):
        for seed in range(5):
            rng = np.random.default_rng([0, seed])
            parts = [make(n, dimension_reduction.NOISE, rng=rng)[0] for n in (300, 1000)]
            model = sv.KernelPCA(1, kernel="rbf", gamma=100.0, alpha=1e-4).fit(parts[0])
            errors.setdefault(shape, []).append([
                ((X - model.inverse_transform(model.transform(X))) ** 2).sum(axis=1).mean() for X in parts])
    (arc, new_arc), (circle, new_circle) = (np.mean(errors[shape], axis=0) for shape in ("arc", "circle"))
    comes_out("dimension_reduction 2", ("to about 0.6", arc), ("and 0.8", new_arc), ("0.7", circle),
              ("0.7 and 0.8", new_circle), within=0.1)


def test_linear_autoencoder_2():
    def angle(variances, seed):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((1000, 6))
        X -= X.mean(axis=0)
        X = X @ np.linalg.inv(np.linalg.cholesky(X.T @ X / 1000).T) * np.sqrt(variances)      # these variances exactly
        pca = sv.PCA(3).fit(X)
        ae = sv.Autoencoder(6, (), 3, observation=sv.Gaussian(1.0), rng=rng, dtype=np.float64)
        sv.fit(ae, X, epochs=500, batch_size=100, optimizer=sv.Adam(1e-2), rng=rng, callbacks=[sv.LearningRateDecay(0)])
        squares = [((X - m) ** 2).sum() for m in (ae.reconstruct(X), pca.inverse_transform(pca.transform(X)))]
        return squares[0] / squares[1] - 1, np.degrees(principal_angles(pca.components_, ae.decoder.layers[-1].W).max())

    equal = [angle([9, 4, 1, 1, 1, 1], seed) for seed in range(2)]
    excess, apart = angle([9, 4, 1.21, 1, 1, 1], 0)
    assert max(excess for excess, _ in equal) < 1e-4 and min(degrees for _, degrees in equal) > 10
    assert excess < 1e-4 and apart < 1
    comes_out("linear_autoencoder 2")


# ---- 7 to 14 --------------------------------------------------------------------------------------------------------

def check_vae(seed=0, **how):
    """The relative errors of a small random VAE's gradient, as chapter 7's lesson checks it."""
    rng = np.random.default_rng([seed, 0])
    vae, x = gradient_check.small_vae(rng), gradient_check.observed(sv.Bernoulli(), rng)
    eps = rng.standard_normal((gradient_check.N, gradient_check.K))
    vae.loss_and_grad(x, eps=eps)
    return sv.check_gradient(gradient_check.f_of(vae, x, eps), vae.theta, vae.grad, vae.named_parameters(), **how)


def test_gradient_check_1():
    with changed(gaussian.reparameterize_grad, ("(0.5 * sigma)", "sigma")):
        with pytest.raises(AssertionError, match=r"encoder\.0\.W.*relative error of the tensor") as found:
            check_vae()
        errors = check_vae(tolerance=1)
    wrong = {name for name, error in errors.items() if error > 1e-3}
    assert wrong == {f"encoder.{i}.{part}" for i in (0, 2) for part in "Wb"}
    error = float(re.search(r"tensor (\S+),", str(found.value))[1])
    comes_out("gradient_check 1", ("a relative error of about 2e-2", error), within=9)


def test_gradient_check_2():
    with changed(gaussian.reparameterize, ("np.exp(0.5 * log_var)", "np.exp(log_var)")), \
            changed(gaussian.reparameterize_grad, ("(0.5 * sigma)", "sigma**2")):
        assert max(check_vae().values()) < 4e-10
        with pytest.raises(AssertionError):
            test_vae.check_linear_elbo(0.5, 2, 0)
        with pytest.raises(AssertionError):
            test_gaussian.check_reparameterized_moments(np.full((2, 3), 0.5), np.full((2, 3), -1.0))
    comes_out("gradient_check 2", ("with no error above 4e-10", 4e-10))


def test_gradient_check_3():
    for h in (0.1, 1e-9, 1e-11):
        with pytest.raises(AssertionError):
            check_vae(h=h)
    check_vae(h=1e-3)
    comes_out("gradient_check 3")


def test_step_2(lesson, monkeypatch):
    foretold, change = {}, {}
    for lr in (0.05, 0.5, 5.0):
        monkeypatch.setattr(step, "LR", lr)
        numbers = step.run(lesson)
        foretold[lr], change[lr] = numbers["by slope"], numbers["after"] - numbers["before"]
    assert foretold[0.5] == pytest.approx(10 * foretold[0.05], rel=1e-4)
    assert foretold[5.0] == pytest.approx(100 * foretold[0.05], rel=1e-4)
    assert abs(change[0.5] / foretold[0.5] - 1) > 0.2 and abs(change[5.0] / foretold[5.0] - 1) > 0.9
    comes_out("step 2")


def test_step_3(tmp_path):
    for folder in ("scratchvae", "demos"):  # the lesson reads the source that it runs, so that is what is edited
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("figures", "__pycache__"))
    source = tmp_path / "scratchvae" / "probability" / "gaussian.py"
    source.write_text(source.read_text().replace("(0.5 * sigma)", "(0.25 * sigma)"))
    run = ("from demos import step; from demos.lesson import Lesson; import json\n"
           "print('apart', json.dumps(step.run(Lesson('step', out='out'))['apart']))")
    said = subprocess.run([sys.executable, "-c", run], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    apart = json.loads(said.splitlines()[-1].removeprefix("apart "))
    wrong = [name for name, error in apart.items() if error > 1e-6]
    assert any("dlog_var" in name for name in wrong), apart
    assert not any("decoder" in name or "_kl" in name for name in wrong), wrong
    comes_out("step 3")


def test_latent_space_1(digits):
    train, test, rng = *(sv.binarize(X) for X in (digits.train, digits.test)), np.random.default_rng([0, 5])
    ae = sv.Autoencoder(64, (128,), 2, activation="tanh", observation=sv.Bernoulli(), rng=rng)
    sv.fit(ae, train, epochs=200, batch_size=50, optimizer=sv.Adam(3e-3), rng=rng, valid=sv.binarize(digits.valid),
           callbacks=[sv.EarlyStopping(patience=20)])

    def measured():
        z = ae.encode(train)
        log_p = [latent_space.grid_log_prob(ae, test, mixture, n_nodes=20_000).mean() for mixture in (
            GaussianMixture.standard(2), GaussianMixture(1).fit(z, rng=np.random.default_rng(0)))]
        return ae.reconstruct(test), latent_space.off_centre(z), *log_p

    before = measured()
    last, first = ae.encoder.layers[-1], ae.decoder.layers[0]
    last.W *= 10
    last.b *= 10
    first.W /= 10
    after = measured()
    np.testing.assert_allclose(after[0], before[0], atol=1e-4)
    np.testing.assert_allclose([after[1], after[3]], [before[1], before[3]], rtol=1e-3)
    comes_out("latent_space 1", ("from about -23", before[2]), ("to about -36", after[2]))


@pytest.fixture(scope="module")
def on_a_leash(digits):
    """beta -> of a VAE with it: the training digits' radius of the means and root-mean-square sigma, the test digits'
    log p under N(0, I)."""
    @cache
    def measured(beta):
        train, rng = sv.binarize(digits.train), np.random.default_rng([0, 1])
        vae = sv.VAE(64, hidden=(128,), n_latent=2, beta=beta, rng=rng)
        sv.fit(vae, train, epochs=200, batch_size=64, rng=rng)
        mu, log_var = vae.encode(train)
        log_p = latent_space.grid_log_prob(vae, sv.binarize(digits.test), GaussianMixture.standard(2), n_nodes=5000)
        return np.sqrt((mu**2).sum(axis=1).mean()), np.sqrt(np.exp(log_var).mean()), log_p.mean()

    return measured


def test_latent_space_2(digits, on_a_leash):
    free, leashed = on_a_leash(0.0), on_a_leash(1.0)
    comes_out("latent_space 2", ("radius of about 7", free[0]), ("instead of 1.5", leashed[0]),
              ("(from about 0.22", leashed[1]), ("falls by about 5.5", leashed[2] - free[2]), within=0.05)
    assert free[1] < 0.004
    assert free[2] == pytest.approx(independent_pixels(*map(sv.binarize, (digits.train, digits.test))).mean(), abs=0.5)


def test_unfolding_1_and_2(on_a_leash):
    radius, sigma, _ = on_a_leash(1.0)
    comes_out("unfolding 1", ("of about 5", on_a_leash(0.01)[0]), ("between about 1.5", radius), within=0.05)
    comes_out("unfolding 2", ("of the means of about 1.5", radius), ("a sigma of about 0.22", sigma),
              ("is 2.25", radius**2), ("2.25 + 0.10", 2 * sigma**2),
              ("the radius 1.53", np.hypot(radius, 2**0.5 * sigma)), within=0.05)


def test_toy_2(lesson):
    with changed(toy.run, ("hidden=(32,)", "hidden=()"), ('activation="tanh", ', "")):
        numbers = toy.run(lesson)
    assert numbers["KL(q || posterior)"].value < 0.02
    comes_out("toy 2")


@pytest.fixture(scope="module")
def flats(tmp_path_factory):
    """Of three starts: a lesson, binary digits, the VAE of chapters 12 and 18 on them, of two latents."""
    lessons = [Lesson("exercise", out=tmp_path_factory.mktemp("out"), seed=seed) for seed in range(3)]
    return [(lesson, images, digit_vae(lesson, images, "VAE", 2, stream=1))
            for lesson in lessons for images in [lesson.images(binary=True)]]


@pytest.fixture(scope="module")
def flat(flats):
    """The first of them."""
    return flats[0]


def test_elbo_1_and_2(flats):
    found = []
    for _, images, vae in flats:
        x, grid = images.test[:20], sv.latent_grid(2, step=0.1)
        plain, prior = (elbo.on_grid(vae, x, q, grid) for q in (vae.encode(x), (np.zeros((20, 2)), np.zeros((20, 2)))))
        line = elbo.times_q_over_q(plain)
        with changed(elbo.times_q_over_q, ("- p.log_q) + (p.log_q -", "- p.log_prior) + (p.log_prior -")):
            np.testing.assert_allclose(elbo.times_q_over_q(plain), line, rtol=1e-12)
        np.testing.assert_array_equal(prior.kl_prior, 0)
        np.testing.assert_array_equal(prior.log_evidence, plain.log_evidence)
        found.append([pieces.mean() for pieces in (elbo.elbo(plain), elbo.elbo(prior), plain.kl_posterior,
                                                   prior.kl_posterior)])
    plain, prior, near, far = np.transpose(found)
    assert near.max() < 1
    comes_out("elbo 2", ("from about -19", plain), ("to about -41", prior), ("to about 22", far))


def test_elbo_3(digits):
    x = sv.binarize(digits.train).astype(np.float64)
    vae = sv.VAE(64, hidden=(), n_latent=3, rng=np.random.default_rng(0), dtype=np.float64)
    vae.theta[:] = 0
    p = (x.sum(axis=0) + 1) / (len(x) + 2)
    vae.decoder.layers[0].b[:] = np.log(p) - np.log1p(-p)
    exact = independent_pixels(x, x)
    np.testing.assert_allclose(vae.elbo(x, rng=np.random.default_rng(1)).elbo, exact, atol=1e-13)
    vae.encoder.layers[0].b[0] = 1
    comes_out("elbo 3", ("exactly 0.5", np.mean(exact - vae.elbo(x, rng=np.random.default_rng(1)).elbo)), within=1e-12)


def test_reparameterization_1_and_2():
    eps = np.random.default_rng(0).standard_normal(200_000)

    def variance(theta, baseline):
        return gradient_estimators.square_score_function(theta, eps, baseline).var()

    comes_out("reparameterization 1", ("so 42", variance(2.0, 5.0)), ("against 38", variance(2.0, 7.0)), within=0.02)
    comes_out("reparameterization 2", ("from 15", variance(0.0, 0.0)), ("to 10,615", variance(0.0, -100.0)),
              within=0.02)


def test_vae_1_and_2(digits):
    train, valid, test = (sv.binarize(X) for X in (digits.train, digits.valid, digits.test))

    def trained(k, beta=1.0):
        rng = np.random.default_rng([0, k])
        vae = sv.VAE(64, (128,), k, beta=beta, rng=rng)
        sv.fit(vae, train, epochs=300, batch_size=100, optimizer=sv.Adam(3e-3), rng=rng, valid=valid,
               callbacks=[sv.EarlyStopping(20)])
        return [values.mean() for values in vae.elbo(test, rng=np.random.default_rng(1))]

    (ae, ar, ak), (be, _, bk), (one, *_), (two, *_) = trained(8, 0.1), trained(8, 4.0), trained(1), trained(2)
    comes_out("vae 1", ("reconstruction (about -9", ar), ("a KL of about 19", ak), ("an ELBO of -28", ae),
              ("ELBO -24.8", be), within=0.15)
    assert bk < 0.5
    comes_out("vae 2", ("from about -22.6", one), ("over -20", two), within=0.04)


def test_vae_3():
    with changed(sv.VAE.forward_backward, ("dlog_var + dlog_var_kl", "dlog_var")):
        with pytest.raises(AssertionError, match=r"encoder\.0\.W") as found:
            check_vae()
    assert 0.05 < float(re.search(r"tensor (\S+),", str(found.value))[1]) < 0.5
    comes_out("vae 3", ("between 0.1 and 0.4", 0.4))


# ---- 17 to 22 -------------------------------------------------------------------------------------------------------

def test_evidence(flat):
    lesson, images, _ = flat
    deep, x = digit_vae(lesson, images, "VAE", 16, stream=16), images.test[:200]

    def estimate(n, method, stream):
        return sv.log_evidence(deep, x, n_samples=n, rng=lesson.rng(stream), method=method)

    best, few, many = estimate(3000, "defensive", 1), estimate(1000, "prior", 2), estimate(10_000, "prior", 3)
    comes_out("evidence 1", ("from about 2.5", np.median(few.ess)), ("to about 8", np.median(many.ess)),
              ("from about -0.9", np.mean(few.value - best.value)), ("to about -0.2", np.mean(many.value - best.value)),
              ("from 1.3", np.abs(few.value - best.value).mean()), ("to 0.5", np.abs(many.value - best.value).mean()),
              within=0.25)
    narrow, wide = (np.mean(estimate(1000, sv.Proposal(widen=widen), 4).value - best.value) for widen in (0.5, 3.0))
    comes_out("evidence 2", ("about 2.1", -narrow), ("(3.5", -wide))


def test_posterior_1(flats, monkeypatch):
    def log_p(step):
        return [sv.grid_log_evidence(vae, images.test[:20], sv.latent_grid(2, step=step)) for _, images, vae in flats]

    def off(step):
        return np.abs(np.subtract(log_p(step), usual)).max(axis=1)      # of each run

    usual = log_p(0.1)
    lie_between("posterior 1", ("between 0 and 0.01", off(0.05)),
                ("0.12 to 0.16", [np.exp(vae.encode(images.test[:20])[1] / 2).min() for _, images, vae in flats]))
    for (_, images, vae), step in product(flats, (0.2, 0.25, 0.5)):
        with pytest.raises(ValueError, match="too coarse for the posterior"):
            sv.grid_log_evidence(vae, images.test[:20], sv.latent_grid(2, step=step))
    monkeypatch.setattr(posterior, "_refuse_unresolved", lambda *_: None)
    lie_between("posterior 1", ("0.01 to 0.07", off(0.2)), ("0.4 to 2", off(0.5)), ("9 to 13", off(2.0)))


def test_posterior_2(flats):
    def kl(c):
        """KL(q || posterior) of each run, the encoder's sigma multiplied by c."""
        encoded = [(vae, images.test[:20], *vae.encode(images.test[:20])) for _, images, vae in flats]
        return np.array([elbo.on_grid(vae, x, (mu, log_var + np.float32(2 * np.log(c)))).kl_posterior.mean()
                         for vae, x, mu, log_var in encoded])

    usual = kl(1)
    lie_between("posterior 2", ("between -0.05 and 0.05", [kl(0.9) - usual, kl(1.1) - usual]),
                ("1.3 to 1.8", kl(2) - usual))


def test_observation_1_and_2(digits):
    x, a = np.linspace(0, 1, 20_001)[:, None], np.ones((20_001, 1))
    for model, expected in ((sv.CrossEntropy(), (0.5, 0.38, 0.17)), (sv.ContinuousBernoulli(), (1, 1, 1))):
        areas = [np.trapezoid(np.exp(model.log_prob(x, logit * a)), x[:, 0]) for logit in (0, 2, 6)]
        np.testing.assert_allclose(areas, expected, atol=0.006)
    comes_out("observation 1", ("0.5, 0.38 and 0.17", 0.17))
    x, m = digits.test.astype(np.float64), np.full((500, 64), 0.3)
    log_p = [sv.Gaussian(0.1 * scale**2).log_prob(scale * x, scale * m).mean() for scale in (1.0, 255.0)]
    comes_out("observation 2", ("64 log 255 = 354.6", log_p[0] - log_p[1]), within=1e-3)


def six_pixels(digits):
    """The six binary pixels that vary most, and all 64 images of them."""
    X = sv.binarize(digits.train)
    return X[:, np.argsort(-X.var(axis=0))[:6]], (np.arange(64)[:, None] >> np.arange(6) & 1).astype(float)


def test_autoregressive_1(digits):
    X, everything = six_pixels(digits)

    def trained():
        rng = np.random.default_rng(0)
        model = sv.FVBN(6, rng=rng, dtype=np.float64)
        before = model.log_prob(X).mean()
        sv.fit(model, X, epochs=200, batch_size=100, optimizer=sv.Adam(1e-2), rng=rng)
        return before, model.log_prob(X).mean(), np.exp(model.log_prob(everything)).sum()

    right = trained()
    with changed(fvbn.order_mask, ("position[:, None] < position[None, :]", "position[:, None] <= position[None, :]")):
        wrong = trained()
    assert right[2] == pytest.approx(1, rel=1e-9)
    comes_out("autoregressive 1", ("instead of -3.9", right[1]), ("to about -0.1", wrong[1]),
              ("sum to about 57", wrong[2]), within=0.15)


def test_autoregressive_2(digits):
    train, valid, test = (sv.binarize(X) for X in (digits.train, digits.valid, digits.test))
    found = {}
    for l2 in (0.0, 1e-3, 0.1):
        rng = np.random.default_rng([0, 1])
        model = sv.FVBN(64, l2=l2, rng=rng)
        sv.fit(model, train, epochs=200, batch_size=64, optimizer=sv.Adam(1e-2), rng=rng, valid=valid,
               callbacks=[sv.EarlyStopping(60, monitor="log_prob"), sv.LearningRateDecay()])
        found[l2] = [model.log_prob(X).mean() for X in (train, test)]
    comes_out("autoregressive 2", ("(about -17.4", found[0.0][0]), ("both are near -22.3", found[0.1][1]), within=0.03)
    assert -0.3 < found[0.0][1] - found[1e-3][1] < 0


def test_mu_law(lesson):
    voice = sv.speech_like(40_000, rate=mu_law.RATE, rng=np.random.default_rng([0, 10]))

    def noise(x, mu=255, n=256):
        return sv.mu_law.signal_to_noise(x, sv.mu_law.decode(sv.mu_law.encode(x, mu, n), mu, n))

    def equal(x, n=256):
        return sv.mu_law.signal_to_noise(x, sv.mu_law.dequantize(sv.mu_law.quantize(x, n), n))

    levels = [voice * 10 ** (level / 20) for level in (0, -24, -48)]
    for mu, told in ((15, (38, 18, -9)), (255, (38, 33, 12)), (65535, (32, 32, 32))):
        np.testing.assert_allclose([noise(x, mu) for x in levels], told, atol=0.7)
    square = np.where(np.arange(8000) // 40 % 2, 1, -1) * np.random.default_rng(0).uniform(0.9, 1, 8000)
    comes_out("mu_law 2", ("1: 38", noise(square)), ("against 53", equal(square)), within=0.03)
    comes_out("mu_law 3", ("cost 12", noise(voice) - noise(voice, n=64)),
              ("less cost 12", equal(voice) - equal(voice, 64)), within=0.05)


def test_mistakes_2(flat):
    _, images, vae = flat
    with plant(MISTAKES[0]):
        wrong = digit_vae(*flat[:2], "VAE", 2, stream=1)
        reported = wrong.elbo(images.test, rng=np.random.default_rng(0)).elbo.mean()
    assert reported > vae.elbo(images.test, rng=np.random.default_rng(0)).elbo.mean()
    comes_out("mistakes 2")


def test_linear_autoencoder_1(digits):
    train, lost = digits.train.astype(np.float64), []
    for seed in range(6):
        rng = np.random.default_rng([0, seed + 200])      # as the lesson's
        ae = sv.Autoencoder(64, (64,), 2, activation="tanh", observation=sv.Gaussian(1.0), rng=rng, dtype=np.float64)
        sv.fit(ae, train, epochs=150, batch_size=50, optimizer=sv.Adam(1e-2), rng=rng,
               callbacks=[sv.LearningRateDecay()])
        lost.append([((ae.reconstruct(X) - X) ** 2).sum(axis=1).mean() for X in (train, digits.test)])
    lost = np.array(lost)
    stays = lost[:, 0] > 3
    assert 0 < stays.sum() < len(lost) / 2
    comes_out("linear_autoencoder 1", ("PCA's 3.33", lost[stays, 0]), ("from 3.39", lost[stays, 1]), within=0.003)
    lie_between("linear_autoencoder 1", ("to between 2.0 and 2.9", lost[~stays, 0]),
                ("to between 2.2 and 3.0", lost[~stays, 1]))


def test_autoregressive_3(digits):
    X, everything = six_pixels(digits)
    rng = np.random.default_rng(0)
    model = sv.MADE(6, (50,), 2, rng=rng, dtype=np.float64)
    sv.fit(model, X, epochs=200, batch_size=100, optimizer=sv.Adam(1e-2), rng=rng)
    assert np.exp(model.log_prob(everything)).sum() == pytest.approx(1, rel=1e-9)
    with plant(next(m for m in MISTAKES if m.name.startswith("averaged logits"))):
        total = np.exp(model.log_prob(everything)).sum()
    comes_out("autoregressive 3", ("was 1.09", total), within=0.04)


def test_autoregressive_4(digits):
    test, found, on_zeros = digits.test, {}, {}
    for scale in ("diagonal", "shared"):
        rng, observation = np.random.default_rng(0), sv.DiscretizedLogistic(17, scale=scale)
        model = sv.FVBN(64, observation=observation, rng=rng)
        sv.fit(model, digits.train, epochs=150, batch_size=64, optimizer=sv.Adam(3e-3), rng=rng, valid=digits.valid,
               callbacks=[sv.EarlyStopping(40), sv.LearningRateDecay()])
        of_pixels = observation.value(test[..., None], model.params(test)[:, observation.columns(64)])
        found[scale], on_zeros[scale] = model.log_prob(test).mean(), (of_pixels * (test == 0)).sum(axis=1).mean()
    comes_out("autoregressive 4", ("have -91.5 nats", found["shared"]), ("place of -89.6", found["diagonal"]), within=0.005)
    assert abs(on_zeros["shared"] - on_zeros["diagonal"]) < 0.1 * (found["diagonal"] - found["shared"])
