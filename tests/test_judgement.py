"""Do the lessons' sentences say what their numbers say? Each fed with an effect that is there, absent, or reversed."""
import re

import numpy as np
import pytest

from demos import (autoregressive, bayes, conditional, dimension_reduction, elbo, evidence, few_labels, grey_levels,
                   kernel_density, kl, latent_space, linear_autoencoder, mistakes, mu_law, observation, pca, pixel_order,
                   posterior, reparameterization, tighter_bound, unfolding, vae)
from demos.judgement import Finding, listing, neighbours_agree, t_limit, where
from demos.lesson import Mean

UP, NONE, DOWN = Finding(1.0, (0.1, 4)), Finding(0.1, (0.1, 4)), Finding(-1.0, (0.1, 4))


# ---- the mechanism --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("dof, limit", [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (9, 2.2622), (99, 1.9842),
                                        (np.inf, 1.9600)])
def test_t_limit_is_the_printed_table(dof, limit):
    assert t_limit(dof) == pytest.approx(limit, abs=2e-4)


@pytest.mark.parametrize("once_in, limit", [(10, 2.132), (100, 4.604)])
def test_t_limit_of_other_odds(once_in, limit):
    assert t_limit(4, once_in) == pytest.approx(limit, abs=1e-3)


@pytest.mark.parametrize("n_runs, n_images, over_runs, over_images", [
    (2, 200, 0, 1), (2, 200, 1, 1), (2, 200, 10, 1), (3, 200, 1, 1), (5, 200, 1, 0.3), (5, 50, 0, 1), (2, 20, 3, 1)])
def test_a_finding_of_runs_and_images_errs_as_seldom_as_it_says(n_runs, n_images, over_runs, over_images):
    rng = np.random.default_rng(0)
    signs = []
    for _ in range(1000):
        runs, images = rng.standard_normal((n_runs, 1)), rng.standard_normal((1, n_images))
        own = rng.standard_normal((n_runs, n_images))
        values = over_runs * np.sqrt(n_runs) * runs + np.sqrt(n_images) * (over_images * images + 0.1 * own)
        signs.append(Finding.of(values).sign())
    assert np.mean(np.abs(signs)) < 0.09    # 0.05 meant; two runs alone would be judged by too small an error


def test_errors_over_images_alone_would_take_one_run_for_a_difference():
    rng = np.random.default_rng(0)
    values = np.array([[1.0], [-0.6], [0.2]]) + 0.1 * rng.standard_normal((3, 500))
    assert Finding.of(values).sign() == 0 and Finding.of(values[0]).sign() == 1


def test_a_finding_is_a_mean_and_knows_its_sign():
    values = [1.0, 2.0, 3.0, 6.0]
    assert Finding.of(values) == Mean.of(values) and str(Finding.of(values)) == str(Mean.of(values))
    assert [f.sign() for f in (UP, NONE, DOWN)] == [1, 0, -1]
    assert [f.words("more", "less", "same") for f in (UP, NONE, DOWN)] == ["more", "same", "less"]
    assert Finding.of([0.5, 0.5]).sign() == 1 and Finding.of([0.0, 0.0]).sign() == 0
    assert Finding(np.nan, (np.nan, 3)).sign() == 0


def test_groups_that_are_independent_are_compared_with_both_errors():
    a, b = np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.5, 1.0, 0.5])
    found = Finding.between(a, b)
    assert found.value == pytest.approx(1.5)
    assert found.error == pytest.approx(np.hypot(Mean.of(a).error, Mean.of(b).error))


def test_listings():
    assert [listing(items) for items in ((), (1,), (1, 2), (1, 2, 4))] == ["none", "1", "1 and 2", "1, 2 and 4"]
    findings = {1: UP, 2: NONE, 4: UP, 8: DOWN}
    assert where(findings, 1, "at k = {}") == "at k = 1 and 4"
    assert where({1: NONE}, 1, "at k = {}") == "nowhere"


