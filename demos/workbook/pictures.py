"""What does a student see? The whole way in a folder of its own, and its terminal drawn: python -m demos.workbook.pictures."""
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt

from demos.workbook.blanks import LEFT_OUT, unit_of
from demos.workbook.runner import ROOT
from scratchvae import plotting

WRONG = {  # what a student may write first
    "kl_standard": "return 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).mean(axis=-1)",
    "Dense.backward": "self.dW = x.T @ dy\nself.db = dy.sum(axis=0)\nreturn dy @ self.W.T",
    "reparameterize": "return mu + np.exp(log_var) * eps",
    "VAE.through_kl": "return mu, 0.5 * (np.exp(log_var) - 1)",
    "log_mean_exp": "return np.log(np.exp(a).mean(axis=axis))",
    "kl_table": "return (p * np.log(p / q)).sum(axis=-1)",
}
RIGHT = {"kl_standard": "return 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum(axis=-1)"}


def write(folder, name, body):
    """Fill in a blank of a student's folder; a body that is there is replaced."""
    path, method = folder / unit_of(name).file, "    " * ("." in name)
    text = path.read_text()
    old = f"    {method}{LEFT_OUT}"
    start = text.index(f"def {name.rpartition('.')[2]}(", text.index(f"class {name.partition('.')[0]}:") if method
                       else 0)
    new = textwrap.indent(body, f"    {method}")
    for before in (*(textwrap.indent(each[name], f"    {method}") for each in (WRONG, RIGHT) if name in each), old):
        if (place := text.find(before, start)) >= 0:
            path.write_text(text[:place] + new + text[place + len(before):])
            return
    raise ValueError(f"{name}: nothing to fill in")


def said(folder, *arguments):
    """What a command of the workbook prints, after the command itself; the folder is called `mine`."""
    command = ["-m", "demos.workbook", *map(str, arguments)]
    done = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True)
    text = f"$ python {' '.join(command)}\n{done.stdout}{done.stderr}"
    return text.replace(str(folder), "mine").replace("\n\n\n", "\n\n").rstrip()


def drawn(text, path):
    """The text as a terminal shows it, saved; what is wrong in the colour of what is wrong."""
    lines = [part for line in text.splitlines() for part in (textwrap.wrap(line, 118, subsequent_indent="  ") or [""])]
    figure = plt.figure(figsize=(9.2, 0.17 * len(lines) + 0.3), facecolor="#fbfaf7")
    for k, line in enumerate(lines):
        mark = line[2:4]
        colour = "#b3401f" if mark == "- " or line.startswith("      ") and line[6:].split(":")[0] not in ("a hint",
            "a remark") else "#1f6f4a" if mark == "+ " else "#222222"
        figure.text(0.015, 1 - (k + 1.2) / (len(lines) + 1.8), line, family="monospace", fontsize=8, color=colour,
                    weight="bold" if line.startswith("$") else "normal", va="center", parse_math=False)
    return plotting.save(figure, path)


def main(out):
    with tempfile.TemporaryDirectory() as room:
        folder = Path(room, "mine")
        begin = said(folder, "start", folder) + "\n\n" + said(folder, "check", folder, "divergence")
        drawn(begin, out / "start.png")
        for name, body in WRONG.items():
            write(folder, name, body)
        drawn(said(folder, "check", folder, *WRONG), out / "wrong.png")
        write(folder, "kl_standard", RIGHT["kl_standard"])
        mended = said(folder, "check", folder, "kl_standard") + "\n\n" + said(folder, "check", folder, "reparameterize",
            "--hint", "1")
        drawn(mended, out / "mended.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("figures")))
