"""What do we fit to data? PCA, the autoencoder, the variational autoencoder, and their kin."""
