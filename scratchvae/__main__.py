"""`python -m scratchvae` prints the table of contents."""
import scratchvae

print(scratchvae.__doc__)
