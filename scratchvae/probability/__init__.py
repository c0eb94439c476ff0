"""What does a number mean? Densities, observation models and the divergences between them."""
