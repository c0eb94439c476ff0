"""How does a wrong number relate to the right one? Ratios, offsets, axes, places, quantities: no catalogue is needed.

Each function takes what came out (got) and what should have (want) for several cases of different sizes, and gives a
sentence or None. A relation counts only if it holds in all cases, to rounding: then it is no accident.
"""
from itertools import combinations, permutations

import numpy as np

from demos.workbook.calls import close

EXACT = 1e-6
NUMBERS = {-1: "minus what it should be: the sign", 2: "twice what it should be", 0.5: "half of what it should be",
           -2: "minus twice what it should be", -0.5: "minus half of what it should be",
           4: "four times what it should be",
           0.25: "a quarter of what it should be", np.log(2): "log 2 times what it should be (a logarithm to base 2?)",
           1 / np.log(2): "1/log 2 times what it should be (a logarithm to base 2?)",
           1 / np.log(10): "1/log 10 times what it should be (a logarithm to base 10?)"}
MEANING = {"N": "examples", "K": "latents or columns", "D": "features", "S": "samples",
           "H": "hypotheses or hidden units",
           "C": "classes or components", "M": "points", "P": "parameters", "lr": "the learning rate"}


# ---- constants ------------------------------------------------------------------------------------------------------

def constant(values, sizes):
    """The name of the number that `values` are, one for each case, as 1/N or -2 K; None if they have none.

    sizes : for each case, letter -> number
    """
    values = np.array(values, dtype=float)
    if not np.isfinite(values).all():
        return None
    signs = (("", 1), ("-", -1), ("2 ", 2), ("1/2 ", 0.5), ("-1/2 ", -0.5), ("-2 ", -2))
    if np.ptp(values) <= EXACT * np.abs(values).max():
        simple = {0: "0", 1: "1", -1: "-1", 2: "2", -2: "-2", 0.5: "1/2", -0.5: "-1/2", 0.25: "1/4", 4: "4", 3: "3",
                  1.5: "3/2", -1.5: "-3/2", -0.25: "-1/4", np.log(2): "log 2", -np.log(2): "-log 2",
                  0.5 * np.log(2 * np.pi): "1/2 log 2 pi", -0.5 * np.log(2 * np.pi): "-1/2 log 2 pi",
                  np.log(2 * np.pi): "log 2 pi", -np.log(2 * np.pi): "-log 2 pi"}
        for number, name in simple.items():
            if abs(values[0] - number) <= (EXACT * abs(number) or 1e-12):
                return name
    if not sizes or len(values) > 1 and len(set(map(tuple, (sorted(s.items()) for s in sizes)))) < 2:
        return None
    letters = [key for key in sizes[0] if all(key in size for size in sizes)]
    named = {}
    for a in letters:
        n = np.array([size[a] for size in sizes], dtype=float)
        named |= {f"1/{a}": 1 / n, a: n, f"1/{a}^2": 1 / n**2, f"{a}^2": n**2, f"sqrt({a})": n**0.5,
                  f"1/sqrt({a})": n**-0.5,
                  f"{a}/({a} - 1)": n / np.maximum(n - 1, 1e-9), f"({a} - 1)/{a}": (n - 1) / n,
                  f"log {a}": np.log(np.abs(n)),
                  f"{a} log 2 pi": n * np.log(2 * np.pi), f"({a} - 1)": n - 1,
                  f"({a} - 1) log 2 pi": (n - 1) * np.log(2 * np.pi), f"1/(1 - {a})": 1 / np.where(n == 1, np.inf,
                      1 - n),
                  f"log(1 + {a})": np.log1p(np.abs(n)), f"1/log(1 + {a})": 1 / np.log1p(np.abs(n))}
    for a, b in permutations(letters, 2):
        n, m = (np.array([size[x] for size in sizes], dtype=float) for x in (a, b))
        named |= {f"{a}/{b}": n / m}
        if a < b:
            named |= {f"{a} {b}": n * m, f"1/({a} {b})": 1 / (n * m)}
    for sign, factor in signs:
        for name, numbers in named.items():
            if np.all(np.abs(values - factor * numbers) <= EXACT * np.maximum(np.abs(values), 1e-9)):
                return sign + name
    return None


