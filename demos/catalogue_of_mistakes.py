"""Which mistakes does everyone make? A catalogue: each one as an edit of the source, and the check that rejects it.

A mistake is planted into the running program by replacing a piece of a function's source and giving the function the
code that results; everything that holds the function then has the mistake, until `plant` puts the old code back. Where a
mistake is one that somebody could make in good faith, forward and backward are edited together, so that they agree.

The tests plant every entry and want its check, which the ordinary tests call, to fail; the lesson `mistakes` prints it.
"""
import importlib
import inspect
from collections import namedtuple
from contextlib import contextmanager

import numpy as np

import scratchvae as sv

# edits     (module:function, old piece of source, new piece), each piece occurring exactly once
# check     the test module and the function that rejects it
# gradient  which gradient check meets it (a key of GRADIENTS), or None where there is no derivative to check
# look      what one sees while training, or in what comes out
Mistake = namedtuple("Mistake", "topic name edits check gradient look")


@contextmanager
def plant(mistake):
    """The library with the mistake in it, as long as the context lasts. ValueError if the source is not as the edits say."""
    kept = []
    try:
        for where in dict.fromkeys(where for where, _, _ in mistake.edits):
            function = find(where)
            code = edited(function, [(old, new) for place, old, new in mistake.edits if place == where], where)
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


def _coded(cls, observation, binary=False, **how):
    """An autoencoder, VAE or IWAE, its data and its noise: N, D, H, K all different."""
    rng = np.random.default_rng(5)
    x = rng.random((4, 5))
    how = {"hidden": (3,), "n_latent": 2, "activation": "tanh", "observation": observation, **how}
    shape = (4, 5) if cls is sv.Autoencoder else (3, 4, 2)
    return _model(cls, 5, **how), (np.round(x) if binary else x,), {"eps": rng.standard_normal(shape)}


def _binary(cls, **how):
    return _model(cls, 5, **how), (np.round(np.random.default_rng(5).random((4, 5))),), {}


# kind -> model, data, randomness
GRADIENTS = {
    "VAE": lambda: _coded(sv.VAE, sv.Bernoulli(), binary=True),
    "VAE, ReLU": lambda: _coded(sv.VAE, sv.Bernoulli(), binary=True, activation="relu"),
    "VAE, sigmoid": lambda: _coded(sv.VAE, sv.Bernoulli(), binary=True, activation="sigmoid"),
    "VAE, grey": lambda: _coded(sv.VAE, sv.ContinuousBernoulli()),
    "VAE, Gaussian": lambda: _coded(sv.VAE, sv.Gaussian("shared")),
    "IWAE": lambda: _coded(sv.IWAE, sv.Bernoulli(), binary=True),
    "autoencoder": lambda: _coded(sv.Autoencoder, sv.Gaussian(0.3), noise=0.4),
    "classifier": lambda: (_model(sv.Classifier, 5, (4,), 3, activation="tanh"),
                           (np.random.default_rng(5).random((7, 5)), np.arange(7) % 3), {}),
    "FVBN": lambda: _binary(sv.FVBN),
    "MADE": lambda: _binary(sv.MADE, hidden=(7,), activation="tanh"),
}


def gradient_check_fails(kind):
    """Whether a gradient check of the whole model, tensor by tensor and with the noise held fixed, finds a difference."""
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

STEP, KL_STANDARD = "models.vae:VAE.forward_backward", "probability.gaussian:kl_standard"
BERNOULLI_TERMS, GAUSSIAN = "probability.observation:bernoulli_terms", "probability.observation:Gaussian"
GREY = "probability.observation:ContinuousBernoulli"
ADAM, EPOCH = "nn.optimizers:Adam.step", "nn.training:_train_epoch"

