"""Would the tests notice? Every mistake of the catalogue is planted, and a check of the ordinary tests rejects it.

A mistake's own gradient check is run as well: not that it must find anything, but so that the lesson `mistakes`, which
measures with a check of its own, says the truth about what a gradient check alone would have found.
"""
import ast
import importlib
import inspect
import pkgutil
from copy import deepcopy
from functools import lru_cache

import numpy as np
import pytest

import test_autoencoder
import test_autoregressive
import test_classifier
import test_conditional
import test_data
import test_divergence
import test_elbo
import test_factors
import test_inference
import test_iwae
import test_kernel_pca
import test_layers
import test_mu_law
import test_network
import test_observation
import test_pca
import test_start
import test_probabilistic_pca
import test_training
import test_vae
import scratchvae as sv
from demos import catalogue_of_mistakes as catalogue
from demos.students_mistakes import WRITTEN
from strategies import normals

MISTAKES = {mistake.name: mistake for mistake in catalogue.MISTAKES}
CHECKS = dict.fromkeys(mistake.check for mistake in catalogue.MISTAKES)


def for_kinds(check, kinds=test_layers.KINDS):
    """A check of the layers' contract, on each kind of layer."""
    for kind in kinds:
        check(test_layers.make(kind), normals(1, 6, 4))


def bernoulli_vae(activation="tanh"):
    x, eps = test_vae.data(sv.Bernoulli()), test_vae.noise(n_samples=2)
    return test_vae.away_from_kinks(lambda seed: test_vae.new(seed=seed, activation=activation), x, eps), x, eps


def vae_of(observation):
    return test_vae.new(observation, activation="tanh"), test_vae.data(observation), test_vae.noise(n_samples=2)


def idx_loads(tmp_path):
    test_data.write_split(tmp_path)
    test_data.check_idx_loads(tmp_path)


def autoregressive(check, kinds, n=9):
    for kind in kinds:
        model, X = test_autoregressive.build(kind), test_autoregressive.data(kind, n, 6)
        for k in range(len(model.orders)):
            check(*(model, X, k)[:len(inspect.signature(check).parameters)])


def completed():
    """A model and the pixels that its completions keep: the first two of its order."""
    model = test_autoregressive.build("FVBN", seed=4, n_features=4)
    return model, np.isin(np.arange(4), model.orders[0][:2])


def pieces():
    """The derivation's terms for a linear VAE and a q that is not its posterior."""
    return test_elbo.elbo.in_closed_form(test_elbo.linear(5, 2, 0), normals(0, 3, 5), test_elbo.some_q(3, 2, 0))


