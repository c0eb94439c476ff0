"""What is each blank asked? Small random cases, of several sizes, and the special ones in which mistakes hide."""
from types import SimpleNamespace

import numpy as np

import scratchvae as sv
from demos.workbook.calls import BEFORE, Case, Wrong
from scratchvae.models.masked import MaskedDense
from scratchvae.nn.layers import Dense

LN = np.log
SIZES = (dict(N=5, K=3, S=2, D=4, H=6, C=7), dict(N=4, K=2, S=3, D=6, H=5, C=3))  # all of one case differ
ONE = dict(N=1, K=2, S=3, D=4, H=5, C=3)
ASKED = {}  # blank -> a function that makes its cases


def asks(*names):
    def keep(function):
        for name in names:
            ASKED[name] = function
        return function
    return keep


def cases_of(name):
    """The cases of a blank, the ordinary ones first."""
    return ASKED[name]()


def rng(seed=0):
    return np.random.default_rng(seed)


def normal(seed, *shape, scale=1.0):
    return scale * rng((seed, *shape)).standard_normal(shape)


def shares_of_one(seed, *shape):
    p = rng((seed, *shape)).random(shape) + 0.1
    return p / p.sum(axis=-1, keepdims=True)


def simple(shapes, names, sizes=SIZES, **more):
    """A case for each of the sizes; shapes : (letters -> arguments)."""
    return [Case(lambda z=z: shapes(SimpleNamespace(**z)), names, sizes=z, **more) for z in sizes]


def special(label, make, names, strict=True, **more):
    return Case(make, names, label=label, strict=strict, **more)


# ---- beliefs --------------------------------------------------------------------------------------------------------

@asks("bayes")
def _():
    names = ("posterior", "evidence")
    return [*simple(lambda z: {"prior": shares_of_one(1, z.H), "likelihood": rng(2).random(z.H)}, names),
            special("where a hypothesis is refuted (a likelihood of 0)", lambda: {
                "prior": np.array([0.2, 0.5, 0.3]), "likelihood": np.array([0.0, 0.3, 0.9])}, names)]


@asks("update")
def _():
    def make(z):
        return {"prior": shares_of_one(1, z.H), "log_likelihood": LN(rng(3).random((z.N, z.H)))}
    return [*simple(make, ("the posteriors",)),
            special("after many observations, whose likelihoods together are 0 to a float", lambda: {
                "prior": shares_of_one(1, 3), "log_likelihood": normal(4, 40, 3) - 60}, ("the posteriors",)),
            special("where a hypothesis is impossible from the start", lambda: {
                "prior": np.array([0.0, 0.4, 0.6]), "log_likelihood": normal(5, 4, 3)}, ("the posteriors",))]


@asks("gaussian_mle")
def _():
    return simple(lambda z: {"x": 2 + normal(6, z.N, z.D)}, ("mean", "variance"))


@asks("gaussian_posterior")
def _():
    normal_of = sv.inference.Normal
    some = [(3, 1.3, 0.7, normal_of(-0.5, 2.0)), (8, -0.4, 1.9, normal_of(0.8, 0.3)), (5, 0.6, 1.2,
        normal_of(1.7, 0.9))]
    cases = [Case(lambda c=c: dict(zip(("n", "mean", "variance", "prior"), c)), ("mean", "variance"), sizes={"n": c[0]},
                  extra=lambda a: {"prior.mean": a["prior"].mean, "prior.variance": a["prior"].variance}) for c in some]
    return [*cases, special("with no data, n = 0", lambda: dict(n=0, mean=1.0, variance=0.7, prior=normal_of(-0.5,
        2.0)),
                            ("mean", "variance"))]


# ---- divergence -----------------------------------------------------------------------------------------------------

@asks("kl_table")
def _():
    zero = np.array([0.0, 0.4, 0.6])
    def terms(a):
        p, q = a["p"], a["q"]
        return {"p log p": p * LN(p), "p log q": p * LN(q), "q log q": q * LN(q), "q log p": q * LN(p),
                "log(p/q)": LN(p / q),
                "p log((p + q)/2)": p * LN((p + q) / 2), "p (p - q)": p * (p - q), "(p - q)^2": (p - q) ** 2,
                "|p - q|": np.abs(p - q),
                "p^2/q": p * p / q}
    return [*simple(lambda z: {"p": shares_of_one(1, z.N, z.C), "q": shares_of_one(2, z.N, z.C)}, ("KL",), extra=terms),
            special("for one table of probabilities (C,)", lambda: {"p": shares_of_one(3, 4), "q": shares_of_one(4, 4)},
                    ("KL",)),
            special("where p is 0: 0 log 0 is 0", lambda: {"p": zero, "q": np.array([0.3, 0.2, 0.5])}, ("KL",)),
            special("where q is 0 and p is not: the KL is infinite", lambda: {"p": np.array([0.3, 0.2, 0.5]),
                "q": zero}, ("KL",)),
            special("where both are 0", lambda: {"p": zero, "q": np.array([0.0, 0.5, 0.5])}, ("KL",))]


