"""The lessons: each asks one question, measures the answer on real data, and draws it. `python -m demos` lists them."""

# In reading order.
LESSONS = ("bayes", "kl", "pca", "dimension_reduction", "linear_autoencoder", "few_labels", "gradient_check",
           "latent_space", "unfolding", "elbo", "reparameterization", "vae", "explore", "evidence", "posterior",
           "observation", "autoregressive", "mu_law", "mistakes", "speed")
