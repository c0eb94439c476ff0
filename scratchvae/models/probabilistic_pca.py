"""Which latent-variable model has PCA as its answer? Probabilistic PCA, where everything is known exactly.

A latent z ~ N(0, I_K) is mapped linearly to x and seen through noise of one variance v:

    x = z W + mean + sqrt(v) eps         W : (K, D), as in a Dense layer

z and x are jointly Gaussian, so the two things that are intractable for a VAE have closed forms here:

    p(x) = N(mean, C)                    C = W^T W + v I         (D, D)
    p(z given x) = N(m(x), v M^-1)       M = W W^T + v I         (K, K)        m(x) = (x - mean) W^T M^-1

Nothing of size D x D is formed. With W = U S V^T, V : (D, K) with orthonormal columns, C has the eigenvalue S_j^2 + v
along V_j and v in the D - K directions left over, so with y = V^T (x - mean)

    log p(x) = -1/2 (sum_j y_j^2 / (S_j^2 + v) + |x - mean - V y|^2 / v
                     + sum_j log(S_j^2 + v) + (D - K) log v + D log 2 pi).

Maximum likelihood. The mean is the data's. Let l_1 >= ... >= l_D be the eigenvalues of the data's covariance with
denominator N, the maximum-likelihood one (PCA's explained variances divide by N - 1), and V its eigenvectors. Then

    v = mean of l_{K+1} ... l_D          W_j = sqrt(l_j - v) V_j,   j = 1 ... K

up to a rotation of the latents, which changes no density; without one, the rows of W are orthogonal and the posterior's
covariance is diagonal. So C keeps the K largest variances as they are and spreads what PCA throws away evenly over
the other directions. It also says when a latent is worth having: where l_j exceeds v. For a v that is fixed beforehand
the same holds: a latent with l_j <= v gets W_j = 0.

A VAE without hidden layers and with one Gaussian variance is this model, with an encoder for its posterior.
Source: Tipping & Bishop 1999, equations 2 to 8 and appendix A; Bishop 2006, section 12.2.
"""
import numpy as np

from scratchvae.checking import door, entry, generator, integer, matrix
from scratchvae.models.fit_once import FitOnce, fitted
from scratchvae.models.pca import PCA
from scratchvae.models.labels import without_labels
from scratchvae.models.vae import VAE
from scratchvae.nn.threads import threads_for
from scratchvae.probability.gaussian import LOG_2PI
from scratchvae.probability.observation import Gaussian


def several_columns(name, value):
    """`value` as (N, D) in float64, D at least 2."""
    X = matrix(name, value, dtype=np.float64)
    if X.shape[1] < 2:
        raise ValueError(f"{name}: want at least 2 features, for n_components must be less than their number, got 1")
    return X


points = lambda name, value, self: matrix(name, value, self.W_.shape[1], np.float64)  # (N, D)


