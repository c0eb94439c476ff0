"""What is a model made of? Its parts in the order in which x flows through them, as `plotting.diagram` draws them.

A model of your own may say more of itself than `Model.flow` does: a list of the following, beginning with an array.
"""
from collections import namedtuple

import numpy as np

# What flows: its name and shape, a width last, as Array("x", ("N", 784)); several side by side are a tuple of arrays.
Array = namedtuple("Array", "name shape")
# Layers that lead from the array before to the array after; mask (n_in, n_out), if not all may pass.
Box = namedtuple("Box", "text mask", defaults=[None])
# Arithmetic without parameters; `source` is what else goes in, the text of a noise or a Box. "noise", "result" or "".
Node = namedtuple("Node", "text source kind", defaults=[None, ""])


def through(network, n_in=None, lead="N"):
    """The boxes of a network's layers with the hidden arrays between them, and the width that comes out.

    A box begins at each layer with a matrix; activations and learned constants belong to the layer before them. Widths
    are those of one row of zeros that is passed through.
    """
    x, parts, box, mask = np.zeros((1, n_in or width_in(network)), network.theta.dtype), [], [], None
    for layer in network.layers:
        matrix = next((shape for shape in layer.shapes.values() if len(shape) == 2), None)
        if matrix and box:
            parts += [Box("\n".join(box), mask), Array("h", (lead, x.shape[1]))]
            box, mask = [], None
        box += [type(layer).__name__] + ([f"W {matrix}"] if matrix else [])
        mask = getattr(layer, "mask", mask)
        with np.errstate(all="ignore"):
            x = layer.forward(x)[0]
    return [*parts, Box("\n".join(box), mask)], x.shape[1]


def width_in(network):
    """How many numbers a network takes: the rows of its first matrix, else as many as its first layer has of each."""
    shapes = [shape for layer in network.layers for shape in layer.shapes.values()]
    return next((shape[0] for shape in sorted(shapes, key=len, reverse=True)), 1)
