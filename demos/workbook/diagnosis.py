"""Which mistake is it? What came out of a student's function, against what should have, in a fixed order of questions.

Does it run; is the shape right; is an argument changed, or a view replaced; are the numbers those of a catalogued mistake;
how do they relate to the right ones; for the VAE, on which of its roads; are they those of other arguments; is it right on
ordinary cases and wrong on special ones; else the smallest case that shows it, and the identity that fails.
"""
import sys

import numpy as np

from demos.catalogue_of_mistakes import MISTAKES, find, plant
from demos.workbook import relations
from demos.workbook.blanks import BLANKS
from demos.workbook.calls import BEFORE, Wrong, agree, close, signature_of
from demos.workbook.identities import broken

READ_AS = {  # (argument, change) -> words
    ("log_var", "twice"): "log_var is read as log sigma, where it is log sigma^2",
    ("log_var", "half"): "log_var is halved: the standard deviation is used where the variance belongs",
    ("log_var", "log"): "log_var is read as the variance sigma^2, where it is its logarithm",
    ("log_var", "twice the log"): "log_var is read as sigma, where it is log sigma^2",
    ("log_var", "minus"): "log_var has the sign turned: 1/sigma^2 where sigma^2 belongs",
    ("log_var", "0"): "log_var is not used, as if it were 0",
    ("log_var", "softplus"): "sigma^2 is the softplus of log_var, where it is its exponential",
    ("eps", "0"): "eps is not used, as if it were 0",
    ("eps", "size"): "the sign of eps is lost",
    ("mu", "0"): "mu is not used, as if it were 0",
}
CHANGES = (("twice", "twice {}", lambda a: 2 * a), ("half", "half of {}", lambda a: a / 2), ("minus", "minus {}",
    lambda a: -a),
           ("0", "{} = 0", lambda a: 0 * a), ("1", "{} = 1", lambda a: 0 * a + 1), ("size", "|{}|", np.abs),
           ("square", "{}^2", np.square), ("log", "log |{}|", lambda a: np.log(np.abs(a))),
           ("twice the log", "2 log |{}|", lambda a: 2 * np.log(np.abs(a))), ("exp", "e^{}", np.exp), ("root",
               "sqrt |{}|", lambda a: np.sqrt(np.abs(a))),
           ("softplus", "log softplus of {}", lambda a: np.log(np.logaddexp(0, a))), ("other", "1 - {}",
               lambda a: 1 - a),
           ("one over", "1/{}", lambda a: 1 / a), ("centred", "{} less its mean over the rows", lambda a: a
                                                   - a.mean(axis=0)),
           ("centred all", "{} less its own mean", lambda a: a - a.mean()),
           ("first", "the first row of {} for all", lambda a: np.broadcast_to(a[:1], a.shape).copy()),
           ("sample mean", "{} averaged over its first axis", lambda a: np.broadcast_to(a.mean(axis=0),
               a.shape).copy()),
           ("turned", "the transpose of {}", lambda a: np.ascontiguousarray(a.T)),
           ("reversed", "{} in the reverse order", lambda a: a[::-1].copy()), ("sigmoid", "sigmoid({})",
               lambda a: 0.5 + 0.5 * np.tanh(0.5 * a)),
           ("tanh", "tanh({})", np.tanh), ("inverse order", "the positions in {}", np.argsort),
           ("sign", "the sign of {}", np.sign), ("first step", "{} + 1", lambda a: a + 1), ("one less", "{} - 1",
               lambda a: a - 1))


LATER = "the first step is right"


class Failed(Exception):
    """The student's function raised an error."""

    def __init__(self, error, case):
        self.error, self.where = error, f" ({case.label})" if case.label else ""