class ProbabilisticPCA(FitOnce):
    """The linear-Gaussian model of K latents that makes the data most likely, in closed form and in float64.

    After `fit(X)`, X : (N, D), with the maximum-likelihood denominator N, not N - 1:
        mean_ (D,)    components_ (K, D), PCA's orthonormal rows    explained_variance_ (K,), the largest l_j
        noise_variance_ : v, the mean of the D - K others           W_ (K, D), rows sqrt(l_j - v) times a component
    """

    OPTIONS = ("n_components",)
    FITTED = ("mean_", "components_", "explained_variance_", "noise_variance_", "W_")

    @entry(n_components=integer)
    def __init__(self, n_components):
        self.n_components = n_components

    @threads_for(0)
    @door(X=several_columns)
    def fit(self, X):
        """Fit to X (N, D); returns self.

        ValueError unless n_components is below D and below the rank of the centred data: no noise, no density.
        """
        N, D = X.shape
        K = integer("n_components", self.n_components, high=D - 1)
        pca = PCA().fit(X)
        S = pca.singular_values_
        rank = int(np.sum(S > S[0] * max(N, D) * np.finfo(np.float64).eps))
        if K >= rank:
            raise ValueError(f"n_components: want less than {rank}, the rank of the centred data, got {K}; "
                             "with as many there is no noise left, and the density is infinite")
        variance = S**2 / N
        self.mean_, self.components_, self.explained_variance_ = pca.mean_, pca.components_[:K], variance[:K]
        # v = mean of l_{K+1} ... l_D, of which those beyond min(N, D) are 0
        self.noise_variance_ = variance[K:].sum() / (D - K)
        # W_j = sqrt(l_j - v) V_j; equal eigenvalues may differ from their mean by a rounding error
        self.W_ = np.sqrt(np.maximum(variance[:K] - self.noise_variance_, 0))[:, None] * self.components_
        return self

    @threads_for(0)
    @door(self=fitted, X=points)
    def log_prob(self, X):
        """log p(x) of each row, a density in nats : (N,)."""
        return linear_log_prob(X, self.W_, self.mean_, self.noise_variance_)

    @threads_for(0)
    @door(self=fitted, X=points)
    def posterior(self, X):
        """The mean (N, K) of p(z given x) for each row, and its covariance (K, K), the same for all."""
        return linear_posterior(X, self.W_, self.mean_, self.noise_variance_)

    @threads_for(0)
    @door(self=fitted, X=points)
    def transform(self, X):
        """The posterior mean of z : (N, K). It is PCA's code, whitened and drawn towards 0, where the prior is."""
        return self.posterior(X)[0]

    @threads_for(0)
    @door(self=fitted, Z=lambda name, value, self: matrix(name, value, len(self.W_), np.float64))
    def inverse_transform(self, Z):
        """The mean of p(x given z), z W + mean : (N, D). After `transform` it lies nearer to the mean than PCA's."""
        return Z @ self.W_ + self.mean_

    @entry(self=fitted, n=lambda name, value, self: integer(name, value, each=self.W_.shape[1]), rng=generator)
    def sample(self, n, *, rng):
        """n new x (n, D): z ~ N(0, I), then x = z W + mean + sqrt(v) eps."""
        K, D = self.W_.shape
        z = rng.standard_normal((n, K))
        return z @ self.W_ + self.mean_ + np.sqrt(self.noise_variance_) * rng.standard_normal((n, D))

    def _shapes(self, arrays):
        K, D = matrix("W_", arrays["W_"]).shape
        return {"mean_": (D,), "components_": (K, D), "explained_variance_": (K,), "noise_variance_": (), "W_": (K, D)}


# ---- any linear-Gaussian model, fitted or not ---------------------------------------------------------------------

def linear_log_prob(x, W, mean, variance):
    """log p(x) : (N,), in nats, under x = z W + mean + sqrt(variance) eps with z ~ N(0, I).

    x : (N, D)      W : (K, D), any      mean : (D,)      variance : a number > 0
    Source: Tipping & Bishop 1999, equations 3 and 4; the eigenvalue form in the module's docstring.
    """
    _, S, Vt = np.linalg.svd(W, full_matrices=False)
    centred = x - mean
    y = centred @ Vt.T                                                        # (N, K)
    rest = centred - y @ Vt                                                   # (N, D)
    along = S**2 + variance
    D = len(mean)
    # log|C| = sum_j log(S_j^2 + v) + (D - K) log v
    log_det = np.log(along).sum() + (D - len(S)) * np.log(variance)
    # (x - mean) C^-1 (x - mean)^T = sum_j y_j^2 / (S_j^2 + v) + |x - mean - V y|^2 / v
    squares = np.sum(y**2 / along, axis=1) + np.sum(rest**2, axis=1) / variance
    return -0.5 * (squares + log_det + D * LOG_2PI)


def linear_posterior(x, W, mean, variance):
    """The mean (N, K) and covariance (K, K) of p(z given x) under x = z W + mean + sqrt(variance) eps, z ~ N(0, I).

        M = W W^T + v I        mean = (x - mean) W^T M^-1        covariance = v M^-1

    x : (N, D)      W : (K, D), any      mean : (D,)      variance : a number > 0
    Source: Tipping & Bishop 1999, equation 6.
    """
    # With W = U S V^T and U square, M = U (S^2 + v) U^T; W W^T would square what W's rows have in common.
    K, D = W.shape
    U, S, Vt = np.linalg.svd(np.pad(W, ((0, 0), (0, max(0, K - D)))), full_matrices=False)
    along = S**2 + variance
    return (x - mean) @ Vt[:, :D].T * (S / along) @ U.T, (U * (variance / along)) @ U.T


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
