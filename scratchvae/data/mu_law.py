"""How can eight bits hold both a whisper and a shout? mu-law: equal steps of the logarithm, not of the sound.

A sample x in [-1, 1] cut into 256 equal steps has an error of up to 1/256, whether x is loud or quiet: a whisper drowns
in it. Companding (compress, then expand) spends the steps where the ear and the signal need them, near 0:

    compress    y = sign(x) log(1 + mu |x|) / log(1 + mu)              mu = 255, so that |y| <= 1
    expand      x = sign(y) ((1 + mu)^|y| - 1) / mu                    its inverse

    dx/dy = log(1 + mu) / mu * (1 + mu |x|)                            a step in y is this much in x

so for |x| well above 1/mu the error is a fixed share of |x|, and the signal-to-noise ratio hardly depends on loudness;
near 0 the steps are mu / log(1 + mu) = 46 times finer than equal ones, worth 20 log10(46) = 33 dB or 5.5 bits.

    encode      compress, then cut [-1, 1] into 256 equal steps: codes 0..255
    decode      the middle of the step, then expand; in y the error is at most half a step, 1/256

All of it is odd: encode(-x) = 255 - encode(x), except that x = 0, on the edge of steps 127 and 128, must go to one of
them.
Source: Smith 1957 (the law); ITU-T G.711 (telephony); van den Oord et al. 2016, section 2.2 (WaveNet).
"""
from math import log1p

import numpy as np

from scratchvae.checking import entry, positive
from scratchvae.checking.data import audible, beside_x, codes, even, signal

MU = 255
N_CODES = 256


@entry(x=signal, mu=positive)
def compress(x, mu=MU):
    """y = sign(x) log(1 + mu |x|) / log(1 + mu).

    x : real numbers of any shape in [-1, 1]      returns : the same shape, in [-1, 1]      else ValueError
    """
    return np.copysign(np.log1p(mu * np.abs(x)) / log1p(mu), x)


@entry(y=signal, mu=positive)
def expand(y, mu=MU):
    """x = sign(y) ((1 + mu)^|y| - 1) / mu, the inverse of `compress`."""
    # (1 + mu)^|y| - 1 = expm1(|y| log(1 + mu)), which keeps its digits near 0; rounding may not lift it above 1
    return np.copysign(np.minimum(np.expm1(np.abs(y) * log1p(mu)) / mu, 1), y)


@entry(y=signal, n_codes=even)
def quantize(y, n_codes=N_CODES):
    """The code 0..n_codes-1 of the equal step of [-1, 1] that y lies in; an edge belongs to the step farther from 0.

    y : any shape, in [-1, 1]      n_codes : even      returns : integers of the same shape
    """
    y, half = y.astype(np.float64, copy=False), n_codes // 2  # float16 cannot even count the steps
    k = np.minimum(np.floor(half * np.abs(y)), half - 1).astype(np.intp)  # steps away from 0, 0..half-1
    return np.where(y >= 0, half + k, half - 1 - k)


@entry(n_codes=even, codes=codes)
def dequantize(codes, n_codes=N_CODES):
    """The middle of each code's step, (2 code + 1) / n_codes - 1 : inverts `quantize` to half a step, 1 / n_codes."""
    half = n_codes // 2
    return (codes + 0.5 - half) / half


def encode(x, mu=MU, n_codes=N_CODES):
    """The mu-law codes 0..n_codes-1 of x in [-1, 1]: `compress`, then `quantize`.

    >>> encode([-1, -0.01, 0, 0.01, 1])  # a hundredth of full scale is a quarter of the way
    array([  0,  98, 128, 157, 255])
    """
    return quantize(compress(x, mu), n_codes)


def decode(codes, mu=MU, n_codes=N_CODES):
    """x in (-1, 1) of mu-law codes: `dequantize`, then `expand`."""
    return expand(dequantize(codes, n_codes), mu)


@entry(x=audible, x_restored=beside_x)
def signal_to_noise(x, x_restored):
    """10 log10(sum x^2 / sum (x - x_restored)^2), in decibels; infinite if nothing was lost.

    x, x_restored : the same shape      ValueError for x = 0 everywhere
    """
    with np.errstate(over="ignore"):
        power, noise = np.sum(np.square(x)), np.sum(np.square(x - x_restored))
    if not np.isfinite(power + noise):
        raise FloatingPointError("x, x_restored: too large, the sum of squares is not finite")
    return float(10 * np.log10(power / noise)) if noise else np.inf
