"""What is the simplest model with an exact p(x)? A logistic regression for each pixel on the pixels before it.

    a_j = b_j + sum_(i before j) W_ij x_i            p(x_j = 1 given the pixels before j) = sigmoid(a_j)

The fully visible belief network: no latent variable, no hidden layer. All D regressions are one masked matrix product,

    a = x (W * mask) + b            mask_ij = [position of i < position of j]

and with the raster order the mask is the strict upper triangle. -log p(x) is convex in W and b, so there is one best
fit to binary pixels; on few images it learns pairs of pixels by heart, which an L2 penalty on the weights discourages.
Source: Frey 1998; Goodfellow et al. 2016, section 20.10.8.
"""
import numpy as np

from scratchvae.checking import entry, float_type, generator, number, size
from scratchvae.extending import described
from scratchvae.models.autoregressive import Autoregressive, Terms, pixel_order, positions
from scratchvae.models.masked import MaskedDense
from scratchvae.models.pixel_params import for_params, of_pixels
from scratchvae.nn.network import Network
from scratchvae.probability.observation import Bernoulli


class FVBN(Autoregressive):
    """x (N, D), binary by default, each pixel a logistic regression on those before it, trained by `fit`.

    l2 : weight of the penalty l2 sum_ij (W_ij mask_ij)^2 in the loss; biases are free
    order : (D,)        the pixels in the order in which they are generated; by default the raster order
    observation         p(x_j given the pixels before j); each of its params is a regression, then (see `MADE`)
    """

    @entry(n_features=size, l2=number, order=pixel_order, observation=of_pixels, rng=generator, dtype=float_type)
    def __init__(self, n_features, *, l2=0.0, order=None, observation=Bernoulli(), rng, dtype=np.float32):
        self.l2 = l2
        self.layer = MaskedDense(for_params(order_mask(order), observation), rng=rng, dtype=dtype)
        self.layer.b[:] = 0  # until `start`
        super().__init__(order[None], [(Network([self.layer]),)], dtype, observation)

    def forward_backward(self, x, *, rng=None, order=None):
        """The loss terms of a batch; fills `grad`. Nothing is random.

            loss = -1/N sum_n log p(x_n) + l2 sum_ij (W_ij mask_ij)^2
        """
        terms, penalty = super().forward_backward(x, order=order), 0.0
        if self.l2:
            penalty, dW = self.penalty_and_grad()
            self.layer.dW += dW
        return Terms(terms.loss + penalty, terms.log_prob)

    def evaluate(self, x, *, rng=None):
        """The loss terms without a gradient."""
        terms = super().evaluate(x)
        return Terms(terms.loss + self.penalty_and_grad()[0], terms.log_prob)

    def penalty_and_grad(self):
        """l2 sum_ij (W_ij mask_ij)^2, and its derivative in W: 2 l2 W_ij mask_ij."""
        W = self.layer.W * self.layer.mask
        return self.l2 * np.vdot(W, W), 2 * self.l2 * W

    def config(self):
        return {"n_features": self.n_features, "l2": self.l2, "order": self.orders[0].tolist(),
                "observation": described(self.observation), "dtype": np.dtype(self.dtype).name}


def order_mask(order):
    """mask_ij = 1 where pixel i comes before pixel j, else 0 : (D, D). A pixel does not come before itself."""
    position = positions(order)
    return position[:, None] < position[None, :]
