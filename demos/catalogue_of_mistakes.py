"""Which mistakes does everyone make? A catalogue: each one as an edit of the source, and the check that rejects it.

A mistake is planted into the running program by replacing a piece of a function's source and giving the function the
code that results; everything that holds the function then has the mistake, until `plant` puts the old code back. Where
a mistake is one that somebody could make in good faith, forward and backward are edited together, so that they agree.

The tests plant every entry and want its check, which the ordinary tests call, to fail; the lesson `mistakes` prints it.
"""
import importlib
import inspect
from collections import namedtuple
from contextlib import contextmanager

import numpy as np

import scratchvae as sv
from demos.students_mistakes import WRITTEN

# edits     (module:function, old piece of source, new piece), each piece occurring exactly once
# check     the test module and the function that rejects it
# gradient  which gradient check meets it (a key of GRADIENTS), or None where there is no derivative to check
# look      what one sees while training, or in what comes out
Mistake = namedtuple("Mistake", "topic name edits check gradient look")


@contextmanager
def plant(mistake):
    """The library with the mistake in it, as long as the context lasts. ValueError if the source is not as edited."""
    kept = []
    try:
        for where in dict.fromkeys(where for where, _, _ in mistake.edits):
            function = find(where)
            edits = [(old, new) for place, old, new in mistake.edits if place == where]
            code = edited(function, edits, where)
            kept.append((function, function.__code__))
            function.__code__ = code
        yield
    finally:
        for function, code in kept:
            function.__code__ = code


def find(where):
    """The function that "package.module:Class.function" names, without its decorators."""
    module, _, path = where.partition(":")
    found = importlib.import_module(f"scratchvae.{module}")
    for name in path.split("."):
        found = getattr(found, name)
    return inspect.unwrap(found)


def edited(function, edits, where):
    """The function's code after replacing each old piece of its source by the new one."""
    source = inspect.getsource(function)
    for old, new in edits:
        if source.count(old) != 1:
            raise ValueError(f"{where}: want {old!r} once in the source, found it {source.count(old)} times")
        source = source.replace(old, new)
    in_class = source[0].isspace()  # a method stays in a class: its `super()` needs one
    names = {}
    exec(compile(("class Planted:\n" if in_class else "") + source, f"<{where}>", "exec"), function.__globals__, names)
    return inspect.unwrap((vars(names["Planted"]) if in_class else names)[function.__name__]).__code__


# ---- what a gradient check alone would say ------------------------------------------------------------------------

def _model(cls, *sizes, scale=0.4, **how):
    """A small float64 model with every parameter moved off its start."""
    rng = np.random.default_rng(3)
    model = cls(*sizes, rng=rng, dtype=np.float64, **how)
    model.theta += scale * rng.standard_normal(model.theta.shape)
    return model


def _coded(cls, observation, binary=False, labels=None, **how):
    """An autoencoder, VAE or IWAE, its data and its noise: N, D, H, K all different."""
    rng = np.random.default_rng(5)
    x = rng.random((4, 5))
    if isinstance(observation, sv.DiscretizedLogistic):
        x = np.round(x * (observation.n_levels - 1)) / (observation.n_levels - 1)
    how = {"hidden": (3,), "n_latent": 2, "activation": "tanh", "observation": observation, **how}
    shape = (4, 5) if cls is sv.Autoencoder else (3, 4, 2)
    data = (np.round(x) if binary else x, *([] if labels is None else [labels]))
    return _model(cls, 5, **how), data, {"eps": rng.standard_normal(shape)}


def _binary(cls, **how):
    return _model(cls, 5, **how), (np.round(np.random.default_rng(5).random((4, 5))),), {}


# kind -> model, data, randomness
GRADIENTS = {
    "VAE": lambda: _coded(sv.VAE, sv.Bernoulli(), binary=True),
    "VAE, ReLU": lambda: _coded(sv.VAE, sv.Bernoulli(), binary=True, activation="relu"),
    "VAE, sigmoid": lambda: _coded(sv.VAE, sv.Bernoulli(), binary=True, activation="sigmoid"),
    "VAE, grey": lambda: _coded(sv.VAE, sv.ContinuousBernoulli()),
    "VAE, Gaussian": lambda: _coded(sv.VAE, sv.Gaussian("shared")),
    "VAE, levels": lambda: _coded(sv.VAE, sv.DiscretizedLogistic(5)),
    "VAE, labels": lambda: _coded(sv.VAE, sv.Bernoulli(), binary=True, labels=np.array([0, 2, 1, 2]), n_classes=3),
    "IWAE": lambda: _coded(sv.IWAE, sv.Bernoulli(), binary=True),
    "autoencoder": lambda: _coded(sv.Autoencoder, sv.Gaussian(0.3), noise=0.4),
    "classifier": lambda: (_model(sv.Classifier, 5, (4,), 3, activation="tanh"),
                           (np.random.default_rng(5).random((7, 5)), np.arange(7) % 3), {}),
    "FVBN": lambda: _binary(sv.FVBN),
    "MADE": lambda: _binary(sv.MADE, hidden=(7,), activation="tanh", l2=0.01),
    "MADE, levels": lambda: (_model(sv.MADE, 5, (7,), activation="tanh", observation=sv.DiscretizedLogistic(
        4, uniform=0.01, scale="shared")), (np.rint(3 * np.random.default_rng(5).random((4, 5))) / 3,), {}),
}


def gradient_check_fails(kind):
    """Whether a gradient check of a whole model, tensor by tensor and with the noise held fixed, finds a difference."""
    model, data, randomness = GRADIENTS[kind]()
    model.loss_and_grad(*data, **randomness)
    grad = model.grad.copy()
    try:
        sv.check_gradient(lambda _: model.loss_and_grad(*data, **randomness).loss, model.theta, grad,
                          model.named_parameters())
    except AssertionError:
        return True
    return False


# ---- the catalogue --------------------------------------------------------------------------------------------------

VAE, KL_STANDARD = "models.vae:VAE", "probability.gaussian:kl_standard"
KL_GRAD, SAMPLER_GRAD = "probability.gaussian:kl_standard_grad", "probability.gaussian:reparameterize_grad"
BERNOULLI_TERMS = "probability.observation.bernoulli:bernoulli_terms"
GAUSSIAN = "probability.observation.gaussian:Gaussian"
GREY = "probability.observation.continuous_bernoulli:ContinuousBernoulli"
LEVELS = "probability.observation.discretized_logistic:DiscretizedLogistic.value_and_grad"
ADAM, EPOCH = "nn.optimizers:Adam.update", "nn.training:train_epoch"
HALVES = "nn.halves:in_halves"

