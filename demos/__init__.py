"""The lessons: each asks one question, measures the answer on real data, and draws it. `python -m demos` lists them."""

# In reading order.
LESSONS = ("bayes", "kl", "pca", "gradient_check", "vae", "autoregressive", "mu_law")
