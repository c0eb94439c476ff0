"""Does companding undo itself, gain what it should, and refuse what it cannot hold? And the made-up voice."""
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scratchvae as sv
from scratchvae.data import mu_law, waveform
from strategies import reals, rng

signals = reals(17, bound=1.0)
mus = st.sampled_from([1e-3, 1.0, 15.0, 255.0, 1e4])
GRID = np.concatenate([np.linspace(-1, 1, 4001), [1e-300, -1e-300, 1e-17, np.nextafter(1, 0), -np.nextafter(1, 0)]])


def check_inverse(x, mu):
    # to rounding: relative, also for the smallest numbers; (1 + mu)^y has the condition number log(1 + mu) at most
    np.testing.assert_allclose(mu_law.expand(mu_law.compress(x, mu), mu), x, rtol=1e-13, atol=1e-300)
    np.testing.assert_allclose(mu_law.compress(mu_law.expand(x, mu), mu), x, rtol=1e-13, atol=1e-300)


def check_half_a_step(x, n_codes):
    """Within half a step of the companded scale, which n_codes steps share, everywhere in [-1, 1]."""
    y = mu_law.compress(x)
    restored = mu_law.compress(mu_law.decode(mu_law.encode(x, n_codes=n_codes), n_codes=n_codes))
    assert np.abs(restored - y).max() <= (1 + 1e-12) / n_codes


def check_odd(x):
    x = np.append(x[x != 0], 1.0)
    np.testing.assert_array_equal(mu_law.compress(-x), -mu_law.compress(x))
    np.testing.assert_array_equal(mu_law.expand(-x), -mu_law.expand(x))
    np.testing.assert_array_equal(mu_law.encode(-x), 255 - mu_law.encode(x))
    np.testing.assert_array_equal(mu_law.decode(mu_law.encode(-x)), -mu_law.decode(mu_law.encode(x)))


def check_monotone(x):
    x = np.sort(x)
    assert (np.diff(mu_law.compress(x)) >= 0).all() and (np.diff(mu_law.encode(x)) >= 0).all()
    assert (np.diff(mu_law.decode(np.arange(256))) > 0).all()


def check_known_values():
    assert mu_law.compress([0.0, 1.0, -1.0]).tolist() == [0, 1, -1]
    assert mu_law.expand([0.0, 1.0, -1.0]).tolist() == pytest.approx([0, 1, -1], rel=1e-14, abs=0)
    # log(1 + 255 x) = k log 2, so y = k / 8, at x = (2^k - 1) / 255: G.711's eight segments
    k = np.arange(9)
    np.testing.assert_allclose(mu_law.compress((2.0**k - 1) / 255), k / 8, rtol=1e-14)
    assert mu_law.encode([-1.0, 1.0]).tolist() == [0, 255]
    assert mu_law.encode(np.array([-1e-9, 0.0, 1e-9])).tolist() == [127, 128, 128]


@given(signals, mus)
def test_compress_and_expand_undo_each_other(x, mu):
    check_inverse(x, mu)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("n_codes", [256, 8192, 2**18, 2**26])
def test_codes_of_narrow_floats_are_those_of_the_same_numbers_in_float64(dtype, n_codes):
    y = np.linspace(-1, 1, 1001).astype(dtype)
    codes = mu_law.quantize(y, n_codes)
    assert codes.min() == 0 and codes.max() == n_codes - 1
    assert np.array_equal(codes, mu_law.quantize(y.astype(np.float64), n_codes))


@given(signals, st.sampled_from([2, 4, 16, 256, 4096]))
def test_quantised_within_half_a_step(x, n_codes):
    check_half_a_step(x, n_codes)
    check_half_a_step(GRID, n_codes)


@given(signals)
def test_odd_and_monotone(x):
    check_odd(x)
    check_odd(GRID)
    check_monotone(x)
    check_monotone(GRID)


def test_known_values():
    check_known_values()


def test_codes_survive_the_round_trip_and_all_occur():
    codes = np.arange(256)
    np.testing.assert_array_equal(mu_law.encode(mu_law.decode(codes)), codes)
    np.testing.assert_array_equal(mu_law.quantize(mu_law.dequantize(codes)), codes)
    np.testing.assert_array_equal(np.unique(mu_law.encode(mu_law.expand(GRID))), codes)
    assert np.abs(mu_law.dequantize(mu_law.quantize(GRID)) - GRID).max() <= 1 / 256


def test_slope_at_zero():
    # y'(0) = mu / log(1 + mu)
    assert mu_law.compress(1e-12) / 1e-12 == pytest.approx(255 / np.log(256), rel=1e-9)


