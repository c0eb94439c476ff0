"""From PCA to the variational autoencoder in NumPy, every derivative written by hand. In reading order:

What a number means
    probability/gaussian.py           How is a Gaussian handled by hand?
    probability/normal_table.py       How probable is an interval under a Gaussian?
    probability/inference.py          What do data say about what we cannot see?
    probability/divergence.py         How unlike are two distributions?
    probability/log_space.py          How are probabilities averaged that no float can hold?
    probability/observation/base.py   What must every observation model give?
    probability/observation/bernoulli.py  How probable is a black or white pixel?
    probability/observation/continuous_bernoulli.py  How probable is a grey pixel?
    probability/observation/discretized_logistic.py  How probable is a grey level?
    probability/observation/gaussian.py  How probable is a real number?
    probability/observation/categorical.py  How probable is a label?

How a network learns
    nn/layers.py                      How does one layer pass values forward and derivatives backward?
    nn/threads.py                     How many threads should a product have?
    nn/network.py                     How do layers become one function of one vector?
    nn/model.py                       What does every trainable model have?
    nn/gradcheck.py                   Is backward the derivative of forward?
    nn/optimizers.py                  How does a gradient become a step?
    nn/training.py                    How is a model trained?
    nn/callbacks.py                   What else happens between epochs?
    nn/progress.py                    How far is the training, and how long will it take?
    nn/checkpoint.py                  How does a model survive the end of the program?
    nn/resume.py                      How does a stopped run go on?

Models
    models/fit_once.py                What do models share that are fitted once, in closed form?
    models/standardizer.py            On which scale does a network learn?
    models/pca.py                     Which flat subspace lies closest to the data?
    models/kernel_pca.py              Can PCA follow a curve?
    models/autoencoder.py             How far can x be compressed and still be restored?
    models/classifier.py              Which class is it, and how sure?
    models/labels.py                  How is a network told the class of what it sees or draws?
    models/vae.py                     How can an autoencoder's code be made good to generate from?
    models/iwae.py                    How can several samples make a tighter bound than one?
    models/probabilistic_pca.py       Which latent-variable model has PCA as its answer?
    models/autoregressive.py          Can p(x) be written down exactly?
    models/fvbn.py                    What is the simplest model with an exact p(x)?
    models/made.py                    How can a network with hidden layers be made blind to the future?

What a trained model is worth
    analysis/elbo.py                  What exactly is being bounded, and by how much?
    analysis/evidence.py              How probable does a VAE find x?
    analysis/class_posterior.py       Which class is x of, by Bayes' rule?
    analysis/posterior.py             What is the true posterior, and what does q lose?
    analysis/aggregate.py             What does the code say about x, and where do all codes lie together?
    analysis/gradient_estimators.py   Why reparameterize?
    analysis/latent_space.py          What is wrong with an autoencoder's latent space?
    analysis/gaussian_mixture.py      How can one draw codes like those of the data?

Data, pictures, doors
    data/digits.py                    What does a written digit look like in numbers?
    data/split.py                     Which examples train, which choose, which judge?
    data/idx.py                       How are MNIST and its kin stored?
    data/curves.py                    Where is the truth in plain sight?
    data/mu_law.py                    How can eight bits hold both a whisper and a shout?
    data/waveform.py                  What is speech like, to a model of sound?
    plotting/page.py                  How does a page look?
    plotting/images.py                What does the model see and make?
    plotting/charts.py                What do the numbers say?
    checking/__init__.py              What may come in?
    checking/door.py                  How does a function say what may come in?
    checking/probability.py           What may come into this room?
    checking/analysis.py              What may come into an analysis?
    checking/data.py                  What may come in as data?
    checking/plotting.py              What may come into a picture?
    checking/idx.py                   What if MNIST's files are not what they say, or not where?
    checking/training.py              What does `fit` refuse?
    checking/files.py                 What if a file is not what it says?
    extending.py                      How does a class from outside join in?
    writing.py                        How is a file written whole or not at all?

The lessons that use them: python -m demos. The book: demos/README.md.
"""
from scratchvae.extending import saveable
from scratchvae.probability import divergence, gaussian, inference, normal_table
from scratchvae.probability.observation import (Bernoulli, Categorical, ContinuousBernoulli, CrossEntropy,
                                                DiscretizedLogistic, Gaussian, Observation, comparable)
from scratchvae.nn.layers import Append, Dense, Layer, ReLU, Sigmoid, Tanh
from scratchvae.nn.network import Network
from scratchvae.nn.model import Model
from scratchvae.nn.optimizers import SGD, Adam, Optimizer
from scratchvae.nn.gradcheck import check_gradient
from scratchvae.nn.training import History, fit
from scratchvae.nn.callbacks import Callback, EarlyStopping, KLWarmup, LearningRateDecay
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
from scratchvae.analysis import latent_space
from scratchvae.analysis.gaussian_mixture import GaussianMixture
from scratchvae.analysis.gradient_estimators import pathwise_gradient, score_function_gradient
from scratchvae.data import mu_law
from scratchvae.data import (arc, binarize, circle, load_digits, load_idx, load_mnist, s_curve, spiral, speech_like,
                            split,
                             windows)
