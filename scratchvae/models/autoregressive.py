"""Can p(x) be written down exactly? The chain rule, one pixel after another.

Any distribution over D pixels is a product of D distributions over one. With an order of the pixels, o_1, ..., o_D,

    p(x) = prod_t p(x_o_t given x_o_1, ..., x_o_(t-1))

and if a network gives the logit a_j of every pixel j from the pixels before j alone, then

    log p(x) = sum_j x_j a_j - log(1 + e^a_j)              p(x_j = 1 given the pixels before j) = sigmoid(a_j)

is exact: no integral, no bound. It sums to one whatever the parameters are: for given values of the pixels before it
the last pixel's two probabilities add up to 1, then the last but one's, and so on to the first. All logits come from
one pass of the network, since x is known. Drawing x is slow: pixel o_t can only be drawn when those before it have
been, so it takes D steps, for one image or for a whole batch.

Nothing in this asks for two values. Any observation model is a conditional, if the network gives each pixel's params,
all of them from the pixels before it alone: of a grey level a mean and a scale, in place of one logit.

"From the pixels before j alone" is made true by masks on the weights (models/masked.py).

With K orders the model's probability is p(x) = 1/K sum_k p_k(x), an average of distributions and so a distribution. The
average of the K networks' logits would be none: p_k(x) with averaged logits need not sum to one.
Source: Frey 1998 (FVBN); Larochelle & Murray 2011; Germain et al. 2015 (masks, several orders).
"""
from collections import namedtuple

import numpy as np

from scratchvae.checking import (class_labels, entry, generator, integer, numeric_array, order_of_one, row_blocks,
                                 shaped)
from scratchvae.extending import built
from scratchvae.nn.flow import Array, Node
from scratchvae.nn.model import Model, accepted, new_rows
from scratchvae.nn.network import share_out, start_outputs
from scratchvae.nn.threads import ONE_THREAD, by_two
from scratchvae.probability.gaussian import moments
from scratchvae.probability.log_space import log_mean_exp
from scratchvae.probability.observation import Bernoulli, Observation

Terms = namedtuple("Terms", "loss log_prob")


def with_gaps(name, value, self):
    """A check: `value` as numbers (N, n_features); what is not known may be anything, as NaN."""
    return shaped(name, numeric_array(name, value), ("N", self.n_features))


def known_pixels(name, value, X):
    """A check: `value` as bool, (D,) or of X's shape (N, D)."""
    known = numeric_array(name, value)
    if known.dtype != bool or known.shape not in (X.shape, X.shape[1:]):
        raise ValueError(f"{name}: want bool {X.shape[1:]} or {X.shape}, got {known.dtype} {known.shape}")
    return known


