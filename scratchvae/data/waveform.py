"""What is speech like, to a model of sound? A made-up voice, syllable after syllable, from the source and filter model.

Vocal cords pulse f0 times a second: a sum of harmonics k f0, weaker as k grows. Throat and mouth let pass what is near
their resonances, the formants, and these make the vowel. Air rushing through adds noise. So

    x(t) = loudness(t) (sum_k g(k f0(t), t) / k cos(k phi(t)) + breath * noise)        dphi/dt = 2 pi f0
    g(f, t) = sum_j 1 / (1 + ((f - F_j(t)) / width_j)^2)

where a new vowel F, pitch and loudness come with every syllable and the voice glides from one to the next. What matters
here: samples depend on those before them, pitch and timbre change slowly, and loudness spans 30 decibels.
Source: Fant 1960 (source and filter); Peterson & Barney 1952, table II (formants of men's vowels).
"""
from functools import partial

import numpy as np

from scratchvae.checking import door, entry, generator, integer, number, size
from scratchvae.checking.data import longer_than_width

FORMANTS = np.array([[270, 2290, 3010], [530, 1840, 2480], [730, 1090, 2440], [570, 840, 2410], [300, 870, 2240]])
WIDTHS = np.array([60, 90, 150])       # half widths of the resonances, in hertz
SYLLABLE = 0.16                        # seconds, between two vowels


@door("n", "rate", "breath", n=size, rate=partial(number, low=320, high=1e6), breath=number, rng=generator)
def speech_like(n, *, rate=8000, breath=0.02, rng):
    """n samples (n,) in [-1, 1] of a made-up voice at `rate` samples a second; the loudest sample has |x| = 1.

    rate : at least twice the highest pitch, 160 hertz      breath : standard deviation of the noise, to loudness
    """
    n_syllables = int(n / rate / SYLLABLE) + 2
    vowel = FORMANTS[rng.integers(len(FORMANTS), size=n_syllables)]
    pitch = rng.uniform(90, 160, n_syllables)
    level = rng.uniform(-30, 0, n_syllables)                                          # decibels

    glide = np.arange(n) / rate / SYLLABLE                                            # in syllables
    F = np.stack([np.interp(glide, np.arange(n_syllables), f) for f in vowel.T])      # (3, n)
    f0 = np.interp(glide, np.arange(n_syllables), pitch)
    loudness = 10 ** (np.interp(glide, np.arange(n_syllables), level) / 20)
    phi = 2 * np.pi * np.cumsum(f0) / rate

    x = breath * rng.standard_normal(n)
    for k in range(1, int(rate / 2 / f0.max()) + 1):                                  # harmonics below rate / 2
        g = np.sum(1 / (1 + ((k * f0 - F) / WIDTHS[:, None]) ** 2), axis=0)
        x += g / k * np.cos(k * phi)
    x *= loudness
    return x / np.abs(x).max()


@entry(width=integer, x=longer_than_width)
def windows(x, width):
    """Past and next of every sample that has `width` samples before it: past (M, width), next (M,), M = n - width.

        past_m = x_m, ..., x_(m + width - 1)        next_m = x_(m + width)
    """
    return np.lib.stride_tricks.sliding_window_view(x, width)[:-1], x[width:]