@pytest.mark.parametrize("bad, error", [
    (1 + 1e-12, ValueError), (-1.5, ValueError), (np.nan, ValueError), (np.inf, ValueError), ([], ValueError),
    (1j, TypeError), ("x", TypeError)])
@pytest.mark.parametrize("door", [mu_law.compress, mu_law.expand, mu_law.quantize, mu_law.encode])
def test_refuses_what_is_no_signal(door, bad, error):
    with pytest.raises(error, match=r"^[xy]: "):
        door(bad)


@pytest.mark.parametrize("bad, error", [(256, ValueError), (-1, ValueError), (0.5, TypeError), (np.nan, ValueError)])
def test_refuses_what_is_no_code(bad, error):
    with pytest.raises(error, match="^codes: "):
        mu_law.decode(bad)


@pytest.mark.parametrize("n_codes, error", [(255, ValueError), (0, ValueError), (2.0, TypeError)])
def test_refuses_odd_numbers_of_codes(n_codes, error):
    with pytest.raises(error, match="^n_codes: "):
        mu_law.encode(0.5, n_codes=n_codes)
    with pytest.raises(error, match="^n_codes: "):
        mu_law.decode(0, n_codes=n_codes)


@pytest.mark.parametrize("mu", [0, -1, np.nan])
def test_refuses_mu(mu):
    with pytest.raises(ValueError, match="^mu: "):
        mu_law.compress(0.5, mu)


@given(signals)
def test_keeps_shape_dtype_and_its_input(x):
    for dtype in (np.float32, np.float64):
        given_x = x.astype(dtype).reshape(1, 17, 1)
        kept = given_x.copy()
        y = mu_law.compress(given_x)
        assert y.shape == mu_law.encode(given_x).shape == kept.shape and y.dtype == mu_law.expand(y).dtype == dtype
        np.testing.assert_array_equal(given_x, kept)
        assert np.abs(y).max() <= 1 and np.abs(mu_law.expand(given_x)).max() <= 1


# ---- signal to noise ------------------------------------------------------------------------------------------------

def check_signal_to_noise():
    x = rng(1).standard_normal(50)
    assert mu_law.signal_to_noise(x, 0.9 * x) == pytest.approx(20, abs=1e-10)      # an error of a tenth
    assert mu_law.signal_to_noise(x, 1.01 * x) == pytest.approx(40, abs=1e-10)
    assert mu_law.signal_to_noise(x, x) == np.inf


def test_signal_to_noise():
    check_signal_to_noise()
    with pytest.raises(ValueError, match="^x: "):
        mu_law.signal_to_noise(np.zeros(3), np.ones(3))
    with pytest.raises(ValueError, match="^x_restored: "):
        mu_law.signal_to_noise(np.ones(3), np.ones(4))


def test_uniform_noise_follows_theory():
    # x uniform on [-1, 1]: power 1/3; steps of 2/256 leave an error of variance (2/256)^2 / 12, so 20 log10(256) dB
    x = np.linspace(-1, 1, 200_001)
    assert mu_law.signal_to_noise(x, mu_law.dequantize(mu_law.quantize(x))) == pytest.approx(20 * np.log10(256), abs=0.01)


def test_mu_law_noise_follows_theory():
    # error in x: dx/dy = log(1 + mu) / mu (1 + mu |x|), times an error in y of variance (2/256)^2 / 12
    x = np.linspace(-1, 1, 200_001)
    slope = np.log(256) / 255 * (1 + 255 * np.abs(x))
    predicted = 10 * np.log10(np.mean(x**2) / (np.mean(slope**2) * (2 / 256) ** 2 / 12))
    assert mu_law.signal_to_noise(x, mu_law.decode(mu_law.encode(x))) == pytest.approx(predicted, abs=0.01)


def test_companding_gains_where_it_is_quiet():
    voice = sv.speech_like(16_000, rng=rng(2))

    def gain(level):
        x = level * voice
        return (mu_law.signal_to_noise(x, mu_law.decode(mu_law.encode(x)))
                - mu_law.signal_to_noise(x, mu_law.dequantize(mu_law.quantize(x))))

    gains = [gain(level) for level in (1, 0.1, 0.01, 0.001)]
    assert np.all(np.diff(gains) > 0) and gains[0] > 3
    x = np.linspace(0.9, 1, 1000)                                          # but at full loudness it costs
    assert mu_law.signal_to_noise(x, mu_law.decode(mu_law.encode(x))) < mu_law.signal_to_noise(
        x, mu_law.dequantize(mu_law.quantize(x)))


# ---- the voice ------------------------------------------------------------------------------------------------------

