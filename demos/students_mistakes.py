"""What do students write? The mistakes that public courses and repositories are full of, for every blank of the workbook.

The catalogue takes them in. function : (topic, the check that rejects them, the model whose gradient check meets them or
None, (name, old piece of source, new piece, what one sees)...); a name is completed by the function's, in brackets.
"""

GAUSSIAN, OBSERVATION = "probability.gaussian", "probability.observation"

WRITTEN = {
    "probability.inference:bayes": ("inference", "test_inference.check_bayes_by_fractions", None, (
        ("not divided by the evidence", "Belief(joint / evidence, evidence)", "Belief(joint, evidence)",
         "a posterior that sums to less than 1"),
        ("the likelihoods summed without the prior for the evidence", "evidence = joint.sum()", "evidence = likelihood.sum()",
         "right for a flat prior but for a factor; an evidence above 1"),
        ("scaled so that the largest is 1", "joint / evidence", "joint / joint.max()", "the right order of hypotheses, odd probabilities"),
        ("prior and likelihood added", "likelihood * prior", "likelihood + prior", "a refuted hypothesis that lives on"))),
    "probability.inference:update": ("inference", "test_inference.check_update_is_bayes_again_and_again", None, (
        ("each observation by itself, not cumulated", "np.cumsum(log_likelihood, axis=0)", "log_likelihood", "nothing is ever learned"),
        ("the prior where its logarithm belongs", "np.log(prior)", "prior", "a prior that hardly counts"),
        ("not normalised", "joint / joint.sum(axis=1, keepdims=True)", "joint", "the largest is always 1"),
        ("normalised over the observations", "joint.sum(axis=1, keepdims=True)", "joint.sum(axis=0, keepdims=True)",
         "curves of the right shape that do not sum to 1"))),
    "probability.inference:gaussian_mle": ("inference", "test_inference.check_gaussian_mle", None, (
        ("the standard deviation for the variance", "x.var(axis=0)", "x.std(axis=0)", "right for standardised data"),
        ("the second moment for the variance", "x.var(axis=0)", "np.square(x).mean(axis=0)", "right for centred data"),
        ("all columns together", "x.mean(axis=0), x.var(axis=0)", "x.mean() + 0 * x[0], x.var() + 0 * x[0]",
         "the same numbers in every column"))),
    "probability.inference:gaussian_posterior": ("inference", "test_inference.check_gaussian_posterior", None, (
        ("n forgotten in the mean", "n * mean / variance", "mean / variance", "a mean that many data hardly move"),
        ("n forgotten in the variance", "1 / v0 + n / variance", "1 / v0 + 1 / variance", "data that do not make surer"),
        ("the precision for the variance", "n * mean / variance), posterior_variance", "n * mean / variance), 1 / posterior_variance",
         "more data, wider posterior"),
        ("the standard deviation for the variance of a value", "1 / v0 + n / variance", "1 / v0 + n / variance**0.5",
         "right for a variance of 1"))),
    "probability.divergence:kl_table": ("divergence", "test_divergence.check_kl_table", None, (
        ("the sign turned", "np.log(p) - np.log(q)", "np.log(q) - np.log(p)", "a divergence below 0"),
        ("logarithms to base 2", "np.log(p) - np.log(q)", "np.log2(p) - np.log2(q)", "bits that are called nats"),
        ("averaged over the outcomes", ".sum(axis=-1)", ".mean(axis=-1)", "the more outcomes, the more alike"),
        ("not weighted by p", "p * (np.log(p)", "1 * (np.log(p)", "outcomes that never happen count as all others"))),
    f"{GAUSSIAN}:log_prob": ("Gaussian", "test_gaussian.check_density_integrates_to_one", None, (
        ("log 2 pi forgotten", " + log_var + LOG_2PI", " + log_var", "a constant 0.92 nats a dimension too high"),
        ("divided by sigma, not by its square", "np.exp(-log_var)", "np.exp(-0.5 * log_var)", "right for sigma = 1"),
        ("log sigma^2 forgotten", "squares + log_var + LOG_2PI", "squares + LOG_2PI", "a density that grows with sigma"),
        ("the 1/2 forgotten", "-0.5 * np.sum", "-np.sum", "tails that are too thin"),
        ("the sign of log sigma^2 turned", "squares + log_var", "squares - log_var", "a maximum likelihood without a maximum"))),
    f"{GAUSSIAN}:kl_standard": ("Gaussian", "test_gaussian.check_kl_standard_by_quadrature", "VAE", (
        ("averaged over the latents", ".sum(axis=-1)", ".mean(axis=-1)", "a KL that is K times too small; codes far from the prior"),
        ("log_var read as log sigma", "(np.expm1(log_var) - log_var)", "(np.expm1(2 * log_var) - 2 * log_var)", "sigma is twice what it says"),
        ("sigma where sigma^2 belongs", "np.expm1(log_var)", "np.expm1(0.5 * log_var)", "a KL below 0"),
        ("the sign of log sigma^2 turned", "- log_var)", "+ log_var)", "a KL that falls without end as sigma does"),
        ("the sign turned", "0.5 * (mu", "-0.5 * (mu", "codes flee from the prior"),
        ("the 1/2 forgotten", "0.5 * (mu", "1.0 * (mu", "a bound that is lower than need be"),
        ("mu where mu^2 belongs", "mu * mu", "mu", "a KL below 0, wherever mu is"))),
    f"{GAUSSIAN}:kl_standard_grad": ("Gaussian", "test_gaussian.check_kl_standard_derivatives", "VAE", (
        ("the 1/2 forgotten", "0.5 * (sigma * sigma - 1)", "1.0 * (sigma * sigma - 1)", "sigma is held too near to 1"),
        ("sigma where sigma^2 belongs", "sigma * sigma - 1", "sigma - 1", "nothing: it is 0 at the same sigma"),
        ("the -1 forgotten", "(sigma * sigma - 1)", "(sigma * sigma)", "sigma shrinks without end"),
        ("mu twice", "return mu, ", "return 2 * mu, ", "codes nearer to the origin than they should be"),
        ("the sign of the second turned", "(sigma * sigma - 1)", "(1 - sigma * sigma)", "sigma flees from 1"))),
    f"{GAUSSIAN}:kl": ("Gaussian", "test_gaussian.check_kl_by_quadrature", None, (
        ("the means' distance in units of q's variance", "np.exp(-prior_log_var)", "np.exp(-log_var)", "right for equal variances"),
        ("r with its sign turned", "log_var - prior_log_var", "prior_log_var - log_var", "right for equal variances"),
        ("the means' distance without a unit", "np.exp(-prior_log_var)", "1.0", "right for a standard prior"),
        ("the 1/2 forgotten", "0.5 * np.sum", "np.sum", "twice as unlike"),
        ("squares subtracted, not the means", "(mu - prior_mu) ** 2", "(mu ** 2 - prior_mu ** 2)", "right for a prior at 0"))),
    "models.pca:from_covariance": ("PCA", "test_pca.check_covariance_agrees", None, (
        ("eigenvalues for singular values", "np.sqrt(np.where(squares > D * EPS * squares[-1], squares, 0))",
         "np.where(squares > D * EPS * squares[-1], squares, 0)", "the right components, variances squared"),
        ("the smallest first", "return S[::-1], V.T[::-1]", "return S, V.T", "components that keep least"),
        ("V for its transpose", "V.T[::-1]", "V[::-1]", "orthonormal rows that are no components"),
        ("the scatter divided by N", "np.linalg.eigh(scatter)", "np.linalg.eigh(scatter / len(X))", "the right components, variances too small"))),
    "models.pca:PCA.transform": ("PCA", "test_pca.check_identities", None, (
        ("the mean added, not taken", "(X[rows] - self.mean_)", "(X[rows] + self.mean_)", "codes off by twice the mean's"),
        ("each row less its own mean", "(X[rows] - self.mean_)", "(X[rows] - X[rows].mean(axis=1, keepdims=True))",
         "codes that know no brightness"))),
    "models.pca:PCA.inverse_transform": ("PCA", "test_pca.check_identities", None, (
        ("the mean forgotten", " + self.mean_", "", "pictures of differences"),
        ("the mean taken, not added", "+ self.mean_", "- self.mean_", "pictures off by twice the mean"),
        ("the mean added twice", "+ self.mean_", "+ 2 * self.mean_", "pictures off by the mean"))),
    "models.kernel_pca:centred": ("kernel PCA", "test_kernel_pca.check_centring", None, (
        ("the mean of all not added back", "- rows + mean", "- rows", "nothing in two dimensions: all codes moved together"),
        ("the mean of all taken twice", "- rows + mean", "- rows - mean", "all codes moved together"),
        ("only the rows' means taken", "- rows + mean", "", "a first component that is the mean"))),
    "nn.layers:Dense.forward": ("layers", "test_layers.check_dense_values", "VAE", (
        ("without the bias", "y += self.b", "pass", "planes that all go through 0"),
        ("the bias taken, not added", "y += self.b", "y -= self.b", "nothing: b learns the other sign, if backward knows"),
        ("an activation that belongs to another layer", "y += self.b", "y = np.maximum(y + self.b, 0)", "log-variances never below 0"))),
    "nn.layers:Dense.backward": ("layers", "test_layers.check_layer_gradient", "VAE", (
        ("averaged over the batch once more", "np.matmul(x.T, dy, out=self.dW)", "np.matmul(x.T, dy / len(dy), out=self.dW)",
         "with Adam nothing; with SGD, layers that hardly learn"),
        ("db averaged, dW summed", "dy.sum(axis=0, out=self.db)", "dy.mean(axis=0, out=self.db)", "biases that hardly learn"),
        ("one number for all biases", "dy.sum(axis=0, out=self.db)", "self.db[...] = dy.sum()", "biases that move together"),
        ("db never written", "dy.sum(axis=0, out=self.db)", "pass", "biases that stay at 0"))),
    "nn.layers:Tanh.backward": ("layers", "test_layers.check_adjoint", "VAE", (
        ("1 - y for 1 - y^2", "(1 - y * y)", "(1 - y)", "it learns, slower and worse"),
        ("tanh of what is a tanh already", "(1 - y * y)", "(1 - np.tanh(y) ** 2)", "it learns, slower and worse"),
        ("the sign turned", "(1 - y * y)", "(y * y - 1)", "what lies below learns the opposite"),
        ("the chain cut: dy forgotten", "dy * (1 - y * y)", "(1 - y * y)", "the loss means nothing to the layers below"))),
    "nn.layers:ReLU.backward": ("layers", "test_layers.check_adjoint", "VAE, ReLU", (
        ("the mask alone: dy forgotten", "dy * mask", "1.0 * mask", "the loss means nothing to the layers below"),
        ("the derivative cut off, not the value", "dy * mask", "dy * (dy > 0)", "weights that only ever move one way"),
        ("the mask turned round", "dy * mask", "dy * ~mask", "only dead units learn"))),
    "nn.layers:Sigmoid.forward": ("layers", "test_layers.check_activation_values", "VAE, sigmoid", (
        ("the argument not halved", "np.tanh(0.5 * x)", "np.tanh(x)", "twice as steep as backward believes"),
        ("falling, not rising", "0.5 + 0.5 * np.tanh", "0.5 - 0.5 * np.tanh", "it learns slowly: backward has the other sign"),
        ("from -1 to 1", "0.5 + 0.5 * np.tanh(0.5 * x)", "np.tanh(0.5 * x)", "derivatives that may be negative"),
        ("a sigmoid of a sigmoid", "0.5 + 0.5 * np.tanh(0.5 * x)", "0.5 + 0.5 * np.tanh(0.25 + 0.25 * np.tanh(0.5 * x))",
         "values between 0.5 and 0.73 alone"))),
    "nn.layers:Sigmoid.backward": ("layers", "test_layers.check_adjoint", "VAE, sigmoid", (
        ("without its first factor", "(y * (1 - y))", "(1 - y)", "it learns, slower and worse"),
        ("tanh's derivative", "(y * (1 - y))", "(1 - y * y)", "it learns, slower and worse"),
        ("the sigmoid of what is a sigmoid already", "(y * (1 - y))", "(0.25 - 0.25 * np.tanh(0.5 * y) ** 2)", "hardly anything"))),
    "nn.gradcheck:numerical_gradient": ("gradient check", "test_gradcheck.check_error_curve_is_v_shaped", "VAE", (
        ("divided by h, not by 2 h", ".mean(axis=0)", ".sum(axis=0)", "every right gradient refused, by the factor 2"),
        ("the slope to the left alone", ".mean(axis=0)", "[0]", "five digits where there could be ten"))),
    "nn.optimizers:SGD.update": ("optimizers", "test_optimizers.check_sgd_is_the_textbook", "VAE", (
        ("uphill", "theta -= ", "theta += ", "a loss that rises from the first step on"),
        ("the momentum forgotten", "self.v *= self.momentum", "self.v *= 0", "as without momentum"),
        ("the learning rate forgotten", "np.multiply(self.v, self.lr, out=self.scratch)", "self.v", "a loss that explodes"),
        ("theta = theta - ..., which the caller never sees", "theta -= np.multiply(self.v, self.lr, out=self.scratch)",
         "theta = theta - self.lr * self.v", "a flat line"))),
    "nn.optimizers:Adam.update": ("optimizers", "test_optimizers.check_adam_is_the_textbook", "VAE", (
        ("uphill", "theta -= step", "theta += step", "a loss that rises from the first step on"),
        ("theta = theta - ..., which the caller never sees", "theta -= step", "theta = theta - step", "a flat line"),
        ("divided by v, not by its root", "np.sqrt(v, out=step)", "np.multiply(v, v_scale, out=step)", "leaps where gradients are small"),
        ("the gradient's size for its square in v", "np.multiply(grad, grad, out=step)", "np.abs(grad, out=step)", "steps that are no sign any more"),
        ("t counted once too often", "(1 - self.beta1) / (1 - self.beta1**self.t)", "(1 - self.beta1) / (1 - self.beta1**(self.t + 1))",
         "first steps that are too short"))),
    f"{OBSERVATION}.bernoulli:sigmoid": ("observation", "test_observation.check_sigmoid", None, (
        ("the argument not halved", "np.tanh(0.5 * a)", "np.tanh(a)", "pictures with too much contrast"),
        ("falling, not rising", "0.5 + 0.5 * np.tanh", "0.5 - 0.5 * np.tanh", "negatives"),
        ("from -1 to 1", "0.5 + 0.5 * np.tanh(0.5 * a)", "np.tanh(0.5 * a)", "probabilities below 0"),
        ("a sigmoid of a sigmoid", "0.5 + 0.5 * np.tanh(0.5 * a)", "0.5 + 0.5 * np.tanh(0.25 + 0.25 * np.tanh(0.5 * a))", "grey pictures"))),
    f"{OBSERVATION}.bernoulli:bernoulli_terms": ("observation", "test_observation.check_observation_gradient", "VAE", (
        ("averaged over the pixels", "return log_p, ", "return log_p / x.shape[-1], ", "a reconstruction that the KL outweighs"),
        ("the derivative's sign turned", "x - 0.5 - t", "0.5 + t - x", "a loss that rises from the first step on"),
        ("the derivative by p, not by the logit", "x - 0.5 - t", "(x - 0.5 - t) / (0.25 - t * t)", "steps that explode where a pixel is sure"),
        ("the sigmoid's derivative once too often", "x - 0.5 - t", "(x - 0.5 - t) * (0.25 - t * t)", "wrong pixels that are sure never learn"),
        ("divided by N, which the loss does again", "x - 0.5 - t", "(x - 0.5 - t) / len(x)", "with Adam nothing; with SGD, a rate N times too small"),
        ("the zeros forgotten", "x - (a > 0), a) + log(2) * np.log2(0.5 + np.abs(t)).sum(axis=-1)", "x, np.log(0.5 + t))",
         "all pixels turn white"))),
    f"{OBSERVATION}.categorical:softmax_terms": ("observation", "test_observation.check_observation_gradient", "classifier", (
        ("normalised over the examples", "e.sum(axis=1, keepdims=True)", "e.sum(axis=0, keepdims=True)", "an accuracy that depends on the batch"),
        ("a logarithm that is not normalised", "log_e - np.log(total)", "log_e", "a loss of 0 for the largest logit"),
        ("exponentials that are not divided", "return e / total", "return e", "probabilities that sum to more than 1"),
        ("half the logits", "e = np.exp(log_e)", "e = np.exp(0.5 * log_e)", "too little certainty"))),
    f"{GAUSSIAN}:reparameterize": ("Gaussian", "test_gaussian.check_reparameterized_moments", "VAE", (
        ("log_var for sigma", "np.exp(0.5 * log_var)", "log_var", "noise that vanishes at sigma = 1"),
        ("the softplus of log_var for sigma", "np.exp(0.5 * log_var)", "np.logaddexp(0, log_var)", "a better ELBO than is true"),
        ("log_var read as log sigma", "np.exp(0.5 * log_var)", "np.exp(2 * (0.5 * log_var))", "noise of another size than the KL believes"),
        ("noise of one size for all", "np.exp(0.5 * log_var) * eps", "eps", "an encoder whose sigma means nothing"),
        ("noise without a sign, as rand for randn", "np.exp(0.5 * log_var) * eps", "np.exp(0.5 * log_var) * np.abs(eps)",
         "codes that lie beside their means"),
        ("the mean forgotten", "return mu + ", "return ", "every picture decodes to the same"))),
    f"{GAUSSIAN}:reparameterize_grad": ("Gaussian", "test_gaussian.check_reparameterize_derivatives", "VAE", (
        ("sigma detached", "* (0.5 * sigma)", "* 0", "sigma goes to 1: only the KL moves it"),
        ("eps forgotten", "(dz * eps).sum(axis=0)", "dz.sum(axis=0)", "sigma wanders"),
        ("sigma forgotten", "(0.5 * sigma)", "0.5", "nothing while sigma is near 1"),
        ("averaged over the samples", "return dz.sum(axis=0), (dz * eps).sum(axis=0)", "return dz.mean(axis=0), (dz * eps).mean(axis=0)",
         "nothing for one sample; with several, a reconstruction that the KL outweighs"),
        ("the first sample alone", "return dz.sum(axis=0), (dz * eps).sum(axis=0)", "return dz[0], (dz * eps)[0]",
         "nothing for one sample; with several, S times too weak"))),
    "models.vae:VAE.through_z": ("VAE", "test_vae.check_gradients", "VAE", (
        ("not averaged over the examples", "(-1 / (S * N))", "(-1 / S)", "a reconstruction that outweighs the KL"),
        ("the sign turned", "(-1 / (S * N))", "(1 / (S * N))", "a reconstruction that grows worse and worse"),
        ("not averaged over the samples", "(-1 / (S * N))", "(-1 / N)", "nothing for one sample; with several, the KL too weak"))),
    "models.vae:VAE.through_kl": ("VAE", "test_vae.check_gradients", "VAE", (
        ("not averaged over the examples", "self.beta / len(mu) * dmu, self.beta / len(mu) * dlog_var", "self.beta * dmu, self.beta * dlog_var",
         "every latent collapses onto the prior"),
        ("the sign turned", "self.beta / len(mu) * dmu, self.beta / len(mu) * dlog_var",
         "-self.beta / len(mu) * dmu, -self.beta / len(mu) * dlog_var", "codes flee from the prior, ever faster"),
        ("averaged over the latents, too", "self.beta / len(mu) * dmu, self.beta / len(mu) * dlog_var",
         "self.beta / mu.size * dmu, self.beta / mu.size * dlog_var", "codes far from the prior"))),
    "models.vae:VAE.forward_backward": ("VAE", "test_vae.check_gradients", "VAE", (
        ("the KL's roads subtracted", "dmu + dmu_kl, dlog_var + dlog_var_kl", "dmu - dmu_kl, dlog_var - dlog_var_kl", "codes flee from the prior"),
        ("the road through z to log_var forgotten", "dmu + dmu_kl, dlog_var + dlog_var_kl", "dmu + dmu_kl, dlog_var_kl", "sigma goes to 1 for every x"),
        ("the KL's road to log_var forgotten", "dmu + dmu_kl, dlog_var + dlog_var_kl", "dmu + dmu_kl, dlog_var", "sigma shrinks without end"),
        ("mu and log_var in each other's place", "dmu + dmu_kl, dlog_var + dlog_var_kl", "dlog_var + dlog_var_kl, dmu + dmu_kl",
         "the loss falls a little, then rises"))),
    "probability.log_space:log_mean_exp": ("evidence", "test_log_space.check_far_below_every_float", None, (
        ("a sum, not a mean", ".mean(axis=axis)) + top", ".sum(axis=axis)) + top", "log S too high"),
        ("the largest not added back", " + top.squeeze(axis)", "", "numbers from -log S to 0, whatever the weights are"),
        ("the largest of all columns", "top = a.max(axis=axis, keepdims=True)", "top = np.full_like(a.max(axis=axis, keepdims=True), a.max())",
         "-infinity for the improbable ones among many"))),
    "probability.log_space:shares": ("multi-sample bound", "test_log_space.check_shares", "IWAE", (
        ("without taking the largest out", "np.exp(log_w - log_w.max(axis=0))", "np.exp(log_w)", "fine on small images, NaN on large ones"),
        ("weights that are not normalised", "return w / w.sum(axis=0)", "return w", "gradients S times too large"),
        ("S times the share", "return w / w.sum(axis=0)", "return w / w.mean(axis=0)", "gradients S times too large"))),
    "analysis.evidence:log_weights": ("evidence", "test_evidence.check_log_evidence", None, (
        ("the prior forgotten", "+ log_pz - log_r", "- log_r", "a log p(x) that is too high"),
        ("times the proposal, not divided by it", "+ log_pz - log_r", "+ log_pz + log_r", "a log p(x) that is far off"),
        ("the likelihood alone", "+ log_pz - log_r", "", "right when the prior proposes; with q the reconstruction, far too high"))),
    "analysis.evidence:effective_sample_size": ("evidence", "test_evidence.check_effective_sample_size_of_each_column", None, (
        ("the sum not squared", "w.sum(axis=0) ** 2", "w.sum(axis=0)", "an effective size of about 1 where all weights are alike"),
        ("turned upside down", "w.sum(axis=0) ** 2 / (w * w).sum(axis=0)", "(w * w).sum(axis=0) / w.sum(axis=0) ** 2", "the more equal, the smaller"),
        ("as a share of S", "/ (w * w).sum(axis=0)", "/ (w * w).sum(axis=0) / len(w)", "never above 1"))),
    "models.fvbn:order_mask": ("FVBN", "test_autoregressive.check_sees_only_the_past", "FVBN", (
        ("the future for the past", "position[:, None] < position", "position[:, None] > position", "nothing: a density, in the opposite order"),
        ("the order read as positions", "positions(order)", "order", "nothing, for an order that is its own inverse as the raster's"))),
    "models.made:degree_masks": ("MADE", "test_autoregressive.check_sees_only_the_past", "MADE", (
        ("a first mask that is off by one", "position[:, None] < degrees[0]", "position[:, None] <= degrees[0]", "the best log-likelihood ever seen"),
        ("the order read as positions", "positions(order)", "order", "nothing, for an order that is its own inverse as the raster's"),
        ("hidden masks the wrong way round", "m[:, None] <= m_next", "m[:, None] >= m_next", "the best log-likelihood ever seen"))),
    "models.autoregressive:MaskedDense.backward": ("MADE", "test_autoregressive.check_layer_gradient", "FVBN", (
        ("dx through weights that are masked", "dy @ masked.T", "dy @ self.W.T", "hidden units that learn from the future"),
        ("db averaged, dW summed", "dy.sum(axis=0, out=self.db)", "dy.mean(axis=0, out=self.db)", "biases that hardly learn"),
        ("the masked weights for the mask", "self.dW *= self.mask", "self.dW *= masked", "weights near 0 that stay there"))),
    "models.autoregressive:Autoregressive.forward_backward": ("FVBN", "test_autoregressive.check_gradients", "FVBN", (
        ("not averaged over the examples", "dlogits *= -1 / N", "dlogits *= -1", "with Adam nothing; with SGD, a rate N times too large"),
        ("the sign turned", "dlogits *= -1 / N", "dlogits *= 1 / N", "a loss that rises from the first step on"),
        ("a loss that is summed", "log_prob = log_p.mean()", "log_prob = log_p.sum()", "a loss that grows with the batch"))),
    "data.mu_law:compress": ("mu-law", "test_mu_law.check_known_values", None, (
        ("the sign lost", "np.copysign(np.log1p(mu * np.abs(x)) / log1p(mu), x)", "np.log1p(mu * np.abs(x)) / log1p(mu)", "a voice an octave higher, and hoarse"),
        ("divided by log mu", "/ log1p(mu)", "/ np.log(mu)", "full scale beyond 1"),
        ("not scaled", " / log1p(mu), x)", ", x)", "full scale at 5.5"),
        ("without the 1 +", "np.log1p(mu * np.abs(x))", "np.log(mu * np.abs(x) + 1e-9)", "silence that is louder than a whisper"))),
    "data.mu_law:expand": ("mu-law", "test_mu_law.check_inverse", None, (
        ("not divided by mu", "np.abs(y) * log1p(mu)) / mu, 1)", "np.abs(y) * log1p(mu)), 1)", "clipped to full scale nearly everywhere"),
        ("divided by 1 + mu", "* log1p(mu)) / mu", "* log1p(mu)) / (1 + mu)", "full scale never reached"),
        ("the sign lost", "np.copysign(np.minimum(np.expm1(np.abs(y) * log1p(mu)) / mu, 1), y)",
         "np.minimum(np.expm1(np.abs(y) * log1p(mu)) / mu, 1)", "a voice an octave higher, and hoarse"))),
    "data.mu_law:quantize": ("mu-law", "test_mu_law.check_half_a_step", None, (
        ("rounded, not cut", "np.floor(half * np.abs(y))", "np.round(half * np.abs(y))", "errors of a whole step"),
        ("negative codes one too high", "half - 1 - k)", "half - k)", "errors of a step and a half below 0"),
        ("the sign lost", "np.where(y >= 0, half + k, half - 1 - k)", "half + k", "a voice an octave higher, and hoarse"))),
    "analysis.gaussian_mixture:expectation": ("Gaussian mixture", "test_latent_space.check_em_step", None, (
        ("responsibilities that are not normalised", "np.exp(joint - log_s[:, None])", "np.exp(joint)", "weights that go with the density"),
        ("the nearest component takes all", "np.exp(joint - log_s[:, None])", "1.0 * (joint == joint.max(axis=1, keepdims=True))",
         "k-means with the likelihood of a mixture"))),
    "analysis.gaussian_mixture:maximisation": ("Gaussian mixture", "test_latent_space.check_em_step", None, (
        ("means divided by N, not by a share of it", "r.T @ Z / total[:, None]", "r.T @ Z / len(Z)", "means that are drawn to 0"),
        ("covariances about the mean of all", "d = Z - means[:, None]", "d = Z - 0 * means[:, None] - Z.mean(axis=0)", "components as wide as the data"),
        ("weights that are alike", "return total / total.sum(), ", "return total / total, ", "a density that sums to C"))),
}
