"""Do a latent space's numbers mean what they say? Closed forms, invariances, exact sums, EM's promise.

The `check_...` functions look their subject up in the module when called, so a planted mistake meets them.
"""
from warnings import catch_warnings, simplefilter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scratchvae as sv
from scratchvae.analysis import gaussian_mixture, latent_space

FEW = settings(max_examples=25, deadline=None)


def rng(seed=0):
    return np.random.default_rng(seed)


def turned(z, seed=0):
    """z under a random rotation."""
    return z @ np.linalg.qr(rng(seed).normal(size=(z.shape[1],) * 2))[0]


# ---- centre and areas -----------------------------------------------------------------------------------------

def check_off_centre(seed=0):
    assert latent_space.off_centre([[1.0, 0], [-1, 0], [0, 2], [0, -2]]) == 0
    assert latent_space.off_centre([[3.0, 4], [3, 4]]) == pytest.approx(1, rel=1e-14)
    # half the points at 0, half at 1 on a line: mean 1/2, rms radius sqrt(1/2)
    assert latent_space.off_centre([[0.0], [1.0]]) == pytest.approx(np.sqrt(0.5), rel=1e-14)
    z = rng(seed).normal(size=(11, 3)) + 1
    value = latent_space.off_centre(z)
    assert 0 <= value <= 1
    assert latent_space.off_centre(7 * turned(z)) == pytest.approx(value, rel=1e-12)


def check_areas(seed=0):
    """A square's corners have covariance (4/3) a^2 I, so the ellipse has the area pi (4/3) a^2."""
    square = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    z, labels = np.concatenate([square, 3 * square + 5]), np.repeat([0, 1], 4)
    np.testing.assert_allclose(latent_space.class_log_areas(z, labels), np.log(np.pi * 4 / 3 * np.array([1, 9])),
                               rtol=1e-12)
    assert latent_space.area_spread(z, labels) == pytest.approx(np.log(9) / np.sqrt(2), rel=1e-12)
    assert latent_space.class_log_areas([[-2.0], [2.0]], [0, 0]) == pytest.approx(np.log(2 * np.sqrt(8)), rel=1e-12)
    z, labels = rng(seed).normal(size=(30, 3)), np.repeat([0, 1, 2], 10)
    logs = latent_space.class_log_areas(z, labels)
    volume = [4 / 3 * np.pi * np.sqrt(np.linalg.det(np.cov(z[labels == c].T))) for c in range(3)]
    np.testing.assert_allclose(logs, np.log(volume), rtol=0, atol=1e-11)
    assert latent_space.area_spread(5 * turned(z) + 2, labels) == pytest.approx(logs.std(ddof=1), rel=1e-9)


def test_off_centre():
    check_off_centre()


def test_all_codes_at_the_origin_are_not_off_centre():
    assert latent_space.off_centre(np.zeros((3, 2))) == 0


@given(st.integers(0, 1000))
@FEW
def test_areas(seed):
    check_areas(seed)


# ---- gaps -----------------------------------------------------------------------------------------------------

def check_isolated_share():
    codes = np.arange(11.0)[:, None]                     # neighbours are 1 apart, so the limit is 1
    z = np.array([[-0.9], [-1.0], [0.5], [4.0], [11.0], [11.1], [99.0], [-1.1]])  # the last three are farther
    assert latent_space.isolated_share(z, codes) == 3 / 8
    assert latent_space.isolated_share(codes, codes) == 0


def test_isolated_share_by_hand():
    check_isolated_share()


def test_about_one_in_a_hundred_is_isolated_without_gaps_and_many_with_one():
    z = rng().normal(size=(2000, 2))
    assert 0.003 < latent_space.isolated_share(rng(1).normal(size=(2000, 2)), z) < 0.025
    ring = z[np.linalg.norm(z, axis=1) > 1.2]
    assert latent_space.isolated_share(rng(1).normal(size=(2000, 2)), ring) > 0.3


# ---- samples --------------------------------------------------------------------------------------------------

def check_label_entropy():
    assert latent_space.label_entropy(np.arange(10)) == pytest.approx(1, rel=1e-14)
    assert latent_space.label_entropy([3, 3, 3]) == 0
    assert latent_space.label_entropy([0, 1, 0, 1], n_classes=4) == pytest.approx(0.5, rel=1e-14)


