"""What else is right? Answers to every blank in another style than the library's: loops, np.dot, the paper's own formulas."""

LOG_NORMAL = """
K = Z.shape[1]
joint = np.empty((len(Z), len(means)))
for c in range(len(means)):
    d = Z - means[c]
    P = np.linalg.inv(covariances[c])
    joint[:, c] = (np.log(weights[c]) - 0.5 * np.einsum("ni,ij,nj->n", d, P, d) - 0.5 * K * np.log(2 * np.pi)
                   - 0.5 * np.linalg.slogdet(covariances[c])[1])
"""

RIGHT = {
    "bayes": [
        "evidence = float(np.dot(prior, likelihood))\nreturn Belief(prior * likelihood / evidence, evidence)",
        "joint = np.array([p * l for p, l in zip(prior, likelihood)])\nreturn Belief(joint / sum(joint), sum(joint))",
    ],
    "update": [
        "rows = [np.log(prior)]\nfor l in log_likelihood:\n    row = rows[-1] + l\n    rows.append(row - row.max())\n"
        "rows = np.exp(rows)\nreturn rows / rows.sum(axis=1)[:, None]",
        "rows = [prior]\nfor l in log_likelihood:\n    joint = rows[-1] * np.exp(l - l.max())\n    rows.append(joint / joint.sum())\n"
        "return np.array(rows)",
    ],
    "gaussian_mle": [
        "m = np.mean(x, 0)\nreturn Normal(m, ((x - m) ** 2).sum(0) / len(x))",
        "m = sum(x) / len(x)\nv = sum(row ** 2 for row in x) / len(x) - m ** 2\nreturn Normal(m, v)",
    ],
    "gaussian_posterior": [
        "precision = 1 / prior.variance + n / variance\n"
        "return Normal((prior.mean / prior.variance + n * mean / variance) / precision, 1 / precision)",
        "m0, v0 = prior\nreturn Normal((m0 * variance + n * mean * v0) / (variance + n * v0), "
        "v0 * variance / (variance + n * v0))",
    ],
    "kl_table": [
        "p, q = np.broadcast_arrays(p, q)\nr = np.ones(p.shape)\nwith np.errstate(all='ignore'):\n"
        "    np.divide(p, q, out=r, where=p > 0)\nreturn np.sum(p * np.log(r), axis=-1)",
        "total = np.zeros(p.shape[:-1])\nfor c in range(p.shape[-1]):\n    with np.errstate(all='ignore'):\n"
        "        total = total + np.where(p[..., c] > 0, p[..., c] * np.log(p[..., c] / q[..., c]), 0)\nreturn total",
    ],
    "log_prob": [
        "return -((x - mu) ** 2 / (2 * np.exp(log_var)) + log_var / 2 + np.log(2 * np.pi) / 2).sum(-1)",
        "sigma = np.exp(log_var / 2)\nz = (x - mu) / sigma\nreturn np.sum(np.log(np.exp(-z**2 / 2) / (sigma * np.sqrt(2 * np.pi))), axis=-1)",
    ],
    "kl_standard": [
        "return -0.5 * np.sum(1 + log_var - mu**2 - np.exp(log_var), axis=1)",
        "out = []\nfor m, l in zip(mu, log_var):\n    out.append(sum(0.5 * (a * a + np.exp(b) - 1 - b) for a, b in zip(m, l)))\nreturn np.array(out)",
        "s = np.exp(log_var / 2)\nreturn (0.5 * mu**2 + 0.5 * s**2 - 0.5 - np.log(s)).sum(axis=-1)",
    ],
    "kl_standard_grad": [
        "return mu.copy(), np.expm1(log_var) / 2",
        "return np.array(mu), (np.exp(log_var / 2) ** 2 - 1) * 0.5",
    ],
    "kl": [
        "s2, p2 = np.exp(log_var), np.exp(prior_log_var)\n"
        "return 0.5 * (prior_log_var - log_var - 1 + (s2 + (mu - prior_mu) ** 2) / p2).sum(axis=-1)",
        "s, p = np.exp(log_var / 2), np.exp(prior_log_var / 2)\n"
        "return np.sum(np.log(p / s) + (s**2 + (mu - prior_mu)**2) / (2 * p**2) - 0.5, axis=-1)",
    ],
    "from_covariance": [
        "both = np.concatenate([root, np.asarray(X, float) - mean])\nU, S, Vt = np.linalg.svd(both, full_matrices=False)\nreturn S, Vt",
        "c = np.vstack([root, X.astype(float) - mean])\nw, V = np.linalg.eigh(np.dot(c.T, c))\norder = np.argsort(-w)[:min(c.shape)]\n"
        "return np.sqrt(np.clip(w[order], 0, None)), -V[:, order].T",
    ],
    "PCA.transform": [
        "return np.dot(X - self.mean_, self.components_.T) / self._scale()",
        "return np.array([[c @ (x - self.mean_) for c in self.components_] for x in X]) / self._scale()",
    ],
    "PCA.inverse_transform": [
        "return np.dot(self._scale() * Z, self.components_) + self.mean_",
        "return np.stack([self.mean_ + sum(z * c for z, c in zip(row, self.components_)) for row in Z * self._scale()])",
    ],
    "centred": [
        "return K - K.mean(1)[:, None] - rows[None, :] + mean",
        "out = np.zeros_like(K)\nfor m in range(len(K)):\n    for n in range(K.shape[1]):\n"
        "        out[m, n] = K[m, n] - K[m].mean() - rows[n] + mean\nreturn out",
    ],
    "Dense.forward": [
        "return np.dot(x, self.W) + self.b, x",
        "return np.array([self.b + sum(a * w for a, w in zip(row, self.W)) for row in x]), x",
    ],
    "Dense.backward": [
        "self.dW[...] = np.dot(x.T, dy)\nself.db[:] = dy.sum(0)\nif need_dx:\n    return np.dot(dy, self.W.T)",
        "self.dW[:] = 0\nself.db[:] = 0\nfor a, d in zip(x, dy):\n    self.dW += np.outer(a, d)\n    self.db += d\n"
        "return np.einsum('no,io->ni', dy, self.W) if need_dx else None",
    ],
    "Tanh.backward": [
        "if not need_dx:\n    return None\nreturn (1 - y) * (1 + y) * dy",
        "return dy / np.cosh(np.arctanh(y)) ** 2 if need_dx else None",
    ],
    "ReLU.backward": [
        "return np.where(mask, dy, 0) if need_dx else None",
        "if need_dx:\n    dx = dy.copy()\n    dx[~mask] = 0\n    return dx",
    ],
    "Sigmoid.forward": [
        "y = 1 / (1 + np.exp(-x))\nreturn y, y",
        "e = np.exp(-np.abs(x))\ny = np.where(x > 0, 1, e) / (1 + e)\nreturn y, y",
    ],
    "Sigmoid.backward": [
        "return dy * y - dy * y**2 if need_dx else None",
        "if need_dx:\n    return y * dy * (1 - y)",
    ],
    "numerical_gradient": [
        "g = np.zeros(len(theta))\nfor i, t in enumerate(theta.copy()):\n    step = h * max(1, abs(t))\n    theta[i] = t + step\n"
        "    up = f(theta)\n    theta[i] = t - step\n    down = f(theta)\n    theta[i] = t\n    g[i] = (up - down) / (2 * step)\nreturn g",
        "kept, g = theta.copy(), []\nfor i in range(theta.size):\n    values = []\n    for sign in (1, -1):\n        theta[:] = kept\n"
        "        theta[i] += sign * h * max(1, abs(kept[i]))\n        values.append((theta[i], f(theta)))\n"
        "    (a, fa), (b, fb) = values\n    g.append((fa - fb) / (a - b))\ntheta[:] = kept\nreturn np.array(g)",
    ],
    "SGD.update": [
        "self.v[:] = self.momentum * self.v + grad\ntheta -= self.lr * self.v",
        "for i in range(len(theta)):\n    self.v[i] = self.momentum * self.v[i] + grad[i]\n    theta[i] = theta[i] - self.lr * self.v[i]",
    ],
    "Adam.update": [
        "self.m[:] = self.beta1 * self.m + (1 - self.beta1) * grad\nself.v[:] = self.beta2 * self.v + (1 - self.beta2) * grad**2\n"
        "m = self.m / (1 - self.beta1**self.t)\nv = self.v / (1 - self.beta2**self.t)\ntheta -= self.lr * m / (np.sqrt(v) + self.eps)",
        "self.m += (1 - self.beta1) * (grad - self.m)\nself.v += (1 - self.beta2) * (grad * grad - self.v)\n"
        "for i in range(len(theta)):\n    m = self.m[i] / (1 - self.beta1**self.t)\n    v = self.v[i] / (1 - self.beta2**self.t)\n"
        "    theta[i] -= self.lr * m / (v**0.5 + self.eps)",
        "self.m = self.beta1 * self.m + (1 - self.beta1) * grad\nself.v = self.beta2 * self.v + (1 - self.beta2) * grad**2\n"
        "theta -= self.lr * (self.m / (1 - self.beta1**self.t)) / (np.sqrt(self.v / (1 - self.beta2**self.t)) + self.eps)",
    ],
    "sigmoid": [
        "return 1 / (1 + np.exp(-a))",
        "return np.exp(-np.logaddexp(0, -a))",
    ],
    "bernoulli_terms": [
        "return np.sum(x * a - np.log(1 + np.exp(a)), axis=-1), x - 1 / (1 + np.exp(-a))",
        "p = 1 / (1 + np.exp(-a))\nreturn (x * np.log(p) + (1 - x) * np.log(1 - p)).sum(-1), x - p",
        "return (x * a - np.logaddexp(0, a)).sum(axis=-1), x - np.exp(a - np.logaddexp(0, a))",
    ],
    "softmax_terms": [
        "log_p = a - np.logaddexp.reduce(a, axis=1, keepdims=True)\nreturn np.exp(log_p), log_p",
        "p, log_p = np.empty_like(a), np.empty_like(a)\nfor n, row in enumerate(a):\n    row = row - max(row)\n"
        "    log_p[n] = row - np.log(sum(np.exp(row)))\n    p[n] = np.exp(log_p[n])\nreturn p, log_p",
    ],
    "reparameterize": [
        "return np.sqrt(np.exp(log_var)) * eps + mu",
        "sigma = np.exp(log_var / 2)\nif eps.ndim == 2:\n    return mu + sigma * eps\nreturn np.stack([mu + sigma * e for e in eps])",
    ],
    "reparameterize_grad": [
        "half = np.exp(log_var / 2) / 2\nreturn np.sum(dz, 0), np.sum(dz * eps * half, 0)",
        "dmu, dl = 0, 0\nfor d, e in zip(dz, eps):\n    dmu = dmu + d\n    dl = dl + 0.5 * d * e * np.sqrt(np.exp(log_var))\nreturn dmu, dl",
    ],
    "VAE.through_z": [
        "dz = -self.decoder.backward(dlog_px.copy(), decoder_cache).reshape(eps.shape) / (eps.shape[0] * eps.shape[1])\n"
        "self.decoder.grad *= -1 / (eps.shape[0] * eps.shape[1])\n"
        "return dz.sum(axis=0), (dz * eps * np.exp(log_var / 2) / 2).sum(axis=0)",
        "S, N, K = eps.shape\ndz = self.decoder.backward(-dlog_px / N / S, decoder_cache).reshape(S, N, K)\n"
        "dmu, dl = np.zeros((N, K)), np.zeros((N, K))\nfor s in range(S):\n    dmu += dz[s]\n"
        "    dl += 0.5 * np.exp(0.5 * log_var) * eps[s] * dz[s]\nreturn dmu, dl",
    ],
    "VAE.through_kl": [
        "w = self.beta / mu.shape[0]\nreturn w * mu, w * (np.exp(log_var) - 1) / 2",
        "a, b = kl_standard_grad(mu, log_var)\nreturn a * self.beta / len(a), b * self.beta / len(b)",
    ],
    "VAE.forward_backward": [
        "if eps is None:\n    eps = self.noise(len(x), rng, self.n_samples)\neps = eps.reshape(-1, len(x), self.n_latent)\n"
        "S, N, K = eps.shape\nmade = self.forward(x, eps)\n"
        "dz = self.decoder.backward(-made.dparams / (S * N), made.decoder_cache).reshape(S, N, K)\ns = np.exp(made.log_var / 2)\n"
        "dmu = dz.sum(0) + self.beta * made.mu / N\ndl = (dz * eps).sum(0) * s / 2 + self.beta * (s * s - 1) / 2 / N\n"
        "self.encoder.backward(np.hstack([dmu, dl]), made.encoder_cache)\nr = made.log_px.mean()\n"
        "kl = 0.5 * (made.mu**2 + s**2 - 1 - made.log_var).sum(1).mean()\nreturn self.terms(self.beta * kl - r, r - kl, r, kl)",
        "eps = self.noise(len(x), rng, self.n_samples, eps)\nmade = self.forward(x, eps, labels)\n"
        "roads = [self.through_z(made.dparams, made.log_var, eps, made.decoder_cache), self.through_kl(made.mu, made.log_var)]\n"
        "dcode = sum(np.concatenate(road, axis=1) for road in roads)\n"
        "self.encoder.backward(dcode, made.encoder_cache, need_dx=False)\n"
        "return self._terms(made.log_px.mean(), kl_standard(made.mu, made.log_var).mean())",
    ],
    "log_mean_exp": [
        "return np.logaddexp.reduce(a, axis=axis) - np.log(a.shape[axis])",
        "top = np.max(a, axis=axis)\nreturn top + np.log(np.mean(np.exp(a - np.expand_dims(top, axis)), axis=axis))",
    ],
    "shares": [
        "return np.exp(log_w - np.logaddexp.reduce(log_w, axis=0))",
        "top = log_w.max(axis=0, keepdims=True)\nw = np.exp(log_w - top)\ntotal = 0\nfor each in w:\n    total = total + each\nreturn w / total",
    ],
    "log_weights": [
        "mu, log_var = vae.encode(x)\nz, log_r = propose(mu, log_var, n_samples, proposal, rng)\n"
        "log_pz = -0.5 * (z**2 + np.log(2 * np.pi)).sum(axis=-1)\nreturn log_pz + vae.log_likelihood(x, z) - log_r",
        "q = vae.encode(x)\nz, log_r = propose(*q, n_samples, proposal, rng)\nout = []\nfor s in range(n_samples):\n"
        "    out.append(vae.log_likelihood(x, z[s:s + 1])[0] + gaussian.log_prob(z[s], 0 * q[0], 0 * q[0]) - log_r[s])\n"
        "return np.array(out)",
    ],
    "effective_sample_size": [
        "w = np.exp(log_w - np.logaddexp.reduce(log_w, axis=0))\nreturn 1 / (w**2).sum(axis=0)",
        "w = np.exp(log_w - log_w.max(axis=0))\nreturn np.array([c.sum() ** 2 / np.dot(c, c) for c in w.T])",
    ],
    "order_mask": [
        "D = len(order)\nmask = np.zeros((D, D))\nfor t in range(D):\n    for u in range(t + 1, D):\n"
        "        mask[order[t], order[u]] = 1\nreturn mask",
        "place = {int(pixel): t for t, pixel in enumerate(order)}\n"
        "return np.array([[place[i] < place[j] for j in range(len(order))] for i in range(len(order))])",
    ],
    "degree_masks": [
        "D = len(order)\nplace = np.empty(D, int)\nplace[np.asarray(order)] = np.arange(D)\ndegrees = [hidden_degrees(n, D) for n in hidden]\n"
        "masks = [np.less.outer(place, degrees[0])]\nfor a, b in zip(degrees, degrees[1:]):\n    masks.append(np.less_equal.outer(a, b))\n"
        "masks.append(np.less_equal.outer(degrees[-1], place))\nreturn masks",
        "D, place = len(order), positions(order)\nlevels = [place + 1, *(hidden_degrees(n, D) for n in hidden)]\n"
        "masks = [(a[:, None] <= b[None]).astype(float) for a, b in zip(levels, levels[1:])]\n"
        "return tuple(masks + [(levels[-1][:, None] < place[None] + 1).astype(float)])",
    ],
    "MaskedDense.backward": [
        "x, W = cache\nself.dW[...] = np.where(self.mask, x.T @ dy, 0)\nself.db[...] = dy.sum(0)\nreturn dy @ W.T if need_dx else None",
        "x, W = cache\nself.dW[:], self.db[:] = 0, 0\nfor a, d in zip(x, dy):\n    self.dW += np.outer(a, d) * self.mask\n    self.db += d\n"
        "if need_dx:\n    return np.dot(dy, (self.W * self.mask).T)",
    ],
    "Autoregressive.forward_backward": [
        "k = self._index(rng, order)\nlogits, caches = self.forward(x, k)\n"
        "p = 1 / (1 + np.exp(-logits))\nself.backward((p - x) / len(x), caches, k, need_dx=False)\n"
        "log_p = float(np.sum(x * np.log(p) + (1 - x) * np.log(1 - p)) / len(x))\nreturn Terms(-log_p, log_p)",
        "k = self._index(rng, order)\nlogits, caches = self.forward(x, k)\n"
        "log_p, d = self.observation.value_and_grad(x, logits)\nself.backward(-d / x.shape[0], caches, k)\n"
        "return Terms(loss=-np.mean(log_p), log_prob=np.mean(log_p))",
    ],
    "compress": [
        "return np.sign(x) * np.log(1 + mu * np.abs(x)) / np.log(1 + mu)",
        "flat = [(1 if v > 0 else -1) * np.log1p(mu * abs(v)) / np.log1p(mu) for v in np.ravel(x)]\nreturn np.reshape(flat, np.shape(x))",
    ],
    "expand": [
        "return np.sign(y) * ((1 + mu) ** np.abs(y) - 1) / mu",
        "return np.where(y < 0, -1, 1) * (np.exp(np.abs(y) * np.log(1 + mu)) - 1) / mu",
    ],
    "quantize": [
        "half = n_codes // 2\nk = np.clip(np.floor(np.abs(y) * half), 0, half - 1).astype(int)\nreturn half + np.where(y < 0, -1 - k, k)",
        "half, out = n_codes // 2, []\nfor v in np.ravel(y):\n    k = min(int(abs(v) * half), half - 1)\n"
        "    out.append(half + k if v >= 0 else half - 1 - k)\nreturn np.array(out).reshape(np.shape(y))",
    ],
    "expectation": [
        LOG_NORMAL + "log_s = np.logaddexp.reduce(joint, axis=1)\nreturn np.exp(joint - log_s[:, None]), log_s",
        LOG_NORMAL + "top = joint.max(axis=1)\ne = np.exp(joint - top[:, None])\nreturn e / e.sum(axis=1)[:, None], top + np.log(e.sum(axis=1))",
    ],
    "maximisation": [
        "total = r.sum(axis=0)\nmeans, covariances = [], []\nfor c in range(r.shape[1]):\n    m = r[:, c] @ Z / total[c]\n    d = Z - m\n"
        "    means.append(m)\n    covariances.append((d * r[:, c:c + 1]).T @ d / total[c] + floor)\n"
        "return total / len(Z), np.array(means), np.array(covariances)",
        "w = r / r.sum(axis=0)\nm = w.T @ Z\nS = np.einsum('nc,ni,nj->cij', w, Z, Z) - np.einsum('ci,cj->cij', m, m) + floor\n"
        "return r.mean(axis=0), m, S",
    ],
}