class Answers:
    """What the library and the student give to the cases of a blank.

    right : the library's function      student : one that calls the student's      cases : the ordinary ones first
    """

    def __init__(self, right, student, cases):
        self.right, self.student, self.cases, self.signature = right, student, cases, signature_of(right)
        self.want = [case.put_to(right, self.signature) for case in cases]
        self.got = []

    def ask(self):
        """Put the cases to the student's function, one after another; the text of what is wrong, or None."""
        for case, want in zip(self.cases, self.want):
            try:
                got = case.put_to(self.student, self.signature)
            except Wrong as error:
                return f"{error}{where(case)}"
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # whatever a student's function may raise, SystemExit among it
                if not case.strict and isinstance(error, ArithmeticError | ValueError | TypeError):
                    got = {name: np.full_like(value, np.nan) for name, value in want.items()}
                else:
                    raise Failed(error, case) from None
            self.got.append(got)
            if changed := [name for name in got if name not in want and "must stay" in name]:
                name = changed[0].partition(",")[0]
                return (f"{name} is changed in place{where(case)}: the caller still needs it as it was; work on a new array, or put it "
                        "back to the last bit")
        return None

    def wrong(self):
        """The indices of the strict cases that fail."""
        return [k for k, (case, want, got) in enumerate(zip(self.cases, self.want, self.got))
                if case.strict and not agree(got, want, case.rtol)]

    def once_more(self):
        """Right so far, and on the next call? What it keeps between calls, or hands out twice; or None."""
        case, first = self.cases[0], self.got[0]
        again = case.put_to(self.student, self.signature)
        if not agree(again, first, case.rtol):
            return "right on the first call and wrong on a later one: it keeps something between calls"
        if type(case).put_to is type(case).__mro__[-2].put_to and len(self.cases) > 1:
            kept = []

            def keep(*arguments, **named):
                kept.append(self.student(*arguments, **named))
                return kept[-1]
            case.put_to(keep, self.signature)
            before = case.outputs(kept[0])
            self.cases[1].put_to(self.student, self.signature)
            if not agree(case.outputs(kept[0]), before, 1e-12):
                return "the next call changes what this one returned: both are one and the same array; return a new one"
        return None

    def remark(self):
        """What is not wrong and yet worth a word, of the first case that is not strict and fails."""
        for case, want, got in zip(self.cases, self.want, self.got):
            if not case.strict and not agree(got, want, case.rtol):
                return f"a remark: it is not exact {case.label}"
        return None


def where(case):
    return f", {case.label}" if case.label else ""


def diagnose(answers, blank):
    """What is wrong with answers that have come out and are not right: a line or two."""
    text = said_of(answers, blank)
    for name in {name for want in answers.want for name in want if name.startswith("the ") and name.endswith("s")}:
        for one, many in (("is", "are"), ("has", "have"), ("does", "do"), ("depends", "depend"), ("lacks", "lack")):
            text = text.replace(f"{name} {one} ", f"{name} {many} ")
    return text


def said_of(answers, blank):
    """The diagnosis, in words that do not care for plurals."""
    bad = answers.wrong()
    ordinary = [k for k, case in enumerate(answers.cases) if not case.label and case.strict]
    group = [k for k in bad if k in ordinary] or same_label(answers, bad)
    special = not any(k in ordinary for k in bad)
    before = f"right on ordinary cases, and wrong {answers.cases[group[0]].label}\n" if special else ""
    if shapes := wrong_shapes(answers, group):
        return before + shapes
    if not agree(answers.cases[group[0]].put_to(answers.student, answers.signature), answers.got[group[0]], 1e-9):
        return (f"{wrong_outputs(answers, group)}, and other numbers come with every call for the same arguments: it draws "
                "noise of its own, or keeps something between calls")
    if all(agree(answers.got[k], answers.want[k], 1e-6) for k in group):  # too near to be another formula's
        return before + related(answers, group, lambda name, got, want, sizes, inputs: relations.nearly(got, want))
    told = (catalogued(answers, blank, group) or by_roads(answers, bad) or related(answers, group, simple_relation)
            or by_other_arguments(answers, group) or by_another(answers, group, blank) or related(answers, group,
                any_relation)
            or by_dependence(answers, group)
            or related(answers, group, last_relation))
    if special:
        return before + (told or smallest(answers, group)).replace("\n", "; ")
    if told:
        return told
    identity = broken(blank.name, answers.student)
    return f"{wrong_outputs(answers, group)}; {smallest(answers, group)}" + (f"\nit must be true that {identity}"
        if identity else "")


