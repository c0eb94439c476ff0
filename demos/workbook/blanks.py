"""Which functions does a student write? The units in the order of the book, their blanks, and how they are cut.

A blank is a function or a method of the library with its body left out. It is cut from the source by `ast`, by its name, so
that it cannot drift from it: what the body names, is imported; what its comments say, are the hints.
"""
import ast
import io
import textwrap
import tokenize
from collections import namedtuple
from functools import cached_property, lru_cache
from pathlib import Path

import scratchvae

SOURCE = Path(scratchvae.__file__).parent
LEFT_OUT = "raise NotImplementedError  # yours to write"


class Blank(namedtuple("Blank", "where given hide", defaults=((),))):
    """where : "package.module:Class.function"    given : what the function is handed    hide : names not to be imported"""

    @property
    def module(self):
        return self.where.partition(":")[0]

    @property
    def name(self):
        """As a student names it: kl_standard, Dense.backward."""
        return self.where.partition(":")[2]

    @cached_property
    def node(self):
        return find(tree(self.module), self.name)

    def signature(self):
        """The lines from `def` to the docstring's end."""
        lines, first = source(self.module).splitlines(), self.node.body[0]
        documented = ast.get_docstring(self.node) is not None
        stop = first.end_lineno if documented else first.lineno - 1
        text = textwrap.dedent("\n".join(lines[self.node.lineno - 1:stop]))
        return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#")).rstrip()

    def text(self):
        """The function as a student finds it."""
        given = textwrap.wrap(f"Given: {self.given}", 108, initial_indent="    # ", subsequent_indent="    # ")
        return "\n".join([self.signature(), *given, f"    {LEFT_OUT}"])

    def imports(self):
        """(module, name) of what the function's own body names, but NumPy."""
        inside = [self.node.args, *self.node.body]  # but not its decorators: the doors stay the library's
        known = bindings(self.module)
        asked = {n.id for part in inside for n in ast.walk(part) if isinstance(n, ast.Name)}
        return {known[name] for name in asked - {"np", *self.hide} if name in known}

    def hints(self):
        """The first steps in words, then what the comments in the function say; the code beside them stays out."""
        lines = source(self.module).splitlines(keepends=True)[self.node.lineno - 1:self.node.end_lineno]
        code = io.StringIO(textwrap.dedent("".join(lines)))
        said = [token.string.lstrip("# ") for token in tokenize.generate_tokens(code.readline)
                if token.type == tokenize.COMMENT]
        return [*STEPS.get(self.name, ()), *(comment for comment in said if not comment.startswith("("))]


class Unit(namedtuple("Unit", "name question blanks")):
    """A page of the workbook: a file with some blanks."""

    @property
    def file(self):
        return f"{1 + [unit.name for unit in UNITS].index(self.name):02d}_{self.name}.py"

    def text(self, chosen=None):
        """The page; chosen : names of the blanks that are on it, all by default."""
        blanks = [blank for blank in self.blanks if chosen is None or blank.name in chosen]
        here = {blank.name.partition(".")[0] for blank in blanks}
        wanted = {}
        for module, name in sorted(set().union(*(blank.imports() for blank in blanks))):
            if name not in here:
                wanted.setdefault(module, []).append(name)
        imports = [f"from {module} import {', '.join(names)}" for module, names in wanted.items()]
        parts, open_class = [], None
        for blank in blanks:
            owner, _, method = blank.name.rpartition(".")
            if owner and owner != open_class:
                about = ast.get_docstring(find(tree(blank.module), owner))
                parts.append(f"class {owner}:\n" + textwrap.indent(quoted(about), "    "))
            open_class = owner
            parts.append(("\n" if owner else "\n\n") + textwrap.indent(blank.text(), "    " * bool(owner)))
        while parts and parts[0].startswith("\n"):
            parts[0] = parts[0].lstrip("\n")
        about = (f'"""{self.question}\n\nWrite what is left out; python -m demos.workbook check looks at each function alone, '
                 'and says what is\nwrong. Helpers, imports and numbers of your own are welcome. While one function is '
                 'looked at, the\nlibrary\'s stand in for all others.\n"""')
        body = "\n".join(part if not part.startswith("class ") or n == 0 else "\n\n" + part for n,
                         part in enumerate(parts))
        return "\n".join([about, "import numpy as np", *([""] + imports if imports else []), "", "", body]) + "\n"


