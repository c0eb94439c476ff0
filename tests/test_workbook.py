"""Does the workbook know right from wrong, and say why? Every blank: as it is cut, as the library writes it, otherwise, wrong."""
import ast
import csv
import re
import subprocess
import sys

import numpy as np
import pytest

import right_answers
import wrong_answers
import wrong_answers_more
from demos.catalogue_of_mistakes import find
from demos.workbook import identities, relations
from demos.workbook.__main__ import main, watch
from demos.workbook.blanks import BLANKS, LEFT_OUT, STEPS, UNITS, source
from demos.workbook.runner import NOT_WRITTEN, RIGHT, ROOT, WRONG, Verdict, check_all
from workbook_pages import own_body, page_with, verdict

RIGHTS = [(name, body) for name, bodies in right_answers.RIGHT.items() for body in bodies]
WRONGS = [(name, body, words) for name, answers in wrong_answers.WRONG.items() for body, words in answers]


def few(answers, n):
    """The first n answers to each blank; the others are slow ones."""
    seen = {}
    return [answer if seen.setdefault(answer[0], []).append(0) or len(seen[answer[0]]) <= n
            else pytest.param(*answer, marks=pytest.mark.slow) for answer in answers]


# ---- the pages ------------------------------------------------------------------------------------------------------

def test_there_are_enough_blanks_in_the_book_s_order():
    assert len(BLANKS) == sum(len(unit.blanks) for unit in UNITS) >= 30 and 8 <= len(UNITS) <= 12
    assert [unit.name for unit in UNITS][:2] == ["beliefs", "divergence"]
    assert set(right_answers.RIGHT) == set(wrong_answers.WRONG) == set(BLANKS)
    assert min(map(len, right_answers.RIGHT.values())) >= 2 and len(WRONGS) >= 150


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_page_holds_no_solution(unit):
    page = unit.text()
    names = {node.name for node in ast.walk(ast.parse(page)) if isinstance(node, ast.FunctionDef)}
    assert page.count(LEFT_OUT) == len(unit.blanks) and names == {blank.name.split(".")[-1] for blank in unit.blanks}
    assert max(map(len, page.splitlines())) <= 124
    code = "\n".join(re.sub(r'""".*?"""', "", page, flags=re.DOTALL).splitlines())
    for blank in unit.blanks:
        for line in own_body(blank.name).splitlines():
            line = line.partition("#")[0].strip()
            assert len(line) < 8 or line not in code, f"{blank.name}: {line}"


def test_a_page_has_the_library_s_own_words():
    page = UNITS[1].text()
    assert '"""KL(N(mu, diag exp(log_var)) || N(0, I)) of each example, in nats.' in page
    assert "def kl_standard(mu, log_var):" in page and "@" not in re.sub(r'""".*?"""', "", page, flags=re.DOTALL)
    assert "from scratchvae.probability.gaussian import LOG_2PI" in page


def test_hints_are_steps_in_words_then_the_source_s_comments():
    assert BLANKS["Dense.backward"].hints() == ["dW = x^T dy        db = sum_n dy_n        dx = dy W^T"]
    assert set(STEPS) <= set(BLANKS)
    for blank in BLANKS.values():
        assert blank.hints() and all(hint in source(blank.module)
                                     for hint in blank.hints()[len(STEPS.get(blank.name, ())):])


# ---- verdicts -------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", BLANKS)
def test_the_library_s_own_body_is_right(name):
    hidden = "".join(f"from {module} import {each}\n" for module, each in BLANKS[name]._replace(hide=()).imports())
    assert verdict(name, own_body(name), hidden) == (RIGHT, "")


@pytest.mark.parametrize("name, body", few(RIGHTS, 1))
def test_another_right_answer_is_right(name, body):
    status, message = verdict(name, body)
    assert status == RIGHT, message
    assert message == "" or message.startswith("a remark: it is not exact")


@pytest.mark.parametrize("name, body, words", few(WRONGS, 2))
def test_a_wrong_answer_is_not_accepted_and_is_told_why(name, body, words):
    status, message = verdict(name, body)
    assert status == WRONG and message and len(message.splitlines()) <= 2