@asks("log_prob")
def _():
    names = ("log N",)

    def terms(a):
        d, lv = a["x"] - a["mu"], a["log_var"]
        return {"(x - mu)^2/sigma^2": d * d * np.exp(-lv), "(x - mu)^2/sigma": d * d * np.exp(-lv / 2),
                "(x - mu)^2": d * d,
                "(x - mu)^2 sigma^2": d * d * np.exp(lv), "(x - mu)^2/sigma^4": d * d * np.exp(-2 * lv),
                "(x - mu)^2/log_var": d * d / lv,
                "(x - mu)/sigma": d * np.exp(-lv / 2), "(x - mu)/sigma^2": d * np.exp(-lv),
                "|x - mu|/sigma": np.abs(d) * np.exp(-lv / 2)}
    return [*simple(lambda z: {"x": normal(1, z.N, z.K), "mu": normal(2, z.N, z.K), "log_var": normal(3, z.N, z.K)},
                    names,
                    extra=terms),
            special("for x of shape (K,)", lambda: {"x": normal(1, 3), "mu": normal(2, 3), "log_var": normal(3, 3)},
                    names),
            special("for x (S, N, K) and mu (N, K)", lambda: {
                "x": normal(1, 2, 4, 3), "mu": normal(2, 4, 3), "log_var": normal(3, 4, 3)}, names),
            special("for mu = 0.0, a number", lambda: {"x": normal(1, 4, 3), "mu": 0.0, "log_var": np.zeros(3)}, names)]


@asks("kl_standard", "kl_standard_grad")
def _kl(names=("KL",)):
    def make(z):
        return {"mu": normal(1, z.N, z.K), "log_var": normal(2, z.N, z.K)}
    return [*simple(make, names), special("for one example", lambda: make(SimpleNamespace(**ONE)), names),
            special("for mu = 0 and log_var = 0", lambda: {"mu": np.zeros((3, 2)), "log_var": np.zeros((3, 2))}, names),
            special("in float32", lambda: {k: v.astype(np.float32) for k,
                                           v in make(SimpleNamespace(**SIZES[0])).items()},
                    names, rtol=1e-5),
            special("near the prior, where e^r - 1 - r cancels: expm1(r) - r keeps its digits", lambda: {
                "mu": np.zeros((3, 2)), "log_var": np.full((3, 2), 1e-7)}, names, strict=False)]


ASKED["kl_standard_grad"] = lambda: [case for case in _kl(("dmu", "dlog_var")) if "float32" not in case.label]


@asks("kl")
def _():
    def make(z, seed=0):
        return {name: normal(seed + k, z.N, z.K) for k, name in enumerate(("mu", "log_var", "prior_mu",
            "prior_log_var"))}

    def terms(a):
        r, d, s2, t2 = a["log_var"] - a["prior_log_var"], a["mu"] - a["prior_mu"], np.exp(a["log_var"]), np.exp(a["prior_log_var"])
        return {"(mu - m)^2/s^2": d * d / t2, "(mu - m)^2/sigma^2": d * d / s2, "(mu - m)^2": d * d,
                "(mu - m)^2/s": d * d / t2**0.5,
                "(mu - m)^2 s^2": d * d * t2, "mu^2/s^2": a["mu"] ** 2 / t2, "|mu - m|/s": np.abs(d) / t2**0.5,
                "(mu - m)/s^2": d / t2,
                "e^r": np.exp(r), "e^-r": np.exp(-r), "e^(r/2)": np.exp(r / 2), "e^(2 r)": np.exp(2 * r), "r": r}
    return [*simple(make, ("KL",), extra=terms),
            special("for one example (K,)", lambda: {k: v[0] for k, v in make(SimpleNamespace(**SIZES[0]), 9).items()},
                    ("KL",)),
            special("near each other, where e^r - 1 - r cancels: expm1(r) - r keeps its digits", lambda: {
                "mu": np.zeros((3, 2)), "log_var": np.full((3, 2), 1e-7), "prior_mu": np.zeros(2),
                "prior_log_var": np.zeros(2)}, ("KL",), strict=False)]


# ---- components -----------------------------------------------------------------------------------------------------

def without_signs(arguments, result):
    """S and V^T with the largest entry of each row positive."""
    Vt = np.array(result[1], float)
    if Vt.ndim != 2:
        return {"V^T": Vt}
    signs = np.sign(Vt[np.arange(len(Vt)), np.abs(Vt).argmax(axis=1)])
    return {"V^T": Vt * signs[:, None]}


class Spectrum(Case):
    def outputs(self, result):
        return {"S": super().outputs(result)["S"]}


