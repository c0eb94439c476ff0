"""What is wrong with an autoencoder's latent space? Each complaint as a number.

An autoencoder is only asked to give x back from z = encoder(x). Where the codes lie is left to chance, and three
complaints are made about that. Here is each one, and the bad samples that it is blamed for, with its definition, so
that it can be measured, and perhaps found not to hold.

    not centred     `off_centre`       |mean z| / sqrt(mean |z|^2)          0 centred ... 1 all codes in one place
    uneven classes  `area_spread`      the standard deviation over classes of log area(class)
    gaps            `isolated_share`   the share of sampled codes that lie where no training code is near
    bad samples     `grid_log_prob`    log p(x) of test images when z is drawn from the sampler
                    `label_entropy`    whether samples show all classes equally often    0 one class ... 1 all
                    `frechet_distance` how far samples are from real images, in features of an independent classifier

The last four depend on a sampler, the density s(z) from which codes are drawn: N(0, I), or a `GaussianMixture` that was
fitted to the codes. A gap does no harm to one who never samples there.
"""
from math import lgamma

import numpy as np

from scratchvae.checking import class_labels, door, entry, integer, not_too_large, number, real_matrix
from scratchvae.checking.analysis import (beside_codes, beside_features, decoder_of_logits, labels_of_many,
                                          labels_of_several, sampler_with_grid, two_labels, two_rows)
from scratchvae.nn.threads import ONE_THREAD
from scratchvae.probability.gaussian import means


@door(z=two_rows)
def off_centre(z):
    """Distance of the codes' mean from the origin, over their root-mean-square distance from it.

        |1/N sum_n z_n| / sqrt(1/N sum_n |z_n|^2)

    z : (N, K), N >= 2      returns : a number in [0, 1], whatever the scale of z; 0 for centred codes (or all zero)
    """
    radius = not_too_large(np.sqrt((z * z).sum(axis=1).mean()))
    return float(np.linalg.norm(z.mean(axis=0)) / radius) if radius > 0 else 0.0


@door("z", z=real_matrix, labels=labels_of_many)
def class_log_areas(z, labels):
    """log of the area (volume, for K > 2) of each class's ellipse of one standard deviation, ordered as the labels.

        log area_c = 1/2 log det cov(z of class c) + log(volume of the K-dimensional unit ball)

    z : (N, K), more than K codes a class, not all in one hyperplane      labels : (N,)      returns : (C,)
    """
    K, logs = z.shape[1], []
    log_ball = 0.5 * K * np.log(np.pi) - lgamma(0.5 * K + 1)  # the volume is pi^(K/2) / G(K/2 + 1)
    for c in np.unique(labels):
        codes = z[labels == c]
        # det cov = (product of the singular values of the centred codes)^2 / (N - 1)^K
        S = np.linalg.svd(codes - means(codes)[0], compute_uv=False)
        if S[-1] <= S[0] * len(codes) * np.finfo(np.float64).eps:
            raise ValueError(f"z: the codes of class {c} lie in a hyperplane, and their area is 0")
        logs.append(np.log(S).sum() - 0.5 * K * np.log(len(codes) - 1) + log_ball)
    return np.array(logs)


@door("z", z=real_matrix, labels=labels_of_several)
def area_spread(z, labels):
    """Standard deviation over classes of the log areas: 0 if all classes take equal room, 1 if areas differ by e = 2.7.

    z : (N, K)      labels : (N,), of two classes or more      Whatever the scale of z; see `class_log_areas`.
    """
    return float(class_log_areas(z, labels).std(ddof=1))


def nearest_distances(z, codes, skip_self=False):
    """Distance of each z (M, K) to the nearest of codes (N, K) : (M,). skip_self : z are the codes, but itself."""
    nearest = np.empty(len(z))
    for n, point in enumerate(z):
        squares = ((codes - point) ** 2).sum(axis=1)
        if skip_self:
            squares[n] = np.inf
        nearest[n] = squares.min()
    return not_too_large(np.sqrt(nearest))


