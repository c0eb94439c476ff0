"""How does a class from outside join in? It is known by a name of its own from its definition on.

A file names classes: of the model, its observation model, its activation. This package's own go by their short
names, as Gaussian; any other by its module too, as mylab.noise.Laplace, so that no two are taken for one another.
Subclasses of `Model`, `Observation` and `Layer` are known without more; `@saveable` is for a class that has no such
base. A name is looked up among the classes that are defined, and never imported.
"""
import json
from inspect import Parameter, signature

CLASSES = {}  # name in a file -> class


def saveable(cls):
    """Class decorator: `save` and `load` know the class. It needs `config`, `arrays`, `load_arrays`, `from_config`."""
    CLASSES[class_name(cls)] = cls
    return cls


class Described:
    """Base of what keeps its constructor's arguments as attributes of the same names."""

    def config(self):
        """The constructor's arguments by name (but `rng`), as JSON can hold them; TypeError if one is held by none."""
        names = _parameters(type(self))
        if missing := [name for name in names if not hasattr(self, name)]:
            raise TypeError(f"{type(self).__name__}: its constructor takes {missing[0]}, which no attribute holds; "
                            f"want self.{missing[0]} = {missing[0]} there, or a `config` of its own")
        return {name: getattr(self, name) for name in names}

    def __repr__(self):
        return in_one_line(self)


class Saveable(Described):
    """Base of what a file can name: every subclass is known by its name."""

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        saveable(cls)


def class_name(cls):
    """What a file calls the class."""
    return cls.__name__ if _is_ours(cls) else f"{cls.__module__}.{cls.__qualname__}"


def class_named(name, kind=object):
    """The class of this name, a subclass of `kind`; ValueError if none is defined."""
    if not isinstance(name, str) or name not in CLASSES:
        hint = ("it stood in the program that was run, and is found nowhere else; keep it in a module that you import"
                if str(name).startswith("__main__.") else "define your own, or import its module, before loading")
        raise ValueError(f"no class {name!r} is known here: {hint}")
    if not issubclass(CLASSES[name], kind):
        raise ValueError(f"{name} is no {kind.__name__}")
    return CLASSES[name]


def described(thing):
    """[name, config] of `thing`, as JSON gives it back; TypeError if it could not be built again from that."""
    cls, config = type(thing), thing.config()
    takes = signature(cls).parameters.values()
    if _is_ours(getattr(cls, "from_config", Saveable)):  # which hands `config` to the constructor
        lost = [name for name in _parameters(cls) if name not in config]
        if not any(p.kind is Parameter.VAR_KEYWORD for p in takes):
            lost += [name for name in config if name not in [p.name for p in takes]]
        if lost:
            raise TypeError(f"{cls.__name__}: its `config` and its constructor's arguments do not both have "
                            f"{', '.join(lost)}; want a `config` that gives them all")
    try:
        return json.loads(json.dumps([class_name(cls), config]))
    except (TypeError, ValueError) as error:
        raise TypeError(f"{cls.__name__}: its `config` must be what JSON can hold: {error}") from None


def built(description, kind):
    """The thing that `described` described, of a subclass of `kind`."""
    name, config = description
    return class_named(name, kind)(**config)


def _is_ours(thing):
    return thing.__module__.partition(".")[0] == __name__.partition(".")[0]


def _parameters(cls):
    several = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    return [p.name for p in signature(cls).parameters.values() if p.kind not in several and p.name != "rng"]


def function_name(function):
    """What a file calls a function, or a thing that can be called."""
    return getattr(function, "__qualname__", type(function).__qualname__)


def in_one_line(thing, more=""):
    """Its class and its constructor's arguments, as VAE(n_features=64, ...); long ones are left out."""
    names = dict.fromkeys(name for cls in type(thing).__mro__ for name in _parameters(cls))
    values = {name: getattr(thing, name) for name in names if hasattr(thing, name)}
    texts = {name: v.__name__ if isinstance(v, type) else repr(v) for name, v in values.items()}
    shown = [f"{name}={text}" for name, text in texts.items() if len(text) <= 60 and "\n" not in text]
    return f"{type(thing).__name__}({', '.join(shown)}{more})"


def not_given(thing, method):
    """The error for a method that a base class only describes: which class lacks it, and what it must give."""
    return NotImplementedError(f"{type(thing).__name__} has no {method.__name__}{signature(method)}, which must give: "
                               f"{method.__doc__.strip().splitlines()[0]}")