# With what the catalogue's checks are called that take arguments, such as the ordinary tests give them; a function,
# where these are made by what may hold the mistake, or are several.
CALLS = {
    "test_gaussian.check_reparameterized_moments": (normals(0, 5, 3), normals(1, 5, 3)),
    "test_gaussian.check_kl_standard_by_quadrature": (normals(0, 5, 3), normals(1, 5, 3)),
    "test_gaussian.check_kl_standard_derivatives": (normals(0, 4, 3), normals(1, 4, 3), normals(2, 4)),
    "test_gaussian.check_kl_by_quadrature": lambda check: check(*(normals(k, 4, 3) for k in range(4))),
    "test_gaussian.check_reparameterize_derivatives": (
        normals(0, 4, 3), normals(1, 4, 3), normals(2, 2, 4, 3), normals(3, 2, 4, 3)),
    "test_gaussian.check_density_integrates_to_one": (np.array([0.4]), np.array([-0.7])),
    "test_inference.check_update_is_bayes_again_and_again": (0, 5, 3),
    "test_inference.check_interval": (-1.0, 2.5, 0.3, 1.7),
    "test_inference.check_beta_posterior": lambda check: check(3, 10, test_inference.inference.Beta(2.5, 4.0)),
    "test_inference.check_gaussian_posterior": lambda check: check(
        3, 1.0, 0.7, test_inference.inference.Normal(-0.5, 2.0)),
    "test_inference.check_gaussian_mle": (normals(0, 25, 3),),
    "test_divergence.check_kl_table": lambda check: check(test_divergence.table(0, 5), test_divergence.table(1, 5)),
    "test_divergence.check_quadrature_agrees_with_closed_form": (0.5, -0.3, -0.4, 0.6),
    "test_divergence.check_full_covariance": (0, 3),
    "test_gaussian.check_kl_near_the_prior": lambda check: [check(dtype) for dtype in (np.float32, np.float64)],
    "test_observation.check_log_probability_is_not_positive": ("bernoulli", 0, 3, 5, 10, np.float64),
    "test_observation.check_observation_gradient": lambda check: [
        check(name, 0, 4, 3) for name in ("bernoulli", "categorical", "logistic diagonal")],
    "test_observation.check_normalised": lambda check: [
        check(name, normals(2, 1, test_observation.model(name).n_params(1), scale=1.5))
        for name in ("continuous", "gaussian", "gaussian shared", "gaussian diagonal", "logistic diagonal")],
    "test_observation.check_sample_moments": lambda check: [check(name) for name in test_observation.LIKELIHOODS],
    "test_observation.check_gaussian_textbook": lambda check: [
        check(v, 0, 4, 3) for v in (0.7, "shared", "diagonal")],
    "test_observation.check_nothing_overflows": lambda check: [
        check("categorical", dtype) for dtype in (np.float32, np.float64)],
    "test_layers.check_adjoint": lambda check: for_kinds(check),
    "test_layers.check_layer_gradient": lambda check: check(test_layers.make("dense"), normals(1, 6, 4)),
    "test_layers.check_dense_values": lambda check: check(test_layers.make("dense"), normals(1, 6, 4)),
    "test_layers.check_activation_values": (normals(1, 6, 4),),
    "test_observation.check_sigmoid": (normals(0, 4, 3, scale=3.0),),
    "test_layers.check_backward_overwrites": lambda check: for_kinds(check),
    "test_layers.check_interleaved_forwards": lambda check: for_kinds(check),
    "test_network.check_one_vector": lambda check: check(
        sv.Network([test_network.dense(4, 3), sv.Tanh(), test_network.dense(3, 5)])),
    "test_network.check_packing_keeps_values": lambda check: check(
        [test_network.dense(4, 3), sv.ReLU(), test_network.dense(3, 5)]),
    "test_optimizers.check_adam_first_step": (normals(0, 6),),
    "test_optimizers.check_adam_is_the_textbook": lambda check: check(0, 5, eps=1e-3),
    "test_optimizers.check_adagrad_is_the_textbook": (0, 5),
    "test_optimizers.check_clip": (normals(0, 6), 1.0),
    "test_optimizers.check_weight_decay_is_decoupled": ("adam",),
    "test_optimizers.check_sgd_is_the_textbook": (0, 5, 0.9),
    "test_examples.check_by_row": lambda check, tmp_path: check(tmp_path),
    "test_training.check_epochs": (23, 5),
    "test_training.check_resume": lambda check, tmp_path: check(tmp_path / "run.npz", 4),
    "test_callbacks.check_early_stopping": ([5.0, 4.0, 3.0, 4.0, 5.0, 1.0], 2, 5, 3),
    "test_callbacks.check_patience_waits": ([5.0, 6.0, 7.0, 8.0, 9.0, 9.0, 9.0], 4, 6, 1),
    "test_gradcheck.check_not_finite_fails": (np.nan,),
    "test_gradcheck.check_noise_that_is_not_held_fixed": (1.0,),
    "test_callbacks.check_warmup": lambda check: [check(epochs, n_warm) for epochs, n_warm in ((6, 4), (20, 20))],
    "test_callbacks.check_decay": (6, 0.25),
    "test_pca.check_covariance_agrees": lambda check: check(test_pca.data()),
    "test_pca.check_whitened": lambda check: check(test_pca.data(), 3),
    "test_pca.check_partial_fit": lambda check: check(test_pca.data(), [7, 1, 12]),
    "test_pca.check_against_eigenvectors": lambda check: check(test_pca.data()),
    "test_pca.check_identities": lambda check: check(test_pca.data()),
    "test_kernel_pca.check_training_points": lambda check: [check(how) for how in test_kernel_pca.ALL],
    "test_probabilistic_pca.check_fit": lambda check: check(test_probabilistic_pca.cloud(0), 3),
    "test_probabilistic_pca.check_log_prob": lambda check: check(
        test_probabilistic_pca.cloud(0, n=7), *test_probabilistic_pca.random_model(0)),
    "test_probabilistic_pca.check_posterior": lambda check: check(
        test_probabilistic_pca.cloud(0, n=7), *test_probabilistic_pca.random_model(0)),
    "test_autoencoder.check_target_is_the_whole_x": ({"noise": 0.4, "corruption": "gaussian"},),
    "test_classifier.check_gradient": ((4, 3), "tanh"),
    "test_vae.check_gradients": lambda check: check(*bernoulli_vae()),
    "test_vae.check_linear_elbo": (0.3, 2, 0),
    "test_vae.check_affine_in_beta": (0.4, 3.0),
    "test_iwae.check_one_sample_is_the_elbo": ("bernoulli",),
    "test_iwae.check_blocks_of_rows": ("IWAE",),
    "test_evidence.check_log_evidence": ("importance",),
    "test_elbo.check_grid_posterior": (0,),
    "test_elbo.check_optimize_q": (1,),
    "test_elbo.check_lines": lambda check: check(pieces(), 1e-12),
    "test_autoregressive.check_sums_to_one": lambda check: [
        check(test_autoregressive.build(kind)) for kind in test_autoregressive.KINDS],
    "test_autoregressive.check_sees_only_the_past": lambda check: autoregressive(check, test_autoregressive.KINDS),
    "test_autoregressive.check_probability_is_the_average": lambda check: autoregressive(check, ["orders"]),
    "test_autoregressive.check_masked_gradient_is_zero": lambda check: autoregressive(
        check, test_autoregressive.KINDS, 40),
    **{f"test_autoregressive.{name}": lambda check: autoregressive(check, test_autoregressive.KINDS)
       for name in ("check_jacobian", "check_drawing_keeps_up", "check_gradients")},
    "test_autoregressive.check_start_of_levels": lambda check: [
        check(test_autoregressive.build(kind, moved=False), test_autoregressive.grey(50, 6))
        for kind in test_autoregressive.GREY],
    "test_autoregressive.check_hidden_start": lambda check: check("relu"),
    "test_autoregressive.check_penalty": lambda check: autoregressive(check, ["deep", "orders"]),
    "test_autoregressive.check_samples": lambda check: check(test_autoregressive.build("deep", 0, n_features=4)),
    "test_autoregressive.check_completion": lambda check: check(*completed()),
    "test_mu_law.check_inverse": lambda check: check(test_mu_law.GRID, 255.0),
    "test_mu_law.check_half_a_step": lambda check: check(test_mu_law.GRID, 256),
    "test_data.check_split": lambda check: check(sv.load_digits()[1], (1000, 297, 500)),
    "test_data.check_idx_loads": lambda check, tmp_path: idx_loads(tmp_path),
    "test_factors.check_gap_of_known_codes": (0,),
    "test_factors.check_information_of_a_gaussian_pair": lambda check: [check(rho) for rho in (0.0, 0.8)],
    "test_factors.check_read_off": (0,),
    "test_factors.check_directions": (0,),
    "test_data.check_noise": ("arc",),
}