@asks("from_covariance")
def _():
    def make(N, D, seed=0, n=0):
        X = normal(seed, N, D) * (1 + np.arange(D)) + 3 + np.arange(D)
        return {"root": normal(seed, n, D), "X": X, "mean": X.mean(axis=0)}
    how = dict(names=("S", "V^T"), read=without_signs, rtol=1e-5)
    return [Spectrum(lambda: make(9, 4), sizes={"N": 9, "D": 4}, **how),
            Spectrum(lambda: make(12, 5, 1), sizes={"N": 12, "D": 5}, **how),
            Spectrum(lambda: make(9, 4, 3, n=3), label="with rows in root, which stand above X - mean", **how),
            Spectrum(lambda: {**make(3, 5, 2), "mean": np.arange(5.0)},
                     label="for fewer rows than columns: n + N of them are wanted",
                     **how),
            Spectrum(lambda: {**make(9, 4), "X": make(9, 4)["X"].astype(np.float32)}, label="in float32", names=("S",
                "V^T"),
                     read=without_signs, rtol=1e-3)]


def fitted_pca(z, seed=0, **how):
    return sv.PCA(z.K, **how).fit(normal(seed, 9, z.D) * (1 + np.arange(z.D)) + 2)


def of_pca(a):
    return {"mean_": a["self"].mean_, "components_": a["self"].components_}


@asks("PCA.transform")
def _():
    return simple(lambda z: {"self": fitted_pca(z), "X": 2 + normal(3, z.N, z.D)}, ("the codes",), extra=of_pca) + [
        special("for one row", lambda: {"self": fitted_pca(SimpleNamespace(**ONE)), "X": normal(4, 1, 4)}, ("the codes",
            )),
        special("with whiten=True", lambda: {"self": fitted_pca(SimpleNamespace(**ONE), whiten=True), "X": normal(4, 5,
            4)},
                ("the codes",), extra=lambda a: {"self._scale()": a["self"]._scale()})]


@asks("PCA.inverse_transform")
def _():
    return simple(lambda z: {"self": fitted_pca(z), "Z": normal(3, z.N, z.K)}, ("the points",), extra=of_pca) + [
        special("for one row", lambda: {"self": fitted_pca(SimpleNamespace(**ONE)), "Z": normal(4, 1, 2)},
                ("the points",)),
        special("with whiten=True", lambda: {"self": fitted_pca(SimpleNamespace(**ONE), whiten=True), "Z": normal(4, 5,
            2)},
                ("the points",), extra=lambda a: {"self._scale()": a["self"]._scale()})]


@asks("centred")
def _():
    def make(M, N):
        train = normal(N, N, 2)
        K = np.exp(-((train[:, None] - train) ** 2).sum(axis=2))
        new = np.exp(-((normal(N + 1, M, 2)[:, None] - train) ** 2).sum(axis=2))
        return {"K": new, "rows": K.mean(axis=0), "mean": K.mean()}
    return [Case(lambda n=n: make(*n), ("the centred inner products",), sizes=dict(M=n[0], N=n[1])) for n in ((5, 4),
        (3, 6))]


# ---- layers ---------------------------------------------------------------------------------------------------------

def dense(n_in, n_out):
    layer = Dense(n_in, n_out, rng=rng(n_in), dtype=np.float64)
    layer.theta += normal(7, layer.theta.size)
    layer.grad[:] = BEFORE
    return layer


def filled(arguments, result):
    return {name: getattr(arguments["self"], name).copy() for name in ("dW", "db")}


def of_dense(a):
    return {"W": a["self"].W, "b": a["self"].b}


@asks("Dense.forward")
def _():
    return simple(lambda z: {"self": dense(z.D, z.K), "x": normal(1, z.N, z.D)}, ("y", "the cache"), extra=of_dense) + [
        special("for one example", lambda: {"self": dense(4, 2), "x": normal(1, 1, 4)}, ("y", "the cache"))]


@asks("Dense.backward")
def _():
    def make(z, **more):
        return {"self": dense(z.D, z.K), "dy": normal(1, z.N, z.K), "x": normal(2, z.N, z.D), **more}
    one, how = SimpleNamespace(**ONE), dict(read=filled)
    return simple(make, ("dx",), extra=of_dense, **how) + [
        special("for one example", lambda: make(one), ("dx",), **how),
        special("with need_dx=False", lambda: make(one, need_dx=False), ("dx",), **how)]


def activation(cls, cache):
    def cases():
        def make(z, **more):
            x = normal(1, z.N, z.D, scale=1.5)
            return {"self": cls(), "dy": normal(2, z.N, z.D), **cache(x), **more}
        return simple(make, ("dx",)) + [
            special("with need_dx=False", lambda: make(SimpleNamespace(**ONE), need_dx=False), ("dx",))]
    return cases


ASKED["Tanh.backward"] = activation(sv.Tanh, lambda x: {"y": np.tanh(x)})
ASKED["ReLU.backward"] = activation(sv.ReLU, lambda x: {"mask": x > 0})
ASKED["Sigmoid.backward"] = activation(sv.Sigmoid, lambda x: {"y": 1 / (1 + np.exp(-x))})


@asks("Sigmoid.forward")
def _():
    return simple(lambda z: {"self": sv.Sigmoid(), "x": normal(1, z.N, z.D, scale=1.5)}, ("y", "the cache")) + [
        special("for x of -18, where e^x is small and not 0", lambda: {"self": sv.Sigmoid(), "x": np.array([[-18.0, -17.0]])},
                ("y", "the cache"), rtol=1e-6),
        special("for large x, where e^-x overflows", lambda: {"self": sv.Sigmoid(), "x": np.array([[-1e4, 1e4, 0.0]])},
                ("y", "the cache"), strict=False)]


