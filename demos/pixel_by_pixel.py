"""Can one read what a MADE writes pixel by pixel? The lesson `autoregressive`, on images of 28 x 28 pixels."""
import numpy as np

import scratchvae as sv
from demos.judgement import Finding
from scratchvae import plotting


def pixel_by_pixel(lesson):
    """Train a MADE in the raster order on MNIST; draw samples, and lower halves under upper ones : its numbers."""
    images = lesson.images(binary=True, default="mnist")
    D, rng = images.train.shape[1], lesson.rng(30)
    made = sv.MADE(D, (500,), order=np.arange(D), rng=rng)
    sv.fit(made, images.train, epochs=lesson.epochs(160, 1, images.train), batch_size=128, optimizer=sv.Adam(8e-3),
           rng=rng, valid=images.valid[:1000],
           callbacks=[sv.EarlyStopping(5), sv.LearningRateDecay(), lesson.progress("MADE of large images")])
    log_p = made.log_prob(images.test)
    lesson.say(f"A MADE in the raster order, of {len(images.train)} images of {D} pixels: log p(x) of "
               f"{len(images.test)} test images is {Finding.of(log_p)} nats (+- over images, one run).")

    x = images.test[images.one_of_each()]
    upper = np.arange(D) < images.shape[0] // 2 * images.shape[1]
    rows = [images.test[:len(x)], made.sample(len(x), rng=rng), made.sample(len(x), rng=rng), x,
            np.where(upper, x, 0.35), *(made.complete(x, upper, rng=rng) for _ in range(3))]
    labels = ["real", "drawn", "", "real", "upper half given", "lower half drawn", "again", "again"]
    title = f"Drawn one pixel after another: log p(x) of a test image is {log_p.mean():.1f} nats, exactly"
    lesson.save(plotting.image_grid(np.concatenate(rows), title, len(x), row_labels=labels, shape=images.shape),
                "autoregressive_pixels")
    return {"log p": float(log_p.mean())}