def test_neighbours_agree():
    z = np.array([[0.0, 0], [0.1, 0], [5, 5], [5.1, 5], [9, 9]])
    np.testing.assert_array_equal(neighbours_agree(z, np.array([0, 0, 1, 1, 0])), [True, True, True, True, False])


# ---- the sentences: there, absent, reversed -------------------------------------------------------------------------

def three(sentence):
    """What a sentence-maker says of an effect that is there, absent, reversed."""
    return [sentence(finding) for finding in (UP, NONE, DOWN)]


@pytest.mark.parametrize("sentence, told", [
    (lambda f: bayes.honesty(Mean(0.9, 0.01), Mean(0.95, 0.01), f), ["surer than it is right", "no clear difference",
                                                                   "less sure than it is right"]),
    (lambda f: dimension_reduction.bends(f, 1.2, UP), ["straight line loses the bend", "not clearly better",
                                                       "loses more than PCA"]),
    (lambda f: dimension_reduction.bends(UP, 1.2, f), ["It pays for the cut", "not clear of its error",
                                                      "loses less there"]),
    (lambda f: dimension_reduction.bends(DOWN, 99, f), ["can only be seen in one that follows the arc"] * 3),
    (lambda f: dimension_reduction.bent_or_flat({1: f, 2: f}), [
        "less at k = 1 and 2 than", "no clear difference at any size", "more at k = 1 and 2 than"]),
    (lambda f: linear_autoencoder.what_decay_gains(2, f, UP, UP), ["minibatch noise keeps it", "no clear difference",
                                                                 "still under way"]),
    (lambda f: few_labels.verdict("PCA", {10: f, 20: NONE}), ["PCA: better than a random start at 10 labels",
                                                            "no clear difference from a random start at any size",
                                                            "PCA: worse at 10 labels"]),
    (lambda f: few_labels.better_features({10: f, 20: NONE}), [
        "clearly better at 10, clearly worse nowhere", "clearly better nowhere, clearly worse nowhere",
        "clearly better nowhere, clearly worse at 10"]),
    (lambda f: vae.learned(f, Mean(6.0, 0.1), UP), ["it has learned which pixels go together",
                                                    "above, no clear difference: its bound does not show",
                                                    "nats below: its bound does not show"]),
    (lambda f: vae.learned(UP, Mean(6.0, 0.1), f), ["pays 1.00", "is not clearly worse", "is the better one here"]),
    (lambda f: evidence.outside_q(f), ["costs more than it brings", "no clear difference", "q alone misses it"]),
    (lambda f: tighter_bound.worth_of_five(f, NONE, NONE, NONE), [
        "1.00 +- 0.10 nats (better)", "nats (no clear difference)", "nats (worse)"]),
    (lambda f: tighter_bound.five_samples(f, DOWN), [
        "more likelihood, a lower ELBO", "no clear change of likelihood, a lower", "less likelihood, a lower ELBO"]),
    (lambda f: elbo.centred_codes({2: f, 8: DOWN}), ["with 2 latents (worse)", "with 2 latents (no clear difference)",
                                                     "with 2 latents (better)"]),
    (lambda f: elbo.why_unlike(UP, f, NONE, 3), ["off that of 8 codes (better)", "8 codes (no clear difference)",
                                                 "8 codes (worse)"]),
    (lambda f: elbo.why_unlike(UP, UP, f, 3), ["lose more than 2 well trained: the error alone", "does not tell which",
                                               "still lose less"]),
    (lambda f: kernel_density.many_pixels({4: f, 64: f}), ["clearly better with 4 and 64 pixels",
                                                           "Clearly worse nowhere, clearly better nowhere",
                                                           "Clearly worse with 4 and 64 pixels"]),
    (lambda f: kernel_density.mixed({4: NONE, 64: f}), ["with 64 (better)", "with 64 (no clear difference)",
                                                        "with 64 (worse)"]),
    (lambda f: posterior.whose_gap(f, Mean(2.0, 0.1)), ["50% of the gap is the encoder's", "No clear part",
                                                       "ended below the encoder's own q"]),
    (lambda f: posterior.too_narrow(f), ["q is too wide here", "no clear difference", "q is too narrow here"]),
    (lambda f: observation.guesses({"1": f}), ["(better)", "(no clear difference)", "(worse)"]),
    (lambda f: observation.where_it_gains(f, 5, -1, 0.5), ["(better)", "(no clear difference)", "(worse)"]),
    (lambda f: observation.best_floor(0.1, {0.01: f}), [
        "clearly smaller than at the others", *["not clearly smaller than at 0.01"] * 2]),
    (lambda f: autoregressive.bound_or_model(DOWN, f, UP), ["(better).\nThe bound", "(no clear difference).\nThe bound",
                                                           "(worse).\nThe bound"]),
    (lambda f: pixel_order.orders("FVBN", "raster", "random", f, 4), [
        "FVBN's does: random minus raster", "does not clearly", "FVBN's does"]),
    (lambda f: pixel_order.questions(f, NONE, "9 draws"), ["points more (better)", "points more (no clear difference)",
                                                  "points more (worse)"]),
    (lambda f: grey_levels.winner("MADE", {"VAE": f, "FVBN": UP}, 4.09), [
        "MADE is the best", *["not clearly more than VAE"] * 2]),
    (lambda f: mu_law.next_sample(DOWN, f), ["costs more than that line", "does not clearly beat that line",
                                            "takes off another part"]),
    (lambda f: mu_law.next_sample(f, DOWN), ["costs bits", "brings no clear gain", "takes off bits"]),
    (lambda f: mu_law.pitch(f, 0.8, 0.3), ["repeats itself more", "does not repeat itself clearly more or less",
                                          "repeats itself less"]),
    (lambda f: mistakes.no_distribution(f, 2122.0), ["(better)", "(no clear difference)", "(worse)"]),
    (lambda f: mistakes.what_is_reported({"a": f}, {"a": NONE}), ["a by +1.0", "None of 1 report", "a by -1.0"]),
    (lambda f: mistakes.what_is_reported({"a": UP}, {"a": f}), ["clearly worse models: a; clearly better: none",
                                                               "no clear difference: a.", "clearly better: a"]),
    (lambda f: pca.worth(f, f), ["pixels are clearly nearer to the truth", "pixels are not clearly nearer",
                                 "pixels are clearly farther from the truth"]),
    (lambda f: pca.worth(UP, f), ["whole images is clearly better", "whole images is not clearly better",
                                  "whole images is clearly worse"]),
    (lambda f: pca.enough({1: DOWN, 2: f}), ["2 principal components lose clearly less",
                                            "so many principal components lose no clearly different amount",
                                            "so many principal components lose clearly more"]),
])
def test_a_sentence_says_whether_the_effect_is_there_absent_or_reversed(sentence, told):
    for said, expected in zip(three(sentence), told):
        assert expected in said, said


