"""Is the lesson book true to the code? Its map, links, quotations, commands, tables and figures; and equations of its own."""
import importlib
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import scratchvae as sv
from figures import announced
from demos import LESSONS, linear_autoencoder, observation
from demos.book import CHAPTERS, FIGURES, PAGES, ROOT, renewed
from demos.__main__ import parser
from demos.catalogue_of_mistakes import MISTAKES, plant
from demos.vae import independent_pixels
from scratchvae.models.probabilistic_pca import linear_vae

TEXT = {page: page.read_text(encoding="utf-8") for page in PAGES}
README, *BOOK_PAGES = PAGES
BOOK = "\n".join(TEXT[page] for page in BOOK_PAGES)
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]


# ---- reading the book -----------------------------------------------------------------------------------------------

def blocks(language, text):
    """The fenced blocks of a language, each a list of lines."""
    return [body.splitlines() for body in re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]


def chapters():
    """Lesson name -> its chapter's text."""
    return {name: TEXT[page] for name, page in CHAPTERS.items()}


def section(title):
    """The text under a heading, up to the next."""
    heading = re.compile(rf"^## {title}\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    return next(found[1] for text in TEXT.values() if (found := heading.search(text)))


def rows(title):
    """The rows of the table under a heading, each a list of cells, without the header."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def found(path):
    """What a dotted path names: a module, and from there on attributes."""
    names = path.split(".")
    for n in range(len(names), 0, -1):
        try:
            thing = importlib.import_module(".".join(names[:n]))
        except ModuleNotFoundError as error:
            if not ".".join(names[:n]).startswith(error.name):
                raise
            continue
        for name in names[n:]:
            thing = getattr(thing, name)
        return thing
    raise ModuleNotFoundError(path)


def is_check(where):
    """Whether tests/test_x.py::name names a test, or a check that some test of that module calls."""
    path, name = where.split("::")
    source = (ROOT / path).read_text()
    is_test = name.startswith("test_") or len(re.findall(rf"\b{name}\b", source)) > 1
    return is_test and re.search(rf"^def {name}\(", source, re.MULTILINE) is not None


def anchor(heading):
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


# ---- the map --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("title", ["The syllabus", "From equation to code to test"])
def test_every_function_and_every_check_of_the_tables_exists(title):
    for *_, function, check in rows(title):
        assert callable(found(function.strip("`"))), function
        assert is_check(check.strip("`")), check


def test_every_numbered_equation_is_in_the_map_once_and_in_order():
    numbers = re.findall(r"\\tag\{(\d+\.\d+)\}", BOOK)
    assert numbers == [row[0].strip("()") for row in rows("From equation to code to test")]
    prose = re.sub(r"^```.*?^```$", "", BOOK, flags=re.MULTILINE | re.DOTALL)
    for number in re.findall(r"(?<![\w`])\(([1-9]\d?\.\d+)\)", prose):
        assert number in numbers, f"({number}) is referred to and is no equation"


def test_equations_carry_their_chapters_number():
    for text in chapters().values():
        chapter = re.match(r"# (\d+)\. ", text)[1]
        for n, number in enumerate(re.findall(r"\\tag\{(\S+?)\}", text), 1):
            assert number == f"{chapter}.{n}"


# ---- links, quotations, commands, tables, figures -------------------------------------------------------------------

def anchors(page):
    """The anchors of a page's headings."""
    return {anchor(heading) for heading in re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_no_relative_link_is_dead(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```$", "", TEXT[page], flags=re.MULTILINE | re.DOTALL)):
        if not target.startswith(("http://", "https://")):
            path, _, place = target.partition("#")
            assert (page.parent / path).exists(), target
            assert not place or place in anchors(page.parent / path if path else page), target


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_no_page_is_out_of_step(page):
    assert TEXT[page] == renewed(page), "python -m demos.book puts the present code and tables into the pages"


@pytest.mark.parametrize("page", BOOK_PAGES, ids=NAMES[1:])
def test_every_table_and_every_quotation_stands_below_its_mark(page):
    for before, language in re.findall(r"^(.*)\n```(text|python)$", TEXT[page], re.MULTILINE):
        assert before.startswith("<!-- "), f"the {language} block after {before!r} has no mark"


def test_a_mark_that_finds_nothing_or_too_much_is_refused(tmp_path, monkeypatch):
    page = ROOT / "demos" / "book" / "a page.md"
    for mark, complaint in (("table kl: no such words", "0 first lines"), ("table kl: 1", "first lines"),
                            ("code demos/kl.py: nowhere", "0 definitions"), ("code demos/kl.py: run: def", "0 lines"),
                            ("rows mistakes: no such words", "0 lines"), ("table nothing: x", "No such file"),
                            ("table benchmarks/none.txt: x", "No such file")):
        monkeypatch.setattr(Path, "read_text", lambda self, encoding, mark=mark, read=Path.read_text: (
            f"<!-- {mark} -->\n```text\nold\n```\n" if self == page else read(self, encoding=encoding)))
        with pytest.raises(ValueError, match=f"a page.md.*{complaint}"):
            renewed(page)
        monkeypatch.undo()


def test_a_mark_alone_gets_its_block(monkeypatch):
    page, read = ROOT / "demos" / "book" / "a page.md", Path.read_text
    monkeypatch.setattr(Path, "read_text", lambda self, encoding: (
        "<!-- table kl: The Gaussian | 1 lines -->\n\nand on\n" if self == page else read(self, encoding=encoding)))
    assert re.fullmatch(r"<!-- .* -->\n```text\nThe Gaussian [^\n]*\n```\n\nand on\n", renewed(page))


def test_every_quotation_follows_a_link_to_its_file():
    for page in BOOK_PAGES:
        for mark in re.finditer(r"<!-- code (\S+?): ", TEXT[page]):
            links = re.findall(r"\]\(([\w./]+\.py)\)", TEXT[page][:mark.start()].rpartition("```\n")[2])
            assert ROOT / mark[1] in [(page.parent / link).resolve() for link in links], f"{page.name}: {mark[1]}"


def test_every_lesson_has_a_chapter_with_question_and_command():
    assert list(chapters()) == list(LESSONS)
    for name, text in chapters().items():
        assert re.search(r"\n\n\*[^*]+\?\*\n", text), f"{name}: the chapter begins with its question"
        assert [f"python -m demos {name}"] in [block[:1] for block in blocks("sh", text)]


def numbered(text):
    """The numbers with which lines begin, from 1 on."""
    return [int(number) for number in re.findall(r"^(\d+)\. ", text, re.MULTILINE)]


def test_every_exercise_has_its_answer_on_a_page_that_can_be_left_out():
    parts = re.split(r"^## (.*)$", (ROOT / "demos" / "book" / "answers.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    answers = dict(zip(parts[1::2], parts[2::2]))
    assert len(answers) == len(chapters())
    for (name, text), (heading, given) in zip(chapters().items(), answers.items()):
        anchor = heading.lower().replace(".", "").replace(" ", "-")
        exercises = text.partition("**Exercises.**")[2]
        assert exercises.startswith(f" ([answers](answers.md#{anchor}))") and f"]({name}.md)" in given
        assert numbered(exercises) == numbered(given) == list(range(1, len(numbered(given)) + 1)) != []
        assert "<summary>What happens" not in text and text.startswith(f"# {heading}\n")


def test_a_lesson_asks_the_same_question_everywhere():
    asked = dict(re.findall(r"^\| \[`(\w+)`\]\([^)]*\) \| (.*?) \|$", TEXT[README], re.MULTILINE))
    assert list(asked) == list(LESSONS)
    for name, text in chapters().items():
        assert re.search(r"\n\n\*([^*]+\?)\*\n", text)[1] == asked[name]
        assert importlib.import_module(f"demos.{name}").__doc__.startswith(asked[name])


def test_every_command_names_a_lesson_or_the_package():
    text = "\n".join(TEXT.values())
    commands = [line for block in blocks("sh", text) for line in block] + re.findall(r"`(python -m [^`]+)`", text)
    assert commands
    for command in commands:
        for match in re.finditer(r"python3? -m (demos|scratchvae)(?![.\w])([^&|;]*)", command):
            package, arguments = match[1], shlex.split(match[2])
            if package == "scratchvae":
                assert arguments == [] and (ROOT / "scratchvae" / "__main__.py").exists()
            elif arguments and arguments[0] != "NAME":
                assert arguments[0] in (*LESSONS, "all"), command
                parser(arguments[0]).parse_args(arguments[1:])


def test_every_figure_is_shown_in_its_chapter_and_every_shown_figure_is_there():
    shown = {name: re.findall(r"!\[[^\]]+\]\(\.\./figures/([^)]+)\)", text) for name, text in chapters().items()}
    drawn = {path.name for path in FIGURES.iterdir() if path.suffix in (".png", ".gif")}
    for name, figures in shown.items():
        assert set(figures) == announced(importlib.import_module(f"demos.{name}")), name
    assert {figure for figures in shown.values() for figure in figures} == drawn


def test_mathematics_is_closed():
    prose = re.sub(r"^```.*?^```$", "", BOOK, flags=re.MULTILINE | re.DOTALL)
    for paragraph in re.sub(r"`[^`]*`", "", prose).split("\n\n"):
        assert paragraph.count("$") % 2 == 0, paragraph
    for block in blocks("math", BOOK):
        body = "\n".join(block)
        assert body.count("{") == body.count("}") and body.count(r"\tag") <= 1
        assert len(re.findall(r"\\Big\b", body)) % 2 == 0 and len(re.findall(r"\\big\b", body)) % 2 == 0


# ---- equations that no other test holds -----------------------------------------------------------------------------

def digits(binary=False):
    """100 real digits in float64."""
    X = sv.load_digits()[0][:100]
    return sv.binarize(X) if binary else X


def check_pythagoras(X):
    """(3.1): |x|^2 = |x V|^2 + |x - x V V^T|^2 of centred x."""
    pca = sv.PCA(5).fit(X)
    centred, z = X - X.mean(axis=0), pca.transform(X)
    rest = X - pca.inverse_transform(z)
    np.testing.assert_allclose((centred**2).sum(axis=1), (z**2).sum(axis=1) + (rest**2).sum(axis=1), rtol=1e-12)


def test_pythagoras():
    check_pythagoras(digits())


def check_turned_axis(angle):
    """(6.2): component i turned towards a discarded j loses sin^2 (l_i - l_j) more, and `principal_angles` sees the angle."""
    X, k, i, j = digits(), 4, 2, 6
    pca = sv.PCA().fit(X)
    V, variance = pca.components_, pca.singular_values_**2
    turned = V[:k].copy()
    turned[i] = np.cos(angle) * V[i] + np.sin(angle) * V[j]
    centred = X - pca.mean_
    excess = np.sum((centred - centred @ turned.T @ turned) ** 2) - variance[k:].sum()
    np.testing.assert_allclose(excess, np.sin(angle) ** 2 * (variance[i] - variance[j]), rtol=1e-9)
    found_angle = linear_autoencoder.principal_angles(V[:k], turned).max()
    np.testing.assert_allclose(found_angle, angle, rtol=1e-9)


@pytest.mark.parametrize("angle", [0.01, 0.3, 1.2])
def test_turned_axis(angle):
    check_turned_axis(angle)


def check_autoencoder_is_a_vae_without_noise_and_kl():
    """(9.1): with epsilon = 0 and beta = 0 the VAE's loss and gradient are the autoencoder's; with its KL, the loss is higher by it."""
    x, how = digits(binary=True), {"hidden": (6,), "n_latent": 3, "activation": "tanh", "dtype": np.float64}
    ae = sv.Autoencoder(64, rng=np.random.default_rng(0), **how)
    for beta in (0.0, 1.0):
        vae = sv.VAE(64, rng=np.random.default_rng(1), beta=beta, **how)
        mine, theirs = vae.named_parameters(), ae.named_parameters()
        for name in mine:  # the last encoder layer's second half makes log_var, of which the autoencoder knows nothing
            mine[name][..., :theirs[name].shape[-1]] = theirs[name]
        terms = vae.loss_and_grad(x, eps=np.zeros((100, 3)))
        loss = ae.loss_and_grad(x).loss
        np.testing.assert_allclose(terms.loss, loss + beta * terms.kl, rtol=1e-12)
        np.testing.assert_allclose(vae.grad[-ae.decoder.theta.size:], ae.grad[-ae.decoder.theta.size:], rtol=1e-9, atol=1e-14)
        if beta == 0:
            first = ae.encoder.layers[0].W.size
            np.testing.assert_allclose(vae.grad[:first], ae.grad[:first], rtol=1e-9, atol=1e-14)


def test_autoencoder_is_a_vae_without_noise_and_kl():
    check_autoencoder_is_a_vae_without_noise_and_kl()


def check_radius_of_the_codes(seed):
    """(9.2): E|z|^2 = |mu|^2 + sum_j sigma_j^2, by Gauss-Hermite nodes, three of which are exact for a square."""
    rng = np.random.default_rng(seed)
    mu, log_var = rng.standard_normal((2, 7, 4))
    squares = [w * sv.gaussian.reparameterize(mu, log_var, np.full((7, 4), node)) ** 2
               for node, w in ((-np.sqrt(3), 1 / 6), (0.0, 2 / 3), (np.sqrt(3), 1 / 6))]
    np.testing.assert_allclose(np.sum(squares, axis=(0, 2)), (mu**2 + np.exp(log_var)).sum(axis=1), rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_radius_of_the_codes(seed):
    check_radius_of_the_codes(seed)


def check_decoder_that_ignores_z():
    """(11.11): KL 0 and ELBO = log p(x), whatever the noise; and a code that no one reads costs mu^2 / 2."""
    x = digits(binary=True)
    vae = sv.VAE(64, hidden=(), n_latent=3, rng=np.random.default_rng(0), dtype=np.float64)
    vae.theta[:] = 0
    p = (x.sum(axis=0) + 1) / (len(x) + 2)
    vae.decoder.layers[0].b[:] = np.log(p / (1 - p))
    exact = independent_pixels(x, x)
    terms = vae.elbo(x, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(terms.kl, 0)
    np.testing.assert_allclose(terms.elbo, exact, rtol=1e-12)
    evidence = sv.log_evidence(vae, x[:5], n_samples=7, rng=np.random.default_rng(2))
    np.testing.assert_allclose(evidence.value, exact[:5], rtol=1e-12)
    vae.encoder.layers[0].b[1] = 0.7
    np.testing.assert_allclose(vae.elbo(x, rng=np.random.default_rng(3)).elbo, exact - 0.7**2 / 2, rtol=1e-12)


def test_decoder_that_ignores_z():
    check_decoder_that_ignores_z()


def check_predicted_kl():
    """(20.5): at the linear optimum the mean KL of latent j is 1/2 log(l_j / v); 0 where l_j <= v."""
    X = digits()
    values = observation.eigenvalues(X)
    model = sv.ProbabilisticPCA(observation.K).fit(X)
    mu, log_var = linear_vae(model).encode(X)
    kl = [sv.gaussian.kl_standard(mu[:, [k]], log_var[:, [k]]).mean() for k in range(observation.K)]
    np.testing.assert_allclose(observation.predicted_kl(values, model.noise_variance_), kl, rtol=1e-9)
    np.testing.assert_array_equal(observation.predicted_kl(values, 2 * values[0]), 0)


def test_predicted_kl():
    check_predicted_kl()


def check_predicted_error():
    """(20.7): the linear optimum's squared error, of its mean and of z's noise through the decoder; all where none live."""
    X = digits()
    values = observation.eigenvalues(X)
    model = sv.ProbabilisticPCA(observation.K).fit(X)
    vae = linear_vae(model)
    mu, log_var = vae.encode(X)
    noise = np.exp(log_var) @ (vae.decoder.layers[0].W**2).sum(axis=1)
    error = (((X - vae.decode(mu)) ** 2).sum(axis=1) + noise).mean()
    np.testing.assert_allclose(observation.predicted_error(values, model.noise_variance_), error, rtol=1e-9)
    np.testing.assert_allclose(observation.predicted_error(values, 2 * values[0]), values.sum(), rtol=1e-12)


def test_predicted_error():
    check_predicted_error()


def check_squared_error_is_a_variance(beta):
    """(20.6): |x - m|^2 + beta KL has beta times the gradient of the Gaussian loss of variance beta / 2."""
    x, eps, grads = digits(), np.random.default_rng(0).standard_normal((100, 3)), []
    for variance, weight in ((0.5, beta), (beta / 2, 1.0)):  # at variance 1/2 the loss is the squared error itself
        vae = sv.VAE(64, hidden=(6,), n_latent=3, activation="tanh", observation=sv.Gaussian(variance), beta=weight,
                     rng=np.random.default_rng(1), dtype=np.float64)
        vae.loss_and_grad(x, eps=eps)
        grads.append(vae.grad.copy())
    np.testing.assert_allclose(grads[0], beta * grads[1], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("beta", [0.1, 1.0, 64.0])
def test_squared_error_is_a_variance(beta):
    check_squared_error_is_a_variance(beta)


def planted(name):
    """The context in which the library has the mistake of that name."""
    (mistake,) = [m for m in MISTAKES if m.name == name]
    return plant(mistake)


def trained_vae():
    """A small VAE in float64, its parameters moved, with real digits and noise."""
    rng = np.random.default_rng(0)
    vae = sv.VAE(64, hidden=(6,), n_latent=3, activation="tanh", rng=rng, dtype=np.float64)
    vae.theta += 0.2 * rng.standard_normal(vae.theta.shape)
    return vae, digits(binary=True), rng.standard_normal((100, 3))


def check_what_a_wrong_sampler_reports():
    """(23.1): what is reported is the ELBO of q' = N(mu, sigma^4) and 1/2 sum (sigma^4 - sigma^2 - log sigma^2) >= 0 on top."""
    vae, x, eps = trained_vae()
    log_var = vae.encode(x)[1]
    with planted("sigma is exp(log_var), the variance"):
        reported = vae.elbo(x, eps=eps).elbo
    for array in (vae.encoder.layers[-1].W, vae.encoder.layers[-1].b):
        array[..., 3:] *= 2  # sigma becomes sigma^2: the right code's z is now the wrong code's
    excess = 0.5 * (np.exp(2 * log_var) - np.exp(log_var) - log_var).sum(axis=1)
    assert (excess > 0).all()
    np.testing.assert_allclose(reported - vae.elbo(x, eps=eps).elbo, excess, rtol=1e-9, atol=1e-11)


def test_what_a_wrong_sampler_reports():
    check_what_a_wrong_sampler_reports()


def check_what_a_wrong_kl_reports():
    """(23.2): a halved KL reports KL / 2 too much and trains with beta = 1/2; without its -1, K / 2 too little, the right gradient."""
    vae, x, eps = trained_vae()

    def gradient():
        vae.loss_and_grad(x, eps=eps)
        return vae.grad.copy()

    right, right_gradient = vae.elbo(x, eps=eps), gradient()
    with planted("the KL off by a constant: the -1 forgotten"):
        np.testing.assert_allclose(vae.elbo(x, eps=eps).elbo, right.elbo - 3 / 2, rtol=1e-12)
        np.testing.assert_array_equal(gradient(), right_gradient)
    with planted("the KL halved"):
        np.testing.assert_allclose(vae.elbo(x, eps=eps).elbo, right.elbo + right.kl / 2, rtol=1e-12)
        halved = gradient()
    vae.beta = 0.5
    np.testing.assert_allclose(halved, gradient(), rtol=1e-9, atol=1e-14)


def test_what_a_wrong_kl_reports():
    check_what_a_wrong_kl_reports()