# ---- learning -------------------------------------------------------------------------------------------------------

@asks("numerical_gradient")
def _():
    def curve(theta):
        return float(np.sum(np.sin(theta) * (1 + np.arange(len(theta)))) + theta[0] * theta[-1])

    held = np.zeros(4)

    def of_held(theta):
        return float(np.sum(held**3))

    def make_held():
        held[:] = [0.3, -1.1, 0.7, 2.0]
        return {"f": of_held, "theta": held}

    def one_sided(a):
        f, theta, h = a["f"], a["theta"], a.get("h", 1e-5)
        sides = {}
        for words, steps in (("", h * np.ones(len(theta))), (" ", h * np.maximum(1, np.abs(theta)))):
            moves = np.diag(steps)
            sides |= {f"the slope to the right (one-sided){words}": [(f(theta + e) - f(theta)) / e.sum()
                                                                     for e in moves],
                      f"the slope to the left (one-sided){words}": [(f(theta) - f(theta - e)) / e.sum() for e in moves]}
        return {name: np.array(slope) for name, slope in sides.items()}

    return [Case(lambda: {"f": curve, "theta": normal(1, 5)}, ("the gradient",), sizes={"P": 5}, extra=one_sided, rtol=1e-6),
            Case(lambda: {"f": curve, "theta": normal(2, 7), "h": 1e-4}, ("the gradient",), sizes={"P": 7},
                 extra=one_sided, rtol=1e-6),
            special("for an f with a large third derivative, where one-sided differences and large steps show",
                    lambda: {
                "f": lambda t: float(np.sum(np.exp(3 * t))), "theta": normal(3, 4)}, ("the gradient",), rtol=1e-7),
            special("where f looks at this very theta, as a model's loss does: move it in place", make_held,
                    ("the gradient",), rtol=1e-6),
            special("for a theta of large numbers, where h must grow with them", lambda: {
                "f": lambda t: float(np.sum(np.sin(t))), "theta": np.array([1e3, -3e4])}, ("the gradient",), rtol=1e-5)]


def steps(cls, n, **how):
    """Arguments of the n-th step of an optimizer, after the library's own n - 1 first ones; its scratch is rubbish."""
    def make():
        theta, optimizer = normal(1, 6), cls(**how)
        gradients = normal(2, n, 6)
        grad = gradients[0].copy()
        for k in range(n):
            grad[:] = gradients[k]
            if k == n - 1:
                optimizer.bind(theta, grad)
                optimizer.t += 1
            else:
                optimizer.step(theta, grad)
        optimizer.scratch[:] = np.nan
        return {"self": optimizer, "theta": theta, "grad": grad}
    return make


def all_steps(cls, cooling=1.0, **how):
    """As `Case.put_to`, but of four steps in turn, all by the function that is asked: it may keep its own moments.

    cooling : lr is multiplied by it after each step, as a callback may do
    """
    class Steps(Case):
        def put_to(self, function, signature, change=None):
            theta, optimizer, out = normal(1, 6), cls(**how), {}
            start = theta.copy()
            grad = np.empty(6)
            for k, g in enumerate(normal(2, 4, 6)):
                grad[:] = g
                optimizer.bind(theta, grad) if k == 0 else None
                optimizer.t += 1
                optimizer.scratch[:] = np.nan
                with np.errstate(all="ignore"):
                    function(optimizer, theta, grad)
                if not np.array_equal(grad, g):
                    out["grad, an argument that must stay as it was"] = np.array(1.0)
                if k in (0, 3):
                    out[f"theta's change after {k + 1} step{'s' * (k > 0)}"] = theta - start
                optimizer.lr *= cooling
            return out
    return Steps


@asks("SGD.update")
def _():
    return [all_steps(sv.SGD, lr=0.07, momentum=0.0)(steps(sv.SGD, 1, lr=0.07), (), sizes={"lr": 0.07, "P": 6}),
            all_steps(sv.SGD, lr=0.23, momentum=0.8)(steps(sv.SGD, 1, lr=0.23, momentum=0.8), (), label="with momentum",
                                                     sizes={"lr": 0.23, "momentum": 0.8, "P": 6}),
            all_steps(sv.SGD, 0.5, lr=0.23, momentum=0.8)(
                steps(sv.SGD, 1, lr=0.23, momentum=0.8), (), label="where the learning rate changes from step to step")]