# The suite's own gradient check for each kind that the catalogue names.
GRADIENT_CHECKS = {
    "VAE": lambda: test_vae.check_gradients(*bernoulli_vae()),
    "VAE, ReLU": lambda: test_vae.check_gradients(*bernoulli_vae("relu")),
    "VAE, sigmoid": lambda: test_vae.check_gradients(*bernoulli_vae("sigmoid")),
    "VAE, grey": lambda: test_vae.check_gradients(*vae_of(sv.ContinuousBernoulli())),
    "VAE, Gaussian": lambda: test_vae.check_gradients(*vae_of(sv.Gaussian("shared"))),
    "VAE, levels": lambda: test_vae.check_gradients(*vae_of(sv.DiscretizedLogistic(5))),
    "VAE, labels": lambda: test_conditional.check_gradients(),
    "IWAE": lambda: test_iwae.check_iwae_gradients(),
    "autoencoder": lambda: test_autoencoder.check_gradients(
        test_autoencoder.new(sv.Gaussian(0.3), activation="tanh", noise=0.4), test_autoencoder.data(sv.Gaussian(1)),
        test_autoencoder.damage_noise()),
    "classifier": lambda: test_classifier.check_gradient((4, 3), "tanh"),
    "FVBN": lambda: test_autoregressive.check_gradients(
        test_autoregressive.build("FVBN", 3), test_autoregressive.binary(5, 6)),
    "MADE": lambda: test_autoregressive.check_gradients(
        test_autoregressive.build("deep", 3), test_autoregressive.binary(5, 6)),
    "MADE, levels": lambda: test_autoregressive.check_gradients(
        test_autoregressive.build("one scale", 3), test_autoregressive.grey(5, 6)),
}


