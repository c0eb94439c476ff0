"""What does a decoder's output mean? The observation models p(x given params), one file each.

A network only outputs real numbers, `params`; an observation model says which distribution over x they stand for,
and so what the loss is: the loss is -log p(x given params), never a formula of its own. Each model gives log p of every
example (summed over its D features, in nats) and the derivative of that with respect to params.

Log-probabilities are comparable only under the same base measure: on a discrete x (`counting`) p is a probability
and log p <= 0; on a continuous x (`lebesgue`) it is a density, can exceed 1 and changes with the units of x.

All exponential families here share one derivative: log p = a x - A(a) gives d log p / da = x - A'(a) = x - E[x].
"""
from scratchvae.probability.observation.base import Observation, comparable
from scratchvae.probability.observation.bernoulli import Bernoulli, CrossEntropy, sigmoid
from scratchvae.probability.observation.categorical import Categorical
from scratchvae.probability.observation.continuous_bernoulli import ContinuousBernoulli
from scratchvae.probability.observation.discretized_logistic import DiscretizedLogistic
from scratchvae.probability.observation.gaussian import Gaussian