@asks("Adam.update")
def _():
    return [all_steps(sv.Adam, lr=0.07)(steps(sv.Adam, 1, lr=0.07), (),  # no lr that a function of the betas is, too
                                        sizes={"lr": 0.07, "beta1": 0.9, "beta2": 0.999, "P": 6}),
            all_steps(sv.Adam, lr=0.02, beta1=0.7, beta2=0.9)(steps(sv.Adam, 1, lr=0.02), (), label="with other betas",
                                                            sizes={"lr": 0.02, "P": 6}),
            all_steps(sv.Adam, lr=0.07, eps=0.5)(steps(sv.Adam, 1, lr=0.07), (), label="with a large eps",
                                                 sizes={"lr": 0.07, "P": 6}),
            all_steps(sv.Adam, 0.5, lr=0.07)(steps(sv.Adam, 1, lr=0.07), (),
                                             label="where the learning rate changes from step to step")]


# ---- observation ----------------------------------------------------------------------------------------------------

@asks("sigmoid")
def _():
    return simple(lambda z: {"a": normal(1, z.N, z.D, scale=1.5)}, ("sigmoid(a)",)) + [
        special("for |a| of 18, where e^-|a| is small and not 0", lambda: {"a": np.array([-18.0, -17.0])}, ("sigmoid(a)",),
                rtol=1e-6),
        special("for large a, where e^-a overflows", lambda: {"a": np.array([-1e4, 1e4, 0.0])}, ("sigmoid(a)",),
                strict=False)]


@asks("bernoulli_terms")
def _():
    def make(z, scale=1.5):
        return {"x": np.round(rng(1).random((z.N, z.D))), "a": normal(2, z.N, z.D, scale=scale)}
    names = ("log p", "dlog p/da")

    def terms(arguments):
        x, a = arguments["x"], arguments["a"]
        p = 1 / (1 + np.exp(-a))
        return {"x log p": x * LN(p), "(1 - x) log(1 - p)": (1 - x) * LN(1 - p), "(x - p)^2": (x - p) ** 2,
                "x/p": x / p,
                "(1 - x)/(1 - p)": (1 - x) / (1 - p), "log p": LN(p), "log(1 - p)": LN(1 - p), "x a": x * a,
                "|x - p|": np.abs(x - p)}
    return [*simple(make, names, extra=terms), special("for one example", lambda: make(SimpleNamespace(**ONE)), names),
            special("for S samples, a (S, N, D) beside x (N, D): the sum goes over the last axis", lambda: {
                "x": np.round(rng(1).random((4, 3))), "a": normal(2, 2, 4, 3)}, names),
            special("for logits of 0", lambda: {"x": np.eye(3)[:2], "a": np.zeros((2, 3))}, names),
            special("for logits of 18, where a pixel is sure and wrong", lambda: {
                "x": np.eye(2), "a": 18 - 36 * np.eye(2)}, names, rtol=1e-6),
            special("for logits of thousands, where e^a overflows", lambda: make(SimpleNamespace(**ONE), 1e4), names,
                    strict=False)]


@asks("softmax_terms")
def _():
    names = ("the probabilities", "their logarithms")
    return simple(lambda z: {"a": normal(1, z.N, z.C, scale=1.5)}, names) + [
        special("for logits of thousands: the largest must be taken out first", lambda: {
            "a": np.array([[1e4, 0.0, -1e4], [-2000.0, -2001.0, -2003.0]])}, names)]


# ---- vae ------------------------------------------------------------------------------------------------------------

@asks("reparameterize")
def _():
    def make(z):
        return {"mu": normal(1, z.N, z.K), "log_var": normal(2, z.N, z.K), "eps": normal(3, z.N, z.K)}

    def terms(a):
        lv, eps = a["log_var"], a["eps"]
        return {"sigma eps": np.exp(lv / 2) * eps, "sigma^2 eps": np.exp(lv) * eps, "log_var eps": lv * eps,
                "sigma^4 eps": np.exp(2 * lv) * eps, "softplus(log_var) eps": np.logaddexp(0, lv) * eps,
                "sigma": np.exp(lv / 2),
                "eps/sigma": eps * np.exp(-lv / 2), "mu sigma": a["mu"] * np.exp(lv / 2),
                "sigma eps^2": np.exp(lv / 2) * eps**2,
                "sqrt(softplus(log_var)) eps": np.sqrt(np.logaddexp(0, lv)) * eps, "mu eps": a["mu"] * eps,
                "1/2 log_var eps": lv / 2 * eps}
    return [*simple(make, ("z",), extra=terms),
            special("for S samples, eps (S, N, K)", lambda: {
                **make(SimpleNamespace(**ONE)), "eps": normal(4, 3, 1, 2)}, ("z",), sizes=ONE),
            special("for eps = 0: z is mu", lambda: {**make(SimpleNamespace(**ONE)), "eps": np.zeros((1, 2))}, ("z",))]


@asks("reparameterize_grad")
def _():
    def make(z, S=1):
        return {"dz": normal(1, S, z.N, z.K), "log_var": normal(2, z.N, z.K), "eps": normal(3, S, z.N, z.K)}
    names = ("dmu", "dlog_var")

    def terms(a):
        dz, eps, s = a["dz"], a["eps"], np.exp(a["log_var"] / 2)
        return {"dz sigma eps": dz * eps * s, "dz sigma^2 eps": dz * eps * s * s, "dz eps": dz * eps,
                "dz sigma": dz * s,
                "dz eps log_var": dz * eps * a["log_var"], "dz eps/sigma": dz * eps / s,
                "dz sigma eps^2": dz * eps**2 * s}
    return [*simple(make, names, extra=terms), *(special("for S > 1 samples", lambda z=z: make(SimpleNamespace(**z),
        z["S"]), names, sizes=z)
                                    for z in SIZES),
            special("with dz[None], eps[None]: every sample keeps its own", lambda: {
                k: v if k == "log_var" else v[None] for k, v in make(SimpleNamespace(**SIZES[0]), 2).items()}, names)]


