"""How does a network learn? Layers, one parameter vector, optimizers, the training loop, and how to doubt them."""
