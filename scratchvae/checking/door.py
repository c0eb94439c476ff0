"""How does a function say what may come in? By decorators that hand its arguments to checks, above its name."""
from functools import wraps
from inspect import signature

import numpy as np


def decorator(checks, call):
    """What hands a function's arguments to the checks, and it and the call's checked arguments to `call`."""
    others = {argument: [p.name for p in list(signature(check).parameters.values())[2:] if p.default is p.empty]
              for argument, check in checks.items()}

    def decorate(function):
        parameters = signature(function)

        @wraps(function)
        def checked(*arguments, **named):
            try:
                bound = parameters.bind(*arguments, **named)
            except TypeError as error:
                raise TypeError(f"{function.__qualname__}: {error}") from None
            bound.apply_defaults()
            values = bound.arguments
            with np.errstate(all="ignore"):
                for name, check in checks.items():
                    values[name] = check(name, values[name], **{other: values[other] for other in others[name]})
            return call(function, bound)
        checked.checks = checks, others
        return checked
    return decorate


def entry(**checks):
    """Decorator: what may come in, declared beside a function's name, so that its body is its mathematics alone.

        @entry(x=matrix, y=lambda name, value, x: matrix(name, value, x.shape[1]), rng=generator)
        def f(x, y, *, rng): ...

    A check is called with an argument's name and value, and by name with any others that it asks for: those above it,
    checked already, and self. What it gives back is what the body gets.
    """
    return decorator(checks, lambda function, bound: function(*bound.args, **bound.kwargs))


def door(*blamed, **checks):
    """Decorator: an `entry` to arithmetic. Finite arguments can be too large for it: what comes out must be finite,
    else FloatingPointError with the arguments to blame, all arrays and numbers that were checked if they are not named.
    """
    def call(function, bound):
        try:
            with np.errstate(all="ignore"):
                result = function(*bound.args, **bound.kwargs)
            for part in result if isinstance(result, tuple) else (result,):
                if isinstance(part, (np.ndarray, float, np.floating)) and not np.isfinite(part).all():
                    raise FloatingPointError("the result is not finite")
        except (FloatingPointError, np.linalg.LinAlgError) as error:
            names = blamed or [name for name in checks if isinstance(bound.arguments[name], (np.ndarray, float, tuple))]
            raise FloatingPointError(f"{', '.join(names)}: too large for this computation, or too close to degenerate: "
                                     f"{error}") from None
        return result
    return decorator(checks, call)


def as_constructed(name, thing):
    """`thing`, if what it holds by the names of its constructors' arguments would still pass their checks."""
    for cls in type(thing).__mro__:
        checks, others = getattr(vars(cls).get("__init__"), "checks", ({}, {}))
        for argument, check in checks.items():
            if all(hasattr(thing, each) for each in (argument, *others[argument])):
                check(f"{name}.{argument}", getattr(thing, argument),
                      **{other: getattr(thing, other) for other in others[argument]})
    return thing


def optional(check):
    """The check of an argument that may be None."""
    @wraps(check)
    def checked(name, value, *more, **others):
        return value if value is None else check(name, value, *more, **others)
    return checked