def run(name, tmp_path):
    """The check of this name, as the catalogue writes it."""
    module, function = name.split(".")
    given = CALLS.get(name, ())
    call = given if callable(given) else lambda check: check(*deepcopy(given))  # a check may write into its own
    needs = {"tmp_path": tmp_path} if "tmp_path" in inspect.signature(call).parameters else {}
    call(getattr(importlib.import_module(module), function), **needs)


def fails(check):
    """Whether a check fails, as a test fails: by an assertion, or where it wants an error and none comes.

    A number that is not finite may also be found by NumPy, told to raise.
    """
    try:
        check()
    except (AssertionError, pytest.fail.Exception, FloatingPointError):
        return True
    return False


@pytest.mark.parametrize("name", MISTAKES)
def test_the_planted_mistake_is_rejected(name, tmp_path):
    with catalogue.plant(MISTAKES[name]):
        rejected = fails(lambda: run(MISTAKES[name].check, tmp_path))
    assert rejected, f"{MISTAKES[name].check} does not notice: {name}"


@pytest.mark.parametrize("name", CHECKS)
def test_the_same_check_accepts_the_code_as_it_is(name, tmp_path):
    run(name, tmp_path)


@pytest.mark.parametrize("kind", GRADIENT_CHECKS)
def test_both_gradient_checks_accept_the_code_as_it_is(kind):
    GRADIENT_CHECKS[kind]()
    assert not catalogue.gradient_check_fails(kind)


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=[pytest.mark.slow] if MISTAKES[name].edits[0][0] in WRITTEN and name.endswith(")") else [])
    for name in MISTAKES if MISTAKES[name].gradient])
def test_the_lesson_says_what_a_gradient_check_alone_finds(name):
    kind = MISTAKES[name].gradient
    with catalogue.plant(MISTAKES[name]):
        assert catalogue.gradient_check_fails(kind) == fails(GRADIENT_CHECKS[kind])


@lru_cache
def called_by_tests(module):
    """The names of the module's functions that its tests call: themselves, through one another, or from a list."""
    tree = ast.parse(inspect.getsource(module))
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}

    def names(node):  # also those that are handed on: a list of checks, a decorator's list of them
        return {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)}

    lists = {node.targets[0].id: names(node.value) for node in tree.body
             if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)}
    reached, todo = set(), [name for name in functions if name.startswith("test_")]
    while todo:
        name = todo.pop()
        for other in (names(functions[name]) if name in functions else lists.get(name, set())) - reached:
            reached.add(other)
            todo.append(other)
    return reached & functions.keys()