def explained(name):
    """A constant's letters in words: 1/N (N: examples)."""
    words = [f"{a}: {MEANING[a]}" for a in MEANING if a in name.replace("log", "").replace("sqrt",
        "").split("/")[-1].split()
             or a in name.replace("(", " ").replace(")", " ").replace("/", " ").split()]
    return name + (f" ({', '.join(dict.fromkeys(words))})" if words else "")


def ratio(got, want, sizes, unnamed=False):
    """A constant ratio in each case: minus one, 2, 1/N ...; with `unnamed` any, also one that has no name."""
    factors = []
    for g, w in zip(got, want):
        ok = np.abs(w) > 1e-9 * np.abs(w).max(initial=0)
        if not ok.any() or not np.isfinite(g).all():
            return None
        c = float(np.vdot(g.ravel(), w.ravel()) / np.vdot(w.ravel(), w.ravel()))
        if not np.abs(g - c * w).max() <= EXACT * max(np.abs(g).max(), np.abs(w).max()):
            return None
        factors.append(c)
    if max(map(abs, factors)) < 1e-12:
        return "is 0 everywhere: it is never written, or multiplied by 0"
    if np.ptp(factors) <= EXACT * np.abs(factors).max():
        for number, words in NUMBERS.items():
            if abs(factors[0] - number) <= EXACT * abs(number):
                return f"is {words}"
    if name := constant(factors, sizes):
        return f"is {explained(name)} times what it should be"
    if not unnamed:
        return None
    if np.ptp(factors) <= EXACT * np.abs(factors).max():
        return f"is {factors[0]:.6g} times what it should be, in every place"
    return (f"is what it should be times one number in each case ({', '.join(f'{c:.5g}' for c in factors)}): a scale is wrong, "
            "not the formula's form")


def offset(got, want, sizes, unnamed=False):
    """A constant added in each case; with `unnamed` any, also one that has no name."""
    added = []
    for g, w in zip(got, want):
        d = g - w
        if not np.isfinite(d).all() or d.size < 2 or np.ptp(d) > EXACT * max(1e-9, np.abs(w).max(), np.abs(d).max()):
            return None
        added.append(float(d.mean()))
    if not (name := constant(added, sizes)) and not unnamed:
        return None
    told = explained(name) if name else f"{', '.join(f'{c:.6g}' for c in dict.fromkeys(added))}"
    return f"is what it should be plus {told} in every place: a constant term is missing or too many"


# ---- axes and places ------------------------------------------------------------------------------------------------

def letters(shape, sizes):
    """A shape with its axes' letters: (5, 3) = (N, K)."""
    back = {}
    for name, n in sizes.items():
        back.setdefault(n, name)
    text = f"({', '.join(str(n) for n in shape)}{',' if len(shape) == 1 else ''})"
    if shape and all(n in back for n in shape):
        return f"{text} = ({', '.join(back[n] for n in shape)}{',' if len(shape) == 1 else ''})"
    return text


def shape(got, want, sizes):
    """What the shape says: which axis is summed, kept or transposed."""
    g, w, z = got[0], want[0], sizes[0]
    name = {n: letter for letter, n in reversed(z.items())}
    text = f"has shape {letters(g.shape, z)}, want {letters(w.shape, z)}"
    if g.shape == w.shape[::-1] and g.ndim == 2:
        return text + (": it is transposed" if close(g.T, w)
                       else ": as if transposed (and the numbers differ also then)")
    if g.size == w.size and close(g.reshape(w.shape), w):
        return text + ": the numbers are right, and only the axes are not"
    if g.ndim > w.ndim:
        for axes in (c for n in range(1, g.ndim - w.ndim + 2) for c in combinations(range(g.ndim), n)):
            for word, reduce in (("sum", np.sum), ("mean", np.mean)):
                if reduce(g, axis=axes).shape == w.shape and close(reduce(g, axis=axes), w):
                    over = " and ".join(name.get(g.shape[a], str(g.shape[a])) for a in axes)
                    return text + f": the {word} over {over} is missing"
        return text + ": an axis is kept that must be summed over, or comes from broadcasting (N,) with (N, 1)"
    if g.ndim < w.ndim:
        for axes in (c for n in range(1, w.ndim - g.ndim + 2) for c in combinations(range(w.ndim), n)):
            for word, reduce in (("sum", np.sum), ("mean", np.mean)):
                if reduce(w, axis=axes).shape == g.shape and close(reduce(w, axis=axes), g):
                    over = " and ".join(name.get(w.shape[a], str(w.shape[a])) for a in axes)
                    return text + f": you take the {word} over {over}, which must be kept"
        return text + ": an axis is summed over that must be kept"
    if g.ndim == w.ndim == 1 and g.shape != w.shape and g.shape[0] in name and w.shape[0] in name:
        return text + f": one number for each of the {name[w.shape[0]]} is wanted, so the sum goes over the wrong axis"
    return text


