"""What does it look like? Arrays in, Matplotlib figures out; no model is known here.

Every function checks its arrays, draws in one house style and returns the figure. Given `ax`, one of `panels`, it
draws there instead, and the title becomes that panel's. Titles are plain text, broken into lines where they would not
fit. `save` writes and closes. Figures are pyplot's: in a script `plt.show()` opens them, a notebook shows each once.
"""
from scratchvae.plotting.charts import bars, latent_scatter, lines
from scratchvae.plotting.course import training_curves
from scratchvae.plotting.diagram import diagram
from scratchvae.plotting.images import image_grid, manifold, manifold_grid, traversal
from scratchvae.plotting.labels import label
from scratchvae.plotting.page import (COLOURS, DIGIT_COLOURS, GREY, HALO, INK, OTHER_COLOURS, PALE, STYLE, WIDTH,
                                      house_style, panels, save)
