"""What else do students write? A second set of wrong answers to the blanks of the workbook: bodies alone."""

MORE = {
    "bayes": [
        'evidence = likelihood @ prior\n' 'return Belief(likelihood / evidence, evidence)',
        'return Belief(prior * likelihood, 1.0)',
        'j = prior ** likelihood\n' 'return Belief(j / j.sum(), j.sum())',
    ],
    "update": [
        ('out = [prior]\n' 'for l in log_likelihood:\n' '    j = prior * np.exp(l)\n' '    out.append(j / j.sum())\n'
         'return np.array(out)'),
        ('j = np.log(prior) + np.cumsum(log_likelihood, axis=0)\n' 'j = np.vstack([j, j[-1]])\n'
         'j = np.exp(j - j.max(axis=1, keepdims=True))\n' 'return j / j.sum(axis=1, keepdims=True)'),
    ],
    "gaussian_mle": [
        'm = x.mean(axis=0)\n' 'return Normal(m, ((x - m) ** 2).sum(axis=0))',
        'return Normal(np.median(x, axis=0), x.var(axis=0))',
    ],
    "gaussian_posterior": [
        ('m0, v0 = prior\n' 'v = v0 * variance / (v0 + n * variance)\n'
         'return Normal(v * (m0 / v0 + n * mean / variance), v)'),
        'm0, v0 = prior\n' 'v = 1 / (1 / v0 + n / variance)\n' 'return Normal((m0 + mean) / 2, v)',
        'm0, v0 = prior\n' 'v = 1 / (1 / v0 + n / variance)\n' 'return Normal(v * (m0 + n * mean), v)',
    ],
    "kl_table": [
        'return np.where(p > 0, p * np.log(p / q), 0).sum(axis=0)',
        'return np.where(p > 0, p * (p - q), 0).sum(axis=-1)',
        'm = (p + q) / 2\n' 'return np.where(p > 0, p * np.log(p / m), 0).sum(axis=-1)',
        'return -np.where(p > 0, p * np.log(q), 0).sum(axis=-1)',
    ],
    "log_prob": [
        's = np.exp(log_var)\n' 'return -0.5 * np.sum(((x - mu) / s) ** 2 + log_var + LOG_2PI, axis=-1)',
        'return -0.5 * np.sum((x - mu) ** 2 / np.exp(log_var) + np.exp(log_var) + LOG_2PI, axis=-1)',
        'return -0.5 * np.mean((x - mu) ** 2 / np.exp(log_var) + log_var + LOG_2PI, axis=-1)',
        'return -0.5 * np.sum((x - mu) ** 2 / np.exp(log_var) + 0.5 * log_var + LOG_2PI, axis=-1)',
        'return -0.5 * (np.sum((x - mu) ** 2 / np.exp(log_var) + log_var, axis=-1) + LOG_2PI)',
    ],
    "kl_standard": [
        'return 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).max(axis=-1)',
        'return 0.5 * (mu**2 + log_var**2 - 1 - log_var).sum(axis=-1)',
        'return 0.5 * (np.abs(mu) + np.exp(log_var) - 1 - log_var).sum(axis=-1)',
        'return 0.5 * (np.exp(log_var) - 1 - log_var).sum(axis=-1)',
        'return 0.5 * mu**2 + 0.5 * (np.exp(log_var) - 1 - log_var).sum(axis=-1, keepdims=True)',
        'return 0.5 * ((mu**2 + np.exp(log_var) - log_var).sum(axis=-1) - 1)',
        'return (0.5 * mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=-1)',
    ],
    "kl_standard_grad": [
        'return mu * 0.5, 0.5 * (np.exp(log_var) - 1)',
        'return mu, 0.5 * (1 - np.exp(-log_var))',
        'return mu, 0.5 * np.expm1(2 * log_var)',
        'return np.ones_like(mu), 0.5 * (np.exp(log_var) - 1)',
        'return mu ** 2, 0.5 * np.expm1(log_var)',
    ],
    "kl": [
        'return 0.5 * np.sum(np.exp(log_var) + mu**2 - 1 - log_var, axis=-1)',
        ('r = log_var - prior_log_var\n'
         'return 0.5 * np.sum(np.exp(r) - r + (mu - prior_mu) ** 2 * np.exp(-prior_log_var), axis=-1)'),
        ('r = log_var - prior_log_var\n'
         'return 0.5 * np.sum(np.expm1(0.5 * r) - r + (mu - prior_mu) ** 2 * np.exp(-prior_log_var), axis=-1)'),
        ('r = log_var - prior_log_var\n'
         'return 0.5 * np.sum(np.expm1(r) + r + (mu - prior_mu) ** 2 * np.exp(-prior_log_var), axis=-1)'),
    ],
    "from_covariance": [
        ('c = np.vstack([root, X - mean])\n' 'w, V = np.linalg.eigh(np.cov(c.T))\n' 'n = min(c.shape)\n'
         'return np.sqrt(np.maximum(w[::-1][:n], 0)), V.T[::-1][:n]'),
        ('c = np.vstack([root, X - mean])\n' 'w, V = np.linalg.eigh(c.T @ c)\n' 'n = min(c.shape)\n'
         'return np.sqrt(np.maximum(w[::-1][:n], 0)), V.T[:n]'),
    ],
    "PCA.transform": [
        'return (X - self.mean_) @ self.components_.T * self._scale()',
        'return np.abs((X - self.mean_) @ self.components_.T) / self._scale()',
        'return (X / self.mean_) @ self.components_.T / self._scale()',
    ],
    "PCA.inverse_transform": [
        'return Z @ (self.components_ + self.mean_)',
        'return Z / self._scale() @ self.components_ + self.mean_',
    ],
    "centred": [
        'return K - K.mean(axis=1, keepdims=True) - K.mean(axis=0) + mean',
        'return K - rows[:, None] if len(K) == len(rows) else K - rows',
        'return K - K.mean()',
    ],
    "Dense.forward": [
        'return x @ (self.W + self.b), x',
        'return x @ self.W + self.b.sum(), x',
        'return np.tanh(x @ self.W + self.b), x',
        'return x @ self.W + self.b, x.copy().T',
    ],
    "Dense.backward": [
        'self.dW[...] = x.T @ dy\n' 'self.db[...] = dy.sum(axis=0)\n' 'return dy @ self.dW.T if need_dx else None',
        ('self.dW[...] = np.abs(x).T @ dy\n' 'self.db[...] = dy.sum(axis=0)\n'
         'return dy @ self.W.T if need_dx else None'),
        'self.dW[...] = x.T @ dy\n' 'self.db[...] = dy[0]\n' 'return dy @ self.W.T if need_dx else None',
        ('self.dW[...] = x.T @ dy\n' 'self.db[...] = dy.sum(axis=0)\n'
         'return (dy @ self.W.T) * x if need_dx else None'),
    ],
    "Tanh.backward": [
        'return dy * (1 - y) ** 2 if need_dx else None',
        'return dy * np.sqrt(1 - y * y) if need_dx else None',
        'return dy / (1 - y * y) if need_dx else None',
        'return dy * y * (1 - y) if need_dx else None',
        'return dy - y * y if need_dx else None',
    ],
    "ReLU.backward": [
        'return np.maximum(dy, 0) if need_dx else None',
        'return dy * mask * mask.mean() if need_dx else None',
        'return np.where(mask, dy, 0.01 * dy) if need_dx else None',
        'return np.where(mask, 1.0, dy) if need_dx else None',
    ],
    "Sigmoid.forward": [
        'y = 1 / (1 + np.exp(-x.clip(-10, 10)))\nreturn y, y',
        'y = np.exp(x) / (np.exp(x) - 1)\n' 'return y, y',
        'y = np.maximum(x, 0)\n' 'return y, y',
        'y = 1 / (1 - np.exp(-x))\n' 'return y, y',
        'y = np.exp(-x)\n' 'return y, y',
    ],
    "Sigmoid.backward": [
        'return dy * y ** 2 * (1 - y) if need_dx else None',
        'return dy * (y * (y - 1)) if need_dx else None',
        'return dy * np.exp(-y) / (1 + np.exp(-y)) ** 2 if need_dx else None',
        'return dy + y * (1 - y) if need_dx else None',
    ],
    "SGD.update": [
        'self.v[...] = self.momentum * self.v - self.lr * grad\ntheta += self.v',
        'self.v[...] = self.momentum * self.v + grad\n' 'theta -= self.lr * (grad + self.momentum * self.v)',
        'self.v[...] = self.momentum * self.v - self.lr * grad\n' 'theta -= self.v',
        'self.v[...] = grad\n' 'theta -= self.lr * self.v',
        'self.v[...] = self.momentum * self.v + grad\n' 'theta -= self.lr * np.sign(self.v)',
    ],
    "Adam.update": [
        ('m = self.beta1 * self.m + (1 - self.beta1) * grad\n'
         'v = self.beta2 * self.v + (1 - self.beta2) * grad**2\n' 'm = m / (1 - self.beta1**self.t)\n'
         'v = v / (1 - self.beta2**self.t)\n' 'theta -= self.lr * m / (np.sqrt(v) + self.eps)'),
        ('self.m[...] = self.beta1 * self.m + (1 - self.beta1) * grad\n'
         'self.v[...] = self.beta2 * self.v + (1 - self.beta2) * grad**2\n' 'self.m[...] /= 1 - self.beta1**self.t\n'
         'self.v[...] /= 1 - self.beta2**self.t\n' 'theta -= self.lr * self.m / (np.sqrt(self.v) + self.eps)'),
        ('self.m[...] = self.beta1 * self.m + (1 - self.beta1) * grad\n'
         'self.v[...] = self.beta2 * self.v + (1 - self.beta2) * grad**2\n' 'm = self.m / (1 - self.beta1**self.t)\n'
         'theta -= self.lr * m / (np.sqrt(self.v) + self.eps)'),
        ('self.m[...] = self.beta1 * self.m + (1 - self.beta1) * grad\n'
         'self.v[...] = self.beta2 * self.v + (1 - self.beta2) * grad**2\n' 'm = self.m / (1 - self.beta1)\n'
         'v = self.v / (1 - self.beta2)\n' 'theta -= self.lr * m / (np.sqrt(v) + self.eps)'),
    ],
    "numerical_gradient": [
        ('g = np.empty_like(theta)\n' 'for i in range(len(theta)):\n' '    t = theta[i]\n' '    theta[i] = t + h\n'
         '    a = f(theta)\n' '    theta[i] = t - h\n' '    b = f(theta)\n' '    theta[i] = t\n'
         '    g[i] = (b - a) / (2 * h)\n' 'return g'),
    ],
    "sigmoid": [
        'return 1 / (1 + np.exp(-np.clip(a, -15, 15)))',
        'return np.where(a > 0, 1.0, 0.0)',
        'return a / (1 + np.abs(a))',
        'return np.exp(a)',
        'return np.clip(0.2 * a + 0.5, 0, 1)',
    ],
    "bernoulli_terms": [
        'p = np.clip(1 / (1 + np.exp(-a)), 1e-7, 1 - 1e-7)\nreturn (x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=-1), x - p',
        'p = 1 / (1 + np.exp(-a))\n' 'return (x * np.log(p) + (1 - x) * np.log(1 - p)).sum(-1), p',
        'p = 1 / (1 + np.exp(-a))\n' 'return (x * np.log(p) - (1 - x) * np.log(1 - p)).sum(-1), x - p',
        'p = 1 / (1 + np.exp(-a))\n' 'return -((x - p) ** 2).sum(-1), x - p',
        'p = 1 / (1 + np.exp(-a))\n' 'return (x * np.log(p + 1e-3) + (1 - x) * np.log(1 - p + 1e-3)).sum(-1), x - p',
        'p = 1 / (1 + np.exp(-a))\n' 'return (x * np.log2(p) + (1 - x) * np.log2(1 - p)).sum(-1), x - p',
        ('p = 1 / (1 + np.exp(-a))\n'
         'return (x * np.log(p) + (1 - x) * np.log(1 - p)).sum(-1), (x - p) / x.shape[-1]'),
        'p = 1 / (1 + np.exp(-a))\n' 'return (x * np.log(p) + (1 - x) * np.log(1 - p)).sum(-1), x / p',
    ],
    "softmax_terms": [
        'e = np.exp(a - a.max(axis=1, keepdims=True))\n' 's = e / e.sum()\n' 'return s, np.log(s)',
        'b = a - a.max(axis=1, keepdims=True)\n' 's = 1 / (1 + np.exp(-b))\n' 'return s, np.log(s)',
        'b = a - a.mean(axis=1, keepdims=True)\n' 'return b, b',
        ('b = a - a.max(axis=1, keepdims=True)\n' 'e = np.exp(b)\n' 't = e.sum(axis=1, keepdims=True)\n'
         'return e / t, b + np.log(t)'),
    ],
    "reparameterize": [
        'return mu + np.sqrt(np.exp(log_var)) + eps',
        'return (mu + np.exp(0.5 * log_var)) * eps',
        'return mu + np.exp(0.5 * log_var) * eps ** 2',
        'return mu + 0.5 * np.exp(log_var) * eps',
        'return mu + np.exp(-0.5 * log_var) * eps',
        'return mu + np.sqrt(np.abs(log_var)) * eps',
        'return log_var + np.exp(0.5 * mu) * eps',
        'return np.random.normal(mu, np.exp(0.5 * log_var))',
        'return mu + np.exp(0.5 * log_var) * eps.T.reshape(eps.shape)',
    ],
    "reparameterize_grad": [
        's = np.exp(0.5 * log_var)\n' 'return (dz * s).sum(axis=0), (dz * eps).sum(axis=0) * 0.5 * s',
        's = np.exp(0.5 * log_var)\n' 'return dz.sum(axis=0), (dz * eps).sum(axis=0) / (2 * s)',
        's = np.exp(0.5 * log_var)\n' 'return dz.sum(axis=0), (dz * eps).sum(axis=0) * 0.5 * log_var * s',
        's = np.exp(0.5 * log_var)\n' 'return (dz * eps).sum(axis=0) * 0.5 * s, dz.sum(axis=0)',
        'return dz.sum(axis=0), (dz * eps).sum(axis=0) * 0.5 * log_var',
    ],
    "VAE.through_z": [
        ('S, N, K = eps.shape\n'
         'dz = self.decoder.backward(dlog_px * (-1 / (S * N)), decoder_cache).reshape(S, N, K)\n'
         'return dz.mean(axis=0), (dz * eps * np.exp(log_var / 2) / 2).mean(axis=0)'),
        ('S, N, K = eps.shape\n'
         'dz = self.decoder.backward(dlog_px * (-self.beta / (S * N)), decoder_cache).reshape(S, N, K)\n'
         'return reparameterize_grad(dz, log_var, eps)'),
        ('S, N, K = eps.shape\n'
         'dz = self.decoder.backward(dlog_px * (-1 / (S * N * K)), decoder_cache).reshape(S, N, K)\n'
         'return reparameterize_grad(dz, log_var, eps)'),
        ('S, N, K = eps.shape\n'
         'dz = self.decoder.backward(dlog_px, decoder_cache).reshape(S, N, K) * (-1 / (S * N))\n'
         'return reparameterize_grad(dz, log_var, eps)'),
        ('S, N, K = eps.shape\n'
         'dz = self.decoder.backward(dlog_px * (-1 / (S * N)), decoder_cache).reshape(S, N, K)\n'
         'return dz.sum(axis=0), (dz * eps).sum(axis=0)'),
    ],
    "VAE.through_kl": [
        'return self.beta * mu / len(mu), 0.5 * (np.exp(log_var) - 1) / len(mu)',
        'return self.beta * mu.mean(axis=0) * np.ones_like(mu), self.beta * 0.5 * (np.exp(log_var) - 1) / len(mu)',
        'return self.beta ** 2 * mu / len(mu), self.beta ** 2 * 0.5 * (np.exp(log_var) - 1) / len(mu)',
        'return mu / len(mu) / self.beta, 0.5 * (np.exp(log_var) - 1) / len(mu) / self.beta',
        'return self.beta * mu / len(mu), self.beta * (np.exp(0.5 * log_var) - 1) / len(mu)',
    ],
    "VAE.forward_backward": [
        ('eps = self.noise(len(x), rng, self.n_samples, eps)\n' 'S, N, K = eps.shape\n'
         'made = self.forward(x, eps)\n' 'mu, log_var = made.mu, made.log_var\n' 'kl = kl_standard(mu, log_var)\n'
         'dmu, dl = self.through_z(made.dparams, log_var, eps, made.decoder_cache)\n'
         'a, b = self.through_kl(mu, log_var)\n'
         'self.encoder.backward(np.concatenate([dmu + self.beta * a, dl + self.beta * b], axis=1), made.encoder_cache, need_dx=False)\n'
         'return self._terms(made.log_px.sum() / (S * N), kl.mean())'),
        ('eps = self.noise(len(x), rng, self.n_samples, eps)\n' 'S, N, K = eps.shape\n'
         'made = self.forward(x, eps)\n' 'mu, log_var = made.mu, made.log_var\n' 'kl = kl_standard(mu, log_var)\n'
         'dmu, dl = self.through_z(made.dparams, log_var, eps, made.decoder_cache)\n'
         'a, b = self.through_kl(mu, log_var)\n'
         'self.encoder.backward(np.concatenate([dmu + a, dl + b], axis=1), made.encoder_cache, need_dx=False)\n'
         'return self._terms(-made.log_px.sum() / (S * N), kl.mean())'),
        ('eps = self.noise(len(x), rng, self.n_samples, eps)\n' 'S, N, K = eps.shape\n'
         'made = self.forward(x, eps)\n' 'mu, log_var = made.mu, made.log_var\n' 'kl = kl_standard(mu, log_var)\n'
         'dmu, dl = self.through_z(made.dparams, log_var, eps, made.decoder_cache)\n'
         'a, b = self.through_kl(mu, log_var)\n'
         'self.encoder.backward(np.concatenate([a, b], axis=1), made.encoder_cache, need_dx=False)\n'
         'return self._terms(made.log_px.sum() / (S * N), kl.mean())'),
        ('eps = self.noise(len(x), rng, self.n_samples, eps)\n' 'S, N, K = eps.shape\n'
         'made = self.forward(x, eps)\n' 'mu, log_var = made.mu, made.log_var\n' 'kl = kl_standard(mu, log_var)\n'
         'dmu, dl = self.through_z(made.dparams, log_var, eps, made.decoder_cache)\n'
         'a, b = self.through_kl(mu, log_var)\n'
         'self.encoder.backward(np.concatenate([dmu, dl + b], axis=1), made.encoder_cache, need_dx=False)\n'
         'return self._terms(made.log_px.sum() / (S * N), kl.mean())'),
        ('eps = self.noise(len(x), rng, self.n_samples, eps)\n' 'S, N, K = eps.shape\n'
         'made = self.forward(x, eps)\n' 'mu, log_var = made.mu, made.log_var\n' 'kl = kl_standard(mu, log_var)\n'
         'dmu, dl = self.through_z(made.dparams, log_var, eps, made.decoder_cache)\n'
         'a, b = self.through_kl(mu, log_var)\n'
         'self.encoder.backward(np.concatenate([dmu + a, dl + b], axis=1), made.encoder_cache, need_dx=False)\n'
         'r, k = made.log_px.mean(), kl.mean()\n' 'return self.terms(k - r, r - k, r, k)'),
        ('eps = self.noise(len(x), rng, self.n_samples, eps)\n' 'S, N, K = eps.shape\n'
         'made = self.forward(x, eps)\n' 'mu, log_var = made.mu, made.log_var\n' 'kl = kl_standard(mu, log_var)\n'
         'dmu, dl = self.through_z(made.dparams, log_var, eps, made.decoder_cache)\n'
         'a, b = self.through_kl(mu, log_var)\n'
         'self.encoder.backward(np.concatenate([dmu + a, dl + b], axis=1), made.encoder_cache, need_dx=False)\n'
         'r, k = made.log_px.mean(), kl.mean()\n' 'return self.terms(self.beta * k - r, r - self.beta * k, r, k)'),
        ('eps = self.noise(len(x), rng, self.n_samples, eps)\n' 'S, N, K = eps.shape\n'
         'made = self.forward(x, eps)\n' 'mu, log_var = made.mu, made.log_var\n' 'kl = kl_standard(mu, log_var)\n'
         'dmu, dl = self.through_z(made.dparams, log_var, eps, made.decoder_cache)\n'
         'a, b = self.through_kl(mu, log_var)\n'
         'self.encoder.backward(np.concatenate([dmu + a, 0 * dl + b], axis=1), made.encoder_cache, need_dx=False)\n'
         'return self._terms(made.log_px.sum() / (S * N), kl.mean())'),
        ('eps = self.noise(len(x), rng, self.n_samples, eps)\n' 'S, N, K = eps.shape\n'
         'made = self.forward(x, eps)\n' 'mu, log_var = made.mu, made.log_var\n' 'kl = kl_standard(mu, log_var)\n'
         'dmu, dl = self.through_z(made.dparams, log_var, eps, made.decoder_cache)\n'
         'a, b = self.through_kl(mu, log_var)\n'
         'self.encoder.backward(np.concatenate([0.5 * dmu + a, 0.5 * dl + b], axis=1), made.encoder_cache, need_dx=False)\n'
         'self.encoder.grad *= 2\n' 'return self._terms(made.log_px.sum() / (S * N), kl.mean())'),
    ],
    "log_mean_exp": [
        ('top = a.max(axis=axis, keepdims=True)\n'
         'return np.log(np.exp(a - top)).mean(axis=axis) + top.squeeze(axis)'),
        ('top = a.min(axis=axis, keepdims=True)\n'
         'return np.log(np.exp(a - top).mean(axis=axis)) + top.squeeze(axis)'),
        'return np.exp(a).mean(axis=axis)',
        'return a.max(axis=axis)',
        ('top = a.max(axis=axis, keepdims=True)\n'
         'return np.log(np.exp(a - top).mean(axis=axis)) - top.squeeze(axis)'),
    ],
    "shares": [
        'w = np.exp(log_w - log_w.max(axis=0))\n' 'return w ** 2 / (w ** 2).sum(axis=0)',
        'return np.exp(log_w - log_w.max(axis=0) - np.log(len(log_w)))',
        'w = np.exp(log_w - log_w.max(axis=0))\n' 'return np.log(w / w.sum(axis=0))',
        'return (log_w == log_w.max(axis=0)) * 1.0',
    ],
    "log_weights": [
        ('mu, log_var = vae.encode(x)\n' 'z, log_r = propose(mu, log_var, n_samples, proposal, rng)\n'
         'return vae.log_likelihood(x, z) - gaussian.kl_standard(mu, log_var)'),
        ('mu, log_var = vae.encode(x)\n' 'z, log_r = propose(mu, log_var, n_samples, proposal, rng)\n'
         'return vae.log_likelihood(x, z) + log_r - gaussian.log_prob(z, 0.0, np.zeros_like(mu))'),
        ('mu, log_var = vae.encode(x)\n' 'z, log_r = propose(mu, log_var, n_samples, proposal, rng)\n'
         'return vae.log_likelihood(x, z) + gaussian.log_prob(z, 0.0, np.ones_like(mu)) - log_r'),
        ('mu, log_var = vae.encode(x)\n' 'z, log_r = propose(mu, log_var, 1, proposal, rng)\n'
         'return vae.log_likelihood(x, z) + gaussian.log_prob(z, 0.0, np.zeros_like(mu)) - log_r'),
    ],
    "effective_sample_size": [
        'w = np.exp(log_w - log_w.max(axis=0))\n' 'return w.mean(axis=0) ** 2 / (w * w).mean(axis=0)',
        'w = np.exp(log_w - log_w.max(axis=0))\n' 'return (w * w).sum(axis=0) / w.sum(axis=0) ** 2 * len(w)',
        'w = np.exp(log_w - log_w.max(axis=0))\n' 'return w.sum(axis=0)',
        ('w = np.exp(log_w - log_w.max(axis=0))\n' 'w /= w.sum(axis=0)\n'
         'return np.exp(-(w * np.log(w)).sum(axis=0))'),
    ],
    "order_mask": [
        'p = np.argsort(order)\n' 'return p[:, None] != p[None, :]',
        'p = np.argsort(order)\n' 'return (p[:, None] + 1 == p[None, :])',
        'p = np.argsort(order)\n' 'return p[:, None] >= p[None, :]',
        'return np.ones((len(order), len(order)))',
    ],
    "degree_masks": [
        ('p, D = positions(order), len(order)\n' 'd = [hidden_degrees(n, D) for n in hidden]\n'
         'return [p[:, None] < d[0], *[a[:, None] < b for a, b in zip(d, d[1:])], d[-1][:, None] <= p]'),
        ('p, D = positions(order), len(order)\n' 'd = [hidden_degrees(n, D + 1) for n in hidden]\n'
         'return [p[:, None] < d[0], *[a[:, None] <= b for a, b in zip(d, d[1:])], d[-1][:, None] <= p]'),
        ('p, D = positions(order), len(order)\n' 'd = [hidden_degrees(n, D) for n in hidden]\n'
         'return [p[:, None] < d[0], *[np.ones((len(a), len(b))) for a, b in zip(d, d[1:])], d[-1][:, None] <= p]'),
        ('p, D = positions(order), len(order)\n' 'd = [hidden_degrees(n, D) for n in hidden]\n'
         'return [p[:, None] < d[0], *[a[:, None] <= b for a, b in zip(d, d[1:])], d[-1][:, None] <= p + 1]'),
    ],
    "MaskedDense.backward": [
        ('x, W = cache\n' 'self.dW[...] = x.T @ (dy) * ~self.mask.astype(bool)\n' 'self.db[...] = dy.sum(axis=0)\n'
         'return dy @ W.T if need_dx else None'),
        ('x, W = cache\n' 'self.dW[...] = x.T @ dy * self.mask\n'
         'self.db[...] = dy.sum(axis=0) * self.mask.sum(axis=0)\n' 'return dy @ W.T if need_dx else None'),
        ('x, W = cache\n' 'self.dW[...] = x.T @ dy * self.mask\n' 'self.db[...] = dy.sum(axis=0)\n'
         'return dy @ self.mask.T if need_dx else None'),
    ],
    "compress": [
        'return np.sign(x) * np.log(1 + np.abs(x)) / np.log(1 + mu)',
        'return np.log1p(mu * np.abs(x)) / np.log1p(mu) * x',
        'return np.sign(x) * np.log1p(mu * x ** 2) / np.log1p(mu)',
        'return np.sign(x) * np.log2(1 + mu * np.abs(x)) / np.log(1 + mu)',
        'return x',
    ],
    "expand": [
        'return np.sign(y) * ((1 + mu) ** y - 1) / mu',
        'return np.sign(y) * (np.exp(np.abs(y)) - 1) / mu',
        'return np.sign(y) * np.log1p(mu * np.abs(y)) / np.log1p(mu)',
        'return y * ((1 + mu) ** np.abs(y) - 1) / mu',
    ],
    "quantize": [
        'return np.clip(np.floor((y + 1) * n_codes), 0, n_codes - 1).astype(int)',
        ('h = n_codes // 2\n' 'k = np.minimum(np.floor(h * np.abs(y)), h - 1).astype(int)\n'
         'return np.where(y >= 0, h + k + 1, h - 1 - k)'),
        ('h = n_codes // 2\n' 'k = np.minimum(np.ceil(h * np.abs(y)), h - 1).astype(int)\n'
         'return np.where(y >= 0, h + k, h - 1 - k)'),
        'return np.clip(np.floor((y + 1) / 2 * n_codes), 0, n_codes - 1)[::-1].astype(int)',
    ],
    "maximisation": [
        ('t = r.sum(axis=0)\n' 'm = r.T @ Z / t[:, None]\n' 'd = Z - m[:, None]\n'
         "S = np.einsum('nc,cni,cnj->cij', r, d, d) / (t - 1)[:, None, None] + floor\n" 'return t / len(Z), m, S'),
        ('t = r.sum(axis=0)\n' 'm = r.T @ Z / t[:, None]\n' 'd = Z - m[:, None]\n'
         "S = np.einsum('nc,cni,cnj->cij', r**2, d, d) / t[:, None, None] + floor\n" 'return t / len(Z), m, S'),
        ('t = r.sum(axis=0)\n' 'm = r.T @ Z / t[:, None]\n' 'd = Z - m[:, None]\n'
         "S = np.einsum('nc,cni,cnj->cij', r, d, d) / t[:, None, None] * floor\n" 'return t / len(Z), m, S'),
        ('t = r.sum(axis=0)\n' 'm = r.T @ Z / t[:, None]\n' 'd = Z - m[:, None]\n'
         "S = np.einsum('nc,cni,cni->ci', r, d, d) / t[:, None]\n"
         'return t / len(Z), m, np.array([np.diag(s) for s in S]) + floor'),
        ('t = r.sum(axis=1)\n' 'm = r.T @ Z / r.sum(axis=0)[:, None]\n' 'd = Z - m[:, None]\n'
         "S = np.einsum('nc,cni,cnj->cij', r, d, d) / r.sum(axis=0)[:, None, None] + floor\n"
         'return t / len(Z), m, S'),
    ],
}