def turned(got, want, sizes):
    """A constant times a function of the right numbers."""
    for words, change in (("one over", lambda w: 1 / w), ("the square of", np.square), ("the square root of", np.sqrt),
                          ("the logarithm of", np.log), ("e to the power of", np.exp), ("the size of", np.abs)):
        with np.errstate(all="ignore"):
            other = [change(w) for w in want]
        if all(np.isfinite(o).all() and o.size > 1 and np.ptp(o) > 0 for o in other) and (told := ratio(got, other,
            sizes)):
            return told.replace("what it should be", f"{words} what it should be")
    return None


def ones(got, want):
    """Of arrays of 0 and 1: too many ones, or too few."""
    if not all(np.isin(a, (0, 1)).all() for a in (*got, *want)) or not all(w.ndim == 2 and w.any() for w in want):
        return None
    many, few = (sum(int((a > b).sum()) for a, b in pairs) for pairs in (zip(got, want), zip(want, got)))
    n = sum(w.size for w in want)
    if many and few:
        return f"has a 1 where 0 belongs in {many} of {n} places, and a 0 where 1 belongs in {few}"
    return (f"lets too much through: a 1 where 0 belongs, in {many} of {n} places, and all that belong" if many else
            f"lets too little through: a 0 where 1 belongs, in {few} of {n} places; no 1 is wrong")


def codes(got, want):
    """Of whole numbers: by how much they are off."""
    if not all((a == np.round(a)).all() for a in (*got, *want)) or all(np.isin(w, (0, 1)).all() for w in want):
        return None
    d = np.concatenate([(g - w).ravel() for g, w in zip(got, want)])
    return f"is off by {d.min():.0f} to {d.max():.0f}, and right in {np.mean(d == 0):.0%} of the places"


def places(got, want, sizes, inputs):
    """Right in some places and wrong in others: which."""
    wrong = [np.abs(g - w) > EXACT * max(np.abs(w[np.isfinite(w)]).max(initial=0), 1e-12) for g, w in zip(got, want)]
    wrong = [np.where(np.isfinite(w), bad | ~np.isfinite(g), bad & (g != w)) for g, w, bad in zip(got, want, wrong)]
    share = float(np.mean([bad.mean() for bad in wrong]))
    if not 0 < share < 1:
        return None
    for name in inputs[0]:
        a = [one[name] for one in inputs]
        if all(np.shape(x) == w.shape for x, w in zip(a, wrong)):
            for words, rule in (("negative", lambda x: x < 0), ("positive", lambda x: x > 0), ("0", lambda x: x == 0),
                                ("not 0", lambda x: x != 0), ("larger than 1 in size", lambda x: np.abs(x) > 1),
                                ("positive or 0", lambda x: x >= 0)):
                places = [rule(x) for x in a]
                if all(np.array_equal(w, p) for w, p in zip(wrong, places)):
                    return f"is right but where {name} is {words}: there it is wrong"
    for words, rule in (("on the diagonal", lambda s: np.eye(*s, dtype=bool) if len(s) == 2 else None),
                        ("above the diagonal", lambda s: np.triu(np.ones(s, bool), 1) if len(s) == 2 else None),
                        ("below the diagonal", lambda s: np.tril(np.ones(s, bool), -1) if len(s) == 2 else None),
                        ("off the diagonal", lambda s: ~np.eye(*s, dtype=bool) if len(s) == 2 else None),
                        ("in the first row", lambda s: at(s, 0, 0)), ("in the last row", lambda s: at(s, 0, -1)),
                        ("but in the first row", lambda s: not_at(s, 0, 0)), ("but in the last row",
                            lambda s: not_at(s, 0, -1)),
                        ("in the first column", lambda s: at(s, -1, 0)), ("in the last column",
                            lambda s: at(s, -1, -1)),
                        ("but in the first column", lambda s: not_at(s, -1, 0)),
                        ("but in the last column", lambda s: not_at(s, -1, -1))):
        masks = [rule(w.shape) if w.ndim else None for w in wrong]
        if all(m is not None and np.array_equal(m, w) for m, w in zip(masks, wrong)):
            return f"is wrong {words} and right elsewhere"
    rows = [w.reshape(len(w), -1).any(axis=1) if w.ndim else w for w in wrong]
    first = [int(r.argmax()) if r.any() else 0 for r in rows]
    if all(w.ndim and len(w) > 2 for w in wrong) and len(set(first)) == 1 and 0 < first[0] and all(r[first[0]:].all()
        for r in rows):
        return f"is right in its first {first[0]} rows and wrong from then on"
    return None


