"""What do students write? Wrong answers to every blank, and what a useful message about each must say.

From the mistakes of public courses and repositories, and from what the formulas invite. (body, words): a regular expression
that the message must match to count as a diagnosis, one that names the mistake or its effect.
"""

WRONG = {
    "bayes": [
        ("joint = likelihood * prior\nreturn Belief(joint, joint.sum())", r"not normalised|joint"),
        ("p = likelihood / likelihood.sum()\nreturn Belief(p, (likelihood * prior).sum())", r"prior"),
        ("joint = likelihood * prior\nreturn Belief(joint / joint.sum(), likelihood.sum())", r"prior"),
        ("joint = likelihood * prior\nreturn Belief(joint / joint.max(), joint.sum())",
         r"posterior is .* times|normalised"),
        ("joint = likelihood + prior\nreturn Belief(joint / joint.sum(), joint.sum())", r"posterior|evidence"),
        ("joint = likelihood * prior\nreturn joint / joint.sum()", r"want 2 results"),
    ],
    "update": [
        ("p = np.exp(np.log(prior) + np.cumsum(log_likelihood, axis=0))\nreturn p / p.sum(axis=1, keepdims=True)",
         r"shape"),
        ("j = np.vstack([np.log(prior), np.log(prior) + log_likelihood])\nj = np.exp(j - j.max(axis=1, keepdims=True))\n"
         "return j / j.sum(axis=1, keepdims=True)", r"row|first"),
        ("j = np.log(prior) + np.vstack([np.zeros(len(prior)), np.cumsum(log_likelihood, axis=0)])\nreturn np.exp(j)",
         r"normalised"),
        ("j = np.exp(np.log(prior) + np.vstack([np.zeros(len(prior)), np.cumsum(log_likelihood, axis=0)]))\n"
         "return j / j.sum(axis=1, keepdims=True)", r"0 to a float"),
        ("j = prior + np.vstack([np.zeros(len(prior)), np.cumsum(log_likelihood, axis=0)])\n"
         "j = np.exp(j - j.max(axis=1, keepdims=True))\nreturn j / j.sum(axis=1, keepdims=True)", r"e\^prior|prior"),
    ],
    "gaussian_mle": [
        ("return Normal(x.mean(axis=0), x.var(axis=0, ddof=1))", r"N - 1"),
        ("return Normal(x.mean(axis=1), x.var(axis=1))", r"axis|N"),
        ("return Normal(x.mean(axis=0), x.std(axis=0))", r"square root"),
        ("return Normal(x.mean(), x.var())", r"shape"),
        ("return Normal(x.mean(axis=0), (x ** 2).mean(axis=0))", r"variance"),
        ("return Normal(x.var(axis=0), x.mean(axis=0))", r"each other's place"),
    ],
    "gaussian_posterior": [
        ("m0, v0 = prior\nv = 1 / (1 / v0 + n / variance)\nreturn Normal(v * (m0 / v0 + mean / variance), v)", r"mean"),
        ("m0, v0 = prior\nv = 1 / v0 + n / variance\nreturn Normal((m0 / v0 + n * mean / variance) / v, v)",
         r"one over"),
        ("m0, v0 = prior\nv = 1 / (1 / v0 + 1 / variance)\nreturn Normal(v * (m0 / v0 + mean / variance), v)",
         r"\bn\b"),
        ("m0, v0 = prior\nv = variance / n\nreturn Normal(mean, v)", r"no data"),
        ("m0, v0 = prior\nv = 1 / (1 / v0 + n / variance)\nreturn Normal((m0 + n * mean) / (1 + n), v)", r"mean is"),
        ("m0, v0 = prior\nv = 1 / (1 / v0 + n / variance ** 2)\nreturn Normal(v * (m0 / v0 + n * mean / variance ** 2), v)",
         r"variance\^2"),
    ],
    "kl_table": [
        ("return (p * np.log(p / q)).sum(axis=-1)", r"p is 0"),
        ("return np.where(q > 0, q * (np.log(q) - np.log(p)), 0.0).sum(axis=-1)", r"swapped|each other"),
        ("return np.where(p > 0, np.log(p) - np.log(q), 0.0).sum(axis=-1)", r"KL"),
        ("return np.where(p > 0, p * (np.log(p) - np.log(q)), 0.0).sum()", r"sum over|shape"),
        ("return np.where(p > 0, p * (np.log2(p) - np.log2(q)), 0.0).sum(axis=-1)", r"log 2|base 2"),
        ("return np.where(p > 0, p * (np.log(p) - np.log(q)), 0.0).mean(axis=-1)", r"1/C"),
        ("return np.where(p > 0, p * (np.log(q) - np.log(p)), 0.0).sum(axis=-1)", r"minus|sign"),
        ("return np.where(p > 0, p * (np.log(p + 1e-8) - np.log(q + 1e-8)), 0.0).sum(axis=-1)", r"infinite"),
    ],
    "log_prob": [
        ("return -0.5 * np.sum((x - mu) ** 2 / np.exp(log_var) + log_var, axis=-1)", r"log 2 ?pi"),
        ("return -0.5 * np.sum((x - mu) ** 2 / np.exp(0.5 * log_var) + log_var + LOG_2PI, axis=-1)", r"log_var|sigma"),
        ("return -0.5 * np.sum((x - mu) ** 2 / np.exp(log_var) + log_var + LOG_2PI)", r"sum over|shape"),
        ("return -0.5 * np.sum((x - mu) ** 2 / log_var + log_var + LOG_2PI, axis=-1)", r"log_var|log N"),
        ("return 0.5 * np.sum((x - mu) ** 2 / np.exp(log_var) + log_var + LOG_2PI, axis=-1)", r"sign|minus"),
        ("return -0.5 * np.sum((x - mu) ** 2 / np.exp(log_var) - log_var + LOG_2PI, axis=-1)", r"log_var"),
        ("return -0.5 * np.sum((x - mu) ** 2 * np.exp(log_var) + log_var + LOG_2PI, axis=-1)", r"sigma|log_var"),
        ("return np.exp(-0.5 * np.sum((x - mu) ** 2 * np.exp(-log_var) + log_var + LOG_2PI, axis=-1))",
         r"e to the power"),
    ],
    "kl_standard": [
        ("return 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).mean(axis=-1)", r"averag|1/K"),
        ("return 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum()", r"sum over N|averag|batch"),
        ("return 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var)", r"sum over K"),
        ("return 0.5 * (mu**2 + np.exp(2 * log_var) - 1 - 2 * log_var).sum(axis=-1)", r"log sigma"),
        ("return 0.5 * (mu**2 + np.exp(0.5 * log_var) - 1 - log_var).sum(axis=-1)", r"sigma"),
        ("return -0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=-1)", r"sign"),
        ("return 0.5 * (mu**2 + np.exp(log_var) - log_var).sum(axis=-1)", r"-1|constant"),
        ("return 0.5 * (mu**2 + np.exp(log_var) - 1 + log_var).sum(axis=-1)", r"log_var"),
        ("return (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=-1)", r"twice"),
        ("return 0.5 * (mu + np.exp(log_var) - 1 - log_var).sum(axis=-1)", r"mu"),
        ("return 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=0)", r"axis|over N"),
        ("s = np.logaddexp(0, log_var)\nreturn 0.5 * (mu**2 + s - 1 - np.log(s)).sum(axis=-1)", r"softplus"),
        ("return 0.5 * (mu**2 + log_var - 1 - np.log(log_var)).sum(axis=-1)", r"logarithm of a negative"),
    ],
    "kl_standard_grad": [
        ("return mu, 0.5 * np.exp(log_var)", r"dlog_var.*(constant|1/2)"),
        ("return mu, np.exp(log_var) - 1", r"twice"),
        ("return 2 * mu, 0.5 * (np.exp(log_var) - 1)", r"dmu .*twice"),
        ("return mu, 0.5 * (1 - np.exp(log_var))", r"sign"),
        ("return mu, 0.5 * (np.exp(0.5 * log_var) - 1)", r"sigma|halved"),
        ("return mu / len(mu), 0.5 * (np.exp(log_var) - 1) / len(mu)", r"1/N"),
        ("return mu.sum(axis=-1), 0.5 * (np.exp(log_var) - 1).sum(axis=-1)", r"sum over K"),
        ("return 0.5 * (np.exp(log_var) - 1), mu", r"place"),
    ],
    "kl": [
        ("r = log_var - prior_log_var\nreturn 0.5 * np.sum(np.expm1(r) - r + (mu - prior_mu) ** 2 * np.exp(-log_var), axis=-1)",
         r"log_var|sigma"),
        ("r = prior_log_var - log_var\nreturn 0.5 * np.sum(np.expm1(r) - r + (mu - prior_mu) ** 2 * np.exp(-prior_log_var), axis=-1)",
         r"sigma|log_var|place"),
        ("r = log_var - prior_log_var\nreturn 0.5 * np.sum(np.expm1(r) - r + (mu - prior_mu) ** 2, axis=-1)",
         r"prior_log_var"),
        ("r = log_var - prior_log_var\nreturn np.sum(np.expm1(r) - r + (mu - prior_mu) ** 2 * np.exp(-prior_log_var), axis=-1)",
         r"twice"),
        ("r = log_var - prior_log_var\nreturn 0.5 * np.sum(np.expm1(r) - r + mu ** 2 * np.exp(-prior_log_var), axis=-1)",
         r"prior_mu"),
    ],
    "from_covariance": [
        ("w, V = np.linalg.eigh(root.T @ root + X.T @ X)\nn = min(len(root) + len(X), X.shape[1])\n"
         "return np.sqrt(np.maximum(w[::-1][:n], 0)), V.T[::-1][:n]", r"centred|mean"),
        *(("c = np.vstack([root, X - mean])\nn = min(c.shape)\n" + rest, words) for rest, words in (
            ("w, V = np.linalg.eigh(c.T @ c)\nreturn np.sqrt(np.maximum(w[:n], 0)), V.T[:n]", r"reverse"),
            ("w, V = np.linalg.eigh(c.T @ c)\nreturn w[::-1][:n], V.T[::-1][:n]", r"square"),
            ("w, V = np.linalg.eigh(c.T @ c)\nreturn np.sqrt(np.maximum(w[::-1][:n], 0)), V[:, ::-1][:n]",
             r"transposed|V\^T"),
            ("w, V = np.linalg.eigh(c.T @ c / len(X))\nreturn np.sqrt(np.maximum(w[::-1][:n], 0)), V.T[::-1][:n]",
             r"sqrt\(N\)"),
            ("w, V = np.linalg.eigh(c.T @ c)\nreturn np.sqrt(np.maximum(w[::-1], 0)), V.T[::-1]", r"rows than columns"),
            ("U, S, Vt = np.linalg.svd(c, full_matrices=False)\nreturn S, Vt.T", r"V\^T"),
        )),
        ("c = X - mean\nw, V = np.linalg.eigh(c.T @ c)\nn = min(len(root) + len(X), X.shape[1])\n"
         "return np.sqrt(np.maximum(w[::-1][:n], 0)), V.T[::-1][:n]", r"root"),
    ],
    "PCA.transform": [
        ("return X @ self.components_.T", r"mean"),
        ("return (X - X.mean(axis=0)) @ self.components_.T", r"X less its mean|mean|other rows"),
        ("return (X - self.mean_) @ self.components_", r"ValueError|matmul"),
        ("return (X + self.mean_) @ self.components_.T", r"mean"),
        ("return X @ self.components_.T - self.mean_[:len(self.components_)]", r"codes"),
    ],
    "PCA.inverse_transform": [
        ("return Z @ self.components_", r"mean"),
        ("return Z @ self.components_ - self.mean_", r"mean_"),
        ("return (Z + self.mean_[:Z.shape[1]]) @ self.components_", r"points"),
        ("return Z @ self.components_.T + self.mean_", r"ValueError|matmul"),
    ],
    "centred": [
        ("return K - K.mean(axis=1, keepdims=True) - K.mean(axis=0) + K.mean()", r"own mean|batch|new points"),
        ("return K - rows", r"inner products"),
        ("return K - K.mean(axis=1, keepdims=True) - rows", r"mean"),
        ("return K - K.mean(axis=1, keepdims=True) - rows - mean", r"mean"),
        ("return K - K.mean(axis=0) - rows + mean", r"axis|inner products"),
    ],
    "Dense.forward": [
        ("return self.W @ x.T + self.b[:, None], x", r"matmul|ValueError|shape"),
        ("return x @ self.W, x", r"\bb\b"),
        ("y = x @ self.W + self.b\nreturn y, y", r"cache"),
        ("return x @ self.W + self.b", r"2 results"),
        ("return np.maximum(x @ self.W + self.b, 0), x", r"cut off|negative"),
        ("return x @ self.W - self.b, x", r"\bb\b"),
    ],
    "Dense.backward": [
        ("self.dW = x.T @ dy\nself.db = dy.sum(axis=0)\nreturn dy @ self.W.T", r"replaced"),
        ("self.dW[...] = x.T @ dy / len(x)\nself.db[...] = dy.mean(axis=0)\nreturn dy @ self.W.T if need_dx else None",
         r"1/N"),
        ("self.dW += x.T @ dy\nself.db += dy.sum(axis=0)\nreturn dy @ self.W.T if need_dx else None", r"adds"),
        ("self.dW[...] = x.T @ dy\nreturn dy @ self.W.T if need_dx else None", r"db is never written"),
        ("self.dW[...] = x.T @ dy\nself.db[...] = dy.sum(axis=0)\nreturn dy @ self.W.T", r"need_dx"),
        ("self.dW[...] = x.T @ dy\nself.db[...] = dy.sum(axis=0)", r"nothing|return"),
        ("self.dW[...] = x.T @ dy\nself.db[...] = dy.sum()\nreturn dy @ self.W.T if need_dx else None", r"sum"),
        ("dx = dy @ self.W.T\nself.dW[...] = x.T @ dy\nself.db[...] = dy.sum(axis=0)\nself.W -= 0.1 * self.dW\n"
         "return dx if need_dx else None", r"changed in place"),
        ("self.dW[...] = (dy.T @ x).reshape(self.dW.shape)\nself.db[...] = dy.sum(axis=0)\nreturn dy @ self.W.T if need_dx else None",
         r"dW"),
    ],
    "Tanh.backward": [
        ("return dy * (1 - y) if need_dx else None", r"factor|dx"),
        ("return dy * (1 - np.tanh(y) ** 2) if need_dx else None", r"tanh"),
        ("return (1 - y * y) if need_dx else None", r"dy"),
        ("return dy * (1 - y * y)", r"need_dx"),
        ("return dy * (y * y - 1) if need_dx else None", r"sign"),
        ("return dy * y if need_dx else None", r"dx"),
        ("dy *= 1 - y * y\nreturn dy if need_dx else None", r"changed in place"),
    ],
    "ReLU.backward": [
        ("return dy if need_dx else None", r"mask"),
        ("return mask * 1.0 if need_dx else None", r"mask"),
        ("return dy * (dy > 0) if need_dx else None", r"dx"),
        ("return dy * ~mask if need_dx else None", r"1 - mask"),
        ("dy[~mask] = 0\nreturn dy if need_dx else None", r"changed in place"),
    ],
    "Sigmoid.forward": [
        ("y = 1 / (1 + np.exp(x))\nreturn y, y", r"minus x|1 minus|opposite"),
        ("y = 1 / (1 + np.exp(-x))\nreturn y", r"2 results"),
        ("y = 1 / (1 + np.exp(-x))\nreturn y, x", r"cache"),
        ("y = np.tanh(x)\nreturn y, y", r"tanh"),
        ("y = 0.5 + 0.5 * np.tanh(x)\nreturn y, y", r"twice x"),
    ],
    "Sigmoid.backward": [
        ("s = 1 / (1 + np.exp(-y))\nreturn dy * s * (1 - s) if need_dx else None", r"sigmoid"),
        ("return dy * y if need_dx else None", r"second factor|1 - y"),
        ("return dy * (1 - y) if need_dx else None", r"lacks the factor y"),
        ("return dy * (1 - y * y) if need_dx else None", r"dx"),
        ("return y * (1 - y) if need_dx else None", r"dy"),
    ],
    "numerical_gradient": [
        ("g = np.empty_like(theta)\nfor i in range(len(theta)):\n    t = theta.copy()\n    t[i] += h\n    g[i] = (f(t) - f(theta)) / h\n"
         "return g", r"one-sided"),
        ("g = np.empty_like(theta)\nfor i in range(len(theta)):\n    t = theta[i]\n    theta[i] = t + h\n    a = f(theta)\n"
         "    theta[i] = t - h\n    b = f(theta)\n    theta[i] = t\n    g[i] = (a - b) / h\nreturn g", r"twice"),
        ("g = np.empty_like(theta)\nfor i in range(len(theta)):\n    t = theta[i]\n    theta[i] = t + h\n    a = f(theta)\n"
         "    theta[i] = t - h\n    b = f(theta)\n    g[i] = (a - b) / (2 * h)\nreturn g", r"changed in place"),
        ("g = np.empty_like(theta)\nfor i in range(len(theta)):\n    e = np.zeros_like(theta)\n    e[i] = h\n"
         "    g[i] = (f(theta + e) - f(theta - e)) / (2 * h)\nreturn g", r"this very theta"),
        ("return (f(theta + h) - f(theta - h)) / (2 * h)", r"shape"),
        ("h = 0.1\ng = np.empty_like(theta)\nfor i in range(len(theta)):\n    t = theta[i]\n    theta[i] = t + h\n    a = f(theta)\n"
         "    theta[i] = t - h\n    b = f(theta)\n    theta[i] = t\n    g[i] = (a - b) / (2 * h)\nreturn g",
         r"step|large"),
    ],
    "SGD.update": [
        ("theta = theta - self.lr * grad", r"never written"),
        ("self.v[...] = self.momentum * self.v + grad\ntheta += self.lr * self.v", r"sign"),
        ("self.v[...] = self.momentum * self.v + (1 - self.momentum) * grad\ntheta -= self.lr * self.v", r"momentum"),
        ("theta -= self.lr * grad", r"momentum"),
        ("self.v[...] = self.momentum * self.v + grad\ntheta -= self.v", r"lr"),
        ("v = self.momentum * self.v + grad\ntheta -= self.lr * v", r"momentum"),
        ("grad *= self.lr\ntheta -= grad", r"changed in place"),
    ],
    "Adam.update": [
        ("self.m[...] = self.beta1 * self.m + (1 - self.beta1) * grad\nself.v[...] = self.beta2 * self.v + (1 - self.beta2) * grad**2\n"
         "theta -= self.lr * self.m / (np.sqrt(self.v) + self.eps)", r"bias correction"),
        ("self.m[...] = self.beta1 * self.m + (1 - self.beta1) * grad\nself.v[...] = self.beta2 * self.v + (1 - self.beta2) * grad**2\n"
         "m = self.m / (1 - self.beta1**self.t)\nv = self.v / (1 - self.beta2**self.t)\ntheta -= self.lr * m / np.sqrt(v + self.eps)",
         r"eps"),
        ("self.m[...] = self.beta1 * self.m + (1 - self.beta1) * grad\nself.v[...] = self.beta2 * self.v + (1 - self.beta2) * grad**2\n"
         "m = self.m / (1 - self.beta1**self.t)\nv = self.v / (1 - self.beta2**self.t)\ntheta -= self.lr * m / (v + self.eps)",
         r"root"),
        ("self.m[...] = self.beta1 * self.m + (1 - self.beta1) * grad\nself.v[...] = self.beta2 * self.v + (1 - self.beta2) * grad\n"
         "m = self.m / (1 - self.beta1**self.t)\nv = self.v / (1 - self.beta2**self.t)\ntheta -= self.lr * m / (np.sqrt(v) + self.eps)",
         r"NaN|square"),
        ("self.m[...] = self.beta1 * self.m + (1 - self.beta1) * grad\nself.v[...] = self.beta2 * self.v + (1 - self.beta2) * grad**2\n"
         "m = self.m / (1 - self.beta1**self.t)\nv = self.v / (1 - self.beta2**self.t)\n"
         "theta += self.lr * m / (np.sqrt(v) + self.eps)", r"sign"),
        ("self.m[...] = self.beta1 * self.m + (1 - self.beta1) * grad\nself.v[...] = self.beta2 * self.v + (1 - self.beta2) * grad**2\n"
         "m = self.m / (1 - self.beta1**self.t)\nv = self.v / (1 - self.beta2**self.t)\n"
         "theta = theta - self.lr * m / (np.sqrt(v) + self.eps)", r"never written"),
        ("self.t += 1\nself.m[...] = self.beta1 * self.m + (1 - self.beta1) * grad\n"
         "self.v[...] = self.beta2 * self.v + (1 - self.beta2) * grad**2\n"
         "m = self.m / (1 - self.beta1**self.t)\nv = self.v / (1 - self.beta2**self.t)\n"
         "theta -= self.lr * m / (np.sqrt(v) + self.eps)", r"\bt\b|step"),
        ("self.m[...] = (1 - self.beta1) * self.m + self.beta1 * grad\nself.v[...] = (1 - self.beta2) * self.v + self.beta2 * grad**2\n"
         "m = self.m / (1 - self.beta1**self.t)\nv = self.v / (1 - self.beta2**self.t)\n"
         "theta -= self.lr * m / (np.sqrt(v) + self.eps)", r"beta"),
    ],
    "sigmoid": [
        ("return 1 / (1 + np.exp(a))", r"minus a|1 minus|opposite"),
        ("return np.logaddexp(0, a)", r"log\(1 \+ e\^a\)|softplus"),
        ("return np.tanh(a)", r"tanh"),
        ("return np.exp(a) / (1 - np.exp(a))", r"sigmoid"),
        ("return 0.5 + 0.5 * np.tanh(a)", r"twice a"),
    ],
    "bernoulli_terms": [
        ("s = 1 / (1 + np.exp(-a))\nreturn np.sum(x * a - np.logaddexp(0, a), axis=1), x - np.logaddexp(0, a)",
         r"softplus"),
        ("s = 1 / (1 + np.exp(-a))\nreturn np.mean(x * a - np.logaddexp(0, a), axis=1), x - s", r"1/D"),
        ("s = 1 / (1 + np.exp(-a))\nreturn -np.sum(x * a - np.logaddexp(0, a), axis=1), x - s", r"log p .*sign"),
        ("s = 1 / (1 + np.exp(-a))\nreturn np.sum(x * a - np.logaddexp(0, a), axis=1), s - x", r"dlog p/da .*sign"),
        ("s = 1 / (1 + np.exp(-a))\nreturn np.sum(x * a - np.logaddexp(0, a), axis=1), x / s - (1 - x) / (1 - s)",
         r"by p|probability|factor"),
        ("s = 1 / (1 + np.exp(-a))\nreturn np.sum(x * np.log(s), axis=1), x - s", r"1 - x|log p|zeros"),
        ("s = 1 / (1 + np.exp(-a))\ns2 = 1 / (1 + np.exp(-s))\n"
         "return np.sum(x * np.log(s2) + (1 - x) * np.log(1 - s2), axis=1), x - s2", r"twice|sigmoid"),
        ("return np.sum(x * np.log(a) + (1 - x) * np.log(1 - a), axis=1), x / a - (1 - x) / (1 - a)", r"NaN|infinit"),
        ("s = 1 / (1 + np.exp(-a))\nreturn np.sum(x * a - np.logaddexp(0, a)), x - s", r"sum over N"),
        ("s = 1 / (1 + np.exp(-a))\nreturn np.sum(x * a - np.logaddexp(0, a), axis=1), (x - s) / len(x)", r"1/N"),
        ("s = 1 / (1 + np.exp(-a))\nreturn np.sum(x * a - np.logaddexp(0, a), axis=1), (x - s) * s * (1 - s)",
         r"factor"),
    ],
    "softmax_terms": [
        ("e = np.exp(a)\ns = e / e.sum(axis=1, keepdims=True)\nreturn s, np.log(s)", r"thousands"),
        ("e = np.exp(a - a.max())\ns = e / e.sum()\nreturn s, np.log(s)", r"probabilities"),
        ("b = a - a.max(axis=1, keepdims=True)\ne = np.exp(b)\nt = e.sum(axis=0, keepdims=True)\nreturn e / t, b - np.log(t)",
         r"axis|other rows"),
        ("b = a - a.max(axis=1, keepdims=True)\ne = np.exp(b)\nt = e.sum(axis=1, keepdims=True)\nreturn e / t, b",
         r"logarithms"),
        ("b = a - a.max(axis=1, keepdims=True)\ne = np.exp(b)\nt = e.sum(axis=1, keepdims=True)\nreturn b - np.log(t), e / t",
         r"place"),
        ("b = a - a.max(axis=1, keepdims=True)\ne = np.exp(b)\nt = e.sum(axis=1, keepdims=True)\nreturn e / t, np.log(e / t)",
         r"infinit|thousands"),
    ],
    "reparameterize": [
        ("return mu + np.exp(log_var) * eps", r"variance"),
        ("return mu + log_var * eps", r"sigma|log_var"),
        ("return mu + np.exp(0.5 * log_var)", r"eps"),
        ("return mu + np.exp(0.5 * log_var) * np.random.randn(*mu.shape)", r"every call|noise of its own|fresh"),
        ("return mu - np.exp(0.5 * log_var) * eps", r"minus eps|sign"),
        ("return mu + np.logaddexp(0, log_var) * eps", r"softplus|log\(1 \+"),
        ("return mu + np.exp(2 * log_var) * eps", r"sigma|log_var"),
        ("return mu * np.exp(0.5 * log_var) + eps", r"each other's place"),
        ("return mu + np.exp(0.5 * log_var) * np.abs(eps)", r"sign of eps|\|eps\||negative"),
        ("return np.exp(0.5 * log_var) * eps", r"mu"),
        ("return mu + np.exp(0.5 * log_var) * eps.mean(axis=0)", r"average|eps|rows"),
        ("mu += np.exp(0.5 * log_var) * eps\nreturn mu", r"changed in place"),
    ],
    "reparameterize_grad": [
        ("s = np.exp(0.5 * log_var)\nreturn dz.sum(axis=0), (dz * eps).sum(axis=0) * s", r"1/2|twice"),
        ("s = np.exp(0.5 * log_var)\nreturn dz.mean(axis=0), (dz * eps).mean(axis=0) * 0.5 * s", r"1/S"),
        ("s = np.exp(0.5 * log_var)\nreturn dz[0], (dz * eps)[0] * 0.5 * s", r"S > 1"),
        ("s = np.exp(0.5 * log_var)\nreturn dz.sum(axis=0), dz.sum(axis=0) * 0.5 * s", r"eps"),
        ("s = np.exp(0.5 * log_var)\nreturn dz.sum(axis=0), (dz * eps).sum(axis=0) * 0.5", r"sigma"),
        ("s = np.exp(0.5 * log_var)\nreturn dz.sum(axis=0), np.zeros_like(log_var)", r"0 everywhere|never"),
        ("s = np.exp(log_var)\nreturn dz.sum(axis=0), (dz * eps).sum(axis=0) * s", r"variance|sigma"),
        ("s = np.exp(0.5 * log_var)\nreturn dz, dz * eps * 0.5 * s", r"sum over S|shape"),
        ("s = np.exp(0.5 * log_var)\nreturn dz.sum(axis=0), dz.sum(axis=0) * eps.sum(axis=0) * 0.5 * s", r"S > 1"),
    ],
    "VAE.through_z": [
        ("S, N, K = eps.shape\ndz = self.decoder.backward(dlog_px, decoder_cache).reshape(S, N, K)\n"
         "return reparameterize_grad(dz, log_var, eps)", r"N|sign"),
        ("S, N, K = eps.shape\ndz = self.decoder.backward(dlog_px * (-1 / N), decoder_cache).reshape(S, N, K)\n"
         "return reparameterize_grad(dz, log_var, eps)", r"S > 1.*S"),
        ("S, N, K = eps.shape\ndz = self.decoder.backward(dlog_px * (1 / (S * N)), decoder_cache).reshape(S, N, K)\n"
         "return reparameterize_grad(dz, log_var, eps)", r"sign"),
        ("S, N, K = eps.shape\ndlog_px *= -1 / (S * N)\ndz = self.decoder.backward(dlog_px, decoder_cache).reshape(S, N, K)\n"
         "return reparameterize_grad(dz, log_var, eps)", r"changed in place"),
        ("S, N, K = eps.shape\ndz = self.decoder.backward(dlog_px * (-1 / (S * N)), decoder_cache).reshape(N, S, K).swapaxes(0, 1)\n"
         "return reparameterize_grad(dz, log_var, eps)", r"S > 1"),
        ("S, N, K = eps.shape\ndz = self.decoder.backward(dlog_px * (-1 / (S * N)), decoder_cache).reshape(S, N, K)\n"
         "return reparameterize_grad(dz, log_var, np.random.standard_normal(eps.shape))", r"every call|fresh"),
        ("S, N, K = eps.shape\ndz = self.decoder.backward(dlog_px * (-1 / (S * N)), decoder_cache).reshape(S, N, K)\n"
         "return dz.sum(axis=0), np.zeros((N, K))", r"0 everywhere|never"),
    ],
    "VAE.through_kl": [
        ("return mu, 0.5 * (np.exp(log_var) - 1)", r"N"),
        ("return mu / len(mu), 0.5 * (np.exp(log_var) - 1) / len(mu)", r"beta"),
        ("return -self.beta * mu / len(mu), -self.beta * 0.5 * (np.exp(log_var) - 1) / len(mu)", r"sign"),
        ("return self.beta * mu / len(mu), self.beta * (np.exp(log_var) - 1) / len(mu)", r"twice"),
        ("return self.beta * mu / mu.size, self.beta * 0.5 * (np.exp(log_var) - 1) / mu.size", r"1/K"),
        ("return self.beta * mu / len(mu), self.beta * 0.5 * (1 - np.exp(log_var)) / len(mu)", r"dlog_var .*sign"),
    ],
    "VAE.forward_backward": [
        (("eps = self.noise(len(x), rng, self.n_samples, eps)\nS, N, K = eps.shape\nmade = self.forward(x, eps)\n"
          "mu, log_var = made.mu, made.log_var\nkl = 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=1)\n"
          "dmu, dlog_var = self.through_z(made.dparams, log_var, eps, made.decoder_cache)\n") + rest, words)
        for rest, words in (
            ("self.encoder.backward(np.concatenate([dmu, dlog_var], axis=1), made.encoder_cache, need_dx=False)\n"
             "return self._terms(made.log_px.sum() / (S * N), kl.mean())", r"KL"),
            ("a, b = self.through_kl(mu, log_var)\nself.encoder.backward(np.concatenate([dmu + a, dlog_var + 2 * b], axis=1), "
             "made.encoder_cache, need_dx=False)\nreturn self._terms(made.log_px.sum() / (S * N), kl.mean())",
             r"KL to log_var counts 2"),
            ("a, b = self.through_kl(mu, log_var)\nself.encoder.backward(np.concatenate([dmu + a, 2 * dlog_var + b], axis=1), "
             "made.encoder_cache, need_dx=False)\nreturn self._terms(made.log_px.sum() / (S * N), kl.mean())",
             r"1/2|z to log_var counts 2"),
            ("a, b = self.through_kl(mu, log_var)\nself.encoder.backward(np.concatenate([dmu - a, dlog_var - b], axis=1), "
             "made.encoder_cache, need_dx=False)\nreturn self._terms(made.log_px.sum() / (S * N), kl.mean())",
             r"KL.* -1"),
            ("a, b = self.through_kl(mu, log_var)\nself.encoder.backward(np.concatenate([dmu + a, b], axis=1), "
             "made.encoder_cache, need_dx=False)\nreturn self._terms(made.log_px.sum() / (S * N), kl.mean())",
             r"z to log_var is missing"),
            ("a, b = self.through_kl(mu, log_var)\nself.encoder.backward(np.concatenate([dlog_var + b, dmu + a], axis=1), "
             "made.encoder_cache, need_dx=False)\nreturn self._terms(made.log_px.sum() / (S * N), kl.mean())",
             r"encoder"),
            ("a, b = self.through_kl(mu, log_var)\nself.encoder.backward(np.concatenate([dmu + N * a, dlog_var + N * b], axis=1), "
             "made.encoder_cache, need_dx=False)\nreturn self._terms(made.log_px.sum() / (S * N), kl.mean())",
             r"KL.* N"),
            ("a, b = self.through_kl(mu, log_var)\nself.encoder.backward(np.concatenate([dmu + a, dlog_var + b], axis=1), "
             "made.encoder_cache, need_dx=False)\nreturn self._terms(made.log_px.mean(), kl.sum())", r"kl .*N"),
            ("a, b = self.through_kl(mu, log_var)\nself.encoder.backward(np.concatenate([dmu + a, dlog_var + b], axis=1), "
             "made.encoder_cache, need_dx=False)\nreturn self._terms(made.log_px.sum() / N, kl.mean())", r"S"),
            ("a, b = self.through_kl(mu, log_var)\nself.encoder.backward(np.concatenate([dmu + a, dlog_var + b], axis=1) / N, "
             "made.encoder_cache, need_dx=False)\nreturn self._terms(made.log_px.mean(), kl.mean())", r"1/N"),
            ("return self._terms(made.log_px.mean(), kl.mean())", r"encoder.*0 everywhere|never|missing"),
        )
    ],
    "log_mean_exp": [
        ("return np.log(np.exp(a).mean(axis=axis))", r"-2000"),
        ("return np.logaddexp.reduce(a, axis=axis)", r"log S"),
        ("return a.mean(axis=axis)", r"mean|averag"),
        ("top = a.max()\nreturn np.log(np.exp(a - top).mean(axis=axis)) + top", r"largest"),
        ("top = a.max(axis=axis, keepdims=True)\nreturn np.log(np.exp(a - top).mean(axis=axis))", r"log mean e\^a"),
        ("top = a.max(axis=axis, keepdims=True)\nreturn np.log(np.exp(a - top).mean(axis=axis)) + top",
         r"shape|axes|axis"),
        ("top = a.max(axis=0, keepdims=True)\nreturn np.log(np.exp(a - top).mean(axis=0)) + top.squeeze(0)", r"axis=1"),
    ],
    "shares": [
        ("w = np.exp(log_w)\nreturn w / w.sum(axis=0)", r"-2000"),
        ("w = np.exp(log_w - log_w.max(axis=0))\nreturn w / w.sum()", r"shares|over|rows"),
        ("w = np.exp(log_w - log_w.max(axis=0))\nreturn w / w.sum(axis=-1, keepdims=True)", r"axis|rows"),
        ("w = np.exp(log_w - log_w.max(axis=0))\nreturn w", r"normalis|times"),
        ("return log_w / log_w.sum(axis=0)", r"shares|logarithm"),
        ("w = np.exp(log_w - log_w.max(axis=0))\nreturn w / w.mean(axis=0)", r"\bS\b"),
    ],
    "log_weights": [
        ("mu, log_var = vae.encode(x)\nz, log_r = propose(mu, log_var, n_samples, proposal, rng)\n"
         "return vae.log_likelihood(x, z)", r"is just log p\(x given z\)"),
        ("mu, log_var = vae.encode(x)\nz, log_r = propose(mu, log_var, n_samples, proposal, rng)\n"
         "return vae.log_likelihood(x, z) + gaussian.log_prob(z, 0.0, np.zeros_like(mu))",
         r"divided by the proposal|log r"),
        ("mu, log_var = vae.encode(x)\nz, log_r = propose(mu, log_var, n_samples, proposal, rng)\n"
         "return vae.log_likelihood(x, z) + gaussian.log_prob(z, 0.0, np.zeros_like(mu)) + log_r", r"log r"),
        ("mu, log_var = vae.encode(x)\nz, log_r = propose(mu, log_var, n_samples, proposal, rng)\n"
         "return vae.log_likelihood(x, z) + gaussian.log_prob(z, 0.0, np.zeros_like(mu)) - gaussian.log_prob(z, mu, log_var)",
         r"proposal"),
        ("mu, log_var = vae.encode(x)\nz, log_r = propose(mu, log_var, n_samples, proposal, rng)\n"
         "return vae.log_likelihood(x, z) - log_r", r"log p\(z\)"),
        ("mu, log_var = vae.encode(x)\nz, log_r = propose(mu, log_var, n_samples, proposal, rng)\n"
         "return np.exp(vae.log_likelihood(x, z) + gaussian.log_prob(z, 0.0, np.zeros_like(mu)) - log_r)",
         r"e to the power"),
    ],
    "effective_sample_size": [
        ("w = np.exp(log_w)\nreturn w.sum(axis=0) ** 2 / (w * w).sum(axis=0)", r"-2000"),
        ("w = np.exp(log_w - log_w.max(axis=0))\nreturn w.sum(axis=0) / (w * w).sum(axis=0)", r"effective"),
        ("w = np.exp(log_w - log_w.max(axis=0))\nw = w / w.sum(axis=0)\nreturn (w * w).sum(axis=0)", r"one over"),
        ("w = np.exp(log_w - log_w.max(axis=0))\nreturn w.sum() ** 2 / (w * w).sum()", r"shape|sum"),
        ("w = np.exp(log_w - log_w.max())\nreturn w.sum(axis=0) ** 2 / (w * w).sum(axis=0)", r"largest"),
        ("return log_w.sum(axis=0) ** 2 / (log_w * log_w).sum(axis=0)", r"effective"),
        ("w = np.exp(log_w - log_w.max(axis=0))\nreturn w.sum(axis=0) ** 2 / (w * w).sum(axis=0) / len(w)", r"1/S"),
    ],
    "order_mask": [
        ("p = np.argsort(order)\nreturn p[:, None] <= p[None, :]", r"see itself|diagonal"),
        ("p = np.argsort(order)\nreturn p[:, None] > p[None, :]", r"transposed"),
        ("return order[:, None] < order[None, :]", r"inverse|positions|order"),
        ("return np.triu(np.ones((len(order), len(order)), bool), 1)", r"order|raster"),
        ("return np.tril(np.ones((len(order), len(order)), bool), -1)", r"mask"),
    ],
    "degree_masks": [
        ("p, D = positions(order), len(order)\nd = [hidden_degrees(n, D) for n in hidden]\n"
         "return [p[:, None] < d[0], *[a[:, None] <= b for a, b in zip(d, d[1:])], d[-1][:, None] < p]", r"last mask"),
        ("p, D = positions(order), len(order)\nd = [hidden_degrees(n, D) for n in hidden]\n"
         "return [p[:, None] <= d[0], *[a[:, None] <= b for a, b in zip(d, d[1:])], d[-1][:, None] <= p]",
         r"first mask"),
        ("p, D = positions(order), len(order)\nd = [hidden_degrees(n, D) for n in hidden]\n"
         "return [order[:, None] < d[0], *[a[:, None] <= b for a, b in zip(d, d[1:])], d[-1][:, None] <= order]",
         r"order|inverse|positions"),
        ("p, D = positions(order), len(order)\nd = [hidden_degrees(n, D) for n in hidden]\n"
         "return [(p[:, None] < d[0]).T, *[(a[:, None] <= b).T for a, b in zip(d, d[1:])], (d[-1][:, None] <= p).T]",
         r"transposed"),
        ("p, D = positions(order), len(order)\nd = [hidden_degrees(n, D) for n in hidden]\n"
         "return [p[:, None] < d[0], d[-1][:, None] <= p]", r"results|want"),
    ],
    "MaskedDense.backward": [
        ("x, W = cache\nself.dW[...] = x.T @ dy\nself.db[...] = dy.sum(axis=0)\nreturn dy @ W.T if need_dx else None",
         r"mask"),
        ("x, W = cache\nself.dW[...] = (x.T @ dy) * self.mask\nself.db[...] = dy.sum(axis=0)\n"
         "return dy @ self.W.T if need_dx else None", r"dx|mask"),
        ("x, W = cache\nself.dW = (x.T @ dy) * self.mask\nself.db[...] = dy.sum(axis=0)\nreturn dy @ W.T if need_dx else None",
         r"replaced"),
        ("x, W = cache\nself.dW[...] = (x.T @ dy) * self.mask\nself.db[...] = dy.mean(axis=0)\n"
         "return dy @ W.T if need_dx else None", r"1/N"),
        ("x, W = cache\nself.dW[...] = (x.T @ dy) * W\nself.db[...] = dy.sum(axis=0)\nreturn dy @ W.T if need_dx else None",
         r"dW .*factor"),
    ],
    "Autoregressive.forward_backward": [
        ("k = self._index(rng, order)\nlogits, caches = self.forward(x, k)\n"
         "log_p, d = self.observation.value_and_grad(x, logits)\nself.backward(-d, caches, k, need_dx=False)\n"
         "return Terms(-log_p.mean(), log_p.mean())", r"\bN\b"),
        ("k = self._index(rng, order)\nlogits, caches = self.forward(x, k)\n"
         "log_p, d = self.observation.value_and_grad(x, logits)\nself.backward(d / len(x), caches, k, need_dx=False)\n"
         "return Terms(-log_p.mean(), log_p.mean())", r"sign"),
        ("k = 0\nlogits, caches = self.forward(x, k)\n"
         "log_p, d = self.observation.value_and_grad(x, logits)\nself.backward(-d / len(x), caches, k, need_dx=False)\n"
         "return Terms(-log_p.mean(), log_p.mean())", r"several orders"),
        ("k = self._index(rng, order)\nlogits, caches = self.forward(x, k)\n"
         "log_p, d = self.observation.value_and_grad(x, logits)\nreturn Terms(-log_p.mean(), log_p.mean())",
         r"gradient .*(0 everywhere|never)"),
        ("k = self._index(rng, order)\nlogits, caches = self.forward(x, k)\n"
         "log_p, d = self.observation.value_and_grad(x, logits)\nself.backward(-d / len(x), caches, k, need_dx=False)\n"
         "return Terms(log_p.mean(), -log_p.mean())", r"sign|place"),
        ("k = self._index(rng, order)\nlogits, caches = self.forward(x, k)\n"
         "log_p, d = self.observation.value_and_grad(x, logits)\nself.backward(-d / len(x), caches, k, need_dx=False)\n"
         "return Terms(-log_p.sum(), log_p.sum())", r"\bN\b"),
    ],
    "compress": [
        ("return np.log1p(mu * np.abs(x)) / np.log1p(mu)", r"negative|absolute"),
        ("return np.sign(x) * np.log1p(mu * np.abs(x))", r"log\(1 \+"),
        ("return np.sign(x) * np.log(mu * np.abs(x)) / np.log(mu)", r"\by\b"),
        ("return np.sign(x) * np.log1p(mu * np.abs(x)) / np.log(mu)", r"\by\b"),
        ("return np.log1p(mu * x) / np.log1p(mu)", r"negative|NaN"),
        ("return np.sign(x) * np.log1p(255 * np.abs(x)) / np.log1p(255)", r"mu"),
    ],
    "expand": [
        ("return np.sign(y) * np.expm1(np.abs(y) * np.log1p(mu))", r"mu"),
        ("return np.expm1(np.abs(y) * np.log1p(mu)) / mu", r"negative|absolute"),
        ("return np.sign(y) * np.exp(np.abs(y) * np.log1p(mu)) / mu", r"\bx\b"),
        ("return np.sign(y) * ((1 + mu) ** np.abs(y) - 1) / (1 + mu)", r"\bx\b"),
        ("return np.sign(y) * (mu ** np.abs(y) - 1) / mu", r"\bx\b"),
    ],
    "quantize": [
        ("return np.floor((y + 1) / 2 * n_codes).astype(int)", r"ends|y = 1"),
        ("return np.round((y + 1) / 2 * (n_codes - 1)).astype(int)", r"codes"),
        ("h = n_codes // 2\nk = np.minimum(np.floor(h * np.abs(y)), h - 1).astype(int)\nreturn np.where(y >= 0, k, -k)",
         r"codes"),
        ("h = n_codes // 2\nk = np.minimum(np.floor(h * np.abs(y)), h - 1).astype(int)\nreturn np.where(y >= 0, h + k, h - k)",
         r"negative"),
        ("return np.clip(np.floor((y + 1) / 2 * 256), 0, 255).astype(int)", r"n_codes|codes"),
    ],
    "expectation": [
        (("K = Z.shape[1]\nlog = np.empty((len(Z), len(means)))\nfor c in range(len(means)):\n    d = Z - means[c]\n"
          "    P = np.linalg.inv(covariances[c])\n    log[:, c] = -0.5 * (np.einsum('ni,ij,nj->n', d, P, d) + K * np.log(2 * np.pi)"
          " + np.log(np.linalg.det(covariances[c])))") + rest, words)
        for rest, words in (
            ("\nlog_s = np.logaddexp.reduce(log, axis=1)\nreturn np.exp(log - log_s[:, None]), log_s", r"weights"),
            (" + np.log(weights[c])\nlog_s = np.logaddexp.reduce(log, axis=1)\nreturn np.exp(log), log_s",
             r"normalised|\br\b"),
            (" + np.log(weights[c])\nlog_s = np.logaddexp.reduce(log, axis=0)\nreturn np.exp(log - log_s), log_s",
             r"axis|over N|shape"),
            (" + np.log(weights[c])\nlog_s = np.log(np.exp(log).sum(axis=1))\nreturn np.exp(log - log_s[:, None]), log_s",
             r"far from"),
            (" + weights[c]\nlog_s = np.logaddexp.reduce(log, axis=1)\nreturn np.exp(log - log_s[:, None]), log_s",
             r"e\^weights"),
            (" + 0.5 * K * np.log(2 * np.pi) + np.log(weights[c])\nlog_s = np.logaddexp.reduce(log, axis=1)\n"
             "return np.exp(log - log_s[:, None]), log_s", r"log 2 pi"),
        )
    ],
    "maximisation": [
        (("N = len(Z)\ntotal = r.sum(axis=0)\n") + rest, words) for rest, words in (
            ("m = r.T @ Z / total[:, None]\nd = Z - m[:, None]\n"
             "S = np.einsum('nc,cni,cnj->cij', r, d, d) / N + floor\nreturn total / N, m, S", r"divided by N"),
            ("m = r.T @ Z / N\nd = Z - m[:, None]\nS = np.einsum('nc,cni,cnj->cij', r, d, d) / total[:, None, None] + floor\n"
             "return total / N, m, S", r"means"),
            ("m = r.T @ Z / total[:, None]\nd = Z - m[:, None]\nS = np.einsum('nc,cni,cnj->cij', r, d, d) / total[:, None, None]\n"
             "return total / N, m, S", r"floor"),
            ("m = r.T @ Z / total[:, None]\nd = Z - m[:, None]\n"
             "S = np.einsum('nc,cni,cnj->cij', r, d, d) / total[:, None, None] + floor\nreturn total, m, S",
             r"weights .*N"),
            ("m = r.T @ Z / total[:, None]\n"
             "S = np.einsum('nc,ni,nj->cij', r, Z, Z) / total[:, None, None] + floor\nreturn total / N, m, S",
             r"covariances"),
            ("m = r.T @ Z / total[:, None]\nd = Z - Z.mean(axis=0)\n"
             "S = np.einsum('nc,ni,nj->cij', r, d, d) / total[:, None, None] + floor\nreturn total / N, m, S",
             r"covariances"),
        )
    ],
}