def test_the_ordinary_tests_call_every_check():
    for name in CHECKS:
        module, function = name.split(".")
        assert function in called_by_tests(importlib.import_module(module)), f"{name} is called by no test"


def test_a_comment_a_text_and_a_check_that_no_test_reaches_are_no_calls(tmp_path, monkeypatch):
    (tmp_path / "some_tests.py").write_text(
        '"""check_text"""\n'
        "def check_called(): pass\ndef check_in_a_list(): pass\ndef check_within(): pass\ndef check_text(): pass\n"
        "def check_unreached(): check_unreached()\n"
        "ALL = [check_in_a_list]\ndef helper(): check_within()\n"
        "def test_it():\n    # check_text() is not called\n    check_called(), helper(), ALL, 'check_text()'\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert called_by_tests(importlib.import_module("some_tests")) == {
        "check_called", "check_in_a_list", "check_within", "helper"}


# Nothing is planted in these: they hold, carry or draw what the others compute, and have tests of their own.
WITHOUT_MISTAKES = {"checking", "checking.door", "checking.files", "checking.training", "checking.probability",
                    "checking.analysis", "checking.data", "checking.idx", "checking.plotting", "extending", "writing",
                    "nn.model", "nn.flow", "nn.checkpoint", "nn.progress", "nn.threads", "models.fit_once",
                    "probability.observation.base"}


def test_the_catalogue_covers_what_it_should():
    """Enough mistakes on all topics, no two of one name; every check named is one that is run here, and none more."""
    assert len(MISTAKES) == len(catalogue.MISTAKES) >= 25
    assert set(CALLS) <= set(CHECKS)
    named = {mistake.gradient for mistake in catalogue.MISTAKES}
    assert named == {*GRADIENT_CHECKS, None} == {*catalogue.GRADIENTS, None}
    assert {mistake.topic for mistake in catalogue.MISTAKES} == {
        "Gaussian", "inference", "divergence", "observation", "layers", "network", "gradient check", "optimizers",
        "training", "callbacks", "PCA", "kernel PCA", "probabilistic PCA", "autoencoder", "classifier", "VAE",
        "conditional VAE",
        "multi-sample bound", "evidence", "posterior", "ELBO", "latent space", "Gaussian mixture", "FVBN", "MADE",
        "mu-law", "data"}


def test_no_module_is_without_a_mistake():
    planted = {where.partition(":")[0] for mistake in catalogue.MISTAKES for where, _, _ in mistake.edits}
    modules = {module.name.removeprefix("scratchvae.") for module in pkgutil.walk_packages(sv.__path__, "scratchvae.")
               if not module.ispkg and not module.name.startswith(("scratchvae.plotting", "scratchvae.__main__"))}
    assert modules - planted <= WITHOUT_MISTAKES and not planted & WITHOUT_MISTAKES


def test_a_mistake_is_gone_after_its_context_and_after_a_failure():
    mistake, mu, log_var = MISTAKES["the KL halved"], normals(0, 4, 3), normals(1, 4, 3)
    right = sv.gaussian.kl_standard(mu, log_var)
    with pytest.raises(KeyError), catalogue.plant(mistake):
        np.testing.assert_allclose(sv.gaussian.kl_standard(mu, log_var), right / 2, rtol=1e-15)
        raise KeyError
    np.testing.assert_array_equal(sv.gaussian.kl_standard(mu, log_var), right)


def test_a_source_that_has_changed_is_said_so_and_nothing_is_planted():
    halved = MISTAKES["the KL halved"]
    stale = halved._replace(edits=[*halved.edits, ("nn.network:pack", "no such thing", "")])
    right = sv.gaussian.kl_standard(normals(0, 4, 3), normals(1, 4, 3))
    with pytest.raises(ValueError, match="nn.network:pack: want 'no such thing' once in the source, found it 0 times"):
        with catalogue.plant(stale):
            pass
    np.testing.assert_array_equal(sv.gaussian.kl_standard(normals(0, 4, 3), normals(1, 4, 3)), right)