@settings(max_examples=20, deadline=None)
@given(st.integers(1, 3000), st.integers(0, 2**32 - 1))
def test_voice_is_a_signal_of_the_asked_length(n, seed):
    x = sv.speech_like(n, rng=rng(seed))
    assert x.shape == (n,) and x.dtype == np.float64 and np.abs(x).max() == 1
    np.testing.assert_array_equal(x, sv.speech_like(n, rng=rng(seed)))


def test_voice_has_pitch_and_loudness_like_speech():
    x = sv.speech_like(80_000, rng=rng(3))
    rms = np.sqrt(np.mean(x[:79_900].reshape(-1, 100) ** 2, axis=1))
    low, high = 20 * np.log10(np.quantile(rms, [0.05, 0.95]))
    assert 15 < high - low < 35                                                    # decibels
    # after one period of 90 to 160 Hz, 50 to 89 samples, it nearly repeats itself
    frames = x[:79_872].reshape(-1, 256)
    frames = frames - frames.mean(axis=1, keepdims=True)
    repeats = [max(np.corrcoef(frame[:-lag], frame[lag:])[0, 1] for lag in range(48, 92)) for frame in frames[::6]]
    assert np.median(repeats) > 0.8
    spectrum = np.abs(np.fft.rfft(x)) ** 2
    assert spectrum[:len(spectrum) // 2].sum() > 10 * spectrum[len(spectrum) // 2:].sum()


def check_voice_by_its_formula(n=700, rate=2000, breath=0.02, seed=5):
    """Sample by sample, with the same draws: all harmonics that stay below rate / 2 at the highest pitch, no other."""
    r = rng(seed)
    n_syllables = int(n / rate / waveform.SYLLABLE) + 2
    F = waveform.FORMANTS[r.integers(5, size=n_syllables)]
    pitch, level = r.uniform(90, 160, n_syllables), r.uniform(-30, 0, n_syllables)
    noise, x, phi = r.standard_normal(n), np.empty(n), 0.0

    def glide(values, t):
        i = int(t)
        return values[i] + (t - i) * (values[i + 1] - values[i])

    places = np.arange(n) / rate / waveform.SYLLABLE
    n_harmonics = max(k for k in range(1, 99) if k * max(glide(pitch, t) for t in places) <= rate / 2)
    for m, t in enumerate(places):
        f0 = glide(pitch, t)
        phi += 2 * np.pi * f0 / rate
        x[m] = breath * noise[m]
        for k in range(1, n_harmonics + 1):
            g = sum(1 / (1 + ((k * f0 - f) / width) ** 2) for f, width in zip(glide(F, t), waveform.WIDTHS))
            x[m] += g / k * np.cos(k * phi)
        x[m] *= 10 ** (glide(level, t) / 20)
    np.testing.assert_allclose(sv.speech_like(n, rate=rate, breath=breath, rng=rng(seed)), x / max(abs(x)), rtol=1e-9,
                               atol=1e-10)


def test_voice_by_its_formula():
    check_voice_by_its_formula()
    check_voice_by_its_formula(n=300, rate=8000, breath=0.0, seed=1)


def check_voice_reaches_one_in_size():
    """The loudest sample, on whichever side, has |x| = 1; both sides occur."""
    waves = (sv.speech_like(400, breath=2.0, rng=rng(seed)) for seed in range(20))
    ends = {(x.min() == -1, x.max() == 1) for x in waves}
    assert ends == {(True, False), (False, True)}


def test_voice_reaches_one_in_size():
    check_voice_reaches_one_in_size()


@pytest.mark.parametrize("arguments, name", [
    ({"n": 0}, "n"), ({"n": 5, "rate": 0}, "rate"), ({"n": 5, "breath": -1}, "breath"), ({"n": 5, "rng": 0}, "rng")])
def test_voice_refuses(arguments, name):
    with pytest.raises((TypeError, ValueError), match=f"^{name}: "):
        sv.speech_like(**{"rng": rng(), **arguments})


@given(st.integers(1, 9), st.integers(1, 9))
def test_windows_hold_the_past_and_the_next(width, extra):
    x = rng(4).standard_normal(width + extra)
    past, following = waveform.windows(x, width)
    assert past.shape == (extra, width) and following.shape == (extra,)
    for m in range(extra):
        np.testing.assert_array_equal(past[m], x[m:m + width])
        assert following[m] == x[m + width]


def test_windows_refuse():
    with pytest.raises(ValueError, match="^x: "):
        waveform.windows(np.zeros(4), 4)
    with pytest.raises(ValueError, match="^width: "):
        waveform.windows(np.zeros(4), 0)