@pytest.mark.slow
def test_most_wrong_answers_get_a_diagnosis():
    """At least nine of ten are told what the mistake or its effect is; and at least half of every blank's."""
    explained = {}
    for name, body, words in WRONGS:
        told = verdict(name, body)[1]
        explained.setdefault(name, []).append(bool(re.search(f"{words}|a well-known mistake", told, re.DOTALL)))
    assert np.mean(sum(explained.values(), [])) >= 0.9
    assert min(map(np.mean, explained.values())) >= 0.5


@pytest.mark.slow
def test_of_a_second_set_none_is_accepted_and_most_are_explained():
    """Explained is what gets more than its numbers: a mistake's name, a relation, an identity that it breaks."""
    told = [verdict(name, body) for name, bodies in wrong_answers_more.MORE.items() for body in bodies]
    assert len(told) >= 150 and {status for status, _ in told} == {WRONG}
    bare = [message for _, message in told if re.search(r"got \S+, want \S+$|times one number in each case", message)]
    assert len(bare) <= 0.2 * len(told)


def test_a_message_does_not_mislead():
    """What is infinite depends on nothing; 1e-20 is not 0; lr is not 1 - beta1; where f moves theta, no new array helps."""
    told = verdict("kl_table", "p, q = p + 1e-12, q + 1e-12\nreturn (p * np.log(p / q)).sum(axis=-1)")[1]
    assert "want inf" in told and "should not" not in told
    told = verdict("softmax_terms", "e = np.exp(a - a.max(axis=1, keepdims=True))\np = e / e.sum(axis=1, keepdims=True)\n"
                   "return p, np.log(p + 1e-20)")[1]
    assert " is 0 times " not in told and "-46.05" in told
    told = verdict("Adam.update", "self.m = self.beta1 * self.m + grad\nself.v = self.beta2 * self.v + (1 - self.beta2) * grad**2\n"
                   "m, v = self.m / (1 - self.beta1**self.t), self.v / (1 - self.beta2**self.t)\n"
                   "theta -= self.lr * m / (np.sqrt(v) + self.eps)")[1]
    assert "1/(1 - beta1) times" in told and "1/lr" not in told
    told = verdict("numerical_gradient", "g = []\nfor i in range(len(theta)):\n    theta[i] += h\n    a = f(theta)\n    theta[i] -= 2 * h\n"
                   "    g.append((a - f(theta)) / (2 * h))\nreturn np.array(g)")[1]
    assert "put it back" in told


@pytest.mark.parametrize("name, body", [
    ("kl_standard", "return (0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=-1)).astype(np.float32)"),
    ("Dense.forward", "return x.astype(np.float32) @ self.W + self.b, x"),
    ("log_prob", "return -0.5 * np.sum((x - mu)**2 / np.exp(log_var) + log_var + np.log(2 * 3.1415927), axis=-1)"),
    ("bernoulli_terms", "p = 1 / (1 + np.exp(-a))\nreturn (x * np.log(p + 1e-8) + (1 - x) * np.log(1 - p + 1e-8)).sum(-1), x - p")])
def test_half_of_the_digits_are_too_few(name, body):
    status, message = verdict(name, body)
    assert status == WRONG and "nearly right" in message and "too few digits" in message


@pytest.mark.parametrize("name, right, wrong", [("VAE.forward_backward", "x, eps, labels)", "x, eps)"),
                                                ("VAE.through_z", "[:, :K]", "")])
def test_what_forgets_the_labels_is_told_so(name, right, wrong):
    status, message = verdict(name, own_body(name).replace(right, wrong))
    assert status == RIGHT and "a remark" in message and "n_classes > 1" in message


def test_a_helper_an_import_and_a_number_of_one_s_own_work():
    before = "import math\n\nHALF = 0.5\n\n\ndef squared(a):\n    return a * a\n"
    body = "return HALF * (squared(mu) + np.exp(log_var) - math.pow(1, 2) - log_var).sum(axis=-1)"
    assert verdict("kl_standard", body, before)[0] == RIGHT


