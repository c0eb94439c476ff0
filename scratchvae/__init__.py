"""From PCA to the variational autoencoder in NumPy, every derivative written by hand.

What follows are its public names in reading order; `python -m scratchvae` prints its files, each with the question that
it answers, and `python -m demos` the lessons that use them. The book: demos/README.md.
"""
from scratchvae.extending import saveable
from scratchvae.probability import divergence, gaussian, inference, normal_table
from scratchvae.probability.observation import (Bernoulli, Categorical, ContinuousBernoulli, CrossEntropy,
                                                DiscretizedLogistic, Gaussian, Observation, comparable)
from scratchvae.nn.layers import Append, Dense, Layer, ReLU, Sigmoid, Tanh
from scratchvae.nn.network import Network
from scratchvae.nn.model import Model
from scratchvae.nn.optimizers import SGD, Adagrad, Adam, Optimizer
from scratchvae.nn.gradcheck import check_gradient
from scratchvae.nn.training import History, fit
from scratchvae.nn.callbacks import Callback, EarlyStopping
from scratchvae.nn.schedules import KLWarmup, LearningRateDecay, StepDecay
from scratchvae.nn.progress import Progress
from scratchvae.nn.checkpoint import load, save
from scratchvae.models.standardizer import Standardizer
from scratchvae.models.pca import PCA
from scratchvae.models.kernel_pca import KernelPCA
from scratchvae.models.autoencoder import Autoencoder
from scratchvae.models.classifier import Classifier
from scratchvae.models.iwae import IWAE
from scratchvae.models.vae import VAE
from scratchvae.models.probabilistic_pca import ProbabilisticPCA
from scratchvae.models.fvbn import FVBN
from scratchvae.models.made import MADE
from scratchvae.analysis.evidence import Proposal, log_evidence, multi_sample_bound, standard_error
from scratchvae.analysis.class_posterior import class_posterior
from scratchvae.analysis.posterior import grid_log_evidence, grid_posterior, latent_grid, optimize_q
from scratchvae.analysis.aggregate import active_units, aggregate_kl
from scratchvae.analysis import factors, latent_space
from scratchvae.analysis.gaussian_mixture import GaussianMixture
from scratchvae.analysis.gradient_estimators import pathwise_gradient, score_function_gradient
from scratchvae.data import mu_law
from scratchvae.data import (arc, binarize, circle, draw_faces, faces, load_digits, load_idx, load_mnist, s_curve,
                             spiral, speech_like, split, stochastic_binarization, windows)


def __getattr__(name):
    """`plotting`, when it is first asked for: it takes Matplotlib, for which others need not wait."""
    if name == "plotting":
        from importlib import import_module
        return import_module("scratchvae.plotting")
    raise AttributeError(f"module 'scratchvae' has no attribute {name!r}")
