"""How does a machine speak one sample at a time? mu-law codes, and a network that guesses the next one.

First the code: eight bits with steps equal on the companded scale, against eight bits with equal steps, without and
with a code for 0, on a voice that is made in code, at levels from loud to a whisper. Then the idea of WaveNet on that
voice: p(x) = prod_t p(x_t given x_1 ... x_(t-1)), a softmax over the 256 codes of the next sample. WaveNet itself
computes it with dilated causal convolutions, layers whose reach doubles from one to the next, and so hears a quarter
of a second. Here a dense network on a window of the last 32 samples, 4 ms, stands in for them: the same chain rule and
the same softmax, but nothing before the window is heard, least of all the pitch.

The network hears the window twice, as companded codes and as sound divided by its loudness, and the loudness itself.
It stands beside three baselines, in bits per sample: equal odds, the codes' frequencies, and a linear predictor
(least squares on the sound divided by its loudness; its error Laplace, scaled by loudness, and summed over each
code's step). Several voices, each with its own network, tell what a difference is worth.

What was tuned, by validation alone (seed 0): windows of 16, 32, 64; companded only or both; hidden (128,) or (128,
128); weight decay in {0, .1, .5}; not every combination. The linear predictor chooses its window out of 16, 32, 64,
128 at every run.

It makes its own sound.
Takes about 25 s. Writes mu_law_machine, mu_law_curve, mu_law_noise, mu_law_bits, mu_law_voice (.png).
"""
import numpy as np

import scratchvae as sv
from demos import run_as_command
from demos.judgement import Finding
from demos.lesson import Mean
from scratchvae import mu_law, plotting

RATE = 8000             # samples a second
WIDTH, HIDDEN, EPOCHS, WEIGHT_DECAY = 32, (128, 128), 8, 0.1
REACH = 128             # samples before each next one that are kept, so that all models guess the same ones
COLOURS = dict(zip(("mu-law", "equal steps", "network", "equal steps, one at 0"), plotting.OTHER_COLOURS))
QUIET = 1e-3            # added to the loudness, so that silence can be divided by


def run(lesson):
    """Compress, measure, train, speak; returns the tables' numbers."""
    lesson.say(__doc__.splitlines()[0])
    noise = companding(lesson)
    sizes = lesson.pick([(60, 60_000), (10, 6000), (10, 6000)], [(3, 3000), (2, 600), (2, 600)])
    runs = []  # of every voice: its bits, and the first one's network
    for run in range(lesson.pick(3, 2)):
        train, valid, test = (voice_windows(lesson, seconds, n, stream + 100 * run)
                              for stream, (seconds, n) in enumerate(sizes))
        network = train_network(lesson, train, valid, run)
        runs.append((score(network, train, valid, test), network, test))
    bits, differences = compare(lesson, [each for each, _, _ in runs])
    speech = speak(lesson, *runs[0][1:])
    lesson.save(plotting.diagram(runs[0][1]), "mu_law_machine")
    return {"signal_to_noise": noise, "bits": bits, "differences": differences, "speech": speech}


# ---- the code -------------------------------------------------------------------------------------------------------

