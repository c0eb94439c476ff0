"""What does the order of the pixels decide? Which completions are exact, whatever it does to log p(x): the lesson
`autoregressive`, where a half of an image is given and the other drawn."""
import numpy as np

from demos.judgement import Finding
from demos.lesson import Mean
from scratchvae import plotting


def completions(lesson, test, fvbns, made, shape):
    """How many missing pixels are drawn as they were, by model and by which half is given; the figure."""
    top = np.arange(test.shape[1]) < shape[0] // 2 * shape[1]
    raster, backward = fvbns["raster"], fvbns["reversed"]
    n_draws = lesson.pick(4 if len(top) > 256 else 50, 3)
    ways = {("top", "FVBN, raster"): (raster, top, 1), ("top", "MADE, raster"): (made, top, 1),
            ("bottom", "FVBN, raster"): (raster, ~top, 1),
            ("bottom", f"FVBN, raster, {n_draws} draws"): (raster, ~top, n_draws),
            ("bottom", "FVBN, reversed"): (backward, ~top, 1)}
    x = test[:lesson.pick(200, 30)]
    drawn = {way: model.complete(x, known, n_draws=n, rng=lesson.rng(12)) for way, (model, known, n) in ways.items()}
    agree = {f"{half} given: {name}": 100 * np.mean((drawn[half, name] == x)[:, ~ways[half, name][1]], axis=1)
             for half, name in drawn}
    shown = lesson.rng(13).choice(len(x), 12, replace=False)
    rows, labels = [x[shown]], ["test image"]
    for half, known in (("top", top), ("bottom", ~top)):
        rows.append(np.where(known, x[shown], 0.35))
        labels.append(f"{half} half given")
        for (given, name), images in drawn.items():
            if given == half:
                rows.append(images[shown])
                labels.append(name)
    deaf, exact = (agree[f"bottom given: FVBN, {order}"].mean() for order in ("raster", "reversed"))
    lesson.save(plotting.image_grid(
        np.concatenate(rows), f"With the bottom given, {deaf:.0f} % of the top is drawn as it was by the raster "
        f"order, which has not seen the bottom, {exact:.0f} % by the reversed", 12, row_labels=labels, shape=shape),
        "autoregressive_completions")
    return agree


def reading_order(lesson, by_order, completed):
    """What changes with the order of the pixels. by_order : model -> order -> log p(x) (runs, N)"""
    for kind, named in by_order.items():
        lesson.table(f"{kind}, the pixels in another order: log p(x) of the test images, nats per image (+- over "
                     "images and runs)",
                     ["order", "log p(x)"], [(name, Finding.of(values)) for name, values in named.items()])
    lesson.table("Completing half an image: missing pixels drawn as they were, percent (+- over images, one run each)",
                 ["half and model", "agree"], [(way, Mean.of(values)) for way, values in completed.items()])
    lesson.say("The chain rule holds in every order; how well a model fits its factors could differ.")
    for kind, named in by_order.items():
        least, *_, most = sorted(named, key=lambda name: named[name].mean())
        lesson.say(orders(kind, least, most, Finding.of(named[most] - named[least]), len(named)))
    (*_, (_, deaf), (many, weighted), (_, exact)) = completed.items()
    lesson.say(questions(Finding.of(exact - deaf), Finding.of(weighted - deaf), many.rsplit(", ")[-1]))


def orders(kind, least, most, apart, n):
    """Whether the order matters to log p(x): the largest of n means minus the smallest, of n (n - 1) / 2 pairs."""
    verdict = apart.words("does", "does", "does not clearly", once_in=20 * n * (n - 1) // 2)
    return f"The {kind}'s {verdict}: {most} minus {least}, {f'the farthest apart of {n}, ' * (n > 2)}{apart} nats."


def questions(exact, weighted, many):
    """What the order decides. exact : percent right with the bottom given, reversed minus raster; weighted : raster, of
    many draws, minus of one."""
    return ("What the order always decides is which completions are exact: those in which the given pixels come "
            "first, the top for the\nraster order, the bottom for the reversed one. Given the bottom, the raster "
            f"order draws the top before it has seen the\nbottom; the reversed order agrees {exact} points more ("
            + exact.words("better", "worse") + f");\nweighting {many} by how well the bottom follows from them "
            f"agrees {weighted} points more than one draw ({weighted.words('better', 'worse')}).\n")
