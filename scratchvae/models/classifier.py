"""Which class is it, and how sure? A network under the Categorical observation, from labels few or many.

    logits = network(x)        p(label = c given x) = softmax(logits)_c        loss = -log p(label given x)

The loss is a likelihood like every other here: only the observation is now a label instead of the image itself. With
hidden=() the network is one linear layer, and the model is multinomial logistic regression.

Where labels are few, an encoder trained on unlabelled x may know already what they have in common. It is used in two
ways:

    fine-tuned   `Classifier.from_encoder(model)` starts from copies of the encoder's layers; training moves all of them
    frozen       `Classifier(K, hidden=())`, fitted to the codes `model.encode(X)`: it alone is trained

(Freezing by setting the encoder's gradient to zero would not do: weight decay would still shrink its weights.)
"""
from collections import namedtuple

import numpy as np

from scratchvae.checking import (class_labels, door, entry, float_type, generator, instance, integer, not_too_large,
                                 order_of_one, size, sizes)
from scratchvae.models.autoencoder import CodeModel
from scratchvae.models.labels import without_labels
from scratchvae.nn.flow import Array, Node
from scratchvae.nn.halves import by_halves
from scratchvae.nn.model import Model, rows
from scratchvae.nn.network import activation_class, activation_name, mlp, start_outputs
from scratchvae.probability.gaussian import moments
from scratchvae.probability.observation import Categorical

Terms = namedtuple("Terms", "loss accuracy")


labelled = lambda name, value, self, X: class_labels(name, value, len(X), self.n_classes)  # one label a row of X


def enough(name, labels, n_classes):
    """`labels`, if a classifier of so many classes can learn from them: one for each, and not all of one class."""
    if len(labels) < n_classes:
        raise ValueError(f"{name}: want at least one for each of {n_classes} classes, got {len(labels)}")
    if (labels == labels[0]).all():
        raise ValueError(f"{name}: want two classes or more to tell apart, got only class {labels[0]}")
    return labels


an_encoder = lambda name, value: without_labels(name, instance(name, value, CodeModel, "an Autoencoder or a VAE"))


class Classifier(Model):
    """x (N, D) -> logits (N, C) -> p(label given x), trained by `fit(classifier, X, labels)`.

    hidden     sizes of the hidden layers; () for a linear classifier
    n_classes  C; labels are the integers 0..C-1
    """

    terms = Terms

    @entry(n_features=size, hidden=sizes, n_classes=lambda name, value: integer(name, value, low=2, each=1),
           activation=activation_class, rng=generator, dtype=float_type)
    def __init__(self, n_features, hidden=(128,), n_classes=10, *, activation="relu", rng, dtype=np.float32):
        self.n_features, self.hidden, self.n_classes, self.activation = n_features, hidden, n_classes, activation
        self.observation = Categorical()
        super().__init__(dtype, network=mlp(n_features, hidden, n_classes, activation=activation, rng=rng, dtype=dtype))

    @classmethod
    @entry(model=an_encoder)
    def from_encoder(cls, model, n_classes=10, *, rng):
        """A classifier that starts from the encoder of a trained autoencoder or VAE; `model` is left as it is.

        Its hidden layers are the encoder's and the code (of a VAE, mu), now followed by the activation as well:
        hidden = (*model.hidden, K). They are copied; the linear layer on top is new.
        """
        new = cls(model.n_features, (*model.hidden, model.n_latent), n_classes, activation=model.activation, rng=rng,
                  dtype=model.dtype)
        for copy, trained in zip(new.network.layers, model.encoder.layers):
            for name, view in copy.named_parameters().items():
                # a VAE's last layer gives mu in its first K columns, log_var in the others
                view[...] = trained.named_parameters()[name][..., :view.shape[-1]]
        return new

    def accept(self, X, labels=None, name="X"):
        """The door of `fit`: X (N, D) and labels (N,). ValueError for one class alone or fewer labels than classes."""
        x, labels = self.accept_rows(X, labels, name)
        return x, enough("labels" if name == "X" else f"{name} labels", labels, self.n_classes)

    def accept_rows(self, X, labels=None, name="X"):
        if labels is None:
            raise ValueError(f"{name}: a classifier needs labels beside it, as in fit(classifier, X, labels, "
                             "valid=(X_valid, labels_valid))")
        x = rows(name, X, self)
        return x, labelled("labels" if name == "X" else f"{name} labels", labels, self, x)

    @door("X", X=rows, labels=labelled)
    def loss_and_grad(self, X, labels, *, rng=None):
        """The loss terms of a batch; fills `grad`. A batch, unlike a training set, may lack classes."""
        return self.forward_backward(X, labels)

    def start(self, x, labels):
        """Start at the classes' shares."""
        enough("labels", labels, self.n_classes)  # of rows by index, not all of which passed `accept`
        order_of_one("X", x, *moments(x))
        share = np.bincount(labels, minlength=self.n_classes) / len(labels)
        start_outputs(self.network, *self.observation.start(share))

    @by_halves(lambda self, x, rng=None: {})
    def forward_backward(self, x, labels, *, rng=None):
        """The loss terms of a batch; fills `grad`. Nothing here is random: `rng` is `fit`'s, and not used.

            loss = -1/N sum_n log softmax(network(x_n))_label_n
        """
        logits, cache = self.network.forward(x)
        log_p, dlogits = self.observation.value_and_grad(labels, logits)
        dlogits *= -1 / len(x)
        self.network.backward(dlogits, cache, need_dx=False)
        return self._terms(logits, labels, log_p)

    def evaluate(self, x, labels, *, rng=None):
        """The loss terms without a gradient."""
        logits = self.apply(self.network, x)
        return self._terms(logits, labels, self.observation.value_and_grad(labels, logits)[0])

    def flow(self):
        return [*self.network.flow()[:-1], Array("logits", ("N", self.n_classes)),
                Node("Categorical\np(label given x)", kind="result")]

    @staticmethod
    def _terms(logits, labels, log_p):
        return Terms(-log_p.mean(), (logits.argmax(axis=1) == labels).mean())

    @door(X=rows)
    def predict_proba(self, X):
        """p(label = c given x) : (N, C), rows adding up to 1."""
        return self.observation.mean(not_too_large(self.apply(self.network, X)))

    @door(X=rows)
    def predict(self, X):
        """The most probable label : (N,), the smallest one of several."""
        return not_too_large(self.apply(self.network, X)).argmax(axis=1)

    @door(X=rows)
    def features(self, X):
        """What the last hidden layer makes of X : (N, hidden[-1]); X itself if there is none."""
        for layer in self.network.layers[:-1]:
            X = layer.forward(X)[0]
        return X

    @door("X", X=rows, labels=labelled)
    def score(self, X, labels):
        """The accuracy, the share of X (N, D) whose predicted label is that in labels (N,)."""
        return float((self.predict(X) == labels).mean())

    def config(self):
        return {"n_features": self.n_features, "hidden": list(self.hidden), "n_classes": self.n_classes,
                "activation": activation_name(self.activation), "dtype": np.dtype(self.dtype).name}
