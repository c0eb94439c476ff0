"""Which latent-variable model has PCA as its answer? Probabilistic PCA, where everything is known exactly.

    x = z W + mean + sqrt(v) eps         z ~ N(0, I_K)         (`linear_gaussian.py` has its density and posterior)

Maximum likelihood. The mean is the data's. Let l_1 >= ... >= l_D be the eigenvalues of the data's covariance with
denominator N, the maximum-likelihood one (PCA's explained variances divide by N - 1), and V its eigenvectors. Then

    v = mean of l_{K+1} ... l_D          W_j = sqrt(l_j - v) V_j,   j = 1 ... K

up to a rotation of the latents, which changes no density; without one, the rows of W are orthogonal and the posterior's
covariance is diagonal. So C keeps the K largest variances as they are and spreads what PCA throws away evenly over
the other directions. It also says when a latent is worth having: where l_j exceeds v. For a v that is fixed beforehand
the same holds: a latent with l_j <= v gets W_j = 0.

Where values are missing, NaN in X, they are integrated out, and the maximum is found by turns (`missing_values.py`).
A VAE without hidden layers and with one Gaussian variance is this model, with an encoder for its posterior.
Source: Tipping & Bishop 1999, equations 7 and 8 and appendix A; Bishop 2006, section 12.2.
"""

import numpy as np

from scratchvae.checking import door, entry, generator, integer, matrix, number, numeric_array, only
from scratchvae.models.fit_once import fitted, options, varied, warn_of_em
from scratchvae.models.labels import without_labels
from scratchvae.models.linear_gaussian import SpikedGaussian, linear_log_prob, linear_posterior
from scratchvae.models.missing_values import em_step, observed_posterior, observed_rows
from scratchvae.models.pca import PCA, upright
from scratchvae.models.vae import VAE
from scratchvae.nn.threads import ONE_THREAD
from scratchvae.probability.gaussian import LOG_2PI
from scratchvae.probability.observation import Gaussian


def with_gaps(name, value, n_columns=None):
    """`value` as (N, D) in float64, NaN where a value is missing."""
    X = numeric_array(name, value).astype(np.float64)
    matrix(name, np.where(np.isnan(X), 0, X), n_columns)  # which is all else that any matrix must be
    return X


points = lambda name, value, self: with_gaps(name, value, self.n_features_in_)


def several_columns(name, value):
    """`value` as (N, D) in float64, D at least 2, with NaN where a value is missing, but nowhere a whole column."""
    X = with_gaps(name, value)
    only(name, X.shape[1], lambda n: n > 1,
         "want at least 2 features, for n_components must be less than their number, got {0}")
    empty = np.isnan(X).all(axis=0)
    return varied(name, only(name, X, lambda _: not empty.any(),
                             f"column {empty.argmax()} holds nothing but NaN, which marks what is missing"))