def test_the_other_functions_of_the_page_are_the_library_s(tmp_path):
    """through_z may call reparameterize_grad, which is unwritten on the same page."""
    folder = started(tmp_path, VAE__through_z=own_body("VAE.through_z"))
    found = messages(folder, "VAE.through_z", "reparameterize_grad")
    assert [v.status for v in found.values()] == [RIGHT, NOT_WRITTEN]


def test_what_calls_the_library_s_own_function_calls_itself():
    status, message = verdict("kl_standard", "import scratchvae as sv\nreturn sv.gaussian.kl_standard(mu, log_var)")
    assert status == WRONG and "calls itself without end" in message


def test_state_between_calls_is_noticed():
    assert "later one" in verdict("sigmoid", "calls.append(0)\nreturn 1 / (1 + np.exp(-a)) + (len(calls) > 3)",
                                  "calls = []\n")[1]
    kept = "global room\nif room is None or room.shape != a.shape:\n    room = np.empty_like(a)\nroom[...] = 1 / (1 + np.exp(-a))\nreturn room"
    assert verdict("sigmoid", kept, "room = None\n")[0] == RIGHT      # an array of another shape is another one
    shared = "room.resize(a.shape, refcheck=False)\nroom[...] = 1 / (1 + np.exp(-a))\nreturn room"
    assert "one and the same array" in verdict("sigmoid", shared, "room = np.zeros(1)\n")[1]


# ---- identities, the last resort ------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", identities.TRUE_OF)
def test_the_library_keeps_the_identities(name):
    """Each is asked, none is passed over because it failed, and the library's function keeps all."""
    function = find(BLANKS[name].where)
    for words, identity in identities.TRUE_OF[name]:
        np.testing.assert_allclose(*identity(function), rtol=1e-7, atol=1e-9, err_msg=words)
    assert identities.broken(name, function) is None


def test_an_identity_that_is_broken_is_told_with_its_number():
    status, message = verdict("sigmoid", "return a / (1 + np.abs(a))")
    assert status == WRONG and "it must be true that at 0 it is 1/2: here it is 0, not 0.5" in message


# ---- relations ------------------------------------------------------------------------------------------------------

SIZES = [{"N": 5, "K": 3}, {"N": 4, "K": 2}]
A = [np.random.default_rng(k).standard_normal((z["N"], z["K"])) for k, z in enumerate(SIZES)]


@pytest.mark.parametrize("number, name", [
    (lambda z: 1 / z["N"], "1/N"), (lambda z: -z["K"], "-K"), (lambda z: 2 / z["N"], "2 1/N"),
                                          (lambda z: z["N"] * z["K"], "K N")])
def test_a_ratio_is_named_by_the_sizes(number, name):
    got = [number(z) * a for z, a in zip(SIZES, A)]
    told = relations.ratio(got, A, SIZES)
    assert f"is {name} " in told.replace("N K", "K N")
    assert relations.ratio([a * (1 + 1e-3 * a) for a in A], A, SIZES) is None


def test_a_shape_tells_the_axis():
    want, got = A[0].sum(axis=1), A[0]
    assert "the sum over K is missing" in relations.shape([got], [want], SIZES)
    assert "the sum over N, which must be kept" in relations.shape([A[0].sum(axis=0)], [A[0]], SIZES)
    assert "it is transposed" in relations.shape([A[0].T], [A[0]], SIZES)


def test_what_is_added_is_named():
    inputs = [{"log_var": a} for a in A]
    want = [np.exp(a).sum(axis=1) for a in A]
    assert "sigma" in relations.added([np.exp(a / 2).sum(axis=1) for a in A], want, SIZES, inputs)
    assert relations.added([np.sin(a).sum(axis=1) for a in A], want, SIZES, inputs) is None


# ---- folders, and students who do anything ------------------------------------------------------------------------------