def check_frechet(seed=0):
    X = rng(seed).normal(size=(40, 4)) @ rng(seed + 1).normal(size=(4, 4))
    Y = rng(seed + 2).normal(size=(50, 4)) + 1
    assert latent_space.frechet_distance(X, X) == pytest.approx(0, abs=1e-10)
    shift = np.array([1.0, -2, 0, 2])
    assert latent_space.frechet_distance(X, X + shift) == pytest.approx(9, rel=1e-10)
    # twice the deviations: tr(S + 4 S - 2 (4 S^2)^(1/2)) = tr S
    middle = X.mean(axis=0)
    assert latent_space.frechet_distance(X, 2 * (X - middle) + middle) == pytest.approx(np.trace(np.cov(X.T)),
                                                                                        rel=1e-10)
    distance = latent_space.frechet_distance(X, Y)
    assert latent_space.frechet_distance(Y, X) == pytest.approx(distance, rel=1e-10)
    # the formula with matrix roots from eigenvalues
    S, T = np.cov(X.T), np.cov(Y.T)
    root = np.sqrt(np.maximum(np.linalg.eigvals(S @ T).real, 0)).sum()
    expected = ((X.mean(axis=0) - Y.mean(axis=0)) ** 2).sum() + np.trace(S) + np.trace(T) - 2 * root
    assert distance == pytest.approx(expected, rel=1e-8)


def test_label_entropy():
    check_label_entropy()


@given(st.integers(0, 1000))
@FEW
def test_frechet_distance(seed):
    check_frechet(seed)


def test_frechet_distance_with_fewer_rows_than_features():
    X = rng().normal(size=(4, 9))
    assert latent_space.frechet_distance(X, X) == pytest.approx(0, abs=1e-10)
    assert latent_space.frechet_distance(X[:3], X) > 0


# ---- the mixture ----------------------------------------------------------------------------------------------

def check_em_never_loses(seed=0):
    Z = np.concatenate([rng(seed).normal(size=(60, 2)), 4 + 0.5 * rng(seed + 1).normal(size=(40, 2))])
    with catch_warnings():
        simplefilter("ignore")  # of a fit that has not ended
        model = gaussian_mixture.GaussianMixture(2, floor=1e-9, tol=1e-12, max_iter=30).fit(Z, rng=rng(seed))
    assert (np.diff(model.log_likelihood_) > -1e-7).all() and len(model.log_likelihood_) > 3
    assert model.weights_.sum() == pytest.approx(1, rel=1e-12)


def check_em_step(seed=0):
    """E by Bayes' rule at every code; M by NumPy's weighted mean and covariance of every component."""
    Z, weights, means = rng(seed).normal(size=(9, 2)), np.array([0.2, 0.5, 0.3]), rng(seed + 1).normal(size=(3, 2))
    A = rng(seed + 2).normal(size=(3, 2, 2))
    covariances, floor = A @ A.transpose(0, 2, 1) + np.eye(2), 0.1 * np.eye(2)
    r, log_s = gaussian_mixture.expectation(Z, weights, means, covariances)
    for z, each, total in zip(Z, r, log_s):
        joint = [w * np.exp(-0.5 * (z - m) @ np.linalg.inv(S) @ (z - m)) / np.sqrt(np.linalg.det(2 * np.pi * S))
                 for w, m, S in zip(weights, means, covariances)]
        np.testing.assert_allclose(each, np.array(joint) / np.sum(joint), rtol=1e-11)
        np.testing.assert_allclose(total, np.log(np.sum(joint)), rtol=1e-11)
    new_weights, new_means, new_covariances = gaussian_mixture.maximisation(Z, r, floor)
    np.testing.assert_allclose(new_weights, r.mean(axis=0), rtol=1e-9)
    for c in range(3):
        np.testing.assert_allclose(new_means[c], np.average(Z, axis=0, weights=r[:, c]), rtol=1e-9)
        np.testing.assert_allclose(new_covariances[c], np.cov(Z.T, aweights=r[:, c], ddof=0) + floor, rtol=1e-9)


def test_em_step():
    check_em_step()


