"""What do we learn from?

Real images that travel with the package, 8 x 8 (`load_digits`) and 28 x 28 (`load_mnist`), others in the MNIST format
(`load_idx`), and curves in the plane (`arc`, `circle`, `spiral`, `s_curve`) where one can see the truth that a model
should find; `faces` are the same for pictures, drawn by formula with a known smile and pose. A made-up voice
(`speech_like`), its `windows` of past samples, and the 8-bit code of telephony (`mu_law`) are for models that go one
sample at a time. `binarize` makes pixels black or white, `stochastic_binarization` by chance, anew each time; `split`
says which examples train, which choose and which judge.
"""
from scratchvae.data import mu_law
from scratchvae.data.curves import arc, circle, s_curve, spiral
from scratchvae.data.digits import binarize, load_digits, load_mnist, stochastic_binarization
from scratchvae.data.faces import draw_faces, faces
from scratchvae.data.idx import load_idx
from scratchvae.data.split import split
from scratchvae.data.waveform import speech_like, windows