class Autoregressive(Model):
    """x (N, D) with an exact log p(x), for one order of the pixels or an average over several.

    orders : (K, D)        each row a permutation: orders[k, t] is the pixel that comes t-th in order k
    by_order               K tuples of networks x -> (N, n_params), masked for the order, whose sum is the params: the
                           first, of the same theta in all, and perhaps direct connections, of each order's own
    observation            p(x_j given the pixels before j), of a pixel's params
    """

    terms = Terms

    def __init__(self, orders, by_order, dtype, observation=Bernoulli()):
        self.orders, self.by_order, self.n_features = orders, by_order, orders.shape[1]
        self.observation = observation
        direct = {f"direct_{k}": network for k, (_, *own) in enumerate(by_order) for network in own}
        super().__init__(dtype, network=by_order[0][0], **direct)

    def bind(self):
        direct = list(self.networks.values())[1:]
        for network, *_ in self.by_order:  # all have the same first part of theta
            share_out(self.theta, self.grad, [network, *direct])

    def accept(self, X, name="X"):
        """The door: X as (N, n_features) of the model's dtype, inside the observation model's support."""
        return (self.observation.accept(X, name, self.n_features, self.dtype),)

    def start(self, x):
        """Start at independent pixels: weights to the params are 0, biases what fits each, as log-odds of its ones.

        returns : False, and nothing is done, if it is trained
        """
        mean, variance = moments(x)
        order_of_one("X", x, mean, variance, self.observation.bounded)
        params, spread = self.observation.start(mean, variance)
        return start_outputs(self.network, params, 0 * spread)

    def forward(self, x, k):
        # a = f_k(x) + x (A_k * mask_k)
        outputs, caches = zip(*(network.forward(x) for network in self.by_order[k]))
        return sum(outputs), caches

    def backward(self, dparams, caches, k, need_dx=True):
        # a sum hands on its derivative as it is:  df_k = da        dx = J_k^T da + da (A_k * mask_k)^T
        for _, *direct in self.by_order:  # those of the other orders have no part in it
            for network in direct:
                network.grad[:] = 0
        dx = [network.backward(dparams, cache, need_dx) for network, cache in zip(self.by_order[k], caches)]
        return sum(dx) if need_dx else None

    def forward_backward(self, x, *, rng=None, order=None):
        """The loss terms of a batch; fills `grad`.

            loss = -1/N sum_n log p_k(x_n)

        With several orders, k is drawn anew for every batch, or is the index `order`; on average over k that is
        -1/K sum_k log p_k(x), never below -log p(x) by Jensen's inequality.
        """
        N, k = len(x), self._index(rng, order)
        params, caches = self.forward(x, k)
        log_p, dparams = self.observation.value_and_grad(x, params)
        dparams *= -1 / N
        self.backward(dparams, caches, k, need_dx=False)
        log_prob = log_p.mean()
        return Terms(-log_prob, log_prob)

    def flow(self):
        """Its parts (see nn/flow.py), for `plotting.diagram`, with the masks of the first order."""
        x, *hidden, y = self.network.flow()
        direct = [part for network in self.by_order[0][1:] for box in network.flow()[1:-1]
                  for part in (y._replace(name="f(x)"), Node("+", box._replace(text=f"x\n{box.text}")))]
        several = [Node(f"1/K sum_k p_k(x)\nK = {len(self.orders)} orders")] * (len(self.orders) > 1)
        return [x, *hidden, *direct, Array(self.observation.params, y.shape),
                Node(f"{type(self.observation).__name__}\np(x_j given the\npixels before j)", kind="result"), *several]

    def _index(self, rng, order):
        if order is not None:
            return integer("order", order, low=0, high=len(self.orders) - 1)
        return int(generator("rng", rng).integers(len(self.orders))) if len(self.orders) > 1 else 0

    def evaluate(self, x, *, rng=None):
        """The loss terms without a gradient: the exact log p(x), averaged over all orders; nothing is drawn."""
        log_prob = self.log_prob(x).mean()
        return Terms(-log_prob, log_prob)

    @entry(X=accepted)
    def log_prob(self, X):
        """log p(x) = log 1/K sum_k p_k(x) of each example : (N,), exact, in nats."""
        def of_rows(rows):
            return [self.observation.value(X[rows], self.forward(X[rows], k)[0]) for k in range(len(self.orders))]

        by_order = np.concatenate(by_two(of_rows, row_blocks(X, width=self.width), [self]), axis=1)    # (K, N)
        return log_mean_exp(by_order)

    @entry(X=accepted, order=lambda name, value, self: integer(name, value, low=0, high=len(self.orders) - 1))
    def params(self, X, order=0):
        """The params of p(x_j given the pixels before j) for all j : (N, n_params), in the order with index `order`."""
        return self.forward(X, order)[0]

    logits = params  # what they are under a Bernoulli : (N, D)

    @entry(n=new_rows, rng=generator)
    def sample(self, n, *, rng):
        """n new x (n, D), pixel by pixel: D steps for the whole batch (D for the rows of each order, if several)."""
        index = rng.integers(len(self.orders), size=n)
        x = np.zeros((n, self.n_features), self.dtype)
        for k in np.unique(index):
            rows = index == k
            x[rows] = self._draw(x[rows], np.zeros((1, self.n_features), bool), k, rng)
        return x

    @entry(X=with_gaps, known=known_pixels, n_draws=integer, rng=generator)
    def complete(self, X, known, *, n_draws=1, rng):
        """x (N, D) with the pixels that are not `known` drawn given those that are.

        X : (N, D)      known : (D,) or (N, D) bool; what X holds elsewhere is ignored
        Every order makes `n_draws` proposals: known pixels are kept and the others drawn in turn. A proposal has the
        weight

            w = prod_(j known) p(x_j given the pixels before j),

        and one of the proposals is chosen with probability w / sum w (sampling, importance resampling: Rubin 1987).
        Exact, with n_draws = 1, if the known pixels come first in each order: then w = p_k(known). Otherwise a drawn
        pixel did not listen to the known pixels after it, and only the weights do: the more draws, the closer.
        """
        (x,) = self.accept(np.where(known, X, 0))
        known, proposals, log_w = np.broadcast_to(known, x.shape), [], []
        for k in range(len(self.orders)):
            for _ in range(n_draws):
                proposals.append(self._draw(x.copy(), known, k, rng))
                # log w = sum_(j known) log p(x_j given before)
                params = self.forward(proposals[-1], k)[0][:, self.observation.columns(self.n_features)]
                log_p = self.observation.value(proposals[-1][..., None], params)
                log_w.append(np.sum(log_p * known, axis=1))
        # argmax_s (log w_s + Gumbel noise) is s with probability w_s / sum w
        chosen = np.argmax(log_w + rng.gumbel(size=np.shape(log_w)), axis=0)
        return np.stack(proposals)[chosen, np.arange(len(x))]

    @ONE_THREAD
    def _draw(self, x, known, k, rng):
        """x (N, D), in place, with the pixels that are not `known`, 0 until then, drawn one after another in order k.

        A new pixel adds a matrix of rank one to what the first hidden layer hears, a += x_j (W * mask)_j; and of the
        params only its own are computed.
        """
        network, *direct = self.by_order[k]
        *hidden, last = network.layers
        ends = [layer for net in (network, *direct) for layer in net.layers[-1:]]
        columns = [np.ascontiguousarray((layer.W * layer.mask).T) for layer in ends]
        W = hidden[0].W * hidden[0].mask if hidden else None
        a = hidden[0].forward(x)[0] if hidden else x
        own = self.observation.columns(self.n_features)
        for j in self.orders[k]:
            h = a
            for layer in hidden[1:]:
                h = layer.forward(h)[0]
            # param_c = h . W_c + x . A_c + b_c        for the columns c of pixel j
            params = [sum(v @ column[c] for v, column in zip((h, x), columns)) + last.b[c] for c in own[j]]
            drawn = self.observation.sample(np.array(params).T, rng)[:, 0]
            dx = np.where(known[:, j], 0, drawn)
            x[:, j] += dx
            if hidden:
                a += dx[:, None] * W[j]
        return x

    @classmethod
    def from_config(cls, config):
        """A model of this `config`; a file from before there was a choice of observation model has binary pixels."""
        return super().from_config({**config, "observation": built(config.get("observation", ["Bernoulli", {}]),
                                                                   Observation)})


def pixel_order(name, value, n_features):
    """`value` (D,) as a permutation of 0..D-1; for None the raster order 0, 1, ..., D-1: row by row from the top."""
    if value is None:
        return np.arange(n_features)
    order = class_labels(name, value, n_features, n_features)
    if len(np.unique(order)) < n_features:
        raise ValueError(f"{name}: want each of 0..{n_features - 1} once, got some twice")
    return order


def positions(order):
    """position[j] = t for pixel j = order[t]: how many pixels come before j."""
    return np.argsort(order)