class ProbabilisticPCA(SpikedGaussian):
    """The linear-Gaussian model of K latents that makes the data most likely, in float64; NaN marks a missing value.

    n_components : K
    max_iter, tol : where values are missing EM ends after max_iter turns, or when one gains less than tol nats a row

    After `fit(X)`, X : (N, D), with the maximum-likelihood denominator N, not N - 1:
        mean_ (D,)    components_ (K, D), PCA's orthonormal rows    explained_variance_ (K,), the largest l_j
        noise_variance_ : v, the mean of the D - K others (PCA's is another one: `linear_gaussian.py`)
        W_ (K, D), rows sqrt(l_j - v) times a component
        log_likelihood_ : the mean of log p(x) in nats, in closed form; where values are missing, before each turn of EM
    """

    FITTED = {"mean_": "D", "components_": "KD", "explained_variance_": "K", "noise_variance_": "", "W_": "KD",
              "log_likelihood_": "T"}

    @options(n_components=integer, max_iter=integer, tol=number)
    def __init__(self, n_components, *, max_iter=1000, tol=1e-6):
        self.n_components, self.max_iter, self.tol = n_components, max_iter, tol

    @ONE_THREAD
    @door(X=several_columns)
    def fit(self, X, y=None):
        """Fit to X (N, D), NaN where a value is missing; returns self.

        ValueError unless n_components is below D and below the rank of the centred data: no noise, no density.
        With gaps noise counts as none below 3e-5 of the columns' deviation. Warns if max_iter turns did not suffice.
        """
        N, D = X.shape
        K, missing = integer("n_components", self.n_components, high=D - 1), np.isnan(X)
        pca = PCA().fit(np.where(missing, np.nanmean(X, axis=0), X))
        variance, rank = pca.singular_values_**2 / N, np.count_nonzero(pca.singular_values_)
        only("X", rank, lambda rank: rank > 1, "want rows that differ in two directions at least, one for a latent and "
             "one for noise; centred they have the rank {0}")
        if K >= rank:
            raise no_noise(f"less than {rank}, the rank of the centred data", K)
        # v = mean of l_{K+1} ... l_D, of which those beyond min(N, D) are 0
        v = variance[K:].sum() / (D - K)
        # W_j = sqrt(l_j - v) V_j; equal eigenvalues may differ from their mean by a rounding error
        W = np.sqrt(np.maximum(variance[:K] - v, 0))[:, None] * pca.components_[:K]
        if missing.any():
            found = self._by_em(X, W, pca.mean_, v)
        else:
            # the quadratic form averages to D
            log_p = -0.5 * (np.log(variance[:K]).sum() + (D - K) * np.log(v) + D * LOG_2PI + D)
            found = pca.mean_, pca.components_[:K], variance[:K], v, W, np.array([log_p])
        vars(self).update(zip(self.FITTED, found))
        return self

    def _by_em(self, X, W, mean, v):
        """The fitted attributes, by EM that starts at W, mean and v of the data with means in their gaps."""
        # from the means on, so that nothing cancels far from the origin
        blocks, origin, mean, log_likelihood, gain = list(observed_rows(X - mean, len(W))), mean, 0 * mean, [], np.inf
        least = 1e-9 * np.nanvar(X, axis=0).mean()  # below it v M_o^-1 has lost its digits
        while len(log_likelihood) < self.max_iter and gain >= self.tol:
            try:
                W, mean, v, log_p = em_step(blocks, W, mean, v)
            except np.linalg.LinAlgError:  # a column's few values are explained exactly
                v = 0
            if v < least:
                raise no_noise("fewer, or columns on scales more alike, for the observed values", len(W))
            gain = log_p - log_likelihood[-1] if log_likelihood else np.inf
            log_likelihood.append(log_p)
        warn_of_em(self.max_iter, self.tol, gain, ", or, if the noise goes on falling, fewer components")
        # W = U S V^T: turned by U the latents have orthogonal rows, as in closed form
        _, S, Vt = np.linalg.svd(W, full_matrices=False)
        V = upright(Vt)
        return origin + mean, V, S**2 + v, v, S[:, None] * V, np.array(log_likelihood)

    def _of_observed(self, X):
        """m, log p(x_o) and v M_o^-1 of the rows of X, a block at a time."""
        for rows in observed_rows(X, len(self.W_)):
            m, log_p, covariance = observed_posterior(rows, self.W_, self.mean_, self.noise_variance_)
            yield m, log_p, covariance[rows.pattern]

    @ONE_THREAD
    @door(self=fitted, X=points)
    def log_prob(self, X):
        """log p(x) of each row, a density in nats : (N,); of rows with gaps that of what they have, or 0."""
        if np.isnan(X).any():
            return np.concatenate([log_p for _, log_p, _ in self._of_observed(X)])
        return linear_log_prob(X, self.W_, self.mean_, self.noise_variance_)

    score_samples = log_prob

    @ONE_THREAD
    @door(self=fitted, X=points)
    def posterior(self, X):
        """The mean (N, K) of p(z given x) for each row, and its covariance (K, K), the same for all.

        Where values are missing: given those that are observed, with a covariance for each row, (N, K, K).
        """
        if np.isnan(X).any():
            return tuple(map(np.concatenate, zip(*((m, covariance) for m, _, covariance in self._of_observed(X)))))
        return linear_posterior(X, self.W_, self.mean_, self.noise_variance_)

    @ONE_THREAD
    @door(self=fitted, X=points)
    def transform(self, X):
        """The posterior mean of z : (N, K). It is PCA's code, whitened and drawn towards 0, where the prior is."""
        if np.isnan(X).any():
            return np.concatenate([m for m, _, _ in self._of_observed(X)])
        return self.posterior(X)[0]

    @ONE_THREAD
    @door(self=fitted, Z=lambda name, value, self: matrix(name, value, len(self.W_), np.float64))
    def inverse_transform(self, Z):
        """The mean of p(x given z), z W + mean : (N, D). After `transform` it lies nearer to the mean than PCA's."""
        return Z @ self.W_ + self.mean_

    @ONE_THREAD
    @door(self=fitted, X=points)
    def impute(self, X):
        """X (N, D) with its NaN filled by what is expected there given the row's observed values, E[x_m given x_o]."""
        return np.where(np.isnan(X), self.inverse_transform(self.transform(X)), X)

    @entry(self=fitted, n=lambda name, value, self: integer(name, value, each=self.W_.shape[1]), rng=generator)
    def sample(self, n, *, rng):
        """n new x (n, D): z ~ N(0, I), then x = z W + mean + sqrt(v) eps."""
        K, D = self.W_.shape
        z = rng.standard_normal((n, K))
        return z @ self.W_ + self.mean_ + np.sqrt(self.noise_variance_) * rng.standard_normal((n, D))