def test_who_loses_less_names_every_clear_size_and_no_other():
    said = dimension_reduction.who_loses_less({("PCA", "AE"): {1: UP, 2: DOWN, 4: NONE},
                                               ("kernel PCA", "AE"): {1: DOWN, 2: UP, 4: NONE},
                                               ("PCA", "kernel PCA"): {1: NONE, 2: NONE, 4: NONE}})
    assert "less than PCA at k = 1, clearly more at k = 2;" in said
    assert "less than kernel PCA at k = 2, clearly more at k = 1;" in said
    assert "kernel PCA clearly less than PCA nowhere, clearly more nowhere." in said
    assert "which is better\ndepends on k" in said
    nothing = {1: NONE}
    said = dimension_reduction.who_loses_less({(a, b): nothing for a, b in (("PCA", "AE"), ("kernel PCA", "AE"),
                                                                             ("PCA", "kernel PCA"))})
    assert "depends" not in said and said.count("nowhere") == 6


def test_only_estimates_that_err_more_often_than_chance_are_named():
    said = evidence.too_often({"q": 0, "wide": 2, "prior": 55}, 200)
    assert "0.5 of 200 images" in said and said.endswith("once in 20 such tables: prior (55).\n")
    assert evidence.too_often({"q": 0, "wide": 2}, 200).endswith("tables: none.\n")