MISTAKES = (
    # ---- Gaussian
    Mistake("Gaussian", "sigma is exp(log_var), the variance", [
        ("probability.gaussian:reparameterize", "np.exp(0.5 * log_var)", "np.exp(log_var)"),
        (STEP, "np.exp(0.5 * log_var)", "np.exp(log_var)"), (STEP, "* (0.5 * sigma)", "* sigma"),
        (STEP, "(sigma * sigma - 1)", "(sigma - 1)"),
    ], "test_gaussian.check_reparameterized_moments", "VAE", "a better ELBO than the right code's, not a bound any more"),
    Mistake("Gaussian", "the KL halved", [
        (KL_STANDARD, "0.5 * (mu", "0.25 * (mu"), (STEP, "self.beta / N * mu", "0.5 * self.beta / N * mu"),
        (STEP, "0.5 * self.beta / N * (sigma", "0.25 * self.beta / N * (sigma"),
    ], "test_gaussian.check_kl_standard_by_quadrature", "VAE", "a better ELBO than the right code's, not a bound any more"),
    Mistake("Gaussian", "the KL off by a constant: the -1 forgotten", [
        (KL_STANDARD, "np.expm1(log_var)", "np.exp(log_var)"),
    ], "test_gaussian.check_kl_standard_by_quadrature", "VAE", "the same training, every ELBO K/2 nats too low"),
    Mistake("Gaussian", "the KL with its arguments swapped", [
        (KL_STANDARD, "mu * mu + (np.expm1(log_var) - log_var)",
         "mu * mu * np.exp(-log_var) + (np.expm1(-log_var) + log_var)"),
        (STEP, "self.beta / N * mu", "self.beta / N * mu / sigma**2"),
        (STEP, "(sigma * sigma - 1)", "(1 - (1 + mu * mu) / sigma**2)"),
    ], "test_gaussian.check_kl_standard_by_quadrature", "VAE", "a curve like the right one's; the model is worse than it says"),
    Mistake("Gaussian", "the KL by exp(r) - 1 - r, which cancels", [
        (KL_STANDARD, "np.expm1(log_var) - log_var", "np.exp(log_var) - 1 - log_var"),
    ], "test_gaussian.check_kl_near_the_prior", "VAE", "nothing; unused latents have a KL of a rounding error, also below 0"),
    # ---- observation models
    Mistake("observation", "a Bernoulli's mean by softplus", [
        ("probability.observation:Bernoulli.mean", "return sigmoid(", "return np.logaddexp(0, "),
    ], "test_observation.check_log_probability_is_not_positive", "VAE", "nothing; probabilities above 1 in the pictures"),
    Mistake("observation", "softplus where the derivative has sigmoid", [
        (BERNOULLI_TERMS, "half -= t", "half += 0.5 - np.logaddexp(0, a)"),
    ], "test_observation.check_observation_gradient", "VAE", "it learns, slower and worse"),
    Mistake("observation", "grey pixels under Bernoulli's formula, no normaliser", [
        (f"{GREY}.evaluate", "params * half - log_sinhc", "params * half - np.logaddexp(0.5 * params, -0.5 * params)"),
        (f"{GREY}.evaluate", "half -= 0.5 * langevin", "half -= 0.5 * np.tanh(0.5 * params)"),
    ], "test_observation.check_normalised", "VAE, grey", "nothing; the number is no likelihood"),
    Mistake("observation", "the continuous Bernoulli's mean by sigmoid", [
        (f"{GREY}.mean", "0.5 + 0.5 * _sinhc(0.5 * self._params(params))[1]",
         "sigmoid(self._params(params))"),
    ], "test_observation.check_normalised", "VAE, grey", "nothing; pictures with too much contrast"),
    Mistake("observation", "a Gaussian sampler that multiplies by the variance", [
        (f"{GAUSSIAN}.sample", "** 0.5 * eps", "* eps"),
    ], "test_observation.check_sample_moments", "VAE, Gaussian", "nothing; samples with too little noise, or too much"),
    Mistake("observation", "a shared log variance counted once, not for each feature", [
        (f"{GAUSSIAN}.evaluate", "(len(x), D)).sum(", "(len(x), D)).mean("),
        (f"{GAUSSIAN}.evaluate", "0.5 * (squares - 1)", "0.5 * (squares - 1 / D)"),
    ], "test_observation.check_gaussian_textbook", "VAE, Gaussian", "a fine curve; the variance grows too large"),
    Mistake("observation", "a density without its log 2 pi", [
        (f"{GAUSSIAN}.evaluate", " + D * LOG_2PI", ""),
    ], "test_observation.check_normalised", "VAE, Gaussian", "the same training, an ELBO too high by 0.92 nats a feature"),
    Mistake("observation", "softmax without taking out the largest logit", [
        ("probability.observation:_softmax_terms", "a - a.max(axis=1, keepdims=True)", "a - 0"),
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
    Mistake("layers", "weights drawn with the variance for a standard deviation", [
        ("nn.layers:Dense.__init__", "np.sqrt(variance) *", "variance *"),
    ], "test_layers.check_initial_variance", "VAE", "nothing in a shallow network; a deep one hardly starts"),
    Mistake("network", "layers that compute with a copy of theta", [
        ("nn.network:Network.bind", "layer.bind(theta[start:stop]", "layer.bind(theta[start:stop].copy()"),
    ], "test_network.check_one_vector", "VAE", "a flat line"),
    Mistake("network", "a network that forgets its layers' initial weights", [
        ("nn.network:pack", "np.concatenate(thetas) if", "0 * np.concatenate(thetas) if"),
    ], "test_network.check_packing_keeps_values", "VAE", "equal units: a late start, and a low end"),
    # ---- optimizers and training
    Mistake("optimizers", "Adam without bias correction", [
        (ADAM, "(1 - self.beta1) / (1 - self.beta1**self.t)", "1 - self.beta1"),
        (ADAM, "((1 - self.beta2) / (1 - self.beta2**self.t)) ** 0.5", "(1 - self.beta2) ** 0.5"),
    ], "test_optimizers.check_adam_first_step", "VAE", "nothing: steps three times too long at first, then right"),
    Mistake("optimizers", "Adam's epsilon under the root", [
        (ADAM, "np.sqrt(v, out=step)", "np.sqrt(v + self.eps / v_scale**2, out=step)"), (ADAM, "step += self.eps / v_scale", ""),
    ], "test_optimizers.check_adam_is_the_textbook", "VAE", "nothing, until gradients are below 1e-4; then it crawls"),
    Mistake("optimizers", "Adam's weight decay added to the gradient", [
        ("nn.optimizers:Optimizer._begin", "theta *= 1 - self.lr * self.weight_decay", "grad += self.weight_decay * theta"),
    ], "test_optimizers.check_weight_decay_is_decoupled", "VAE", "nothing; it decays little and evenly, whatever is asked"),
    Mistake("optimizers", "momentum that scales the gradient by 1 - momentum", [
        ("nn.optimizers:SGD.step", "self.v += grad", "self.v += (1 - self.momentum) * grad"),
    ], "test_optimizers.check_sgd_is_the_textbook", "VAE", "as with a tenth of the learning rate"),
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
        ("nn.training:_validate", "np.random.default_rng(run.valid_seed)", "run.rng"),
    ], "test_training.check_validation_costs_one_draw", "VAE", "watching a run changes it"),
    Mistake("training", "a checkpoint without the optimizer's moments", [
        ("nn.training:Run.load", 'optimizer.load_state(part("optimizer"))', "pass"),
    ], "test_training.check_resume", "VAE", "a bump after every restart, and other bits than without"),
    Mistake("training", "early stopping that keeps a view of the best parameters", [
        ("nn.callbacks:EarlyStopping.epoch_end", "self.best_theta[:] = run.model.theta", "self.best_theta = run.model.theta"),
    ], "test_callbacks.check_early_stopping", "VAE", "nothing: the model is the last one, not the best"),
    # ---- PCA and its kin
    Mistake("PCA", "data that are not centred", [
        ("models.pca:from_triangle", "X[rows] - mean", "X[rows]"),
    ], "test_pca.check_centred", None, "the first component points at the mean"),
    Mistake("PCA", "variances with the denominator N", [
        ("models.pca:PCA.fit", "S**2 / (N - 1)", "S**2 / N"),
    ], "test_pca.check_against_eigenvectors", None, "nothing, for large N"),
    Mistake("PCA", "codes of data from which the mean was not taken", [
        ("models.pca:PCA.transform", " - self.mean_ @ self.components_.T", ""),
    ], "test_pca.check_identities", None, "a reconstruction that is off by the mean"),
    Mistake("kernel PCA", "a kernel matrix that is not centred", [
        ("models.kernel_pca:centred", "return K - K.mean(axis=1, keepdims=True) - rows + mean", "return K"),
    ], "test_kernel_pca.check_linear_kernel_is_pca", None, "the first component says how near the middle a point is"),
    Mistake("kernel PCA", "new points centred by their own mean", [
        ("models.kernel_pca:centred", "- rows + mean", "- K.mean(axis=0) + K.mean()"),
    ], "test_kernel_pca.check_centring", None, "nothing on the training data; new codes move with their batch"),
    Mistake("kernel PCA", "codes divided by lambda instead of its root", [
        ("models.kernel_pca:KernelPCA.transform", "np.sqrt(self.eigenvalues_)", "self.eigenvalues_"),
    ], "test_kernel_pca.check_training_points", None, "new points huddle at the origin"),
    Mistake("probabilistic PCA", "the noise not subtracted: W_j = sqrt(l_j) V_j", [
        ("models.probabilistic_pca:ProbabilisticPCA.fit", "variance[:K] - self.noise_variance_", "variance[:K]"),
    ], "test_probabilistic_pca.check_fit", None, "a likelihood slightly below the maximum"),
    Mistake("probabilistic PCA", "the denominator N - 1 in a maximum likelihood", [
        ("models.probabilistic_pca:ProbabilisticPCA.fit", "S**2 / N", "S**2 / (N - 1)"),
    ], "test_probabilistic_pca.check_fit", None, "nothing, for large N"),
    Mistake("probabilistic PCA", "a posterior covariance without the noise variance", [
        ("models.probabilistic_pca:linear_posterior", "variance * M_inverse", "M_inverse"),
    ], "test_probabilistic_pca.check_posterior", None, "nothing; every code's uncertainty is wrong by one factor"),
    # ---- autoencoder, VAE and its bounds
    Mistake("autoencoder", "a denoising autoencoder that restores the damage, too", [
        ("models.autoencoder:Autoencoder.forward_backward", "z, encoder_cache = self.encoder.forward(self.damage(x, rng, eps) "
         "if self.noise else x)", "x = self.damage(x, rng, eps) if self.noise else x\n"
         "        z, encoder_cache = self.encoder.forward(x)"),
    ], "test_autoencoder.check_target_is_the_whole_x", "autoencoder", "a fine curve; it does not denoise"),
    Mistake("VAE", "fresh noise between forward and backward", [
        (STEP, "(dz * eps).sum(axis=0)", "(dz * np.random.default_rng(0).standard_normal(eps.shape)).sum(axis=0)"),
    ], "test_vae.check_gradients", "VAE", "it learns, and settles somewhat low"),
    Mistake("VAE", "the KL's gradient forgotten", [
        (STEP, "dmu += self.beta / N * mu", "pass"),
        (STEP, "dlog_var += 0.5 * self.beta / N * (sigma * sigma - 1)", "pass"),
    ], "test_vae.check_gradients", "VAE", "the ELBO rises, turns, and falls without end as the KL grows"),
    Mistake("VAE", "dz/dlog_var without its 1/2", [
        (STEP, "(0.5 * sigma)", "sigma"),
    ], "test_vae.check_gradients", "VAE", "nothing; it settles a little low"),
    Mistake("VAE", "the KL summed but the reconstruction averaged over pixels", [
        (STEP, "_repeat(x, S), params)", "_repeat(x, S), params)\n"
         "        log_px, dparams = log_px / x.shape[1], dparams / x.shape[1]"),
        ("models.vae:VAE._elbo", "_repeat(x[rows], S), params)[0]", "_repeat(x[rows], S), params)[0] / x.shape[1]"),
    ], "test_vae.check_linear_elbo", "VAE", "a small loss that soon stands still, and a KL of 0"),
    Mistake("VAE", "the ELBO reported with beta in it", [
        ("models.vae:VAE._terms", "reconstruction - kl, ", "reconstruction - self.beta * kl, "),
    ], "test_vae.check_affine_in_beta", "VAE", "a better ELBO than anyone else's, the smaller beta"),
    Mistake("VAE", "new images from uniform z", [
        ("models.vae:VAE.sample", ".standard_normal((", ".random(("),
    ], "test_vae.check_sample_moments", "VAE", "nothing; images of one corner of the latent space"),
    Mistake("multi-sample bound", "the mean of logarithms for the logarithm of the mean", [
        ("models.vae:_log_mean_exp", "np.log(np.exp(log_w - top).mean(axis=0)) + top", "log_w.mean(axis=0)"),
        ("models.vae:IWAE.forward_backward", "np.exp(log_w - log_w.max(axis=0))", "np.ones_like(log_w)"),
    ], "test_iwae.check_bound_by_the_definition", "IWAE", "nothing: it is the ELBO, and more samples do not help"),
    Mistake("multi-sample bound", "a sum over the samples where the mean belongs", [
        ("models.vae:_log_mean_exp", ".mean(axis=0)", ".sum(axis=0)"),
    ], "test_iwae.check_equal_samples", "IWAE", "the same training, a bound log S nats too high"),
    Mistake("evidence", "weights that are not divided by the proposal", [
        ("analysis.evidence:log_weights", "+ log_pz - log_r", "+ log_pz"),
    ], "test_evidence.check_log_evidence", None, "log p(x) too low or too high, with a small error bar"),
    Mistake("evidence", "the mean of log-weights reported as log p(x)", [
        ("analysis.evidence:log_mean_exp", "np.log(np.exp(log_w - top).mean(axis=axis)) + top.squeeze(axis)",
         "log_w.mean(axis=axis)"),
    ], "test_evidence.check_log_evidence", None, "it is the ELBO: a model looks worse than it is"),
    Mistake("evidence", "the score of log_var without its -1", [
        ("analysis.gradient_estimators:score_function_gradient", "(eps * eps - 1)", "(eps * eps)"),
    ], "test_gradient_estimators.check_estimators_have_the_exact_mean", None, "a biased gradient among much noise"),
    # ---- exact likelihoods
    Mistake("FVBN", "a mask that lets a pixel see itself", [
        ("models.fvbn:order_mask", "position[:, None] < position", "position[:, None] <= position"),
    ], "test_autoregressive.check_sums_to_one", "FVBN", "the best log-likelihood ever seen"),
    Mistake("MADE", "a last mask that is off by one", [
        ("models.made:degree_masks", "degrees[-1][:, None] <= position ", "degrees[-1][:, None] <= position + 1 "),
    ], "test_autoregressive.check_sees_only_the_past", "MADE", "the best log-likelihood ever seen"),
    Mistake("MADE", "averaged logits over orders reported as a likelihood", [
        ("models.autoregressive:Autoregressive._log_prob", "by_order = [np.concatenate([self.observation.evaluate(x[rows], "
         "network.forward(x[rows])[0])[0]\n                                    for rows in row_blocks(x)]) for network in "
         "self.by_order]\n        return log_mean(np.stack(by_order))",
         "logits = np.mean([network.forward(x)[0] for network in self.by_order], axis=0)\n"
         "        return self.observation.evaluate(x, logits)[0]"),
    ], "test_autoregressive.check_probability_is_the_average", "MADE", "a better number than the average's, of no distribution"),
    Mistake("MADE", "a mask in forward that backward forgets", [
        ("models.autoregressive:MaskedDense.backward", "self.dW *= self.mask", "pass"),
    ], "test_autoregressive.check_masked_gradient_is_zero", "MADE", "nothing; weights that no one reads wander off"),
    Mistake("MADE", "pixels drawn in raster order, whatever the model's order", [
        ("models.autoregressive:Autoregressive._draw", "for j in self.orders[k]", "for j in range(self.n_features)"),
    ], "test_autoregressive.check_samples", "MADE", "nothing; samples worse than the likelihood"),
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
    Mistake("data", "a split that takes classes as they come", [
        ("data.split:split", 'order[np.argsort(labels[order], kind="stable")]', "order"),
    ], "test_data.check_split", None, "an accuracy that depends on the seed"),
    Mistake("data", "bytes divided by 256", [
        ("data.idx:load_idx", "X /= 255", "X /= 256"),
    ], "test_data.check_idx_loads", None, "white is never quite white"),
    Mistake("data", "noise scaled by its variance", [
        ("data.curves:scatter", 'checking.number("noise", noise) *', 'checking.number("noise", noise) ** 2 *'),
    ], "test_data.check_noise", None, "curves cleaner than they were ordered"),
)