def same_label(answers, bad):
    """Of the failing special cases those of the first one's kind."""
    label = answers.cases[bad[0]].label
    return [k for k in bad if answers.cases[k].label == label]


def outputs_wrong(answers, group):
    """Names of the outputs that are wrong in some case of the group, and of those that are right in all."""
    names = list(answers.want[group[0]])
    wrong = [name for name in names if any(name not in answers.got[k] or not close(
        answers.got[k][name], answers.want[k][name], answers.cases[k].rtol) for k in group)]
    return wrong, [name for name in names if name not in wrong]


def listed(names):
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def but(right):
    return f" ({listed(right)} {'is' if len(right) == 1 else 'are'} right)" if right else ""


def wrong_outputs(answers, group):
    wrong, right = outputs_wrong(answers, group)
    return f"{listed(wrong)} {'is' if len(wrong) == 1 else 'are'} wrong" + (f", {listed(right)} right" if right else "")


def wrong_shapes(answers, group):
    """Of the first output whose form is wrong."""
    k = group[0]
    for name, want in answers.want[k].items():
        got = answers.got[k].get(name)
        if got is None:
            return f"want {listed(list(answers.want[k]))}, got {listed(list(answers.got[k]))}"
        if (got.dtype == object) != (want.dtype == object):
            return (f"{name} is nothing, want an array {want.shape} (is there a `return`?)" if got.dtype == object
                    else f"{name} is an array, where None is wanted")
        if got.shape != want.shape:
            case = answers.cases[k]
            return f"{name} {relations.shape([got], [want], [case.sizes])}"
        if np.isnan(got.astype(float)).any() and np.isfinite(want.astype(float)).all():
            return f"{name} has NaN: from 0/0, inf - inf, or the logarithm or root of a negative number"
    return None


def catalogued(answers, blank, group):
    """(a) The catalogued mistake that gives the same numbers in all cases."""
    probe, met = answers.wrong()[0], set()
    sys.setprofile(lambda frame, event, _: met.add(frame.f_code))
    try:
        answers.cases[probe].put_to(answers.right, answers.signature)
    finally:
        sys.setprofile(None)
    planted_in = {id(m): {place for place, _, _ in m.edits} for m in MISTAKES}
    near = [m for m in MISTAKES if any(find(place).__code__ in met for place in planted_in[id(m)])]
    for mistake in sorted(near, key=lambda m: blank.where not in planted_in[id(m)]):  # those in the function itself first
        try:
            with plant(mistake):
                if not agree(answers.cases[probe].put_to(answers.right, answers.signature), answers.got[probe], 1e-6):
                    continue
                planted = [case.put_to(answers.right, answers.signature) for case in answers.cases]
        except Exception:  # a planted mistake may fail in any way
            continue
        if all(agree(a, b, 1e-5) for a, b, case in zip(planted, answers.got, answers.cases) if case.strict):
            name = mistake.name.removesuffix(f" ({blank.name})")
            relation = related(answers, group, simple_relation)
            return f"a well-known mistake: {name}\n{relation + '; ' if relation else ''}what one sees of it: {mistake.look}"
    return None