def started(tmp_path, **bodies):
    """A student's folder in which some blanks are filled in, by name with _ for the dot."""
    folder = tmp_path / "mine"
    assert main(["start", str(folder)]) == 0
    for name, body in bodies.items():
        name = name if name in BLANKS else name.replace("__", ".")
        unit = next(u for u in UNITS if any(b.name == name for b in u.blanks))
        path, text = folder / unit.file, (folder / unit.file).read_text()
        start = text.index(f"def {name.split('.')[-1]}(")
        place = text.index("    " + LEFT_OUT, start)
        filled = "\n".join("    " + "    " * ("." in name) + line for line in body.splitlines())
        path.write_text(text[:place].rstrip(" ") + filled + text[place + len("    " + LEFT_OUT):])
    return folder


def messages(folder, *names):
    return {v.name: v for v in check_all(folder, names or None)}


def test_what_is_left_as_it_is_is_not_written_yet(tmp_path, capsys):
    folder = started(tmp_path)
    found = messages(folder)
    assert list(found) == list(BLANKS) and {v.status for v in found.values()} == {NOT_WRITTEN}
    assert main(["check", str(folder)]) == 0
    said = capsys.readouterr().out
    assert "next: write bayes" in said and "together" in said


def test_start_overwrites_nothing_and_takes_a_choice(tmp_path, capsys):
    folder = started(tmp_path, kl_standard="return 1")
    kept = (folder / "02_divergence.py").read_text()
    assert main(["start", str(folder)]) == 0 and (folder / "02_divergence.py").read_text() == kept
    choice = tmp_path / "choice"
    choice.write_text("kl_standard   # the second week\n\nlayers\n")
    assert main(["start", str(tmp_path / "two"), "--blanks", str(choice)]) == 0
    assert sorted(p.name for p in (tmp_path / "two").iterdir()) == ["02_divergence.py", "04_layers.py", "blanks.txt"]
    assert "kl_table" not in (tmp_path / "two" / "02_divergence.py").read_text()
    capsys.readouterr()
    assert main(["check", str(tmp_path / "two")]) == 0 and "bayes" not in capsys.readouterr().out
    choice.write_text("kl_standart\n")
    assert main(["start", str(tmp_path / "three"), "--blanks", str(choice)]) == 2
    assert "did you mean 'kl_standard'" in capsys.readouterr().err


def test_a_student_may_do_anything(tmp_path):
    """A syntax error, NaN, prints, exit, a flood, files elsewhere, a deleted blank: a line or two each, and the rest goes on."""
    elsewhere = tmp_path / "elsewhere"
    folder = started(
        tmp_path, kl_standard="print('mu is', mu.shape)\nreturn np.nan * mu.sum(axis=1)", kl_table="exit()",
        log_prob="while True:\n    print('x' * 1000)", kl=f"open({str(elsewhere)!r}, 'w').write('x')\nreturn 0",
        kl_standard_grad="import os\nos._exit(3)", compress="return oops", sigmoid="return [0] * 10**12",
        quantize="import subprocess\nsubprocess.run(['true'])", log_mean_exp=own_body("log_mean_exp"))
    page = folder / "04_layers.py"
    page.write_text(page.read_text() + "\ndef broken(:\n")
    page = folder / "03_components.py"
    page.write_text(page.read_text().replace("def centred(", "def gone("))
    found = messages(folder)
    assert list(found) == list(BLANKS)
    assert "NaN" in found["kl_standard"].message and found["kl_standard"].printed[0] == "mu is (5, 3)"
    for name, words in {"kl_table": "ends the program", "log_prob": "prints without end",
                        "kl": "writes a file elsewhere",
                        "kl_standard_grad": "ends the whole process", "compress": "name 'oops' is not defined",
                        "sigmoid": "memory", "quantize": "reaches out", "Dense.backward": "SyntaxError",
                        "centred": "not in 03_components.py any more"}.items():
        assert found[name].status == WRONG and words in found[name].message, found[name]
        assert len(found[name].message.splitlines()) <= 2
    assert found["log_mean_exp"].status == RIGHT and found["bayes"].status == NOT_WRITTEN and not elsewhere.exists()
    assert "10_sound.py, line" in found["compress"].message