def test_the_latent_space_tells_each_of_its_stories():
    said = {sign: re.sub(r"\s+", " ", latent_space.story(sign, 0, 0, 1, 1, sign, True)) for sign in (1, 0, -1)}
    assert "N(0, I) itself is a better place" in said[1] and "fewer of the classes, which no count" in said[1]
    assert "is not clearly a better place" in said[0] and "classes" not in said[0]
    assert "for the autoencoder" in said[-1] and "more evenly" in said[-1]
    words = re.sub(r"\s+", " ", latent_space.story(1, 1, -1, 0, 1, 1, False))
    assert "the VAE is still better in log p(x), and the autoencoder is better with 20" in words
    assert "clear where N(0, I) does for the VAE, not" in words and "no count of gaps" not in words
    titles = {latent_space.what_is_needed(fitted, one) for fitted in (1, 0, -1) for one in (1, 0, -1)}
    assert len(titles) == 9 and len({latent_space.how_many_classes(even) for even in (1, 0, -1)}) == 3


@pytest.mark.parametrize("alive, told", [
    ((0, 0, 0), "none should; none does in the linear VAE, none in the deep one"),
    ((8, 8, 8), "all 8 should; all 8 do in the linear VAE, all 8 in the deep one"),
    ((1, 1, 3), "1 of 8 should; 1 of 8 does in the linear VAE, 3 of 8 in the deep one")])
def test_the_collapse_counts_who_lives(alive, told):
    assert observation.who_lives(*alive).endswith(told)


def test_where_the_prior_helps_is_told_for_each_pixel():
    said = bayes.worth_of_the_prior({"black in 50% of the images": {1: UP, 2: NONE}, "black in 1%": {1: DOWN, 2: DOWN}})
    assert "50% of the images MAP is clearly better than the MLE at n = 1, clearly worse nowhere" in said
    assert "1% MAP is clearly better than the MLE nowhere, clearly worse at n = 1 and 2" in said


@pytest.mark.parametrize("right, told", [
    ([0, 1, 0, 1, 1], "stays right from pixel 3 on"), ([0, 0, 1], "from pixel 2 on"), ([1, 1, 1], "from pixel 0 on"),
    ([1, 1, 0], "to a wrong answer")])
def test_the_course_of_belief(right, told):
    assert told in bayes.course_of_belief(np.array(right, bool))


def test_chance_counts_how_many_were_tried():
    assert "within what chance gives among 5" in bayes.chance(2.4, 5) and "more than chance" in bayes.chance(2.4, 1)


def test_divergences_that_are_infinite_and_none():
    assert "12 of 90 are infinite: somewhere" in kl.called_impossible(12, 90)
    assert "none of 90 are infinite: every class" in kl.called_impossible(0, 90)


def test_own_errors_are_judged_by_how_many_repeats_there_were():
    assert "82.0% (less often" in kl.own_errors({10: 0.82, 1000: 0.95}, 400)
    assert "100.0% (no clear difference" in kl.own_errors({10: 0.82, 1000: 1.0}, 50)
    assert "100.0% (more often" in kl.own_errors({10: 0.82, 1000: 1.0}, 400)


def test_components_and_their_shares():
    assert pca.kept_by({1: 0.2, 2: 0.6, 4: 0.9}, 64) == (
        "2 of 64 components keep 60% and 4 of 64 components keep 90% of the training images' variance")
    assert pca.kept_by({1: 0.01, 2: 0.02}, 64).startswith("2 of 64 components keep 2% of")
    smooth, checkered = np.ones((4, 4)), np.indices((4, 4)).sum(axis=0) % 2 - 0.5
    np.testing.assert_allclose(pca.roughness(np.stack([smooth, checkered]).reshape(2, 16), (4, 4)), [0, 4])
    assert pca.same_label(np.array([0, 0, 1, 1])) == 0.5