def by_roads(answers, bad):
    """(c) The encoder's gradient of a VAE as a sum of its four roads: the coefficients are the diagnosis."""
    name = "the encoder's gradient"
    found = []
    for k in bad:
        case, got, want = answers.cases[k], answers.got[k], answers.want[k]
        if not case.roads or not case.sizes:
            continue
        if name not in got or got[name].shape != want[name].shape:
            return None
        if any(not close(got[n], want[n]) for n in want if n != name):
            return None
        roads = case.roads(case.make())
        A = np.stack(list(roads.values()), axis=1)
        c, *_ = np.linalg.lstsq(A, got[name], rcond=None)
        if not np.abs(A @ c - got[name]).max() <= 1e-6 * np.abs(got[name]).max(initial=1e-12):
            return None
        found.append(c)
    if not found:
        return None
    sizes, parts = [answers.cases[k].sizes for k in bad if answers.cases[k].roads and answers.cases[k].sizes], []
    for i, road in enumerate(roads):
        values = [c[i] for c in found]
        if np.allclose(values, 1, atol=1e-5):
            continue
        if np.allclose(values, 0, atol=1e-5):
            parts.append(f"the road {road} is missing")
        elif number := relations.constant(np.round(values, 6), sizes):
            parts.append(f"the road {road} counts {relations.explained(number)} times")
        else:
            parts.append(f"the road {road} counts {', '.join(f'{v:.4g}' for v in values[:3])} times")
    return f"{name} is wrong: {'; '.join(parts)}; the rest is right" if parts else None


def inputs_of(answers, group):
    """For each case the arguments that are numbers, by name, and what its `extra` adds."""
    found = []
    for k in group:
        case = answers.cases[k]
        arguments = case.make()
        numbers = {n: a for n, a in arguments.items() if isinstance(a, np.ndarray | float | int) and not isinstance(a,
            bool)}
        found.append(numbers | (case.extra(arguments) if case.extra else {}))
    return found


def related(answers, group, relation):
    """(b) The relation of the first wrong output to the right one; the same one of all others is told with it."""
    wrong, right = outputs_wrong(answers, group)
    inputs = inputs_of(answers, group)
    sizes = [sizes_met(answers.cases[k].sizes, one, answers.want[k]) for k, one in zip(group, inputs)]
    told = {}
    if "theta's change after 1 step" in right:
        sizes = [{**size, LATER: 1} for size in sizes]
    for name in wrong:
        got = [answers.got[k][name].astype(float) for k in group]
        want = [answers.want[k][name].astype(float) for k in group]
        if all(g.shape == w.shape for g, w in zip(got, want)):
            told[name] = relation(name, got, want, sizes, inputs)
    if swapped := swapped_outputs(answers, group, wrong):
        return swapped
    known = {name: sentence for name, sentence in told.items() if sentence}
    if not known:
        return None
    first = next(iter(known.values()))
    alike = [name for name in known if known[name] == first]
    others = [name for name in wrong if name not in alike]
    text = f"{listed(alike)} {first}" if len(alike) == 1 else f"each of {listed(alike)} {first}"
    text += "".join(f"; {name} {known[name]}" for name in others[:2] if name in known)
    return text + but(right)


def sizes_met(sizes, inputs, outputs):
    """The sizes that an argument or a result has: no other number can be meant."""
    met = {n for a in [*inputs.values(), *outputs.values()] for n in np.shape(a)}
    return {name: n for name, n in sizes.items() if n in met or not name.isupper() or len(name) > 1}


def simple_relation(name, got, want, sizes, inputs):
    """What one sees without looking for long."""
    if name.startswith("theta's change") and all(not g.any() for g in got):
        return "is 0: theta is never written; `theta = theta - ...` makes a new array, and the caller's stays as it was"
    if "4 steps" in name and LATER in sizes[0]:
        return ("is wrong, though the first step is right: what must be kept from step to step is not, or is kept otherwise than "
                "the next step reads it")
    if name in ("dW", "db"):
        if all((g == BEFORE).all() for g in got):
            return (f"is never written: fill the array that is there, as self.{name}[...] = ..., or give it as out=; another array "
                    "of that name would not be seen")
        if all(close(g - BEFORE, w) for g, w in zip(got, want)):
            return "still has in it what was there before the call: it adds (+=) where it must overwrite"
    if all(np.isfinite(w).all() for w in want) and any(not np.isfinite(g).all() for g in got):
        return "has infinities or NaN: something overflows or is divided by 0"
    return (relations.ratio(got, want, sizes) or relations.offset(got, want, sizes) or relations.rearranged(got, want,
        sizes)
            or relations.factor(got, want, inputs) or relations.replaced(got, want, inputs) or relations.turned(got,
                want, sizes))