@pytest.mark.slow
def test_an_endless_loop_is_stopped_with_its_line(tmp_path):
    folder = started(tmp_path, kl_standard="k = 0\nwhile True:\n    k += 1", kl="return 0")
    found = messages(folder, "kl_standard", "kl")
    assert re.search(r"after 10 s.*\n02_divergence.py, line \d+: (k \+= 1|while True:)", found["kl_standard"].message)
    assert found["kl"].status == WRONG and isinstance(found["kl"], Verdict)


def test_a_folder_that_is_none_is_said_so(tmp_path, capsys):
    assert main(["check", str(tmp_path)]) == 2 and "holds no page of the workbook" in capsys.readouterr().err
    folder = started(tmp_path)
    assert main(["check", str(folder), "kl_standart"]) == 2 and "did you mean 'kl_standard'" in capsys.readouterr().err


def test_hints_come_one_at_a_time(tmp_path, capsys):
    folder = started(tmp_path)
    capsys.readouterr()
    assert main(["check", str(folder), "bayes", "--hint", "1"]) == 0
    first = capsys.readouterr().out
    assert main(["check", str(folder), "bayes", "--hint", "2"]) == 0
    second = capsys.readouterr().out
    assert STEPS["bayes"][0] in first and STEPS["bayes"][1] not in first and STEPS["bayes"][1] in second


def test_a_saved_file_is_checked_again(tmp_path, capsys, monkeypatch):
    folder = started(tmp_path, sigmoid="return 1 / (1 + np.exp(a))")
    capsys.readouterr()
    page = folder / "06_observation.py"

    looks = iter(range(9))

    def saved_between_two_looks(folder):
        if next(looks) == 1:
            page.write_text(page.read_text().replace("np.exp(a)", "np.exp(-a)"))
        return {page.name: page.read_text()}
    monkeypatch.setattr("demos.workbook.__main__.saved", saved_between_two_looks)
    watch(folder, ["sigmoid"], pause=0, rounds=2)
    said = capsys.readouterr().out
    assert [line.split()[2] for line in said.splitlines() if "sigmoid  " in line] == ["wrong", "right"]


def test_a_class_is_reported(tmp_path, capsys):
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    wrong = "return 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).mean(axis=-1)"
    ada = started(tmp_path / "a", kl_standard=wrong, kl="os._exit(0)", sigmoid=own_body("sigmoid"))
    bob = started(tmp_path / "b", kl_standard="  # in a style of his own\n" + wrong, kl_table="return '=1+1'")
    assert main(["report", str(ada), str(bob), str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 0
    assert "holds no page" in capsys.readouterr().out
    rows = list(csv.DictReader((tmp_path / "out" / "report.csv").read_text().splitlines()))
    assert len(rows) == 2 * len(BLANKS) and {row["student"] for row in rows} == {"mine", "b/mine"}
    status = {(row["student"], row["function"]): row["status"] for row in rows}
    assert status["mine", "sigmoid"] == RIGHT and status["b/mine", "sigmoid"] == NOT_WRITTEN and status["mine",
        "kl"] == WRONG
    page = (tmp_path / "out" / "report.html").read_text()
    first = page[page.index("<h2>"):].split("<tr>")[2]
    assert "<td>2</td><td><code>kl_standard</code>" in first and "mine, b/mine" in first


@pytest.mark.slow
def test_a_lesson_runs_on_the_student_s_functions(tmp_path):
    folder = started(tmp_path, kl_standard="seen.append(1)\n" + own_body("kl_standard"), sigmoid="return a",
                     VAE__through_kl=own_body("VAE.through_kl"), expand="return np.sign(y) * ((1 + mu)**np.abs(y) - 1) / mu")
    page = folder / "02_divergence.py"
    page.write_text(page.read_text() + "\n\nseen = []\nimport atexit\natexit.register(lambda: print('called', bool(seen)))\n")
    done = subprocess.run([sys.executable, "-m", "demos.workbook", "run", str(folder), "vae", "--quick", "--out",
                           str(tmp_path)],
                          cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "yours: kl_standard, VAE.through_kl, expand\nexpand: a remark: it is not exact" in done.stdout
    assert "for yours is wrong: sigmoid" in done.stdout
    assert done.stdout.rstrip().endswith("called True") and (tmp_path / "vae.txt").exists()