def test_which_comes_last():
    class Path:
        epochs, excess, angles = [10, 20, 30], [0.5, 0.009, 1e-4], [50.0, 20.0, 3.0]
    said = linear_autoencoder.which_comes_last(8, Path)
    assert "of PCA's after 20 epochs" in said and "within 1 degree not in 30 epochs" in said


def test_what_matters_more_for_few_labels():
    accuracy = {"a": {10: Mean(50.0, 1), 200: Mean(90.0, 1)}, "b": {10: Mean(65.0, 1), 200: Mean(85.0, 1)}}
    assert few_labels.what_matters(accuracy, (10, 200)) == (
        "From 10 to 200 labels methods gain 20 to 40 points; at one number of labels they are at most 15 apart")


def test_the_course_of_training():
    said = vae.course([-30.0, -20.0, -21.0], [1.0, 5.0, 6.0], 2)
    assert said.startswith("Up to epoch 2 the validation images' ELBO rises (-30.0 to -20.0) and the KL grows")
    assert said.endswith("after epoch 2 it rises no more")
    assert vae.course([-30.0, -35.0], [5.0, 1.0], 1) == "The validation images' ELBO is highest after epoch 1, -30.0"
    said = vae.course([-30.0, -35.0, -29.0], [5.0, 1.0, 1.0], 3)
    assert "ELBO rises" in said and "the KL does not grow" in said
    assert vae.course([-3.0, -2.0], [1.0, 0.5], 2).endswith("it is highest at the end")
    assert "2 of 3 latents hardly change" in vae.moving(np.array([5.0, 0.1, 0.2]))
    assert "hardly" not in vae.moving(np.array([5.0, 4.0]))
    assert "(the 10 of 12 that change it most)" in vae.moving(np.arange(1.0, 13)) and "of" not in vae.moving(np.ones(10))
    assert vae.unexplained(np.eye(3), np.eye(3)) == 0
    assert vae.unexplained(np.eye(3), np.full((3, 3), 1 / 3)) == pytest.approx(1)


def test_the_map_says_how_often_neighbours_share_their_label():
    z, labels = np.repeat(np.arange(10.0), 4)[:, None] + [[0.0, 0.0]], np.repeat(np.arange(10), 4)
    assert "100% of the nearest neighbours share theirs (by chance 10%)" in vae.sorted_by_label(z, labels)


@pytest.mark.parametrize("signs, told", [([1, 1, 0, 1], "clearly rises in 3 and\nclearly falls in none"),
                                         ([-1, 0], "clearly rises in 0 and\nclearly falls in 1")])
def test_whether_the_bound_rises(signs, told):
    assert told in tighter_bound.rising(signs)


def test_few_images_have_much_of_the_gap_or_not():
    gap = np.array([0.1] * 9 + [9.1])
    assert "The largest gaps, 1 of 10, are 91% of them all together; there 50% is the encoder's, elsewhere 100%" in (
        posterior.few_or_many(gap, np.append(gap[:9], 4.55)))


def test_a_verdict_that_changes_between_bound_and_likelihood():
    assert "the verdict changes" in autoregressive.bound_or_model(DOWN, NONE, UP)
    assert "the verdict changes" not in autoregressive.bound_or_model(DOWN, DOWN, UP)


def test_among_six_pairs_of_orders_a_difference_must_be_larger():
    apart = Finding(0.35, (0.1, 4))
    assert apart.sign() == 1 and "does not clearly" in pixel_order.orders("FVBN", "a", "b", apart, 4)


def test_how_often_neighbouring_pixels_are_alike():
    checkered = (np.indices((4, 4)).sum(axis=0) % 2).reshape(1, 16)
    assert autoregressive.alike(checkered, (4, 4)) == 0 and autoregressive.alike(np.ones((2, 16)), (4, 4)) == 1