def vae(z, seed=0, beta=1.0, **how):
    model = sv.VAE(z.D, hidden=(z.H,), n_latent=z.K, activation="tanh", beta=beta, rng=rng(seed), dtype=np.float64,
                   **how)
    model.theta += normal(seed, model.theta.size, scale=0.4)
    model.grad[:] = 0
    return model


def binary(z, seed=1):
    return np.round(rng(seed).random((z.N, z.D)))


@asks("VAE.through_z")
def _():
    def make(z, S=1, beta=1.0, labels=None, **how):
        model, eps = vae(z, beta=beta, **how), normal(3, S, z.N, z.K)
        made = model.forward(binary(z), eps, labels)
        return {"self": model, "dlog_px": made.dparams, "log_var": made.log_var, "eps": eps,
                "decoder_cache": made.decoder_cache}
    names, how = ("dmu", "dlog_var"), dict(read=lambda a,
                                           result: {"the decoder's gradient": a["self"].decoder.grad.copy()})
    return [*simple(make, names, **how), *(special("for S > 1 samples", lambda z=z: make(SimpleNamespace(**z), z["S"]),
                                                   names,
                                                   sizes=z, **how) for z in SIZES),
            special("for beta = 0.4", lambda: make(SimpleNamespace(**SIZES[0]), beta=0.4), names, sizes={"beta": 0.4},
                    **how),
            special("for n_classes > 1, as `run DIR conditional` asks: dz has columns of the label, too",
                    lambda z=SimpleNamespace(**SIZES[0]): make(z, labels=np.arange(z.N) % 3, n_classes=3), names,
                    strict=False, **how)]


@asks("VAE.through_kl")
def _():
    def make(z, beta=1.0):
        return {"self": vae(z, beta=beta), "mu": normal(1, z.N, z.K), "log_var": normal(2, z.N, z.K)}
    names = ("dmu", "dlog_var")
    return [*simple(make, names), *(special("for beta = 0.4", lambda z=z: make(SimpleNamespace(**z), 0.4), names,
                                            sizes={**z, "beta": 0.4}) for z in SIZES)]


def all_gradients(arguments, result):
    model = arguments["self"]
    return {"the decoder's gradient": model.decoder.grad.copy(), "the encoder's gradient": model.encoder.grad.copy()}


def four_roads(arguments):
    """The encoder's gradient by each of the four roads alone; they add up to it."""
    model, x, eps = arguments["self"], arguments["x"], arguments["eps"]
    eps = eps.reshape(-1, len(x), model.n_latent)
    made = model.forward(x, eps)
    roads = [*model.through_z(made.dparams, made.log_var, eps, made.decoder_cache), *model.through_kl(made.mu,
        made.log_var)]
    nothing, columns = np.zeros_like(made.mu), []
    for k, road in enumerate(roads):
        model.encoder.backward(np.concatenate([nothing, road] if k % 2 else [road, nothing], axis=1),
                               made.encoder_cache,
                               need_dx=False)
        columns.append(model.encoder.grad.copy())
    return dict(zip(("through z to mu", "through z to log_var", "from the KL to mu", "from the KL to log_var"),
                    columns))


@asks("VAE.forward_backward")
def _():
    def make(z, S=1, beta=1.0, **how):
        return {"self": vae(z, beta=beta, **how), "x": binary(z), "eps": normal(3, S, z.N, z.K)}
    names = ("loss", "elbo", "reconstruction", "kl")
    how = dict(read=all_gradients, roads=four_roads)
    z0, one = SimpleNamespace(**SIZES[0]), SimpleNamespace(**ONE)
    return [*simple(make, names, **how),
            *(special("for S > 1 samples", lambda z=z: make(SimpleNamespace(**z), z["S"]), names, sizes=z, **how)
              for z in SIZES),
            *(special("for beta = 0.4", lambda z=z: make(SimpleNamespace(**z), beta=0.4), names, sizes={**z,
                "beta": 0.4}, **how)
              for z in SIZES),
            special("for one example", lambda: make(one), names, sizes=ONE, **how),
            special("with eps (N, K) for (1, N, K)", lambda: {**make(z0), "eps": normal(3, z0.N, z0.K)}, names, **how),
            special("with labels, for n_classes > 1, as `run DIR conditional` asks", lambda: {
                **make(z0, n_classes=3), "labels": np.arange(z0.N) % 3}, names, read=all_gradients, strict=False),
            special("with rng= instead of eps=", lambda: {"self": vae(z0, n_samples=2), "x": binary(z0), "rng": rng(5)},
                    names,
                    read=all_gradients)]