def quoted(text):
    """A docstring as it stands in a file."""
    return f'"""{text}"""' if "\n" not in text else f'"""{text}\n"""'


@lru_cache
def source(module):
    """The source of scratchvae.`module`."""
    return (SOURCE / (module.replace(".", "/") + ".py")).read_text()


@lru_cache
def tree(module):
    return ast.parse(source(module))


def find(node, path):
    """The definition that the dotted path names."""
    for name in path.split("."):
        node = next(child for child in node.body if getattr(child, "name", None) == name)
    return node


@lru_cache
def bindings(module):
    """Name -> (module, name) from where it is had, for all names of the module's first level."""
    known = {}
    for node in tree(module).body:
        if isinstance(node, ast.ImportFrom):
            known |= {alias.asname or alias.name: (node.module, alias.name) for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            known[node.name] = (f"scratchvae.{module}", node.name)
        elif isinstance(node, ast.Assign):
            names = (n.id for target in node.targets for n in ast.walk(target) if isinstance(n, ast.Name))
            known |= {name: (f"scratchvae.{module}", name) for name in names}
    return known


STEPS = {  # where the library's line needs no comment: the way there, in words
    "bayes": ("the joint probability of each hypothesis and the observation is a product",
              "the evidence is the joint's sum",
              "dividing by the evidence makes the posterior sum to 1"),
    "update": ("add up logarithms instead of multiplying likelihoods, observation after observation",
               "the first row is the prior itself",
               "take each row's largest out before e^, then let each row sum to 1"),
    "gaussian_mle": ("both are means over the examples, the rows", "the variance divides by N, not by N - 1"),
    "gaussian_posterior": ("precisions, 1 / variance, add up: one of the prior, n of the values",
                           "the mean is that of prior and values, each weighted by its precision"),
    "kl_table": ("a mean under p of the difference of two logarithms", "where p is 0 the term is 0, whatever q is",
                 "the sum goes over the last axis only"),
    "log_prob": ("the squared distance from the mean, in units of the variance",
                 "add log sigma^2 and log 2 pi in each dimension",
                 "sum over the last axis, and take minus a half of it"),
    "kl_standard": ("in each dimension there are four terms: mu^2, sigma^2, -1 and -log sigma^2",
                    "sigma^2 is the exponential of log_var",
                    "half the sum over the latents; the examples stay apart"),
    "kl_standard_grad": ("differentiate each term of kl_standard, one latent at a time",
                         "d sigma^2 / d log sigma^2 is sigma^2"),
    "kl": ("r compares the two variances, as the difference of their logarithms",
           "the means' squared distance is measured in the "
           "prior's variance", "half the sum over the last axis"),
    "PCA.transform": ("take the mean from every row: the one that was fitted",
                      "a code's number is an inner product with a component"),
    "PCA.inverse_transform": ("a point is a sum of components, each times its code's number", "add the mean back"),
    "centred": ("K's own mean over the training points, for each new point",
                "the training points' means, and their mean back"),
    "Sigmoid.forward": ("the cache is what backward needs: the derivative is a function of y",),
    "numerical_gradient": ("one coordinate at a time, a step to the right and one to the left",
                           "the step grows with the number: h times "
                           "the larger of 1 and |theta_i|", "write into theta itself, and put it back to the last bit"),
    "sigmoid": ("tanh never overflows: sigmoid is a tanh of half the argument, shifted and halved",),
    "softmax_terms": ("take each row's largest logit out first", "the sum of exponentials is the row's",
                      "the logarithm of a quotient is a "
                      "difference"),
    "reparameterize": ("sigma from log sigma^2: the exponential of a half of it",
                       "broadcasting adds the samples' axis by itself"),
    "reparameterize_grad": ("z moves with mu one to one", "z moves with log_var by half of sigma eps",
                            "S samples share mu and log_var: "
                            "their derivatives add up"),
    "VAE.through_z": ("the loss is minus a mean over S samples and N examples",
                      "the decoder's backward gives dz for each sample",
                      "the sampler's derivative carries dz to mu and log_var"),
    "VAE.through_kl": ("the loss has beta times the mean of the examples' KL",),
    "log_mean_exp": ("take the largest out along the axis",
                     "then e^ of what is left is between 0 and 1, and its mean can be taken",
                     "add the largest back to the logarithm"),
    "log_weights": ("encode, then propose z and log r(z)", "log p(z) is that of a standard Gaussian",
                    "a weight is the joint density over the proposal's: logarithms add and subtract"),
    "effective_sample_size": ("a common factor of all weights changes nothing: take the largest out",
                              "the square of the sum, over the "
                              "sum of the squares, for each column"),
    "order_mask": ("turn the order round: at which position does each pixel come?",
                   "compare every position with every other: strictly before"),
    "degree_masks": ("positions of the pixels, degrees of the units of each layer",),
    "Autoregressive.forward_backward": ("one order's network gives the params (logits)",
                                        "the loss is minus the mean of log p over the examples",
                                        "its derivative by them goes into the network's backward"),
    "compress": ("the sign apart, the size by the logarithm", "log(1 + mu) is what |x| = 1 gives: divide by it"),
    "expand": ("the sign apart; (1 + mu)^|y| is an exponential",),
    "expectation": ("the log of each weight times each Gaussian density, (N, C)",),
    "maximisation": ("a component's share of the codes is the sum of its responsibilities",
                     "means and covariances are weighted by them, "
                     "and divided by that sum"),
}

UNITS = (
    Unit("beliefs", "What do data say about what we cannot see?", (
        Blank("probability.inference:bayes", "prior and likelihood as arrays (H,). Return Belief(posterior, evidence)."),
        Blank("probability.inference:update", "prior (H,) and log_likelihood (N, H) as arrays; log 0 = -inf may occur."),
        Blank("probability.inference:gaussian_mle", "x as an array (N, D). Return Normal(mean, variance)."),
        Blank("probability.inference:gaussian_posterior",
              "numbers, and prior with prior.mean, prior.variance. Return a Normal."),
    )),
    Unit("divergence", "How unlike are two distributions?", (
        Blank("probability.divergence:kl_table", "p and q as arrays (..., C)."),
        Blank("probability.gaussian:log_prob", "arrays that broadcast together."),
        Blank("probability.gaussian:kl_standard", "mu and log_var, both (N, K); log_var is log sigma^2."),
        Blank("probability.gaussian:kl_standard_grad", "mu and log_var, both (N, K); two arrays of that shape go out."),
        Blank("probability.gaussian:kl", "arrays that broadcast together."),
    )),
    Unit("components", "Which flat subspace lies closest to the data?", (
        Blank("models.pca:from_covariance", "X (N, D), its mean (D,), and root (n, D), rows that are centred already: none, (0, D), "
              "in a first fit. Return S and V^T, the largest first; the signs of the rows of V^T are free.",
              ("one_thread", "row_blocks", "from_triangle")),
        Blank("models.pca:PCA.transform", "self.mean_ (D,), self.components_ (k, D), and self._scale(), what whitened codes are divided "
              "by: (k,), or 1; X (N, D).", ("row_blocks",)),
        Blank("models.pca:PCA.inverse_transform",
              "self.mean_ (D,), self.components_ (k, D), and self._scale(): (k,), or 1; Z (N, k)."),
        Blank("models.kernel_pca:centred", "K (M, N), between M points and the N of training; rows (N,) and mean, a number, of "
              "the training points."),
    )),
    Unit("layers", "How does one layer pass values forward and derivatives backward?", (
        Blank("nn.layers:Dense.forward", "self.W (n_in, n_out), self.b (n_out,), x (N, n_in). Return y and x, the cache."),
        Blank("nn.layers:Dense.backward", "dy (N, n_out), x (N, n_in), the cache. Fill self.dW and self.db, which are views into "
              "one vector; return dx, or None if not need_dx."),
        Blank("nn.layers:Tanh.backward", "dy and y = tanh(x), the cache. Return dx, or None if not need_dx."),
        Blank("nn.layers:ReLU.backward", "dy and mask = (x > 0), the cache. Return dx, or None if not need_dx."),
        Blank("nn.layers:Sigmoid.forward", "x of any size. Return y and y again, the cache."),
        Blank("nn.layers:Sigmoid.backward", "dy and y = sigmoid(x), the cache. Return dx, or None if not need_dx."),
    )),
    Unit("learning", "How does a gradient become a step, and is it the gradient?", (
        Blank("nn.gradcheck:numerical_gradient",
              "f, theta (P,) and h; f may look at this very theta: put it back as it was.",
              ("slopes",)),
        Blank("nn.optimizers:SGD.update", "self.v (P,), 0 at first, self.lr, self.momentum. Change theta in place; keep v in self.v."),
        Blank("nn.optimizers:Adam.update", "self.m, self.v (P,), 0 at first, self.t, 1 in the first step, self.lr, self.beta1, "
              "self.beta2, self.eps; self.scratch (P,) is room. Change theta in place; keep in m and v what you like."),
    )),
    Unit("observation", "What does a decoder's output mean?", (
        Blank("probability.observation.bernoulli:sigmoid", "a of any shape and size."),
        Blank("probability.observation.bernoulli:bernoulli_terms",
              "x (N, D) in {0, 1} and the logits a (N, D), or (S, N, D) for "
              "S samples. Return log p = sum_j x_j a_j - log(1 + e^a_j), without the last axis, and its derivative by a, of a's "
              "shape, which may be None if not need_grad.", ("log",)),
        Blank("probability.observation.categorical:softmax_terms", "logits a (N, C). Return two arrays (N, C)."),
    )),
    Unit("vae", "How can an autoencoder's code be made good to generate from?", (
        Blank("probability.gaussian:reparameterize", "mu, log_var (N, K), eps (N, K) or (S, N, K)."),
        Blank("probability.gaussian:reparameterize_grad",
              "dz, eps (S, N, K), log_var (N, K). Return two arrays (N, K)."),
        Blank("models.vae:VAE.through_z", "self.decoder.backward(dparams, decoder_cache) gives dz as (S N, K); for n_classes > 1 "
              "its first K columns are dz."),
        Blank("models.vae:VAE.through_kl", "self.beta; mu and log_var (N, K). Return two arrays (N, K)."),
        Blank("models.vae:VAE.forward_backward", "self.noise and self.forward, which takes the labels, self.through_z and self.through_kl, "
              "self.encoder.backward, which fills the encoder's part of grad, and self._terms(reconstruction, kl)."),
    )),
    Unit("evidence", "How probable does a VAE find x?", (
        Blank("probability.log_space:log_mean_exp", "a of any shape; e^a may be 0 to a float."),
        Blank("probability.log_space:shares", "log_w (S, ...); e^log_w may be 0 to a float."),
        Blank("analysis.evidence:log_weights",
              "vae.encode(x), propose, gaussian.log_prob and vae.log_likelihood(x, z)."),
        Blank("analysis.evidence:effective_sample_size", "log_w (S, N); e^log_w may be 0 to a float. Return (N,)."),
    )),
    Unit("autoregressive", "Can p(x) be written down exactly?", (
        Blank("models.fvbn:order_mask", "order (D,), a permutation: order[t] is the pixel that comes t-th."),
        Blank("models.made:degree_masks", "order (D,), hidden, a tuple of sizes; positions(order), hidden_degrees(n, D)."),
        Blank("models.masked:MaskedDense.backward",
              "the cache (x, W * mask), self.mask. Fill self.dW and self.db; "
              "return dx, or None if not need_dx."),
        Blank("models.autoregressive:Autoregressive.forward_backward", "self._index(rng, order), "
              "self.forward(x, k), self.observation.value_and_grad(x, params), self.backward(dparams, caches, k). Return Terms."),
    )),
    Unit("sound", "How can eight bits hold both a whisper and a shout?", (
        Blank("data.mu_law:compress", "x in [-1, 1], of any shape."),
        Blank("data.mu_law:expand", "y in [-1, 1], of any shape."),
        Blank("data.mu_law:quantize", "y in [-1, 1], of any shape; n_codes, even. Return integers."),
    )),
    Unit("mixture", "How can one draw codes like those of the data?", (
        Blank("analysis.gaussian_mixture:expectation",
              "Z (N, K), weights (C,), means (C, K), covariances (C, K, K). Return r and "
              "log_s.", ("_log_joint",)),
        Blank("analysis.gaussian_mixture:maximisation",
              "Z (N, K), r (N, C), floor (K, K). Return weights, means, covariances."),
    )),
)
BLANKS = {blank.name: blank for unit in UNITS for blank in unit.blanks}


def unit_of(name):
    """The unit that a blank stands in."""
    return next(unit for unit in UNITS if any(blank.name == name for blank in unit.blanks))
