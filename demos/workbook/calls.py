"""What is a function asked? A case: fresh arguments, one call, and everything that comes out of it, by name.

The same case is put to the library's function and to the student's. Sizes of a case all differ, so that an array's shape
says which axes it has.
"""
import copy
import inspect

import numpy as np


BEFORE = 7.0  # what the arrays hold that are to be filled


class Wrong(Exception):
    """What came out cannot even be compared; its text is the message."""


class Case:
    """One question. `make()` gives the arguments by name, new ones each time.

    names : of the results       read : (arguments, result) -> further outputs by name, as what was filled in place
    may_change : arguments that the function is there to change       sizes : letter -> number, for the messages
    label : what is special about it, "" for an ordinary one           strict : False where failing is only a remark
    """

    def __init__(self, make, names=("the result",), *, label="", read=None, may_change=(), sizes=None, strict=True,
                 rtol=1e-9, roads=None, extra=None):
        self.make, self.names, self.label, self.read, self.may_change = make, names, label, read, may_change
        self.form = None
        self.sizes, self.strict, self.rtol, self.roads, self.extra = sizes or {}, strict, rtol, roads, extra

    def put_to(self, function, signature, change=None):
        """The outputs by name; Wrong where a result is of a form that no number can be compared with.

        change : what is done to the arguments first, a function of the dictionary
        """
        with np.errstate(all="ignore"):
            arguments = change(self.make()) if change else self.make()
        before = {name: snapshot(value) for name, value in arguments.items() if name not in self.may_change}
        positional, named = [], {}
        for name, parameter in signature.parameters.items():
            if name in arguments:
                if parameter.kind is parameter.KEYWORD_ONLY:
                    named[name] = arguments[name]
                else:
                    positional.append(arguments[name])
        with np.errstate(all="ignore"):
            result = function(*positional, **named)
        outputs = self.outputs(result)
        self.form = self.form or getattr(type(result), "_fields", None) and type(result)  # the library's comes first
        if self.form and not hasattr(result, "_fields"):
            raise Wrong(f"want {self.form.__name__}({', '.join(self.form._fields)}), whose parts have names; got a plain "
                        f"{type(result).__name__}")
        for name, kept in before.items():
            if not same(kept, snapshot(arguments[name])):
                outputs[f"{name}, an argument that must stay as it was"] = np.array(1.0)
        return outputs | ({key: np.array(value) for key, value in self.read(arguments, result).items()} if self.read
                          else {})

    def outputs(self, result):
        """The results by name, as arrays."""
        names = self.names
        if not names:
            return {}
        if len(names) == 1:
            return {names[0]: as_array(names[0], result)}
        if not isinstance(result, (tuple, list)) or len(result) != len(names):
            got = "nothing (is there a `return`?)" if result is None else (
                f"{len(result)} values" if isinstance(result, (tuple, list)) else described(result))
            raise Wrong(f"want {len(names)} results, {', '.join(names)}; got {got}")
        return {name: as_array(name, value) for name, value in zip(names, result)}


def as_array(name, value):
    """`value` as an array of numbers, None as an empty one of objects."""
    if value is None:
        return np.array(None)
    if isinstance(value, np.ma.MaskedArray):
        raise Wrong(f"{name}: got a masked array, want an ordinary one")
    try:
        array = np.asarray(value)
        if array.dtype == bool:
            return array
        return array.astype(np.result_type(array.dtype, np.float32),
                            copy=True) if array.dtype != np.float32 else array.copy()
    except (ValueError, TypeError):
        raise Wrong(f"{name}: want an array of numbers, got {described(value)}") from None


def described(value):
    """A value in a few words."""
    if value is None:
        return "nothing (is there a `return`?)"
    if isinstance(value, np.ndarray):
        return f"an array {value.shape}"
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) < 60 else text[:57] + '...'}"


def snapshot(value):
    """A copy of what the value holds: of arrays their numbers, of a model or a layer its parameters."""
    if hasattr(value, "named_parameters"):
        return {name: view.copy() for name, view in value.named_parameters().items()}
    if isinstance(value, np.ndarray | list | tuple | dict):
        return copy.deepcopy(value)
    return None


def same(a, b):
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    return True


def agree(got, want, rtol):
    """Whether two dictionaries of outputs are equal, up to rounding of numbers of the largest one's size."""
    return got.keys() == want.keys() and all(close(got[name], want[name], rtol) for name in want)


def close(a, b, rtol=1e-6):
    """Whether two arrays have one shape and agree to rtol of the largest number; infinities and None at their places."""
    if a.shape != b.shape or (a.dtype == object) != (b.dtype == object):
        return False
    if a.dtype == object:
        return True
    a, b = a.astype(np.float64), b.astype(np.float64)
    finite = np.isfinite(b)
    if not np.array_equal(np.isfinite(a), finite) or not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return False
    size = np.abs(b[finite]).max(initial=0.0)
    return bool(np.all(np.abs(a[finite] - b[finite]) <= (rtol * size if size else 1e-12)))


def signature_of(function):
    return inspect.signature(inspect.unwrap(function))