def any_relation(name, got, want, sizes, inputs):
    """What takes a search."""
    return (relations.powers(got, want, sizes, inputs) or relations.added(got, want, sizes, inputs)
            or relations.places(got, want, sizes, inputs))


def last_relation(name, got, want, sizes, inputs):
    """What has no name."""
    return (relations.ratio(got, want, sizes, unnamed=True) or relations.offset(got, want, sizes, unnamed=True)
            or relations.ones(got, want) or relations.codes(got, want) or relations.nearly(got, want))


def swapped_outputs(answers, group, wrong):
    """Two results in each other's place."""
    for a in wrong:
        for b in wrong:
            if a < b and all(close(answers.got[k][a], answers.want[k][b]) and close(answers.got[k][b],
                answers.want[k][a])
                             for k in group):
                return f"{a} and {b} are in each other's place"
    return None


def by_other_arguments(answers, group):
    """The right answer to another question: an argument read as something else, or two of them swapped."""
    got = [answers.got[k] for k in group]

    def gives(change):
        try:
            for k, g in zip(group, got):
                other = answers.cases[k].put_to(answers.right, answers.signature, change)
                other = {n: v for n, v in other.items() if "must stay" not in n}
                if not agree(other, g, 1e-6):
                    return False
            return True
        except Exception:
            return False

    arguments = answers.cases[group[0]].make()
    arrays = [n for n, a in arguments.items() if isinstance(a, np.ndarray) and a.dtype.kind in "fiub"]
    for n, name in enumerate(arrays):
        for other in arrays[n + 1:]:
            if arguments[name].shape == arguments[other].shape and gives(
                    lambda a, x=name, y=other: {**a, x: a[y], y: a[x]}):
                return f"{name} and {other} are in each other's place"
        for key, words, change in CHANGES:
            if gives(lambda a, x=name, c=change: {**a, x: c(a[x])}):
                return READ_AS.get((name, key)) or f"this is the right answer for {words.format(name)} in the place of {name}"
    knobs = [n for n, a in arguments.items() if isinstance(a, float | int) and not isinstance(a, bool)]
    parts = {f"{n}.{field}": (n, field) for n, a in arguments.items() for field in getattr(a, "_fields", ())
             if isinstance(getattr(a, field), float)}
    for text, (name, field) in parts.items():
        for key, words, change in CHANGES[:8]:
            if gives(lambda a: {**a, name: a[name]._replace(**{field: float(change(getattr(a[name], field)))})}):
                return f"this is the right answer for {words.format(text)} in the place of {text}"
        for other in knobs:
            if gives(lambda a: {**a, name: a[name]._replace(**{field: float(a[other])}),
                                other: type(a[other])(getattr(a[name], field))}):
                return f"{text} and {other} are in each other's place"
    for name in knobs:
        for key, words, change in CHANGES[:8] + CHANGES[-2:]:
            if gives(lambda a, x=name, c=change: {**a, x: type(a[x])(c(a[x]))}):
                return f"this is the right answer for {words.format(name)} in the place of {name}"
    model = arguments.get("self")
    for name in ("beta", "lr", "momentum", "beta1", "beta2", "eps", "t", "mean_", "components_", "W", "b", "mask", "v"):
        if isinstance(getattr(model, name, None), float | int | np.ndarray):
            for key, words, change in CHANGES[:8] + CHANGES[-2:]:
                if gives(lambda a, x=name, c=change: with_attribute(a, x, c)):
                    return f"this is the right answer for {words.format(name)} in the place of {name}"
    return None


def by_another(answers, group, blank):
    """What a neighbour computes: another blank of the same module with the same arguments."""
    for other in BLANKS.values():
        if other.module == blank.module and other.name != blank.name:
            function = find(other.where)
            if len(signature_of(function).parameters) == len(answers.signature.parameters):
                try:
                    if all(agree(answers.cases[k].put_to(function, answers.signature), answers.got[k], 1e-6)
                           for k in group):
                        return f"this is what {other.name} computes"
                except Exception:  # it may not take these arguments
                    continue
    return None