# ---- evidence -------------------------------------------------------------------------------------------------------

@asks("log_mean_exp")
def _():
    names = ("log mean e^a",)
    def terms(a):
        a = a["a"]
        return {"the largest": a.max(axis=0), "the mean of a": a.mean(axis=0), "the smallest": a.min(axis=0),
                "the sum of a": a.sum(axis=0)}
    return [*simple(lambda z: {"a": normal(1, z.S, z.N)}, names, extra=terms),
            special("for numbers far apart in one column", lambda: {"a": np.array([[0.0, 3], [-2000, 5], [1500, 4]])},
                    names),
            special("along axis=1", lambda: {"a": normal(2, 3, 4), "axis": 1}, names),
            special("for a of -2000, where e^a is 0 to a float: the largest must be taken out first", lambda: {
                "a": normal(3, 4, 3) - 2000}, names),
            special("where each column has a largest of its own", lambda: {"a": normal(3, 4, 3) + [-2000, 0, 1500]},
                    names)]


@asks("shares")
def _():
    names = ("the shares",)
    return [*simple(lambda z: {"log_w": normal(1, z.S, z.N)}, names),
            special("for log_w of -2000, where e^log_w is 0 to a float: the largest must be taken out first", lambda: {
                "log_w": normal(3, 4, 3) - 2000}, names),
            special("for numbers far apart in one column", lambda: {"log_w": np.array([[0.0, 3], [-2000, 5], [1500,
                4]])}, names),
            special("for a single example, (S,)", lambda: {"log_w": normal(2, 4)}, names),
            special("where each column has a largest of its own", lambda: {"log_w": normal(3, 4, 3) + [-2000, 0, 1500]},
                    names)]


@asks("effective_sample_size")
def _():
    names = ("the effective sample size",)
    return [*simple(lambda z: {"log_w": normal(1, z.S, z.N)}, names),
            special("for log_w of -2000, where e^log_w is 0 to a float: the largest must be taken out first", lambda: {
                "log_w": normal(3, 4, 3) - 2000}, names),
            special("where each column has a largest of its own", lambda: {"log_w": normal(3, 4, 3) + [-2000, 0, 1500]},
                    names),
            special("for equal weights: all of them count", lambda: {"log_w": np.full((5, 2), -3.0)}, names)]


@asks("log_weights")
def _():
    def make(z, proposal):
        return {"vae": vae(z), "x": binary(z), "n_samples": z.S, "proposal": proposal, "rng": rng(6)}

    def pieces(a):
        from scratchvae.analysis.evidence import propose
        mu, log_var = a["vae"].encode(a["x"])
        z, log_r = propose(mu, log_var, a["n_samples"], a["proposal"], rng(6))
        return {"log p(x given z)": a["vae"].log_likelihood(a["x"], z), "log r(z)": log_r,
                "log p(z)": sv.gaussian.log_prob(z, 0.0, np.zeros_like(mu)), "log q(z)": sv.gaussian.log_prob(z, mu,
                    log_var),
                "the KL of q": sv.gaussian.kl_standard(mu, log_var)}
    return [*simple(lambda z: make(z, sv.Proposal()), ("log w",), extra=pieces),
            *(special(f"for the proposal {p!r}", lambda p=p: make(SimpleNamespace(**SIZES[0]), p), ("log w",),
                      extra=pieces,
                      sizes=SIZES[0]) for p in (sv.Proposal(widen=1.5), sv.Proposal(prior_share=0.3)))]


# ---- autoregressive -------------------------------------------------------------------------------------------------

@asks("order_mask")
def _():
    orders = ([1, 2, 3, 0], [2, 3, 1, 0, 4])
    return [Case(lambda o=o: {"order": np.array(o)}, ("the mask",), sizes={"D": len(o)}) for o in orders] + [
        special("for the raster order", lambda: {"order": np.arange(4)}, ("the mask",))]


@asks("degree_masks")
def _():
    class Masks(Case):
        def outputs(self, result):
            n = len(self.make()["hidden"]) + 1
            if not isinstance(result, list | tuple) or len(result) != n:
                got = len(result) if isinstance(result, list | tuple) else "something else"
                raise Wrong(f"want a list of {n} masks for {n - 1} hidden layers, got {got}")
            first, *between, last = super().outputs(result).values()
            return {"the first mask": first, "the last mask": last,
                    **{f"mask {k + 2}": mask for k, mask in enumerate(between)}}
    some = ("", [2, 0, 3, 1, 4], (6, 7)), ("", [1, 4, 0, 5, 2, 3], (9, 8)), ("for three hidden layers", [3, 1, 0, 2],
        (5, 6, 7))
    return [Masks(lambda o=o, h=h: {"order": np.array(o), "hidden": h}, tuple(range(len(h) + 1)), sizes={"D": len(o)},
                  label=label)
            for label, o, h in some]