MISTAKES = (
    # ---- Gaussian
    Mistake("Gaussian", "sigma is exp(log_var), the variance", [
        ("probability.gaussian:reparameterize", "np.exp(0.5 * log_var)", "np.exp(log_var)"),
        (SAMPLER_GRAD, "np.exp(0.5 * log_var)", "np.exp(log_var)"), (SAMPLER_GRAD, "* (0.5 * sigma)", "* sigma"),
    ], "test_gaussian.check_reparameterized_moments", "VAE",
        "a better ELBO than the right code's, not a bound any more"),
    Mistake("Gaussian", "the KL halved", [
        (KL_STANDARD, "0.5 * (mu", "0.25 * (mu"), (KL_GRAD, "return mu, 0.5 * (", "return 0.5 * mu, 0.25 * ("),
    ], "test_gaussian.check_kl_standard_by_quadrature", "VAE",
        "a better ELBO than the right code's, not a bound any more"),
    Mistake("Gaussian", "the KL off by a constant: the -1 forgotten", [
        (KL_STANDARD, "np.expm1(log_var)", "np.exp(log_var)"),
    ], "test_gaussian.check_kl_standard_by_quadrature", "VAE", "the same training, every ELBO K/2 nats too low"),
    Mistake("Gaussian", "the KL with its arguments swapped", [
        (KL_STANDARD, "mu * mu + (np.expm1(log_var) - log_var)",
         "mu * mu * np.exp(-log_var) + (np.expm1(-log_var) + log_var)"),
        (KL_GRAD, "return mu, ", "return mu / sigma**2, "),
        (KL_GRAD, "(sigma * sigma - 1)", "(1 - (1 + mu * mu) / sigma**2)"),
    ], "test_gaussian.check_kl_standard_by_quadrature", "VAE",
        "a curve like the right one's; the model is worse than it says"),
    Mistake("Gaussian", "the KL by exp(r) - 1 - r, which cancels", [
        (KL_STANDARD, "np.expm1(log_var) - log_var", "np.exp(log_var) - 1 - log_var"),
    ], "test_gaussian.check_kl_near_the_prior", "VAE",
        "nothing; unused latents have a KL of rounding, also below 0"),
    Mistake("Gaussian", "standardised by the variance", [
        ("probability.gaussian:standardize", "return (x - mu) / sigma", "return (x - mu) / sigma**2"),
    ], "test_inference.check_interval", None, "right for sigma = 1, the case that everybody tries"),
    # ---- inference and divergence
    Mistake("inference", "Phi by the error function, without the root of 2", [
        ("probability.normal_table:normal_cdf", " / sqrt(2))", ")"),
    ], "test_inference.check_normal_table", None, "probabilities that are right at the mean and far out"),
    Mistake("inference", "Bayes' rule without the prior", [
        ("probability.inference:bayes", "joint = likelihood * prior", "joint = likelihood / len(prior)"),
    ], "test_inference.check_bayes_by_fractions", None, "a positive test that always means the disease"),
    Mistake("inference", "MAP with the prior forgotten", [
        ("probability.inference:beta_posterior", "prior.a + n_ones, prior.b + n", "1 + n_ones, 1 + n"),
    ], "test_inference.check_beta_posterior", None, "it is the MLE: nothing, for much data"),
    Mistake("inference", "MAP whose prior weighs as much as one value", [
        ("probability.inference:gaussian_posterior", "(m0 / v0 + n *", "(m0 / variance + n *"),
    ], "test_inference.check_gaussian_posterior", None,
        "nothing, where prior and values are equally wide"),
    Mistake("inference", "a Gaussian's MLE with the denominator N - 1", [
        ("probability.inference:gaussian_mle", "x.var(axis=0)", "x.var(axis=0, ddof=1)"),
    ], "test_inference.check_gaussian_mle", None, "nothing, for large N"),
    Mistake("divergence", "the KL between tables with its arguments swapped", [
        ("probability.divergence:kl_table", "p > 0, p * (np.log(p) - np.log(q))", "q > 0, q * (np.log(q) - np.log(p))"),
    ], "test_divergence.check_kl_table", None, "a KL like any other; finite where it should be infinite"),
    Mistake("divergence", "a sum over the grid without its cell", [
        ("probability.divergence:kl_quadrature", "(log_p - log_q)) * cell", "(log_p - log_q))"),
    ], "test_divergence.check_quadrature_agrees_with_closed_form", None, "a KL that grows as the grid is refined"),
    Mistake("divergence", "full covariances: a log-determinant upside down", [
        ("probability.divergence:kl_gaussian", "shape[-1] - log_det", "shape[-1] + log_det"),
    ], "test_divergence.check_full_covariance", None, "a divergence below 0 for narrow posteriors"),
    Mistake("divergence", "a standard error without the root of S", [
        ("probability.divergence:kl_monte_carlo", "terms.std(ddof=1) / np.sqrt(len(terms))", "terms.std(ddof=1)"),
    ], "test_divergence.check_monte_carlo_agrees_with_closed_form", None, "error bars that no sample size narrows"),
    # ---- observation models
    Mistake("observation", "a Bernoulli's mean by softplus", [
        ("probability.observation.bernoulli:Bernoulli.mean", "return sigmoid(", "return np.logaddexp(0, "),
    ], "test_observation.check_log_probability_is_not_positive", "VAE",
        "nothing; probabilities above 1 in the pictures"),
    Mistake("observation", "softplus where the derivative has sigmoid", [
        (BERNOULLI_TERMS, "x - 0.5 - t", "x - np.logaddexp(0, a)"),
    ], "test_observation.check_observation_gradient", "VAE", "it learns, slower and worse"),
    Mistake("observation", "grey pixels by Bernoulli's formula as it is", [
        (f"{GREY}.value_and_grad", "- log_scaled", "- np.logaddexp(0, -np.abs(params))"),
        (f"{GREY}.value_and_grad", "0.5 * langevin", "0.5 * np.tanh(0.5 * params)"),
    ], "test_observation.check_normalised", "VAE, grey", "nothing; the number is no likelihood"),
    Mistake("observation", "the continuous Bernoulli's mean by sigmoid", [
        (f"{GREY}.mean", "0.5 + 0.5 * log_sinhc(0.5 * params)[1]", "0.5 + 0.5 * np.tanh(0.5 * params)"),
    ], "test_observation.check_normalised", "VAE, grey", "nothing; pictures with too much contrast"),
    Mistake("observation", "a Gaussian sampler that multiplies by the variance", [
        (f"{GAUSSIAN}.sample", "** 0.5 * eps", "* eps"),
    ], "test_observation.check_sample_moments", "VAE, Gaussian", "nothing; samples with too little noise, or too much"),
    Mistake("observation", "a shared log variance counted once, not D times", [
        (f"{GAUSSIAN}.value_and_grad", " * (D // v.shape[-1])", ""),
        (f"{GAUSSIAN}.value_and_grad", "0.5 * (squares - 1)", "0.5 * (squares - v.shape[1] / D)"),
    ], "test_observation.check_gaussian_textbook", "VAE, Gaussian", "a fine curve; the variance grows too large"),
    Mistake("observation", "a density without its log 2 pi", [
        (f"{GAUSSIAN}.value_and_grad", " + D * LOG_2PI", ""),
    ], "test_observation.check_normalised", "VAE, Gaussian",
        "the same training, an ELBO too high by 0.92 nats a feature"),
    Mistake("observation", "grey levels without the tails beyond the first and last", [
        (LEVELS, "np.where(first, 1, above_a), np.where(first, 0, below_a)", "above_a, below_a"),
        (LEVELS, "np.where(last, 1, below_b), np.where(last, 0, above_b)", "below_b, above_b"),
        (LEVELS, "np.where(first | last, 1, width)", "width"),
    ], "test_observation.check_normalised", "VAE, levels", "black and white cost too much, and come out grey"),
    Mistake("observation", "the bin of a grey level twice as wide as the level", [
        (LEVELS, "0.5 / (self.n_levels - 1)", "1.0 / (self.n_levels - 1)"),
    ], "test_observation.check_normalised", "VAE, levels", "log p(x) too high by up to log 2 a pixel: levels sum to 2"),
    Mistake("observation", "the scale's gradient without that of the bin's width", [
        (LEVELS, " - q * (1 - width) / width", ""),
    ], "test_observation.check_observation_gradient", "VAE, levels",
        "it learns, worse: the scale comes out wrong"),
    Mistake("observation", "softmax without taking out the largest logit", [
        ("probability.observation.categorical:softmax_terms", "a - a.max(axis=1, keepdims=True)", "a - 0"),
    ], "test_observation.check_nothing_overflows", "classifier", "nothing, until a logit passes 88 and all is NaN"),
    # ---- layers and networks
    Mistake("layers", "a ReLU whose backward ignores the mask", [
        ("nn.layers:ReLU.backward", "dy * mask", "dy"),
    ], "test_layers.check_adjoint", "VAE, ReLU", "it learns, slower and worse"),
    Mistake("layers", "the sigmoid's derivative without its second factor", [
        ("nn.layers:Sigmoid.backward", "dy * (y * (1 - y))", "dy * y"),
    ], "test_layers.check_adjoint", "VAE, sigmoid", "it learns, slower and worse"),
    Mistake("layers", "gradients added to those of the step before", [
        ("nn.layers:Dense.backward", "np.matmul(x.T, dy, out=self.dW)", "self.dW += x.T @ dy"),
    ], "test_layers.check_backward_overwrites", "VAE", "it learns, and settles far too low"),
    Mistake("layers", "backward reads what the last forward left on the layer", [
        ("nn.layers:Tanh.forward", "return y, y", "self.last = y\n        return y, y"),
        ("nn.layers:Tanh.backward", "(1 - y * y)", "(1 - self.last * self.last)"),
    ], "test_layers.check_interleaved_forwards", "VAE", "nothing, until one layer is used twice in a step"),
    Mistake("layers", "weights that start within 1/n_in, where 1/sqrt(n_in) belongs", [
        ("nn.layers:Dense.__init__", "2 / np.sqrt(n_in)", "2 / n_in"),
    ], "test_layers.check_initial_spread", "VAE", "it learns, slower and worse; a deep network hardly starts"),
    Mistake("PCA", "columns divided by the variance for a standard deviation", [
        ("models.standardizer:Standardizer.fit", "np.sqrt(not_too_large(variance))", "variance.copy()"),
    ], "test_start.check_standardizer", None, "nothing: columns of another size than 1, which still train"),
    Mistake("PCA", "a constant column that varies by the rounding of its mean", [
        ("probability.gaussian:means", "np.where(vary, x.mean(axis=0, dtype=np.float64), x[0])",
         "x.mean(axis=0, dtype=np.float64)"),
        ("probability.gaussian:moments", "np.where(vary, variance, 0)", "variance"),
    ], "test_start.check_constant_columns", None, "a column that becomes 1 everywhere, and a new value of it 1e10"),
    Mistake("network", "a start at the data's shares again in every call of fit", [
        ("nn.network:start_outputs", "return False", "pass"),
    ], "test_network.check_start_outputs", "VAE", 
        "nothing, until a trained model is trained on: its outputs are thrown away"),
    Mistake("network", "layers that compute with a copy of theta", [
        ("nn.network:share_out", "part.bind(theta[start:stop]", "part.bind(theta[start:stop].copy()"),
    ], "test_network.check_one_vector", "VAE", "a flat line"),
    Mistake("network", "a network that forgets its layers' initial weights", [
        ("nn.network:pack", "np.concatenate(thetas) if", "0 * np.concatenate(thetas) if"),
    ], "test_network.check_packing_keeps_values", "VAE", "equal units: a late start, and a low end"),
    # ---- the gradient check itself
    Mistake("gradient check", "one-sided differences", [
        ("nn.gradcheck:numerical_gradient", "slopes(f, theta, h).mean(axis=0)", "slopes(f, theta, h)[1]"),
    ], "test_gradcheck.check_error_curve_is_v_shaped", "VAE", "five digits where there could be ten"),
    Mistake("gradient check", "a step that is much too large", [
        ("nn.gradcheck:slopes", "step = h * ", "step = 1e4 * h * "),
    ], "test_gradcheck.check_error_curve_is_v_shaped", "VAE",
        "right gradients refused, until one loosens the tolerance"),
    Mistake("gradient check", "a comparison that NaN passes", [
        ("nn.gradcheck:check_gradient", "if not errors[name] < tolerance", "if errors[name] >= tolerance"),
    ], "test_gradcheck.check_not_finite_fails", "VAE", "nothing: a check that says yes to what is no number"),
    Mistake("gradient check", "a kink taken for a mistake", [
        ("nn.gradcheck:second_look", "return np.where(kink, ", "return np.where(kink & False, "),
    ], "test_gradcheck.check_every_slope_at_a_kink", "VAE, ReLU", "right networks refused, where a unit is at 0"),
    Mistake("gradient check", "a kink that excuses every number", [
        ("nn.gradcheck:second_look", "np.clip(a, low - 2 * noise, high + 2 * noise)", "a"),
    ], "test_gradcheck.check_every_slope_at_a_kink", "VAE, ReLU", "nothing: mistakes pass, where a unit is at 0"),
    Mistake("gradient check", "rounding taken for a mistake", [
        ("nn.gradcheck:look_again", "max(floor, noise / max(h, 1e-6) / tolerance)", "floor"),
    ], "test_gradcheck.check_near_an_optimum", "VAE", "right gradients refused, once training has made them small"),
    Mistake("gradient check", "new noise at every call taken for rounding", [
        ("nn.gradcheck:rounding", "1e3 * eps * max(1.0, size)", "np.inf"),
    ], "test_gradcheck.check_noise_that_is_not_held_fixed", "VAE", "nothing: where f is random, every gradient passes"),
    # ---- optimizers and training
    Mistake("optimizers", "Adam without bias correction", [
        (ADAM, "(1 - self.beta1) / (1 - self.beta1**self.t)", "1 - self.beta1"),
        (ADAM, "((1 - self.beta2) / (1 - self.beta2**self.t)) ** 0.5", "(1 - self.beta2) ** 0.5"),
    ], "test_optimizers.check_adam_first_step", "VAE", "nothing: steps three times too long at first, then right"),
    Mistake("optimizers", "Adam's epsilon under the root", [
        (ADAM, "np.sqrt(v, out=step)", "np.sqrt(v + self.eps / v_scale**2, out=step)"),
        (ADAM, "step += self.eps / v_scale", ""),
    ], "test_optimizers.check_adam_is_the_textbook", "VAE", "nothing, until gradients are below 1e-4; then it crawls"),
    Mistake("optimizers", "Adam's weight decay added to the gradient", [
        ("nn.optimizers:Optimizer.step",
         "theta *= 1 - self.lr * self.weight_decay", "grad += self.weight_decay * theta"),
    ], "test_optimizers.check_weight_decay_is_decoupled", "VAE",
        "nothing; it decays little and evenly, whatever is asked"),
    Mistake("optimizers", "momentum that scales the gradient by 1 - momentum", [
        ("nn.optimizers:SGD.update", "self.v += grad", "self.v += (1 - self.momentum) * grad"),
    ], "test_optimizers.check_sgd_is_the_textbook", "VAE", "as with a tenth of the learning rate"),
    Mistake("optimizers", "Adagrad that forgets all but the last gradient", [
        ("nn.optimizers:Adagrad.update", "self.G += np", "self.G[:] = np"),
    ], "test_optimizers.check_adagrad_is_the_textbook", "VAE", "steps of lr in every coordinate, never shorter"),
    Mistake("optimizers", "clipping that cuts off each number", [
        ("nn.optimizers:clip", "grad *= limit / norm", "np.clip(grad, -limit, limit, out=grad)"),
    ], "test_optimizers.check_clip", "VAE", "nothing: steps in another direction, longer than asked"),
    Mistake("training", "clipping tensor by tensor", [
        (EPOCH, "clip(model.grad, run.clip_norm)",
         "ends = np.cumsum([view.size for view in model.named_parameters().values()])\n"
         "                [clip(part, run.clip_norm) for part in np.split(model.grad, ends[:-1])]"),
    ], "test_training.check_clipping_against_a_loop_by_hand", "VAE", "nothing: steps longer than was asked, and bent"),
    Mistake("training", "halves of an odd batch that weigh the same", [
        (HALVES, "(rows.stop - rows.start) / len(data[0])", "0.5"),
    ], "test_halves.check_two_halves", None, "nothing, in even batches"),
    Mistake("training", "the second half's gradient left out", [
        (HALVES, "model.grad[part] += twin.grad[part]", "0"),
    ], "test_halves.check_two_halves", None, "it learns as from half of the batch, with half of the step"),
    Mistake("training", "the same noise for both halves", [
        (HALVES, "eps[..., rows, :]", "eps[..., :rows.stop - rows.start, :]"),
    ], "test_halves.check_two_halves", None, "nothing: only the noise of the gradient grows"),
    Mistake("training", "a second thread that keeps the weight of the KL with which it began", [
        ("nn.halves:twin_of", "**networks, \"networks\"", "**networks, \"beta\": 1.0, \"networks\""),
    ], "test_halves.check_twin_follows", None, "a warm-up that half of the examples never see"),
    Mistake("training", "minibatches in the same order every epoch", [
        (EPOCH, "run.rng.permutation(n)", "np.arange(n)"),
    ], "test_training.check_epochs", "VAE", "nothing, if the data come shuffled"),
    Mistake("training", "the last, smaller batch left out", [
        (EPOCH, "range(0, n, batch_size)", "range(0, n - batch_size + 1, batch_size)"),
    ], "test_training.check_epochs", "VAE", "losses too low by the share left out"),
    Mistake("training", "an average over batches instead of examples", [
        (EPOCH, "len(rows) * np.array", "n / -(-n // batch_size) * np.array"),
    ], "test_training.check_epochs", "VAE", "a slightly wrong loss, if the last batch is small"),
    Mistake("training", "validation that draws from the training generator", [
        ("nn.training:validate", "np.random.default_rng(run.valid_seed)", "run.rng"),
    ], "test_training.check_validation_draws_nothing", "VAE", "watching a run changes it"),
    Mistake("training", "a checkpoint without the optimizer's moments", [
        ("nn.resume:Checkpoint._take_up", 'optimizer.load_state(part("optimizer"))', "pass"),
    ], "test_training.check_resume", "VAE", "a bump after every restart, and other bits than without"),
    Mistake("training", "early stopping that keeps a view of the best parameters", [
        ("nn.callbacks:EarlyStopping.epoch_end", "self.best_theta[:] = run", "self.best_theta = run"),
    ], "test_callbacks.check_early_stopping", "VAE", "nothing: the model is the last one, not the best"),
    Mistake("training", "data that are drawn every epoch, drawn once", [
        ("nn.examples:Drawn.of_epoch", "self.now = None", "return self.now"),
    ], "test_examples.check_new_every_epoch", "VAE", "a better training loss, and a worse one on new data"),
    Mistake("training", "labels that stay in their order when rows are read in another", [
        ("nn.examples:ByRow.take", "labels[rows[order]]", "labels[rows]"),
    ], "test_examples.check_by_row", "VAE", "a classifier no better than chance, from a file only"),
    # ---- callbacks
    Mistake("callbacks", "a warm-up by the whole run, never reaching 1", [
        ("nn.schedules:KLWarmup.multiplier", "(run.epoch + 1) / self.epochs", "run.epoch / run.epochs"),
    ], "test_callbacks.check_warmup", "VAE", "a fine loss, and codes far wider than the prior"),
    Mistake("callbacks", "a learning rate that decays the wrong way", [
        ("nn.schedules:LearningRateDecay.multiplier", "1 - run.epoch / run.epochs", "run.epoch / run.epochs"),
    ], "test_callbacks.check_decay", "VAE", "a slow start, and an end that is noisier than need be"),
    Mistake("callbacks", "a step of the learning rate one epoch late", [
        ("nn.schedules:StepDecay.multiplier", "epoch <= run.epoch", "epoch < run.epoch"),
    ], "test_callbacks.check_steps", "VAE", "nothing"),
    Mistake("callbacks", "a warm-up that validates with the beta it trains with", [
        ("nn.schedules:KLWarmup.epoch_trained", "run.model.beta = self.value", "pass"),
    ], "test_callbacks.check_warmup", "VAE",
        "the first epochs look best, and early stopping brings them back"),
    Mistake("callbacks", "patience that counts a warm-up's epochs", [
        ("nn.callbacks:EarlyStopping._is_patience_over",
         "max(self.best_epoch, *(c.settled for c in run.callbacks))", "self.best_epoch"),
    ], "test_callbacks.check_patience_waits", "VAE", "a run that ends after some epochs, with a model of the first"),
    # ---- PCA and its kin
    Mistake("PCA", "data that are not centred", [
        ("models.pca:from_triangle", "X[rows] - mean", "X[rows]"),
    ], "test_pca.check_centred", None, "the first component points at the mean"),
    Mistake("PCA", "data that are not centred, in the covariance's route", [
        ("models.pca:from_covariance", "X[half][rows] - mean", "X[half][rows]"),
    ], "test_pca.check_covariance_agrees", None, "nothing, where the other solver is what is tested"),
    Mistake("PCA", "variances with the denominator N", [
        ("models.pca:PCA._described", "S**2 / (seen.n - 1)", "S**2 / seen.n"),
    ], "test_pca.check_against_eigenvectors", None, "nothing, for large N"),
    Mistake("PCA", "codes of data from which the mean was not taken", [
        ("models.pca:PCA.transform", "(X[rows] - self.mean_)", "X[rows]"),
    ], "test_pca.check_identities", None, "a reconstruction that is off by the mean"),
    Mistake("PCA", "codes whitened by the variance, not by its root", [
        ("models.pca:PCA._scale", "np.sqrt(self.explained_variance_)", "self.explained_variance_"),
    ], "test_pca.check_whitened", None, "codes on different scales, which was to be mended"),
    Mistake("PCA", "rows in parts, the difference of the parts' means forgotten", [
        ("models.pca:joined", "np.sqrt(seen.n * m / n) * d[None]", "0 * d[None]"),
    ], "test_pca.check_partial_fit", None, "nothing on shuffled rows; too little variance on sorted ones"),
    Mistake("kernel PCA", "a kernel matrix that is not centred", [
        ("models.kernel_pca:centred", "return K - K.mean(axis=1, keepdims=True) - rows + mean", "return K"),
    ], "test_kernel_pca.check_centring", None, "the first component says how near the middle a point is"),
    Mistake("kernel PCA", "new points centred by their own mean", [
        ("models.kernel_pca:centred", "- rows + mean", "- K.mean(axis=0) + K.mean()"),
    ], "test_kernel_pca.check_centring", None, "nothing on the training data; new codes move with their batch"),
    Mistake("kernel PCA", "codes divided by lambda instead of its root", [
        ("models.kernel_pca:KernelPCA.transform", "np.sqrt(self.eigenvalues_)", "self.eigenvalues_"),
    ], "test_kernel_pca.check_training_points", None, "new points huddle at the origin"),
    Mistake("probabilistic PCA", "the noise not subtracted: W_j = sqrt(l_j) V_j", [
        ("models.probabilistic_pca:ProbabilisticPCA.fit", "variance[:K] - v", "variance[:K]"),
    ], "test_probabilistic_pca.check_fit", None, "a likelihood slightly below the maximum"),
    Mistake("probabilistic PCA", "the denominator N - 1 in a maximum likelihood", [
        ("models.probabilistic_pca:ProbabilisticPCA.fit", "_**2 / N", "_**2 / (N - 1)"),
    ], "test_probabilistic_pca.check_fit", None, "nothing, for large N"),
    Mistake("probabilistic PCA", "missing values: an E step that takes its means for the latents themselves", [
        ("models.missing_values:em_step", "A[:, :K, :K] += C", "A[:, :K, :K] += 0 * C"),
    ], "test_missing_values.check_without_gaps_it_is_the_closed_form", None, "a likelihood that falls at last"),
    Mistake("probabilistic PCA", "missing values: an M step whose noise is shared with values that are not there", [
        ("models.missing_values:em_step", "rows.seen.sum() for rows", "rows.seen.size for rows"),
    ], "test_missing_values.check_turn", None, "noise too small, by the share of what is missing"),
    Mistake("probabilistic PCA", "missing values: an M step whose noise forgets that z is uncertain", [
        ("models.missing_values:em_step", "(squares + np.einsum(", "(squares + 0 * np.einsum("),
    ], "test_missing_values.check_fit_is_a_maximum", None, "noise too small; imputed values that trust too few pixels"),
    Mistake("probabilistic PCA", "missing values: taken as the mean, not as missing, by the posterior", [
        ("models.missing_values:observed_posterior", "np.float64(rows.seen[rows.first])", "np.ones((len(rows.first), D))"),
    ], "test_missing_values.check_marginal_and_conditional", None, "codes drawn to 0, the more the more is missing"),
    Mistake("probabilistic PCA", "a posterior covariance without the noise", [
        ("models.linear_gaussian:linear_posterior", "(U * (variance / along))", "(U * (1 / along))"),
    ], "test_probabilistic_pca.check_posterior", None, "nothing; every code's uncertainty is wrong by one factor"),
    Mistake("probabilistic PCA", "a log-determinant with D, not D - K, noises", [
        ("models.linear_gaussian:spiked_log_prob", "(D - K) * np.log(variance)", "D * np.log(variance)"),
    ], "test_probabilistic_pca.check_log_prob", None,
        "a likelihood off by a constant; a bad v, where v is fitted"),
    # ---- autoencoder, VAE and its bounds
    Mistake("autoencoder", "a denoising target that has the damage, too", [
        ("models.autoencoder:Autoencoder.forward_backward",
         "z, encoder_cache = self.encoder.forward(self.damage(x, rng, eps) if self.noise else x)",
         "x = self.damage(x, rng, eps) if self.noise else x\n        z, encoder_cache = self.encoder.forward(x)"),
    ], "test_autoencoder.check_target_is_the_whole_x", "autoencoder", "a fine curve; it does not denoise"),
    Mistake("classifier", "a gradient summed under a loss that is averaged", [
        ("models.classifier:Classifier.forward_backward", "dlogits *= -1 / len(x)", "dlogits *= -1"),
    ], "test_classifier.check_gradient", "classifier",
        "with Adam nothing; with SGD, a rate N times too large"),
    Mistake("classifier", "the last of labels that tie", [
        ("models.classifier:Classifier.predict", "not_too_large(self.apply(self.network, X))",
         "self.n_classes - 1 - self.apply(self.network, X)[:, ::-1]"),
    ], "test_classifier.check_ties", "classifier", "nothing, until scores and predictions are compared"),
    Mistake("VAE", "fresh noise between forward and backward", [
        (f"{VAE}.through_z", "(dz, log_var, eps)",
         "(dz, log_var, np.random.default_rng(0).standard_normal(eps.shape))"),
    ], "test_vae.check_gradients", "VAE", "it learns, and settles somewhat low"),
    Mistake("VAE", "the KL's gradient forgotten", [
        (f"{VAE}.forward_backward", "dmu + dmu_kl, dlog_var + dlog_var_kl", "dmu, dlog_var"),
    ], "test_vae.check_gradients", "VAE", "the ELBO rises, turns, and falls without end as the KL grows"),
    Mistake("VAE", "dz/dlog_var without its 1/2", [
        (SAMPLER_GRAD, "(0.5 * sigma)", "sigma"),
    ], "test_vae.check_gradients", "VAE", "nothing; it settles a little low"),
    Mistake("VAE", "the KL summed but the reconstruction averaged over pixels", [
        ("models.vae:VAE.forward", "repeat(x, S), params)", "repeat(x, S), params)\n"
         "        log_px, dparams = log_px / x.shape[1], dparams / x.shape[1]"),
        ("models.vae:VAE.log_likelihood", "return log_px", "return log_px / x.shape[1]"),
    ], "test_vae.check_linear_elbo", "VAE", "a small loss that soon stands still, and a KL of 0"),
    Mistake("VAE", "the ELBO reported with beta in it", [
        ("models.vae:VAE._terms", "reconstruction - kl, ", "reconstruction - self.beta * kl, "),
    ], "test_vae.check_affine_in_beta", "VAE", "a better ELBO than anyone else's, the smaller beta"),
    Mistake("VAE", "new images from uniform z", [
        ("models.vae:VAE.sample", ".standard_normal((", ".random(("),
    ], "test_vae.check_sample_moments", "VAE", "nothing; images of one corner of the latent space"),
    Mistake("conditional VAE", "the label given to the encoder alone", [
        ("models.vae:VAE.forward", "joined(z, labels, self.n_classes)", "joined(z, 0 * labels, self.n_classes)"),
    ], "test_conditional.check_linear_elbo", "VAE, labels", "an ordinary VAE: whatever one asks for, any digit comes"),
    Mistake("conditional VAE", "the one-hot code of the class before", [
        ("models.labels:joined", "[labels]", "[labels - 1]"),
    ], "test_conditional.check_given", "VAE, labels", "nothing, until `given` takes out one class: it is another"),
    Mistake("conditional VAE", "the gradient of the label's rows dropped, for labels are constants", [
        (f"{VAE}.through_z", "        return reparameterize_grad", "        self.decoder.layers[0].dW[K:] = 0\n"
         "        return reparameterize_grad"),
    ], "test_conditional.check_gradients", "VAE, labels", "classes look alike: what y says is never learned"),
    Mistake("conditional VAE", "the derivative of the one-hot code taken for that of z", [
        (f"{VAE}.through_z", "[:, :K]", "[:, -K:]"),
    ], "test_conditional.check_gradients", "VAE, labels", "a KL that goes to 0: the encoder hears nothing of z"),
    Mistake("conditional VAE", "p(y given x) without p(y)", [
        ("analysis.class_posterior:class_posterior", "np.log(prior) + log_likelihood", "log_likelihood"),
    ], "test_conditional.check_class_posterior", None, "nothing where classes are balanced; else rare ones too often"),
    Mistake("conditional VAE", "p(x) as the mean over classes, not the sum", [
        ("analysis.class_posterior:class_posterior", " + np.log(vae.n_classes)", ""),
    ], "test_conditional.check_class_posterior", None, "probabilities of the classes that add up to their number"),
    Mistake("multi-sample bound", "the mean of logs for the log of the mean", [
        ("models.iwae:IWAE._bound_terms", "log_mean_exp(log_w).mean(), log_mean_exp(log_w_true)",
         "log_w.mean(), log_w_true"),
        ("models.iwae:IWAE.forward_backward", "shares(log_w)", "shares(0 * log_w)"),
    ], "test_iwae.check_bound_by_the_definition", "IWAE", "nothing: it is the ELBO, and more samples do not help"),
    Mistake("multi-sample bound", "a sum over the samples where the mean belongs", [
        ("models.iwae:IWAE._bound_terms", "log_mean_exp(log_w).mean(), log_mean_exp(log_w_true)",
         "np.logaddexp.reduce(log_w).mean(), np.logaddexp.reduce(log_w_true)"),
    ], "test_iwae.check_equal_samples", "IWAE", "the same training, a bound log S nats too high"),
    Mistake("multi-sample bound", "log q's gradient without its -1/2", [
        ("models.iwae:IWAE.forward_backward", "dlog_var -= 0.5 * self.beta / N", "pass"),
    ], "test_iwae.check_iwae_gradients", "IWAE", "nothing holds q wide: sigma shrinks, and the bound with it"),
    Mistake("multi-sample bound", "dlog p(z)/dz forgotten", [
        ("models.iwae:IWAE.forward_backward", "dz += self.beta / N * share[:, :, None] * z", "pass"),
    ], "test_iwae.check_one_sample_is_the_elbo", "IWAE",
        "the bound rises, turns, and falls as codes move away"),
    Mistake("multi-sample bound", "weights normalised over examples, not samples", [
        ("probability.log_space:shares", "w / w.sum(axis=0)", "w * len(w) / w.sum()"),
    ], "test_iwae.check_equal_samples", "IWAE", "it learns, from the easy examples above all"),
    Mistake("multi-sample bound", "the first block's noise for every block of rows", [
        ("models.iwae:IWAE.evaluate", "eps[:, block], None", "eps[:, :len(x[block])], None"),
        ("models.iwae:IWAE.evaluate", "log_var, eps[:, block])", "log_var, eps[:, :len(made.z[0])])"),
    ], "test_iwae.check_blocks_of_rows", "IWAE", "nothing; a bound that scatters more than it says"),
    Mistake("multi-sample bound", "a standard error with the denominator R, not R - 1", [
        ("analysis.evidence:multi_sample_bound", "std(axis=0, ddof=1)", "std(axis=0)"),
    ], "test_evidence.check_bound_s_error", None, "nothing, for many repeats; for two an error too small"),
    Mistake("evidence", "weights scaled by the largest of all x, not of their own", [
        ("analysis.evidence:effective_sample_size", "log_w.max(axis=0)", "log_w.max()"),
    ], "test_evidence.check_effective_sample_size_of_each_column", None,
        "fine for one image; among many the improbable ones are NaN"),
    Mistake("evidence", "a mean of e^a without taking the largest out", [
        ("probability.log_space:log_mean_exp", "top = a.max(axis=axis, keepdims=True)",
         "top = np.zeros_like(a.max(axis=axis, keepdims=True))"),
    ], "test_log_space.check_far_below_every_float", None, "fine on small images, -infinity on large ones"),
    Mistake("evidence", "active units by mu squared, not mu's variance", [
        ("analysis.aggregate:active_units", "vae.encode(X)[0].var(", "np.square(vae.encode(X)[0]).mean("),
    ], "test_evidence.check_active_units", None, "a latent that says the same of every x counts as used"),
    Mistake("evidence", "the aggregate posterior as a sum instead of a mean", [
        ("analysis.aggregate:aggregate_kl", "log_aggregate = log_mean_exp(", "log_aggregate = np.logaddexp.reduce("),
    ], "test_evidence.check_aggregate_kl_parts", None, "a mutual information below 0, log N too low"),
    Mistake("evidence", "weights that are not divided by the proposal", [
        ("analysis.evidence:log_weights", "+ log_pz - log_r", "+ log_pz"),
    ], "test_evidence.check_log_evidence", None, "log p(x) too low or too high, with a small error bar"),
    Mistake("evidence", "the mean of log-weights reported as log p(x)", [
        ("analysis.evidence:log_evidence", "log_mean_exp(log_w)", "log_w.mean(axis=0)"),
    ], "test_evidence.check_log_evidence", None, "it is the ELBO: a model looks worse than it is"),
    Mistake("evidence", "the score of log_var without its -1", [
        ("analysis.gradient_estimators:score_function_gradient", "(eps * eps - 1)", "(eps * eps)"),
    ], "test_gradient_estimators.check_estimators_have_the_exact_mean", None, "a biased gradient among much noise"),
    Mistake("posterior", "a grid's sum without the cell's volume", [
        ("analysis.posterior:latent_grid", "Grid(points, K * np.log(step))", "Grid(points, 0.0)"),
    ], "test_elbo.check_grid_posterior", None, "log p(x) that rises by K log 2 whenever the step is halved"),
    Mistake("posterior", "q optimised downhill", [
        ("analysis.posterior:optimize_q", "[-d.mean(", "[d.mean("),
    ], "test_elbo.check_optimize_q", None, "no amortisation gap: nothing beats the encoder"),
    Mistake("posterior", "q optimised from the prior, not from the encoder's q", [
        ("analysis.posterior:optimize_q", "np.stack(start)", "0 * np.stack(start)"),
    ], "test_elbo.check_optimize_q_starts_at_the_encoder", None, "with few steps, an amortisation gap below 0"),
    Mistake("ELBO", "the gap with the wrong sign", [
        ("analysis.elbo:two_divergences", "+ p.kl_posterior", "- p.kl_posterior"),
    ], "test_elbo.check_lines", None, "a bound that lies above log p(x)"),
    Mistake("latent space", "every training code's nearest is itself", [
        ("analysis.latent_space:isolated_share", "skip_self=True", "skip_self=False"),
    ], "test_latent_space.check_isolated_share", None, "every sampled code lies in a gap, whatever the sampler"),
    Mistake("latent space", "areas from variances instead of standard deviations", [
        ("analysis.latent_space:class_log_areas", "np.log(S).sum() - 0.5 * K", "2 * np.log(S).sum() - 1.0 * K"),
    ], "test_latent_space.check_areas", None, "classes that look twice as uneven as they are"),
    Mistake("latent space", "a Frechet distance that counts the common part once", [
        ("analysis.latent_space:frechet_distance", "- 2 * cross", "- cross"),
    ], "test_latent_space.check_frechet", None, "real images that are far from real images"),
    Mistake("latent space", "a gap divided by the bins' entropy, not by the factor's", [
        ("analysis.factors:mutual_information_gap", "information, H = mutual_information(z, factors, n_bins)",
         "information, H = mutual_information(z, factors, n_bins)\n    H = np.where(H > 0, np.log(n_bins), 0)"),
    ], "test_factors.check_gap_of_known_codes", None, "nothing on numbers; a class on one axis alone has a gap far below 1"),
    Mistake("latent space", "a gap to the mean of the latents, not to the second", [
        ("analysis.factors:mutual_information_gap", "second, first = np.sort(information, axis=0)[-2:]",
         "second, first = information.mean(axis=0), information.max(axis=0)"),
    ], "test_factors.check_gap_of_known_codes", None, "a gap that grows with the number of latents"),
    Mistake("latent space", "entropies without what counting lacks", [
        ("analysis.factors:_entropy", "(len(counts) - 1) / (2 * len(bins))", "0"),
    ], "test_factors.check_information_of_a_gaussian_pair", None, "noise that knows something, the more the more bins"),
    Mistake("latent space", "as many bins for few rows as for many", [
        ("analysis.factors:_sorted_into", "min(n_bins, isqrt(2 * len(column) // 5))", "n_bins"),
    ], "test_factors.check_few_rows", None, "noise that knows everything, and a gap of 0 for the factor itself"),
    Mistake("latent space", "bins of equal width, not of equal counts", [
        ("analysis.factors:_sorted_into", "np.quantile(column, np.arange(1, n_bins) / n_bins)",
         "np.linspace(column.min(), column.max(), n_bins + 1)[1:-1]"),
    ], "test_factors.check_information_of_a_gaussian_pair", None, "less information as soon as one code lies far out"),
    Mistake("latent space", "the code of the largest inner product taken for the nearest", [
        ("analysis.factors:read_off", "(z**2).sum(axis=1) - 2", "-2"),
    ], "test_factors.check_read_off", None, "neighbours that are few and far out, the same for everyone"),
    Mistake("latent space", "directions of a regression through the origin", [
        ("analysis.factors:directions", "mean = factors.mean(axis=0)", "mean = 0 * factors[0]"),
    ], "test_factors.check_directions", None, "a slider whose middle is the middle of the prior, not of the faces"),
    Mistake("Gaussian mixture", "an E-step without the weights", [
        ("analysis.gaussian_mixture:_log_joint", " + np.log(weights)[:, None]", ""),
    ], "test_latent_space.check_density_of_a_mixture", None, "clusters come out right; the density sums to C"),
    Mistake("Gaussian mixture", "covariances divided by N, not by a share of it", [
        ("analysis.gaussian_mixture:maximisation", "/ total[:, None, None]", "/ len(Z)"),
    ], "test_latent_space.check_em_never_loses", None,
        "right for one component; with several the likelihood falls"),
    Mistake("Gaussian mixture", "a floor by the sum of the variances, not by their mean", [
        ("analysis.gaussian_mixture:GaussianMixture.fit", "np.trace(spread) / K *", "np.trace(spread) *"),
    ], "test_latent_space.check_mixture_floor", None, "densities that are the wider, the more latents there are"),
    # ---- exact likelihoods
    Mistake("FVBN", "a mask that lets a pixel see itself", [
        ("models.fvbn:order_mask", "position[:, None] < position", "position[:, None] <= position"),
    ], "test_autoregressive.check_sums_to_one", "FVBN", "the best log-likelihood ever seen"),
    Mistake("MADE", "a last mask that is off by one", [
        ("models.made:degree_masks", "degrees[-1][:, None] <= position ", "degrees[-1][:, None] <= position + 1 "),
    ], "test_autoregressive.check_sees_only_the_past", "MADE", "the best log-likelihood ever seen"),
    Mistake("MADE", "averaged logits over orders reported as a likelihood", [
        ("models.autoregressive:Autoregressive.log_prob", "return log_mean_exp(by_order)",
         "logits = np.mean([self.forward(X, k)[0] for k in range(len(self.orders))], axis=0)\n"
         "        return self.observation.value_and_grad(X, logits)[0]"),
    ], "test_autoregressive.check_probability_is_the_average", "MADE",
        "a better number than the average's, of no distribution"),
    Mistake("MADE", "several orders that are all the raster", [
        ("models.made:MADE.__init__", "else rng.permutation(n_features)", "else np.arange(n_features)"),
    ], "test_autoregressive.check_default_orders", "MADE", "several times the work for the likelihood of one order"),
    Mistake("MADE", "a mask in forward that backward forgets", [
        ("models.masked:MaskedDense.backward", "self.dW *= self.mask", "pass"),
    ], "test_autoregressive.check_masked_gradient_is_zero", "MADE", "nothing; weights that no one reads wander off"),
    Mistake("MADE", "direct connections that let a pixel see itself", [
        ("models.made:MADE._masked_networks", "order_mask(order)", "order_mask(order) | np.eye(len(order), dtype=bool)"),
    ], "test_autoregressive.check_jacobian", "MADE", "the best log-likelihood ever seen"),
    Mistake("MADE", "direct connections to all pixels but itself", [
        ("models.made:MADE._masked_networks", "order_mask(order)", "~np.eye(len(order), dtype=bool)"),
    ], "test_autoregressive.check_sums_to_one", "MADE", "a pseudo-likelihood, better than any likelihood"),
    Mistake("MADE", "direct connections whose gradient is not masked", [
        ("models.masked:Direct.backward", "self.dW *= self.mask", "pass"),
    ], "test_autoregressive.check_masked_gradient_is_zero", "MADE",
        "nothing with one order; with several a step in one spoils the others"),
    Mistake("MADE", "direct connections that backward forgets", [
        ("models.autoregressive:Autoregressive.backward", "for network, cache in zip(self.by_order[k], caches)",
         "for network, cache in list(zip(self.by_order[k], caches))[:1]"),
    ], "test_autoregressive.check_gradients", "MADE", "a MADE without direct connections"),
    Mistake("MADE", "direct connections that move by another order's last batch", [
        ("models.autoregressive:Autoregressive.backward", "network.grad[:] = 0", "pass"),
    ], "test_autoregressive.check_gradients", "MADE", "several orders that train a little worse"),
    Mistake("MADE", "a penalty that the gradient forgets", [
        ("models.made:MADE.forward_backward", "layer.dW += 2 * self.penalty * W", "pass"),
    ], "test_autoregressive.check_gradients", "MADE", "small tables learned by heart, below an FVBN"),
    Mistake("MADE", "a penalty on weights that no one reads", [
        ("models.made:MADE.forward_backward", "layer.W * (layer.mask > 0)", "layer.W * 1"),
    ], "test_autoregressive.check_penalty", "MADE", "with several orders, each one's batches shrink what others need"),
    Mistake("MADE", "a penalty as light on any table", [
        ("models.made:MADE.start", "5 * float(x.var(axis=0, dtype=np.float64).sum())", "1"),
    ], "test_autoregressive.check_default_penalty", "MADE", "wide tables learned by heart, below an FVBN"),
    Mistake("MADE", "a penalty that forgets how many rows there are", [
        ("models.made:MADE.start", "/ N**1.5", ""),
    ], "test_autoregressive.check_default_penalty", "MADE", "an FVBN: every hidden unit goes to 0"),
    Mistake("MADE", "a last hidden layer that starts at full size", [
        ("models.made:MADE.start", "min(1, N / 50_000)", "1"),
    ], "test_autoregressive.check_hidden_start", "MADE", "small tables learned by heart, below an FVBN"),
    Mistake("MADE", "a last hidden layer made smaller in every call of fit", [
        ("models.made:MADE.start", "if untrained and", "if"),
    ], "test_autoregressive.check_hidden_start", "MADE", "nothing, until a trained model is trained on"),
    Mistake("MADE", "one order drawn at random beside an FVBN in the raster's", [
        ("models.made:MADE.__init__", "if raster else rng", "if False else rng"),
    ], "test_autoregressive.check_default_orders", "MADE", "an FVBN that it does not contain, and may be below"),
    Mistake("MADE", "a gain that is forgotten when pixels are drawn", [
        ("models.autoregressive:Autoregressive._draw", "(layer.W * layer.mask).T", "(layer.W * (layer.mask > 0)).T"),
    ], "test_autoregressive.check_drawing_keeps_up", "MADE", "nothing; samples worse than the likelihood"),
    Mistake("MADE", "a gain for the direct connections, too", [
        ("models.made:MADE._masked_networks", "Direct(before", "Direct(self.gain * before"),
    ], "test_autoregressive.check_gain", "MADE", "again an FVBN that learns too late"),
    Mistake("MADE", "pixels drawn without the direct connections", [
        ("models.autoregressive:Autoregressive._draw", "zip((h, x), columns)", "zip((h,), columns)"),
    ], "test_autoregressive.check_samples", "MADE", "nothing; samples worse than the likelihood"),
    Mistake("MADE", "an update of rank one by the wrong layer's row", [
        ("models.autoregressive:Autoregressive._draw", "a += dx[:, None] * W[j]", "a += dx[:, None] * W[self.orders[0][0]]"),
    ], "test_autoregressive.check_drawing_keeps_up", "MADE", "nothing; samples worse than the likelihood"),
    Mistake("MADE", "pixels drawn in raster order, whatever the model's order", [
        ("models.autoregressive:Autoregressive._draw", "for j in self.orders[k]", "for j in range(self.n_features)"),
    ], "test_autoregressive.check_samples", "MADE", "nothing; samples worse than the likelihood"),
    Mistake("MADE", "a scale that hears what its mean must not", [
        ("models.pixel_params:for_params", "of_params[:, own] = mask[:, :, None]",
         "of_params[:, own] = 1\n    of_params[:, own[:, 0]] = mask"),
    ], "test_autoregressive.check_sums_to_one", "MADE, levels", "grey pixels better than any likelihood"),
    Mistake("MADE", "a scale for all pixels that hears the last one's", [
        ("models.pixel_params:for_params", "[:, :observation.n_params(1) - observation.n_shared]", ""),
    ], "test_autoregressive.check_sees_only_the_past", "MADE, levels", "a little more than any likelihood"),
    Mistake("MADE", "all pixels drawn with the scale of the first", [
        ("models.autoregressive:Autoregressive._draw", "for c in own[j]", "for c in [j, *own[self.orders[k][0], 1:]]"),
    ], "test_autoregressive.check_drawing_keeps_up", "MADE, levels", "nothing; grey dust where all should be black"),
    Mistake("MADE", "a start at which pixels listen to random weights", [
        ("models.autoregressive:Autoregressive.start", "0 * spread", "spread"),
    ], "test_autoregressive.check_start_of_levels", "MADE, levels", "the first loss far above independent pixels"),
    Mistake("FVBN", "proposals weighed by what was drawn, too", [
        ("models.autoregressive:Autoregressive.complete", "np.sum(log_p * known, axis=1)", "np.sum(log_p, axis=1)"),
    ], "test_autoregressive.check_completion_from_behind", "FVBN",
        "halves that are likely, and too much alike"),
    Mistake("FVBN", "a completion that ignores what is known", [
        ("models.autoregressive:Autoregressive.complete", "x.copy(), known,", "x.copy(), known & False,"),
    ], "test_autoregressive.check_completion", "FVBN", "nothing in training; new images where halves were to be kept"),
    Mistake("FVBN", "a completion by the first row's mask", [
        ("models.autoregressive:Autoregressive.complete", "np.broadcast_to(known, x.shape)",
         "np.broadcast_to(known.reshape(-1, self.n_features)[0], x.shape)"),
    ], "test_autoregressive.check_completion_of_rows_that_know_different_pixels", "FVBN",
        "right, as long as all images know the same pixels"),
    Mistake("MADE", "proposals for a completion that are not weighed", [
        ("models.autoregressive:Autoregressive.complete", "np.argmax(log_w + rng.gumbel", "np.argmax(rng.gumbel"),
    ], "test_autoregressive.check_completion_from_behind", "MADE",
        "nothing in training; halves that do not fit together"),
    # ---- data
    Mistake("mu-law", "cut into equal steps without companding", [
        ("data.mu_law:encode", "quantize(compress(x, mu), n_codes)", "quantize(x, n_codes)"),
    ], "test_mu_law.check_half_a_step", None, "quiet passages drown in noise"),
    Mistake("mu-law", "decoded to the step's lower edge", [
        ("data.mu_law:dequantize", "codes + 0.5 - half", "codes - half"),
    ], "test_mu_law.check_half_a_step", None, "nothing; twice the error, and silence hums"),
    Mistake("data", "pixels of exactly one half turned white", [
        ("data.digits:binarize", "np.greater_equal", "np.greater"),
    ], "test_data.check_binarize", None, "an ELBO that no one can compare with"),
    Mistake("data", "one draw of thresholds for all images", [
        ("data.digits:stochastic_binarization", "rng.random(X.shape, dtype=X.dtype)",
         "rng.random(X.shape[-1:], dtype=X.dtype) + 0 * X"),
    ], "test_examples.check_stochastic_binarization", None, "a loss that jumps from epoch to epoch"),
    Mistake("data", "a split that takes classes as they come", [
        ("data.split:split", 'order[np.argsort(labels[order], kind="stable")]', "order"),
    ], "test_data.check_split", None, "an accuracy that depends on the seed"),
    Mistake("data", "bytes divided by 256", [
        ("data.idx:load_idx", "X /= 255", "X /= 256"),
    ], "test_data.check_idx_loads", None, "white is never quite white"),
    Mistake("data", "noise scaled by its variance", [
        ("data.curves:scatter", "points + noise *", "points + noise ** 2 *"),
    ], "test_data.check_noise", None, "curves cleaner than they were ordered"),
    Mistake("data", "harmonics beyond half the rate", [
        ("data.waveform:speech_like", "rate / 2 / f0.max()", "rate / f0.max()"),
    ], "test_mu_law.check_voice_by_its_formula", None, "tones that no one put in, mirrored down from above"),
    Mistake("data", "a wave scaled by its largest sample, not by its loudest", [
        ("data.waveform:speech_like", "np.abs(x).max()", "x.max()"),
    ], "test_mu_law.check_voice_reaches_one_in_size", None, "nothing, until the codes of samples below -1 are seen"),
    Mistake("data", "a smile that also turns the head", [
        ("data.faces:drawn", "TURN * pose", "TURN * (pose + smile / 3)"),
    ], "test_factors.check_a_smile_and_a_pose", None, "factors that no code can hold apart, and a model that is blamed"),
    Mistake("data", "a head whose features slide along a line, not around it", [
        ("data.faces:drawn", "wide * np.cos(angle)", "wide"),
    ], "test_factors.check_the_far_eye_is_narrower", None, "faces that look flat as they turn"),
    Mistake("data", "smile and pose from one and the same draw", [
        ("data.faces:faces", "factors, shift = rng.uniform(-1, 1, (n, 2))",
         "factors, shift = np.tile(rng.uniform(-1, 1, (n, 1)), 2)"),
    ], "test_factors.check_faces_and_their_factors", None, "one latent that holds both, and a fine R^2"),
    Mistake("data", "the ink that is lacking taken for the ink that is there", [
        ("data.faces:faces", "1 - brightness * rng", "brightness * rng"),
    ], "test_factors.check_what_disturbs", None, "white faces where no brightness disturbs"),
)

MISTAKES += tuple(Mistake(topic, f"{name} ({where.partition(':')[2]})", [(where, old, new)], check, gradient, look)
                  for where, (topic, check, gradient, written) in WRITTEN.items() for name, old, new, look in written)
