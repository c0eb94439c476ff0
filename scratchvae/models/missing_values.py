"""What does a linear-Gaussian model say of rows with values missing? What the observed ones say, no more and no less.

Integrating over a missing value leaves its column out. With o the columns that a row has, W_o, mean_o those of W, mean:

    M_o = W_o W_o^T + v I        m = (x_o - mean_o) W_o^T M_o^-1        p(z given x_o) = N(m, v M_o^-1)

    log p(x_o) = -1/2 (|x_o - mean_o - m W_o|^2 / v + |m|^2 + log|M_o| + (|o| - K) log v + |o| log 2 pi)

which is right wherever it is not the missing values themselves that decide what is missing. The most likely W, mean
and v have no closed form then; expectation-maximisation raises the likelihood by turns, never lowering it. With
u = (z, 1),

    E   for each row m and v M_o^-1, and so E[u] and E[u u^T]; rows that miss the same columns share M_o
    M   each column j is regressed on u in the rows that have it:
            (W_j, mean_j) = sum_n x_nj E[u]^T  (sum_n E[u u^T])^-1
        v is the mean over all observed values of  (x_nj - mean_j - m W_j)^2 + W_j^T (v M_o^-1) W_j
        and the latents get the mean c and covariance L L^T that they were found to have:
            x = (c + z L^T) W + mean + noise = z (L^T W) + (mean + c W) + noise

The last line widens the model by a prior N(c, L L^T) that makes it no richer, and saves nine turns of ten.
Source: Ilin & Raiko 2010, section 3; Tipping & Bishop 1999, appendix B; the last line, Liu, Rubin & Wu 1998.
"""
from collections import namedtuple

import numpy as np

from scratchvae.checking import row_blocks
from scratchvae.probability.gaussian import LOG_2PI

# Some rows: their values, 0 where there is none, and seen, whether there is one, (n, D); the pattern of seen that each
# row has, (n,), and the first row of each, (P,).
Rows = namedtuple("Rows", "values seen pattern first")


def observed_rows(X, K):
    """The rows of X (N, D), NaN where a value is missing, in blocks whose posteriors of K latents are held at once."""
    for rows in row_blocks(X, width=max(X.shape[1], (K + 1)**2)):
        seen = ~np.isnan(X[rows])
        _, first, pattern = np.unique(np.packbits(seen, axis=1), axis=0, return_index=True, return_inverse=True)
        yield Rows(np.where(seen, X[rows], 0), seen, pattern.reshape(-1), first)


def observed_posterior(rows, W, mean, v):
    """Of each row m (n, K), log p(x_o) (n,) in nats; of each pattern v M_o^-1 (P, K, K)."""
    K, D = W.shape
    patterns = np.float64(rows.seen[rows.first])
    n_seen = patterns.sum(axis=1)
    # M_o = sum_{j in o} W_j W_j^T + v I
    M = (patterns @ (W[:, None] * W).reshape(K * K, D).T).reshape(-1, K, K) + v * np.eye(K)
    inverse, log_det = np.linalg.inv(M), np.linalg.slogdet(M)[1] + (n_seen - K) * np.log(v)
    # m = (x_o - mean_o) W_o^T M_o^-1
    r = (rows.values - mean) * rows.seen
    m = ((r @ W.T)[:, None] @ inverse[rows.pattern])[:, 0]
    squares = (((r - m @ W) * rows.seen)**2).sum(axis=1) / v + (m**2).sum(axis=1)
    return m, -0.5 * (squares + (log_det + n_seen * LOG_2PI)[rows.pattern]), v * inverse


def em_step(blocks, W, mean, v):
    """W, mean and v after one turn of EM over all blocks of rows, and the mean of log p(x_o) before it."""
    K, D = W.shape
    means, log_p, latent = [], [], np.zeros((K + 1, K + 1))      # latent: sum_n E[u u^T]
    A, b, C = np.zeros((D, (K + 1)**2)), np.zeros((D, K + 1)), np.zeros((D, K * K))
    for rows in blocks:                                          # E, and over the rows that have column j, the sums of
        m, log_p_rows, covariance = observed_posterior(rows, W, mean, v)
        u, seen, count = np.append(m, np.ones((len(m), 1)), axis=1), np.float64(rows.seen), np.bincount(rows.pattern)
        A += seen.T @ (u[:, :, None] * u[:, None]).reshape(len(u), -1)                       # E[u] E[u]^T,
        C += (seen[rows.first] * count[:, None]).T @ covariance.reshape(len(count), -1)      # v M_o^-1
        b += rows.values.T @ u                                                               # and x_nj E[u]
        latent += u.T @ u
        latent[:K, :K] += np.tensordot(count, covariance, 1)
        means.append(u)
        log_p.append(log_p_rows)
    A, C = A.reshape(D, K + 1, K + 1), C.reshape(D, K, K)
    A[:, :K, :K] += C                                            # E[u u^T]
    # M:  (W_j, mean_j) = sum_n x_nj E[u]^T (sum_n E[u u^T])^-1
    B = np.linalg.solve(A, b[:, :, None])[:, :, 0]               # (D, K + 1)
    W, mean = B[:, :K].T, B[:, K]
    squares = sum((((rows.values - u @ B.T) * rows.seen)**2).sum() for rows, u in zip(blocks, means))
    v = (squares + np.einsum("kj,jkl,lj", W, C, W)) / sum(rows.seen.sum() for rows in blocks)
    # x = (c + z L^T) W + mean + noise
    latent /= latent[K, K]
    c = latent[K, :K]
    L = np.linalg.cholesky(latent[:K, :K] - np.outer(c, c))
    return L.T @ W, mean + c @ W, v, np.concatenate(log_p).mean()