def companding(lesson):
    """Signal-to-noise ratio of both 8-bit codes against level, in decibels; the curve."""
    x = np.linspace(-1, 1, 401)
    lesson.save(plotting.lines(x, {"mu = 255": mu_law.compress(x), "mu = 15": mu_law.compress(x, 15), "equal steps": x},
                               "The compressed scale gives half of its steps to the quietest 6 % of the range",
                               "sample x", "companded sample y", colours={
                                   "mu = 255": COLOURS["mu-law"], "equal steps": COLOURS["equal steps"]}),
                                   "mu_law_curve")
    voice = sv.speech_like(lesson.pick(40_000, 4000), rate=RATE, rng=lesson.rng(10))
    levels = np.arange(-60, 1, 6)
    codes = {"mu-law": lambda v: mu_law.decode(mu_law.encode(v)),
             "equal steps": lambda v: mu_law.dequantize(mu_law.quantize(v)),
             "equal steps, one at 0": lambda v: np.round(127 * v) / 127}      # 255 codes, where 256 have none for 0
    voices = [voice * 10 ** (level / 20) for level in levels]
    ratio = {name: np.array([mu_law.signal_to_noise(v, code(v)) for v in voices])
             for name, code in codes.items()}
    companded, equal, with_zero = ratio.values()
    lesson.table("Signal-to-noise ratio of 8 bits, in decibels, on the voice made in code at different levels (0 dB: "
                 "its peak is 1)", ["level", *codes, "gain", "gain in bits", "gain over one at 0"],
                 [(f"{level} dB", *map(float, (m, u, z, m - u, (m - u) / (20 * np.log10(2)), m - z)))
                  for level, m, u, z in zip(levels, companded, equal, with_zero)])
    quieter = list(levels).index(-24)
    lesson.say(
        f"24 dB quieter costs equal steps {equal[-1] - equal[quieter]:.0f} dB and mu-law "
        f"{companded[-1] - companded[quieter]:.0f} dB. The gain is {companded[-1] - equal[-1]:.0f} dB where the voice "
        f"is loud,\nand {companded[0] - equal[0]:.0f} dB at {levels[0]} dB. Steps that are 46 times finer give 33 dB; "
        "the rest is that equal steps without a code for 0 turn\na whisper into +-1/256. Against equal steps with one "
        f"the gain at {', '.join(str(levels[i]) for i in (0, 2, 4))} dB is "
        f"{', '.join(f'{companded[i] - with_zero[i]:+.1f}' for i in (0, 2, 4))} dB. A signal\nthat is always near 1 "
        "would lose.\n")
    lesson.save(plotting.lines(levels, {f"{name}, 8 bits": values for name, values in ratio.items()},
                               f"A voice at -24 dB is {companded[quieter]:.0f} dB above mu-law's noise, and "
                               f"{equal[quieter]:.0f} dB above that of equal steps", "level of the voice (dB)",
                               "signal-to-noise ratio (dB)", colours={f"{name}, 8 "
                                                                      "bits": COLOURS[name] for name in codes}),
                  "mu_law_noise")
    return {f"{level} dB": {name: values[i] for name, values in ratio.items()} for i, level in enumerate(levels)}


# ---- the next sample ------------------------------------------------------------------------------------------------

def voice_windows(lesson, seconds, n, stream):
    """n windows of past codes (n, REACH) and the codes that came next (n,), at random places of a new voice."""
    rng = lesson.rng(stream)
    codes = mu_law.encode(sv.speech_like(seconds * RATE, rate=RATE, rng=rng))
    past, following = sv.windows(codes, REACH)
    rows = rng.choice(len(following), n, replace=False)
    return past[rows], following[rows]


def loudness(x):
    """The root of the mean square of each window (M, width), kept off 0 : (M, 1)."""
    return np.sqrt(np.mean(x**2, axis=1, keepdims=True)) + QUIET


def features(past):
    """What the network hears of past codes (M, >= WIDTH) : (M, 2 WIDTH + 1), numbers of order one."""
    codes = past[:, -WIDTH:]
    x = mu_law.decode(codes)
    s = loudness(x)
    return np.concatenate([2 * mu_law.dequantize(codes), x / s, np.log(s)], axis=1).astype(np.float32)


def train_network(lesson, train, valid, run):
    """A classifier of 256 classes, the codes of the next sample, stopped on the validation voice."""
    rng = lesson.rng(3 + 100 * run)
    network = sv.Classifier(2 * WIDTH + 1, HIDDEN, mu_law.N_CODES, rng=rng)
    sv.fit(network, features(train[0]), train[1], epochs=lesson.pick(EPOCHS, 2), batch_size=128,
           optimizer=sv.Adam(2e-3, weight_decay=WEIGHT_DECAY), rng=rng, valid=(features(valid[0]), valid[1]),
           callbacks=[sv.EarlyStopping(4), sv.LearningRateDecay(0.2), lesson.progress(f"next code, voice {run + 1}")])
    return network