@door("z", "codes", codes=two_rows, z=beside_codes, quantile=lambda name, value: number(name, value, high=1))
def isolated_share(z, codes, quantile=0.99):
    """The share of sampled codes z that are farther from the nearest training code than training codes mostly are.

        share of z_m with  min_n |z_m - c_n|  >  the `quantile` over n of  min_(k != n) |c_n - c_k|

    z : (M, K)      codes : (N, K), N >= 2
    About 1 - quantile for z drawn like the codes; much more if the sampler puts codes into gaps or far outside.
    """
    limit = np.quantile(nearest_distances(codes, codes, skip_self=True), quantile)
    return float((nearest_distances(z, codes) > limit).mean())


@ONE_THREAD
@door("model", "X", "sampler", model=decoder_of_logits, sampler=sampler_with_grid, n_nodes=integer,
      X=lambda name, value, model: model.accept(value, name=name)[0])
def grid_log_prob(model, X, sampler, n_nodes=40000):
    """log p(x) : (N,), in nats, when z is drawn from `sampler` and x from the model's decoder, by quadrature.

        log p(x) = log integral s(z) p(x given z) dz = log sum_i e^w_i p(x given z_i)

    model : an Autoencoder or a VAE of two latents under a model with logits a, log p(x given a) = x^T a - A(a); with
    CrossEntropy the sum is no likelihood      X : (N, D)      sampler : a GaussianMixture, for its `grid`
    Converged when doubling n_nodes changes nothing.
    """
    z, log_w = sampler.grid(n_nodes)
    z, log_w, log_px = z.astype(model.dtype), log_w.astype(model.dtype), np.full(len(X), -np.inf)
    for start in range(0, len(z), 4096):
        rows = slice(start, start + 4096)
        a = model.decoder.forward(z[rows])[0]                                  # (nodes, D)
        terms = model.observation.value_of_pairs(X, a) + log_w[rows]           # (N, nodes)
        top = terms.max(axis=1)
        log_px = np.logaddexp(log_px, top + np.log(np.exp(terms - top[:, None]).sum(axis=1, dtype=np.float64)))
    return log_px


@entry(n_classes=lambda name, value: integer(name, value, low=2),
       labels=lambda name, value, n_classes: two_labels(name, class_labels(name, value, n_classes=n_classes)))
def label_entropy(labels, n_classes=10):
    """Entropy of the labels' frequencies as a share of the largest possible, log C: 1 if all are equally frequent.

        -sum_c f_c log f_c / log C,  f_c the share of label c

    labels : (N,) integers in 0..C-1, N >= 2, as an independent classifier gives them to samples; n_classes : C >= 2
    """
    f = np.bincount(labels) / len(labels)
    f = f[f > 0]
    return float(-(f * np.log(f)).sum() / np.log(n_classes)) + 0.0  # + 0.0 turns -0 into 0


@ONE_THREAD
@door(features=two_rows, others=beside_features)
def frechet_distance(features, others):
    """Squared Wasserstein distance between the Gaussians that have the means and covariances of two sets of features.

        |m_1 - m_2|^2 + tr(S_1 + S_2 - 2 (S_1 S_2)^(1/2))

    features : (N, F)      others : (M, F)      both with at least 2 rows; the unit is that of the features, squared.
    With S = R^T R, R from a QR decomposition of the centred rows, tr (S_1 S_2)^(1/2) = sum of the singular values of
    R_1 R_2^T: no root of a matrix is taken. Biased upward by few rows, so compare only sets of equal size.
    Source: Dowson & Landau 1982; as a measure of samples, Heusel et al. 2017.
    """
    m_1, m_2 = features.mean(axis=0), others.mean(axis=0)
    R_1 = np.linalg.qr(features - m_1, mode="r") / np.sqrt(len(features) - 1)
    R_2 = np.linalg.qr(others - m_2, mode="r") / np.sqrt(len(others) - 1)
    cross = np.linalg.svd(R_1 @ R_2.T, compute_uv=False).sum()
    return max(0.0, float(((m_1 - m_2) ** 2).sum() + (R_1 ** 2).sum() + (R_2 ** 2).sum() - 2 * cross))
