"""How is a network told the class of what it sees or draws? By a one-hot code beside its input.

    joined(x, y) = [x, 0, ..., 1, ..., 0]        the 1 at y        [x, e_y] W + b = x W_x + (W_y + b)

So a class adds nothing but its own row of the first weights to the first bias: for one class alone the network is an
ordinary one with that bias, and `for_one_class` gives it.
"""
import numpy as np

from scratchvae.checking import class_labels, integer, only


def classes_of(name, value, self, n):
    """A check: `value` as the classes (n,) of so many rows, one each or one for all; None where there is one class."""
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        value = np.full(n, integer(name, value, low=0, high=self.n_classes - 1))
    if value is None and self.n_classes > 1:
        raise ValueError(f"{name}: want the class of each row, from 0 to {self.n_classes - 1}, got None")
    return value if value is None else class_labels(name, value, n, self.n_classes)


without_labels = lambda name, model: only(
    name, model, lambda model: getattr(model, "n_classes", 1) == 1,
    "want a model without labels, or one class of it: vae.given(label), got {0!r}")
beside_x = lambda name, value, self, X: classes_of(name, value, self, len(X))
beside_z = lambda name, value, self, z: classes_of(name, value, self, len(z))


def joined(a, labels, n_classes):
    """Rows of a (..., N, n) with the one-hot codes of their labels (N,) : (... N, n + C); as they are for one class."""
    if n_classes > 1:
        y = np.eye(n_classes, dtype=a.dtype)[labels]
        a = np.concatenate([a, np.broadcast_to(y, (*a.shape[:-1], n_classes))], axis=-1)
    return a.reshape(-1, a.shape[-1])


def for_one_class(network, label, copy):
    """Into `copy`, which takes no class, the parameters of `network` as they are for this label."""
    for layer, its in zip(network.layers, copy.layers):
        for name, view in its.named_parameters().items():
            view[...] = layer.named_parameters()[name][:len(view)]
    W, n = network.layers[0].W, len(copy.layers[0].W)
    if len(W) > n:
        copy.layers[0].b += W[n + label]