def log2_frequency(train, test):
    """log2 of each next code's share of the training voice (one count added to each) : (M,)."""
    counts = np.bincount(train[1], minlength=mu_law.N_CODES) + 1
    return np.log2(counts / counts.sum())[test[1]]


def linear_predictor(train, width):
    """A function test -> log2 p(next code) : (M,).

        x_next = s (c . (past / s) + error)        s = loudness of the past, error ~ Laplace(0, scale)

    c by least squares, scale by maximum likelihood (the mean absolute error); p(code) is the mass of its step.
    """
    past, following = mu_law.decode(train[0][:, -width:]), mu_law.decode(train[1])
    s = loudness(past)
    c = np.linalg.lstsq(past / s, following / s[:, 0], rcond=None)[0]
    scale = np.mean(np.abs((following - past @ c) / s[:, 0]))

    def log2_prob(test):
        past = mu_law.decode(test[0][:, -width:])
        s, mean = loudness(past)[:, 0], past @ c
        edges = mu_law.expand(np.linspace(-1, 1, mu_law.N_CODES + 1))
        edges[[0, -1]] = -np.inf, np.inf                            # the tails belong to the first and the last code
        low, high = ((edges[test[1] + i] - mean) / (scale * s) for i in (0, 1))
        return np.log2(np.maximum(laplace_mass(low, high), np.finfo(float).tiny))
    return log2_prob


def laplace_mass(low, high):
    """P(low < e < high) of e ~ Laplace(0, 1), by symmetry computed where both distribution functions are small."""
    flip = low + high > 0
    low, high = np.where(flip, -high, low), np.where(flip, -low, high)
    cdf = [np.where(u < 0, np.exp(np.minimum(u, 0)) / 2, 1 - np.exp(-np.maximum(u, 0)) / 2) for u in (low, high)]
    return cdf[1] - cdf[0]


def score(network, train, valid, test):
    """Mean bits per sample of every model on the test voice."""
    predictors = {width: linear_predictor(train, width) for width in (16, 32, 64, 128)}
    width = max(predictors, key=lambda w: predictors[w](valid).mean())
    p = network.predict_proba(features(test[0]))
    bits = {"equal odds": 8.0, "frequencies": -log2_frequency(train, test), "linear": -predictors[width](test),
            f"network, {WIDTH} samples": -np.log2(p[np.arange(len(p)), test[1]], dtype=np.float64)}
    return {name: float(np.mean(b)) for name, b in bits.items()}


def compare(lesson, runs):
    """Bits per sample over the runs, each with a voice and a network of its own, and paired differences."""
    bits = {name: np.array([run[name] for run in runs]) for name in runs[0]}
    plus = f"+- is the standard error over {len(runs)} voices, each with its own network"
    lesson.table(f"Bits per sample of a new voice (less is better; {plus})",
                 ["model", "bits"],
                 [(name, 8.0 if name == "equal odds" else Finding.of(b)) for name, b in bits.items()])
    *_, linear, ours = bits
    differences = {f"{a} - {b}": Finding.of(bits[a] - bits[b]) for a, b in ((linear, "frequencies"), (ours, linear))}
    lesson.table("Paired differences, in bits", ["models", "difference"], list(differences.items()))
    lesson.say(next_sample(*differences.values()))
    means = {name: float(b.mean()) for name, b in bits.items()}
    errors = {name: Finding.of(b).error for name, b in bits.items() if name != "equal odds"}
    lesson.save(plotting.bars(means, f"Of 8 bits, a line through the past saves {8 - means[linear]:.1f}, a network "
                              f"{8 - means[ours]:.1f}", "bits per sample", errors, {
                                  "equal odds": plotting.COLOURS["independent"], ours: COLOURS["network"],
                                  **dict(zip(("frequencies", linear), plotting.OTHER_COLOURS[4:]))}), "mu_law_bits")
    return {name: Finding.of(b) for name, b in bits.items()}, differences