def at(shape, axis, index):
    mask = np.zeros(shape, bool)
    np.moveaxis(mask, axis, 0)[index] = True
    return mask


def not_at(shape, axis, index):
    return ~at(shape, axis, index)


def rearranged(got, want, sizes):
    """The right numbers in other places, or a function of them."""
    for words, change in (
            ("is transposed", lambda w: w.T if w.ndim == 2 else w), ("is in the reverse order",
                                                                     lambda w: w[::-1] if w.ndim else w),
            ("has its columns in the reverse order", lambda w: w[..., ::-1] if w.ndim > 1 else w),
            ("is the inverse order", lambda w: np.argsort(w) if w.ndim == 1 else w),
            ("is the opposite: 1 where 0 belongs, and 0 for 1 (1 minus what it should be)", lambda w: 1 - w),
            ("is the tanh of what it should be", np.tanh),
            ("is the sigmoid of what it should be", lambda w: 0.5 + 0.5 * np.tanh(0.5 * w)),
            ("is the logarithm of what it should be", lambda w: np.log(w)), ("is e to the power of what it should be",
                np.exp),
            ("is the square of what it should be", np.square), ("is the square root of what it should be", np.sqrt),
            ("is one over what it should be", lambda w: 1 / w), ("is the absolute value of what it should be", np.abs),
            ("is what it should be, cut off at 0 from below", lambda w: np.maximum(w, 0)),
            ("is what it should be, rounded to an integer", np.round), ("is what it should be, rounded down", np.floor),
            ("is what it should be times itself being 1 less: w (w - 1)", lambda w: w * (w - 1)),
            ("is averaged over all rows", lambda w: np.broadcast_to(w.mean(axis=0), w.shape) if w.ndim else w),
            ("is the average of all, in every place", lambda w: np.full(w.shape, w.mean())),
            ("is the sum of all, in every place", lambda w: np.full(w.shape, w.sum())),
            ("is cumulated over the rows", lambda w: np.cumsum(w, axis=0) if w.ndim else w),
            ("is not normalised: divided by its sum along the last axis it is right", -1),
            ("is not normalised: divided by its sum along the first axis it is right", 0),
            ("is normalised to the sum 1, which it must not be", lambda w: w / w.sum(axis=-1, keepdims=True) if w.ndim
             else w),
            ("has every row shifted by one", lambda w: np.roll(w, 1, axis=0) if w.ndim else w),
            ("has every row shifted by one", lambda w: np.roll(w, -1, axis=0) if w.ndim else w)):
        with np.errstate(all="ignore"):
            if isinstance(change, int):
                if all(g.ndim and close(g / g.sum(axis=change, keepdims=True), w) for g, w in zip(got, want)):
                    return words
            elif all(close(g, change(w)) for g, w in zip(got, want)):
                return words
    return None


# ---- quantities -----------------------------------------------------------------------------------------------------