def no_noise(want, K):
    """The error where K latents explain everything."""
    return ValueError(f"n_components: want {want}, got {K}; "
                      "with as many there is no noise left, and the density is infinite")


# ---- the same model as a VAE --------------------------------------------------------------------------------------

def linear_decoder(vae):
    """W (K, D), mean (D,) and variance of a linear VAE's decoder in float64, as `linear_log_prob` wants them.

    ValueError unless the VAE has no hidden layers and a Gaussian observation with one variance, fixed or learned.
    """
    observation = without_labels("vae", vae).observation
    if vae.hidden or not isinstance(observation, Gaussian) or observation.variance == "diagonal":
        raise ValueError("vae: want hidden=() and a Gaussian observation with one variance, "
                         f"got hidden={vae.hidden} and {observation!r}")
    dense, *append = vae.decoder.layers
    variance = observation.floor + float(np.exp(np.float64(append[0].c[0]))) if append else observation.variance
    return dense.W.astype(np.float64), dense.b.astype(np.float64), variance


@entry(model=fitted)
def linear_vae(model):
    """A float64 VAE with hidden=() that is the fitted `ProbabilisticPCA`, with its exact posterior as encoder.

    decoder: W_, mean_ and log noise_variance_ (without a floor); encoder: mu = posterior mean, log_var = log of the
    posterior covariance's diagonal, which is all of it because the rows of W_ are orthogonal. So its ELBO is log p(x).
    """
    K, D = model.W_.shape
    vae = VAE(D, hidden=(), n_latent=K, observation=Gaussian("shared", floor=0.0), rng=np.random.default_rng(0),
              dtype=np.float64)
    _, covariance = model.posterior(model.mean_[None])
    # M^-1 = covariance / v      mu = (x - mean) W^T M^-1
    A = model.W_.T @ covariance / model.noise_variance_                        # (D, K)
    encode, (decode, append) = vae.encoder.layers[0], vae.decoder.layers
    encode.W[:, :K], encode.b[:K] = A, -model.mean_ @ A
    encode.W[:, K:], encode.b[K:] = 0, np.log(np.diag(covariance))
    decode.W[:], decode.b[:], append.c[:] = model.W_, model.mean_, np.log(model.noise_variance_)
    return vae