def with_attribute(arguments, name, change):
    value = getattr(arguments["self"], name)
    if isinstance(value, np.ndarray):
        value[...] = change(value)
    else:
        setattr(arguments["self"], name, change(value))
    return arguments


def by_dependence(answers, group):
    """An argument that has no effect where it should have one, or one row's answer that depends on the others."""
    all_wrong, right = outputs_wrong(answers, group)
    for k in group:
        case, got, want = answers.cases[k], answers.got[k], answers.want[k]
        # what is infinite stays so, whatever is changed
        wrong = [o for o in all_wrong if np.isfinite(got[o].astype(float)).all() and np.isfinite(want[o].astype(float)).all()]

        def both(change):
            """The outputs of both functions for changed arguments, or nothing."""
            try:
                return case.put_to(answers.student, answers.signature, change), case.put_to(answers.right,
                    answers.signature, change)
            except Exception:
                return {}, {}

        numbers = {n: a for n, a in case.make().items()
                   if isinstance(a, float) or isinstance(a, np.ndarray) and a.dtype.kind == "f" and a.size}
        for name in numbers:
            g, w = both(lambda a: {**a, name: a[name] * 1.3 + 0.01})
            for output in [o for o in wrong if o in g and o in w]:
                same, should = close(g[output], got[output], 1e-12), close(w[output], want[output], 1e-12)
                if same != should:
                    return f"{output} {'does not depend' if same else 'depends'} on {name}, and should{' not' * (not same)}" + but(right)
        for name in ("beta", "lr", "momentum", "beta1", "beta2", "eps"):
            if isinstance(getattr(case.make().get("self"), name, None), float):
                g, w = both(lambda a: with_attribute(a, name, lambda v: 0.7 * v + 0.01))
                for output in [o for o in wrong if o in g and o in w]:
                    same, should = close(g[output], got[output], 1e-12), close(w[output], want[output], 1e-12)
                    if same != should:
                        return f"{output} {'does not depend' if same else 'depends'} on {name}, and should{' not' * (not same)}" + but(right)
        for name, axis in [(n, axis) for n, a in numbers.items() for axis in range(np.ndim(a))]:
            size = numbers[name].shape[axis]
            g, w = both(lambda a: {**a, name: with_first_moved(a[name], axis)})
            for output in [o for o in wrong if o in g and o in w and size > 1]:
                for along in [d for d, n in enumerate(want[output].shape) if n == size]:
                    rest = [np.moveaxis(v[output], along, 0)[1:] for v in (g, got, w, want)]
                    if close(rest[2], rest[3], 1e-12) and not close(rest[0], rest[1], 1e-9):
                        letter = next((x for x, n in case.sizes.items() if n == size), size)
                        return (f"{output}: of the {letter} along axis {along} each one's answer depends on the others, and should "
                                "not: something is summed, averaged, shifted or normalised over the wrong axis") + but(right)
    return None


def with_first_moved(array, axis):
    """A copy with other numbers at the first place of an axis."""
    moved = array.copy()
    first = np.moveaxis(moved, axis, 0)[0]
    np.moveaxis(moved, axis, 0)[0] = first * 0.6 + 0.3 * np.cos(np.arange(np.size(first))).reshape(np.shape(first))
    return moved


def smallest(answers, group):
    """The numbers of the first failing case's first wrong place."""
    k = min(group, key=lambda k: sum(np.size(v) for v in answers.want[k].values()))
    for name, want in answers.want[k].items():
        got = answers.got[k][name]
        if not close(got, want, answers.cases[k].rtol):
            w, g = want.astype(float), got.astype(float)
            with np.errstate(invalid="ignore"):
                off = np.where(np.isfinite(g) & np.isfinite(w), np.abs(g - w), np.where(g == w, 0.0, np.inf))
            index = np.unravel_index(int(off.argmax()), want.shape) if want.ndim else ()
            at = f"[{', '.join(map(str, index))}]" if index else ""
            return f"{name}{at}: got {g[index]:.6g}, want {w[index]:.6g}"
    return ""