def quantities(inputs):
    """Name -> array: the arguments and simple functions of them, under the names that the formulas use."""
    known = {}
    for name, a in inputs.items():
        a = np.asarray(a)
        if a.dtype.kind not in "biuf" or a.size == 0 or a.ndim > 4:
            continue
        a = a.astype(np.float64)
        known[name] = a
        if not name.isidentifier():
            continue
        with np.errstate(all="ignore"):
            if "log_var" in name:
                s = name.replace("log_var", "sigma")
                known |= {s: np.exp(0.5 * a), f"{s}^2": np.exp(a), f"{s}^4": np.exp(2 * a), f"1/{s}": np.exp(-0.5 * a),
                          f"1/{s}^2": np.exp(-a), f"log(1 + {s}^2)": np.logaddexp(0, a), f"{name}^2": a * a}
            elif name.startswith("log"):
                known |= {f"e^{name}": np.exp(a)}
            else:
                known |= {f"{name}^2": a * a, f"|{name}|": np.abs(a), f"1 - {name}": 1 - a, f"1/{name}": 1 / a,
                          f"1 + {name}": 1 + a, f"e^{name}": np.exp(a),
                          f"e^-{name}": np.exp(-a), f"{name}^3": a**3, f"sqrt({name})": np.sqrt(a),
                          f"log({name})": np.log(a),
                          f"tanh({name})": np.tanh(a), f"sigmoid({name})": 0.5 + 0.5 * np.tanh(0.5 * a),
                          f"log(1 + e^{name})": np.logaddexp(0, a), f"1 - {name}^2": 1 - a * a,
                          f"{name} (1 - {name})": a * (1 - a),
                          f"sigmoid'({name})": 0.25 - 0.25 * np.tanh(0.5 * a) ** 2}
    return {name: a for name, a in known.items() if np.isfinite(a).all()}


def fitted_to(a, shape):
    """(how, array of this shape) for all ways to make one of a: as it is, or summed over the axes that are too many."""
    try:
        if a.ndim <= len(shape):
            yield "", np.broadcast_to(a, shape)
        elif shape and a.shape[1:] == shape:
            yield "the first row of ", a[0]
    except ValueError:
        pass
    if a.ndim > len(shape) or a.shape != shape:
        for n in range(1, a.ndim + 1):
            for axes in combinations(range(a.ndim), n):
                reduced = a.sum(axis=axes)
                if reduced.shape == shape:
                    yield "the sum of ", reduced


def aligned(inputs, want):
    """Name -> its array in each case, for the quantities that have want's shape in all."""
    per_case = []
    for one, w in zip(inputs, want):
        here = {}
        for name, a in quantities(one).items():
            for how, array in fitted_to(a, w.shape):
                here.setdefault(how + name, array)
        per_case.append(here)
    return {name: [here[name] for here in per_case] for name in per_case[0] if all(name in here for here in per_case)}


def replaced(got, want, inputs):
    """Just one of the quantities comes out."""
    for name, arrays in aligned(inputs, want).items():
        for words, c in (("", 1.0), ("minus ", -1.0), ("twice ", 2.0), ("half of ", 0.5)):
            if all(close(g, c * a) for g, a in zip(got, arrays)):
                return f"is just {words}{name}"
    return None


def nearly(got, want):
    """Almost right."""
    size = max(np.abs(w[np.isfinite(w)]).max(initial=0) for w in want)
    gap = max(np.abs(g - w)[np.isfinite(w)].max(initial=0) for g, w in zip(got, want))
    if gap < 0.02 * size:
        return (f"is nearly right, off by up to {gap / size:.1g} of its size: a step, an epsilon or a clip that is too large, an "
                "approximation, or too few digits")
    return None


def factor(got, want, inputs):
    """Right but for a factor that is one of the quantities."""
    for name, arrays in aligned(inputs, want).items():
        if all(np.ptp(a) < 1e-9 for a in arrays):
            continue
        for words, c in (("", 1.0), ("minus ", -1.0), ("twice ", 2.0), ("half of ", 0.5)):
            with np.errstate(all="ignore"):
                if all(close(g, c * a * w) for g, a, w in zip(got, arrays, want)):
                    return f"has the factor {words}{name} too many"
                if all(np.abs(w).max(initial=0) > 0 and close(g * a, c * w) for g, a, w in zip(got, arrays, want)):
                    return f"lacks the factor {name}" if c == 1 else f"lacks the factor {name}, and is {words}that"
    return None