def check_one_component_is_the_maximum_likelihood_gaussian(seed=0):
    Z = rng(seed).normal(size=(31, 3)) @ rng(seed + 1).normal(size=(3, 3)) + 2
    model = gaussian_mixture.GaussianMixture(1, floor=1e-12).fit(Z, rng=rng())
    np.testing.assert_allclose(model.means_[0], Z.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(model.covariances_[0], np.cov(Z.T, bias=True), rtol=1e-8)
    log_det = np.linalg.slogdet(2 * np.pi * np.cov(Z.T, bias=True))[1]
    assert model.log_prob(Z).mean() == pytest.approx(-0.5 * (log_det + 3), rel=1e-10)


def check_mixture_floor(floor=0.01):
    """Codes on a line in three dimensions have no width across it but the floor: a share of their mean variance."""
    line = np.array([[2.0, -1, 2]]) / 3
    Z = rng(0).normal(size=(40, 1)) @ line + 1
    mean_variance = np.trace(np.cov(Z.T)) / 3
    for C in (1, 2):
        model = gaussian_mixture.GaussianMixture(C, floor=floor, max_iter=1000).fit(Z, rng=rng(1))
        widths = np.linalg.eigvalsh(model.covariances_)
        np.testing.assert_allclose(widths[:, :2], floor * mean_variance, rtol=1e-6)
        assert (widths[:, 2] > floor * mean_variance).all()
    np.testing.assert_allclose(
        gaussian_mixture.GaussianMixture(1, floor=floor).fit(Z, rng=rng(1)).covariances_[0],
        np.cov(Z.T, bias=True) + floor * mean_variance * np.eye(3), rtol=1e-8)


def check_mixture_start(C=4, seed=0):
    """One mean in each of C clouds far apart; equal weights; the codes' covariance with a C-th of its area."""
    clouds = 10 * np.array([[0.0, 0], [1, 0], [0, 2], [3, 3]])
    Z = np.repeat(clouds, 8, axis=0) + 1e-3 * rng(seed).normal(size=(32, 2))
    for draw in range(20):
        means = gaussian_mixture.spread_points(Z, C, rng(draw))
        assert sorted(np.round(means, 1).tolist()) == sorted(clouds.tolist())
    with pytest.warns(UserWarning, match="^max_iter: after 1 turns EM may still gain nats a row; want more turns$"):
        model = gaussian_mixture.GaussianMixture(C, floor=0.1, max_iter=1).fit(Z, rng=rng(19))
    spread = np.cov(Z.T)
    S = spread / C + 0.1 * np.trace(spread) / 2 * np.eye(2)
    d = Z[:, None] - means
    densities = np.exp(-0.5 * np.einsum("nci,ij,ncj->nc", d, np.linalg.inv(S), d))
    densities /= np.sqrt(np.linalg.det(2 * np.pi * S))
    assert model.log_likelihood_ == pytest.approx([np.log(densities.mean(axis=1)).mean()], rel=1e-10)


def check_density_of_a_mixture(seed=0):
    """s(z) = sum_c w_c N(z; m_c, S_c), written out, for clusters that overlap and differ in size; it sums to one."""
    Z = np.concatenate([rng(seed).normal(size=(90, 2)),
                        rng(seed + 1).normal(size=(20, 2)) @ [[0.5, 0.3], [0, 0.4]] + 1.5])
    model = gaussian_mixture.GaussianMixture(2).fit(Z, rng=rng(seed))
    s = sum(w / np.sqrt(np.linalg.det(2 * np.pi * S))
            * np.exp(-0.5 * np.einsum("ni,ij,nj->n", Z - m, np.linalg.inv(S), Z - m))
            for w, m, S in zip(model.weights_, model.means_, model.covariances_))
    assert np.ptp(model.weights_) > 0.2
    np.testing.assert_allclose(model.log_prob(Z), np.log(s), rtol=1e-11, atol=1e-12)
    axis, step = np.linspace(-9, 9, 181, retstep=True)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    assert np.exp(model.log_prob(grid)).sum() * step**2 == pytest.approx(1, abs=1e-9)


def check_grid(seed=0):
    """Weights add up to 1; moments are exact; the density agrees with the one that weights stand for."""
    model = gaussian_mixture.GaussianMixture(3).fit(rng(seed).normal(size=(80, 2)) * [1, 3] + [2, 0], rng=rng(seed))
    z, log_w = model.grid(10000)
    w = np.exp(log_w)
    assert w.sum() == pytest.approx(1, rel=1e-12)
    np.testing.assert_allclose(w @ z, model.weights_ @ model.means_, rtol=0, atol=1e-10)
    second = model.weights_ @ (model.covariances_ + model.means_[:, :, None] * model.means_[:, None]).reshape(3, 4)
    # beyond 5 sigma is left out
    np.testing.assert_allclose(np.einsum("n,ni,nj->ij", w, z, z).ravel(), second, rtol=1e-4)
    # integral s(z) N(z; 0, I) dz, in closed form: sum_c w_c N(m_c; 0, S_c + I)
    exact = sum(wc * np.exp(-0.5 * m @ np.linalg.solve(S + np.eye(2), m))
                / (2 * np.pi * np.sqrt(np.linalg.det(S + np.eye(2))))
                for wc, m, S in zip(model.weights_, model.means_, model.covariances_))
    assert w @ np.exp(-0.5 * (z * z).sum(axis=1)) / (2 * np.pi) == pytest.approx(exact, rel=1e-5)


@given(st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_em_never_lowers_the_likelihood(seed):
    check_em_never_loses(seed)


def test_one_component_is_the_fitted_gaussian():
    check_one_component_is_the_maximum_likelihood_gaussian()


def test_mixture_floor():
    check_mixture_floor()


def test_mixture_start():
    check_mixture_start()


def test_a_mixture_says_when_its_turns_did_not_suffice():
    X = sv.load_digits()[0][:, :40]
    with pytest.warns(UserWarning, match="^max_iter: after 2 turns EM still gains [1-9]"):
        model = gaussian_mixture.GaussianMixture(20, max_iter=2).fit(X, rng=rng())
    assert np.diff(model.log_likelihood_)[-1] > 1
    gaussian_mixture.GaussianMixture(20, tol=10).fit(X, rng=rng())                                 # no more was asked for


def test_density_of_a_mixture():
    check_density_of_a_mixture()


def test_the_grid_integrates():
    check_grid()


def test_the_standard_mixture_is_the_prior():
    z = rng().normal(size=(7, 3))
    prior = gaussian_mixture.GaussianMixture.standard(3)
    np.testing.assert_allclose(prior.log_prob(z), sv.gaussian.log_prob(z, 0.0, np.zeros(3)), rtol=1e-12)


def test_samples_have_the_mixture_s_moments():
    model = gaussian_mixture.GaussianMixture(2).fit(np.concatenate([rng().normal(size=(90, 2)),
                                                                    rng(1).normal(size=(30, 2)) @ [
        [2, 1], [0, 0.3]] + 6]), rng=rng())
    z, n = model.sample(40000, rng=rng(2)), 40000
    mean = model.weights_ @ model.means_
    assert (np.abs(z.mean(axis=0) - mean) < 4 * z.std(axis=0) / np.sqrt(n)).all()
    second = np.einsum("c,cij->ij", model.weights_,
                       model.covariances_ + model.means_[:, :, None] * model.means_[:, None])
    products = z[:, :, None] * z[:, None]
    assert (np.abs(products.mean(axis=0) - second) < 4 * products.std(axis=0) / np.sqrt(n)).all()


def test_two_clouds_are_found_and_a_repeated_point_does_not_break_it():
    Z = np.concatenate([rng().normal(size=(100, 2)), 20 + rng(1).normal(size=(50, 2))])
    model = gaussian_mixture.GaussianMixture(2).fit(Z, rng=rng())
    assert sorted(model.weights_.round(6)) == pytest.approx([1 / 3, 2 / 3], abs=1e-5)
    gaussian_mixture.GaussianMixture(3).fit(np.concatenate([np.zeros((50, 2)), Z[:3]]), rng=rng())


# ---- log p on a grid ------------------------------------------------------------------------------------------

def check_grid_log_prob_sums_to_one():
    """log p over all 2^4 binary images: probabilities add up to 1, whatever the decoder and the sampler."""
    model = sv.VAE(4, (5,), 2, activation="tanh", rng=rng(), dtype=np.float64)
    model.theta += 0.5 * rng(1).normal(size=model.theta.shape)
    X = np.array([[i >> j & 1 for j in range(4)] for i in range(16)], dtype=float)
    sampler = gaussian_mixture.GaussianMixture(3).fit(2 * rng(2).normal(size=(50, 2)) + 1, rng=rng())
    log_p = latent_space.grid_log_prob(model, X, sampler)
    assert np.exp(log_p).sum() == pytest.approx(1, rel=1e-10)
    # and against Monte Carlo: p(x) = E[p(x given z)]
    logits = model.decoder.forward(sampler.sample(100000, rng=rng(3)))[0]
    p = np.exp([sv.Bernoulli().log_prob(np.broadcast_to(x, logits.shape), logits) for x in X])
    assert (np.abs(p.mean(axis=1) - np.exp(log_p)) < 5 * p.std(axis=1) / np.sqrt(100000)).all()


def test_grid_log_prob_is_a_distribution():
    check_grid_log_prob_sums_to_one()


def test_grid_log_prob_converges_and_agrees_with_importance_sampling():
    X = sv.binarize(sv.load_digits()[0])[:300]
    vae = sv.VAE(64, (16,), 2, activation="tanh", rng=rng(), dtype=np.float64)
    sv.fit(vae, X, epochs=60, optimizer=sv.Adam(1e-2), rng=rng())
    prior = gaussian_mixture.GaussianMixture.standard(2)
    coarse, fine = (latent_space.grid_log_prob(vae, X[:20], prior, n_nodes=n) for n in (10000, 40000))
    np.testing.assert_allclose(coarse, fine, rtol=0, atol=1e-4)
    estimate = vae.elbo(X[:20], rng=rng(1)).elbo
    assert estimate.mean() < fine.mean()
    value, _ = sv.log_evidence(vae, X[:20], n_samples=5000, rng=rng(2), method="defensive")
    np.testing.assert_allclose(value, fine, rtol=0, atol=0.15)


# ---- the door -------------------------------------------------------------------------------------------------

VAE2 = sv.VAE(4, (3,), 2, rng=np.random.default_rng(0))
PRIOR = gaussian_mixture.GaussianMixture.standard(2)


@pytest.mark.parametrize("call, told", [
    (lambda: latent_space.area_spread(np.eye(3), [0, 0, 0]), "want more than 3 codes"),
    (lambda: latent_space.area_spread(rng().normal(size=(5, 2)), [0] * 5), "two classes or more"),
    (lambda: latent_space.class_log_areas(np.arange(8.0).repeat(2).reshape(8, 2), [0] * 8), "hyperplane"),
    (lambda: latent_space.isolated_share([[0.0]], [[1.0]]), "codes: want at least 2"),
    (lambda: latent_space.isolated_share([[0.0, 1]], [[1.0], [2]]), "z: want shape"),
    (lambda: latent_space.label_entropy([0, 10]), "labels: want classes"),
    (lambda: latent_space.frechet_distance([[1.0, 2]], [[1.0, 2], [2, 3]]), "features: want at least 2 rows"),
    (lambda: latent_space.grid_log_prob(VAE2, np.full((2, 4), 0.5), PRIOR), "0 or 1"),
    (lambda: latent_space.grid_log_prob(sv.VAE(4, (3,), 3, rng=rng()), np.zeros((2, 4)), PRIOR), "want 2 latents"),
    (lambda: gaussian_mixture.GaussianMixture.standard(3).grid(), "want 2 dimensions"),
    (lambda: gaussian_mixture.GaussianMixture(4).fit(np.zeros((3, 2)), rng=rng()), "Z: want more rows"),
    (lambda: gaussian_mixture.GaussianMixture(1).fit(np.ones((9, 2)), rng=rng()), "^Z: want rows that differ; all its columns are constant"),
    (lambda: gaussian_mixture.GaussianMixture(1).fit(np.full((10, 2), 0.1), rng=rng()), "^Z: want rows that differ"),
    (lambda: gaussian_mixture.GaussianMixture(1, floor=0), "floor"),
    (lambda: gaussian_mixture.GaussianMixture(2).sample(3, rng=rng()), "not fitted"),
    (lambda: gaussian_mixture.GaussianMixture(0), "n_components")])
def test_bad_input_is_refused(call, told):
    with pytest.raises(ValueError, match=told):
        call()


def test_a_model_without_logits_is_refused():
    model = sv.Autoencoder(4, (3,), 2, observation=sv.Gaussian(1.0), rng=rng())
    with pytest.raises(TypeError, match="want an Autoencoder or VAE under"):
        latent_space.grid_log_prob(model, np.zeros((2, 4)), PRIOR)


@pytest.mark.parametrize("call, told", [
    (lambda: latent_space.off_centre([[0.3, 0.4]]), "z: want at least 2 rows"),
    (lambda: latent_space.label_entropy([3]), "labels: want at least 2"),
    (lambda: sv.Standardizer().fit([[1.0, 2.0]]), "X: want at least 2 rows")])
def test_one_row_has_no_spread(call, told):
    with pytest.raises(ValueError, match=f"^{told}"):
        call()


@pytest.mark.parametrize("K", [1, 2])
def test_a_class_in_one_place_has_no_area_whatever_the_rounding_of_its_mean(K):
    z = np.concatenate([rng().normal(size=(20, K)), 9810.1 + 0 * rng().normal(size=(30, K))])
    z[20:, 1:] = rng(1).normal(size=(30, K - 1))
    with pytest.raises(ValueError, match="^z: the codes of class 1 lie in a hyperplane"):
        latent_space.class_log_areas(z, np.repeat([0, 1], [20, 30]))
