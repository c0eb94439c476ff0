"""What is a trained model worth? The ELBO taken apart, log p(x) estimated, its gradients compared."""
