"""How is a layer kept from what it must not know? Its weights are multiplied by a mask.

A weight that would carry forbidden knowledge is multiplied by 0 in the product itself, y = x (W * mask) + b, so that no
value in theta can break the order, and its gradient is exactly 0:

    dL/d(W * mask) = x^T dy        dL/dW = (x^T dy) * mask

Source: Germain et al. 2015, section 3.
"""
import numpy as np

from scratchvae.nn.layers import Dense, Layer


class MaskedDense(Dense):
    """y = x (W * mask) + b.        x : (N, n_in)      mask : (n_in, n_out) of 0 and 1      y : (N, n_out)"""

    def __init__(self, mask, *, rng, dtype=np.float32):
        super().__init__(*np.shape(mask), rng=rng, dtype=dtype)
        self.mask = np.array(mask, dtype)

    def forward(self, x):
        # y = x (W * mask) + b
        masked = self.W * self.mask
        y = x @ masked
        y += self.b
        return y, (x, masked)

    def backward(self, dy, cache, need_dx=True):
        # dW = (x^T dy) * mask        db = sum_n dy_n        dx = dy (W * mask)^T
        x, masked = cache
        np.matmul(x.T, dy, out=self.dW)
        self.dW *= self.mask
        dy.sum(axis=0, out=self.db)
        return dy @ masked.T if need_dx else None


class Direct(Layer):
    """y = x (W * mask), straight from pixels to params.        x (N, D), mask (D, n_params), y (N, n_params)

    W starts at 0: what pairs of pixels say is learned from nothing.
    """

    def __init__(self, mask, *, dtype=np.float32):
        self.mask, self.shapes = np.array(mask, dtype), {"W": np.shape(mask)}
        self.bind(np.zeros(mask.size, dtype), np.zeros(mask.size, dtype))

    def forward(self, x):
        # y = x (W * mask)
        masked = self.W * self.mask
        return x @ masked, (x, masked)

    def backward(self, dy, cache, need_dx=True):
        # dW = (x^T dy) * mask        dx = dy (W * mask)^T
        x, masked = cache
        np.matmul(x.T, dy, out=self.dW)
        self.dW *= self.mask
        return dy @ masked.T if need_dx else None
