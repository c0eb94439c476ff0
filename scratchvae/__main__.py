"""`python -m scratchvae` prints the table of contents: every file in reading order, with the question it answers."""
import ast
from pathlib import Path

CONTENTS = {  # part of the house -> folder and its files
    "What a number means": (
        "probability gaussian normal_table inference divergence log_space",
        "probability/observation base bernoulli continuous_bernoulli discretized_logistic gaussian categorical"),
    "How a network learns": (
        "nn layers threads flow network model halves gradcheck optimizers examples training callbacks schedules "
        "progress checkpoint resume",),
    "Models": (
        "models fit_once standardizer linear_gaussian pca kernel_pca autoencoder classifier labels vae iwae "
        "missing_values probabilistic_pca autoregressive masked pixel_params fvbn made",),
    "What a trained model is worth": (
        "analysis elbo evidence class_posterior posterior aggregate gradient_estimators latent_space factors "
        "gaussian_mixture",),
    "Data, pictures, doors": (
        "data digits split idx curves faces mu_law waveform", "plotting page labels images charts course diagram",
        "checking __init__ door probability analysis data plotting idx training files", ". extending writing"),
}


def contents():
    """File -> its question, the first sentence of its docstring; by part of the house."""
    files = {part: [Path(folder, f"{name}.py") for folder, *names in map(str.split, rows) for name in names]
             for part, rows in CONTENTS.items()}
    read = lambda file: ast.get_docstring(ast.parse((Path(__file__).parent / file).read_text()))
    return {part: {file.as_posix(): read(file).partition("?")[0] + "?" for file in row} for part, row in files.items()}


if __name__ == "__main__":
    for part, questions in contents().items():
        print(part, *(f"    {file:50}{question}" for file, question in questions.items()), "", sep="\n")
