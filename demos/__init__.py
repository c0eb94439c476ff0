"""The lessons: each asks one question, measures the answer on real data, and draws it. `python -m demos` lists them."""

# In reading order.
LESSONS = ("bayes", "kl", "pca", "dimension_reduction", "linear_autoencoder", "gradient_check", "few_labels",
           "latent_space", "reparameterization", "elbo", "vae", "evidence", "posterior", "observation",
           "autoregressive", "mu_law")