@asks("MaskedDense.backward")
def _():
    def make(z, **more):
        mask = rng(4).random((z.D, z.K)) < 0.6
        layer = MaskedDense(mask, rng=rng(1), dtype=np.float64)
        layer.theta += normal(2, layer.theta.size)
        layer.grad[:] = BEFORE
        return {"self": layer, "dy": normal(1, z.N, z.K), "cache": (normal(2, z.N, z.D), layer.W * layer.mask), **more}
    how = dict(read=filled, extra=lambda a: {"W": a["self"].W, "mask": a["self"].mask, "x": a["cache"][0]})
    return simple(make, ("dx",), **how) + [
        special("with need_dx=False", lambda: make(SimpleNamespace(**ONE), need_dx=False), ("dx",), **how)]


@asks("Autoregressive.forward_backward")
def _():
    def make(z, kind=sv.FVBN, **how):
        model = kind(z.D, rng=rng(1), dtype=np.float64, **how)
        model.theta += normal(2, model.theta.size, scale=0.5)
        return {"self": model, "x": binary(z), "order": 0}
    z0 = SimpleNamespace(**SIZES[0])
    how = dict(read=lambda a, result: {"the gradient": a["self"].grad.copy()})
    return [*simple(lambda z: make(z, sv.MADE, hidden=(5,)), ("loss", "log_prob"), **how),
            special("for the FVBN", lambda: {**make(z0), "order": None}, ("loss", "log_prob"), **how),
            special("with several orders, order=2", lambda: {**make(z0, sv.MADE, hidden=(5,), n_orders=3), "order": 2},
                    ("loss", "log_prob"), **how),
            special("with several orders, drawn from rng", lambda: {
                **make(z0, sv.MADE, hidden=(5,), n_orders=3), "order": None, "rng": rng(1)}, ("loss", "log_prob"),
                    **how),
            special("for one example", lambda: make(SimpleNamespace(**ONE)), ("loss", "log_prob"), **how)]


# ---- sound ----------------------------------------------------------------------------------------------------------

def in_one(seed, *shape):
    return 2 * rng((seed, *shape)).random(shape) - 1


@asks("compress")
def _():
    return [Case(lambda: {"x": in_one(1, 5, 4)}, ("y",), sizes={"mu": 255}),
            Case(lambda: {"x": in_one(2, 6, 3), "mu": 15.0}, ("y",), sizes={"mu": 15}),
            special("at 0 and at +-1", lambda: {"x": np.array([0.0, 1.0, -1.0])}, ("y",)),
            special("for a very quiet sound, where log(1 + mu |x|) loses its digits: log1p keeps them", lambda: {
                "x": np.array([1e-14, -3e-13])}, ("y",), strict=False)]


@asks("expand")
def _():
    return [Case(lambda: {"y": in_one(1, 5, 4)}, ("x",), sizes={"mu": 255}),
            Case(lambda: {"y": in_one(2, 6, 3), "mu": 15.0}, ("x",), sizes={"mu": 15}),
            special("at 0 and at +-1", lambda: {"y": np.array([0.0, 1.0, -1.0])}, ("x",)),
            special("for a very quiet sound, where (1 + mu)^|y| - 1 cancels: expm1 keeps its digits", lambda: {
                "y": np.array([1e-14, -3e-13])}, ("x",), strict=False)]


@asks("quantize")
def _():
    return [Case(lambda: {"y": in_one(1, 5, 4)}, ("the codes",), sizes={"n_codes": 256}),
            Case(lambda: {"y": in_one(2, 6, 7), "n_codes": 16}, ("the codes",), sizes={"n_codes": 16}),
            special("at the ends: y = 1 is in the last step, -1 in the first", lambda: {
                "y": np.array([1.0, -1.0]), "n_codes": 16}, ("the codes",)),
            special("on the edges of steps, which belong to the step farther from 0", lambda: {
                "y": np.array([0.0, 0.25, -0.25, 0.5, -0.5]), "n_codes": 8}, ("the codes",))]


# ---- mixture --------------------------------------------------------------------------------------------------------

def covariances(C, K, seed=0):
    A = normal(seed, C, K, K)
    return A @ np.swapaxes(A, 1, 2) / K + 0.5 * np.eye(K)


@asks("expectation")
def _():
    def make(z):
        return {"Z": normal(1, z.N, z.K), "weights": shares_of_one(2, z.C), "means": normal(3, z.C, z.K),
                "covariances": covariances(z.C, z.K)}
    names = ("r", "log_s")
    return [*simple(make, names), special("for one component", lambda: {
        "Z": normal(1, 5, 2), "weights": np.ones(1), "means": normal(3, 1, 2), "covariances": covariances(1, 2)},
                                          names),
        special("for codes far from all means, where every density is 0 to a float", lambda: {
            **make(SimpleNamespace(**SIZES[0])), "Z": 200 + normal(1, 5, 3)}, names)]


@asks("maximisation")
def _():
    def make(z, floor=0.1):
        return {"Z": normal(1, z.N, z.K), "r": shares_of_one(2, z.N, z.C), "floor": floor * np.eye(z.K)}
    return simple(make, ("the weights", "the means", "the covariances"))