def next_sample(line, network):
    """What predicts the next sample: bits of the line minus the frequencies', of the network minus the line's."""
    first = line.words("A line through the last samples costs bits against the codes' frequencies",
                       "A line through the last samples takes off bits that the codes' frequencies cost",
                       "A line through the last samples brings no clear gain over the codes' frequencies")
    then = network.words("the network costs more than that line",
                         "the network takes off another part:\nit may bend where the line cannot, and gives p(next "
                         "code) any shape", "the network does not clearly beat that line")
    return f"{first} ({line}); {then} ({network}).\n"


# ---- one by one -----------------------------------------------------------------------------------------------------

def continue_voice(network, past, n, rng):
    """n new codes after each row of past codes (M, REACH), one by one, one pass of the network for each : (M, n)."""
    codes = past
    for _ in range(n):
        logits = network.network.forward(features(codes))[0]
        codes = np.concatenate([codes, sv.Categorical().sample(logits, rng)[:, None]], axis=1)
    return codes[:, -n:]


def repetition(x):
    """The largest correlation of each voice (M, n) with itself one period of 90 to 160 Hz later : (M,)."""
    return np.array([max(np.corrcoef(row[:-lag], row[lag:])[0, 1] for lag in range(RATE // 160, RATE // 90 + 1))
                     for row in x])


def speak(lesson, network, test):
    """Continue pieces of the test voice; how like the voice is what comes out?"""
    n, m = lesson.pick(600, 200), lesson.pick(40, 4)
    rng = lesson.rng(11)
    spoken = mu_law.decode(continue_voice(network, test[0][:m], n, rng))
    real = sv.speech_like(n * m, rate=RATE, rng=lesson.rng(12)).reshape(m, n)
    numbers = {name: {"level": Mean.of(20 * np.log10(loudness(x)[:, 0])), "repetition": Mean.of(repetition(x))}
               for name, x in (("voice", real), ("network", spoken))}
    lesson.table(f"{m} pieces of {n} samples, {1000 * n / RATE:.0f} ms, spoken one sample after another",
                 ["piece", "level, dB", "correlation one period later"],
                 [(name, row["level"], row["repetition"]) for name, row in numbers.items()])
    lesson.say(
        f"It took {n} passes, one a sample; none could start before the last had ended. A window of "
        f"{1000 * WIDTH / RATE:.0f} ms is shorter\nthan a period of the voice (6 to 11 ms), so the network cannot know "
        "when the vocal cords will pulse next:\nthat is what WaveNet's reach is for.\n")
    draw_voices(lesson, real, spoken, pitch(Finding.between(repetition(spoken), repetition(real)), *(
        row["repetition"].value for row in numbers.values())))
    return numbers


def pitch(apart, voice, network):
    """The title: correlation one period later, of the voice and of the network, whose difference is `apart`."""
    told = apart.words("repeats itself more than the voice", "repeats itself less than the voice",
                       "does not repeat itself clearly more or less than the voice")
    return f"The network {told}: correlation one period later {network:.2f}, the voice's {voice:.2f}"


def draw_voices(lesson, real, spoken, title):
    """The two loudest pieces of each."""
    figure, axes = plotting.panels(4, title, n_columns=2, size=(4.6, 2.0))
    milliseconds = 1000 * np.arange(real.shape[1]) / RATE
    pieces = [(x, title, colour) for voices, title, colour in (
        (real, "the made-up voice", plotting.COLOURS["truth"]),
        (spoken, "the network, one sample after another", COLOURS["network"]))
        for x in voices[np.argsort(-np.abs(voices).max(axis=1))[:2]]]
    with plotting.house_style():
        for ax, (x, title, colour) in zip(axes, pieces):
            ax.plot(milliseconds, x, color=colour, linewidth=1)
            ax.set(title=title, xlabel="time (ms)", ylabel="sample x")
    lesson.save(figure, "mu_law_voice")


if __name__ == "__main__":
    run_as_command(__spec__)