def test_grey_levels_are_counted():
    digits, bytes_ = np.arange(17)[None] / np.float32(16), np.arange(256)[None] / np.float32(255)
    assert [grey_levels.levels_of(X) for X in (digits, bytes_, digits.round())] == [17, 256, 256]
    np.testing.assert_array_equal(grey_levels.level(bytes_, 256)[0], np.arange(256))
    shares = grey_levels.level_shares(np.array([[0, 1], [0, 0.5]]), 3)
    np.testing.assert_allclose(shares, [[3 / 5, 1 / 5], [1 / 5, 2 / 5], [1 / 5, 2 / 5]])


def test_what_wrong_code_claims_and_what_is_true_of_it():
    assert mistakes.claimed_gains({"a": (1, -1), "b": (1, 1), "c": (-1, -1)}) == (
        "Above the right code's ELBO report: a and b. Truly above it are, judged by the right code: b")
    assert mistakes.claimed_gains({"a": (1, -1)}).endswith("judged by the right code: none")
    assert mistakes.claimed_gains({"a": (-1, -1)}).startswith("None of these")
    assert "is 1 all the same" in mistakes.no_distribution(UP, 1.0)


def test_the_same_gradient_is_judged_among_all_that_were_compared():
    assert reparameterization.same_gradient([NONE, DOWN]) == "the same gradient"
    assert reparameterization.same_gradient([UP, NONE]) == "1 of 2 are farther apart than chance gives"


@pytest.mark.parametrize("radius, told", [({"AE": 7.0, "VAE": 1.4}, "holds the means near"),
                                          ({"AE": 0.5, "VAE": 0.2}, "has not brought the means to")])
def test_where_the_codes_end(radius, told):
    assert told in unfolding.spread(radius) and f"{radius['AE'] / np.sqrt(2):.1f} times" in unfolding.spread(radius)


# ---- conditional ----------------------------------------------------------------------------------------------------

def test_conditional_says_what_was_recognised_and_what_stays():
    assert "97.0% are recognised as the class that was asked for, by a network that recognises\n95.0%" in (
        conditional.on_demand(Mean(0.97, 0.01), Mean(0.95, 0.01)))
    assert "the slant and the ink of the original stay." in conditional.kept({"slant": UP, "ink": UP})
    assert "the slant of the original stays, but no ink" in conditional.kept({"slant": UP, "ink": NONE})
    assert "no slant or ink" in conditional.kept({"slant": NONE, "ink": DOWN})


def test_conditional_compares_bayes_with_those_who_learned_it():
    assert "more often right than logistic regression" in conditional.told(UP, NONE)
    assert "as often as the network, as far as can be told" in conditional.told(UP, NONE)
    assert "less often right than logistic regression" in conditional.told(DOWN, UP)
    assert conditional.calibrated({"a": UP, "b": NONE, "c": DOWN}) == (
        "a: 100.0 points too sure; b: as sure as it is right; c: 100.0 points not sure enough")


def test_conditional_measures_a_slant_and_how_far_two_agree():
    """A stroke that leans one column to the right for each row up, one that leans to the left, and an upright one."""
    strokes = np.stack([np.eye(8)[::-1], np.eye(8), np.eye(8)[[3] * 8]]).reshape(3, 64)
    np.testing.assert_allclose(conditional.slant(strokes, (8, 8)), [1, -1, 0], atol=1e-12)
    rng = np.random.default_rng(0)
    labels, lean = rng.integers(3, size=400), rng.standard_normal(400)
    others = np.arange(3) != labels[:, None]
    drawn = lean[:, None] + np.array([5.0, -2, 1])
    assert conditional.agreement(lean + labels, drawn, labels, others).mean() == pytest.approx(1, abs=0.02)
    assert abs(conditional.agreement(rng.standard_normal(400), drawn, labels, others).mean()) < 0.2
    assert conditional.agreement(-lean, drawn, labels, others).mean() < -0.98


def test_conditional_counts_a_probability_of_nothing_as_little():
    p = np.array([[0.25, 0.75], [0.0, 1.0]])
    np.testing.assert_allclose(conditional.log_of_the_label(p, np.array([0, 0])), [np.log(0.25), np.log(1e-30)])