def powers(got, want, sizes, inputs):
    """Right but for a product of powers of one or two quantities."""
    if not all(g.shape == w.shape and g.size > 3 for g, w in zip(got, want)):
        return None
    ok = [(np.abs(g) > 0) & (np.abs(w) > 0) & np.isfinite(g) for g, w in zip(got, want)]
    if not all(k.mean() > 0.5 and np.array_equal(g == 0, w == 0) for k, g, w in zip(ok, got, want)):
        return None
    target = [np.log(np.abs(g[k] / w[k])) for g, w, k in zip(got, want, ok)]
    bases = {}
    for name, arrays in aligned(inputs, want).items():
        if all((np.abs(a[k]) > 1e-12).all() for a, k in zip(arrays, ok)):
            logs = [np.log(np.abs(a[k])) for a, k in zip(arrays, ok)]
            if any(np.ptp(each) > 1e-6 for each in logs) and "^" not in name:
                bases[name] = logs
    for n in (1, 2):
        for chosen in combinations(list(bases)[:40], n):
            found = [fit([bases[name][i] for name in chosen] + [np.ones(len(t))], t, 1e-6) for i,
                     t in enumerate(target)]
            if any(f is None for f in found):
                continue
            exponents = np.array(found)[:, :n]
            if np.ptp(exponents, axis=0).max() > 1e-5 or not np.allclose(2 * exponents[0], np.round(2 * exponents[0]),
                atol=1e-4):
                continue
            number = constant(np.exp([f[n] for f in found]), sizes)
            if number and not np.allclose(exponents[0], 0) and np.abs(exponents).max() < 4.1:
                told = " ".join(name if e == 1 else f"({name})^{e:g}" for name, e in zip(chosen,
                    np.round(2 * exponents[0]) / 2) if e)
                return f"is what it should be times {'' if number == '1' else number + ' '}{told}" + (
                    ", but for signs" if any((np.sign(g) != np.sign(w)).any() for g, w in zip(got, want)) else "")
    return None


def added(got, want, sizes, inputs):
    """Right but for one to three quantities added, each a constant times."""
    gap = [g - w for g, w in zip(got, want)]
    if not all(np.isfinite(d).all() for d in gap) or sum(d.size for d in gap) < 4:
        return None
    known = {"1": [np.ones(w.shape) for w in want], "itself": list(want), **aligned(inputs, want)}
    names = [name for name, arrays in known.items() if all(np.abs(a).max() < 1e6 for a in arrays)][:70]
    first = [name for name in names if name == "1" or " " in name.replace("the sum of ", "") or "sigma" in name][:14]
    for n in (1, 2, 3):
        for chosen in combinations(names if n < 3 else first, n):
            if sum(d.size for d in gap) < 3 * n or min(d.size for d in gap) < n + 1:
                continue
            found = [fit([known[name][k] for name in chosen], d) for k, d in enumerate(gap)]
            if any(f is None for f in found):
                continue
            numbers = [constant([f[i] for f in found], sizes) for i in range(n)]
            if all(numbers) and "0" not in numbers:
                return sentence(chosen, numbers)
    return None


def fit(columns, d, exact=None):
    """Coefficients with which the columns add up to d, exactly; None if they cannot."""
    A, b = np.stack([c.ravel() for c in columns], axis=1), d.ravel()
    if len(columns) > 2 or exact:
        c, _, rank, _ = np.linalg.lstsq(A, b, rcond=1e-9)
        if rank < len(columns) and not exact:
            return None
    elif len(columns) == 1:
        norm = A[:, 0] @ A[:, 0]
        c = np.array([A[:, 0] @ b / norm]) if norm > 0 else np.zeros(1)
    else:
        G = A.T @ A
        det = G[0, 0] * G[1, 1] - G[0, 1] ** 2
        if det <= 1e-9 * G[0, 0] * G[1, 1]:
            return None
        h = A.T @ b
        c = np.array([G[1, 1] * h[0] - G[0, 1] * h[1], G[0, 0] * h[1] - G[0, 1] * h[0]]) / det
    return c if np.abs(A @ c - b).max() <= (exact or EXACT * np.abs(b).max()) else None


def sentence(names, numbers):
    """What an addend of one or two quantities says."""
    def term(name, number):
        number = "" if number == "1" else "-" if number == "-1" else number + " "
        return f"{number}{name}" if name != "1" else (number.strip() or "1").replace("-", "-1") if number in ("",
            "-") else number.strip()
    told = " + ".join(term(name, number) for name, number in zip(names, numbers)).replace("+ -", "- ")
    extra = ""
    if len(names) == 2 and "itself" not in names and numbers[0].lstrip("-") == numbers[1].lstrip("-") and (
            numbers[0].startswith("-") != numbers[1].startswith("-")):
        extra = f": {names[0]} and {names[1]} are taken for each other"
    return f"is off by {told}" + extra
