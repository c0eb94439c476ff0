"""How did the training go? Each loss term over the epochs."""
import numpy as np

from scratchvae.checking import entry, integer, optional
from scratchvae.checking.plotting import labels_of, text, vector
from scratchvae.plotting.charts import colour_of, named
from scratchvae.plotting.page import COLOURS, GREY, INK, PALE, house_style, panels, short_number, whole_ticks


@entry(title=optional(text))
@house_style()
def training_curves(train, valid=None, title=None, terms=None, best=None, colour=COLOURS["VAE"]):
    """A panel for each term over epochs 1, 2, ...: train solid, valid dashed, in nats per example or as a share.

    train, valid : dicts of term -> (epochs,); or what `fit` returned, for both
    terms : by default all, but the loss where another term is its negative      best : the epoch early stopping chose
    The axes show what follows the first twentieth of the epochs, where these would take more than half of the room.
    """
    if isinstance(getattr(train, "train", None), dict):
        train, valid = train.train, (train.valid or None) if valid is None else valid
    histories = {"train": train} if valid is None else {"train": train, "valid": valid}
    for name, history in histories.items():
        named(name, history)
    colour_of("colour", colour)
    terms = labels_of("terms", _telling(train) if terms is None else terms)
    curves, n_epochs = {}, None
    for name, history in histories.items():
        for term in terms:
            if term not in history:
                raise ValueError(f"{name}: want the term {term!r}, got {', '.join(history)}")
            curves[name, term] = vector(f"{name}[{term!r}]", history[term], n_epochs)
            n_epochs = len(curves[name, term])
    best = best if best is None else integer("best", best, 1, n_epochs)
    called = {term: {"elbo": "ELBO", "kl": "KL"}.get(term, term.replace("_", " ")) for term in terms}
    judge = curves[list(histories)[-1], terms[0]]
    if title is None:
        whose = "" if valid is None else " of the validation data"
        ends = [f"{short_number(judge[n - 1], '.4g')} after {n}" for n in (1, n_epochs)]
        title = f"{called[terms[0]]}{whose}: {ends[0]} epoch" + f", {ends[1]}" * (n_epochs > 1)
    figure, axes = panels(len(terms), title)
    for term, ax in zip(terms, axes):
        for name, linestyle, shade in zip(histories, ("-", "--"), (colour, INK)):
            ax.plot(np.arange(1, n_epochs + 1), curves[name, term], linestyle, color=shade, label=name,
                    marker="o" if n_epochs == 1 else "")
        whole_ticks(ax)
        if best is not None:
            ax.axvline(best, color=GREY, linewidth=1.2, linestyle=":", label=f"best epoch: {best}")
        off = _leave_out_the_start(ax, np.array([curves[name, term] for name in histories]))
        ax.set(title=called[term], xlabel=f"epoch (first {off} off the scale)" if off else "epoch")
        ax.grid(color=PALE, linewidth=0.6)
        if term == "accuracy":
            ax.set_ylabel("share")
        elif ax is axes[0]:
            ax.set_ylabel("nats per example")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _telling(train):
    """The terms of a history but for the loss, where another is its negative."""
    values = [vector(f"train[{term!r}]", train[term]) for term in train if term != "loss"]
    loss = vector("train['loss']", train["loss"]) if "loss" in train else None
    told = loss is None or any(len(v) == len(loss) and np.allclose(v, -loss, rtol=1e-4) for v in values)
    return [term for term in train if term != "loss" or not told]


def _leave_out_the_start(ax, curves):
    """Scale the axes to curves (M, epochs) after the first twentieth, if it matters; returns how many are off."""
    later = curves[:, -(-curves.shape[1] // 20):] if curves.shape[1] >= 20 else curves
    room = np.ptp(later)
    if np.ptp(curves) <= 2 * room or room == 0:
        return 0
    low, high = later.min() - 0.06 * room, later.max() + 0.06 * room
    ax.set_ylim(low, high)
    return int(((curves < low) | (curves > high)).any(axis=0).sum())
