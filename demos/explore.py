"""What lies between the images? A map of a VAE's latent space to walk on: point at a place and see it decoded.

With --show it opens a window: the codes of the test images by label; the image under the pointer, decoded as the mouse
moves; a slider for each latent dimension; click two places and the row below walks from the first to the second.
While the toolbar pans or zooms, clicks are its own. Without --show the same view is saved, with a walk between two
labels.

It is the map of MNIST digits; with --data digits of the 8 x 8 ones, with --data DIR of MNIST-format files.
Takes about 16 s, on 60,000 images about 20 s. Writes explore_machine, explore (.png).
"""
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backend_bases import MouseButton
from matplotlib.widgets import Slider

import scratchvae as sv
from demos import run_as_command
from scratchvae import plotting

N_STEPS = 9  # images of a walk, both ends included


def run(lesson):
    """Train, show the map; returns where the saved walk starts and ends."""
    lesson.say(__doc__.splitlines()[0])
    images, rng = lesson.images(binary=True, classes=2, default="mnist"), lesson.rng()
    vae = sv.VAE(images.train.shape[1], hidden=images.layers_to_a_plane, n_latent=2, rng=rng)
    stopping = sv.EarlyStopping(patience=30)
    sv.fit(vae, images.train, epochs=lesson.epochs(300, 5, images.train), batch_size=64, rng=rng,
           valid=images.valid, callbacks=[stopping, lesson.progress("VAE, 2 latents")])
    z, labels = vae.encode(images.test[:2000])[0], images.test_labels[:2000]
    explorer = Explorer(vae.decode, z, labels, images.shape, images.names)
    # For the saved view: from the middle of the first class to the middle of the second.
    ends = [np.median(z[labels == label], axis=0) for label in np.unique(labels)[:2]]
    for end in ends:
        explorer.choose(end)
    explorer.move(np.mean(ends, axis=0))
    lesson.save(explorer.figure, "explore")
    lesson.save(plotting.diagram(vae), "explore_machine")
    return {"start": ends[0], "end": ends[-1], "elbo": float(vae.elbo(images.test, rng=rng).elbo.mean())}


class Explorer:
    """The window: a map of z1 and z2, the decoded image, sliders, a walk. It knows a model only by its `decode`.

    decode : z (N, K) -> images (N, D)      z (N, K) and labels (N,) are drawn on the map, by their first two dimensions
    shape : (h, w) of the images      names : of the labels
    axes : what the K numbers are called, as ("smile", "pose"), where they are no latents      reach : of the sliders

    What moves is drawn anew on a picture that is kept of the rest ("blitting"): the codes are drawn but once.
    """

    def __init__(self, decode, z, labels, shape, names=None, *, axes=None, reach=None):
        self.decode, self.shape, self.z, self.ends, self.rest = decode, shape, np.zeros(z.shape[1]), [], None
        K = z.shape[1]
        columns = -(-K // 4)  # of sliders, at most four in each
        rows = -(-K // columns)
        with plotting.house_style():
            # 5.9 inches are 650 pixels: with a title bar and a toolbar they fit on a screen of 768
            self.figure = plt.figure(figsize=(plotting.WIDTH, 5.9))
            grid = self.figure.add_gridspec(3, 1, height_ratios=(5, 1.1, 0.9), hspace=0.4, left=0.07, right=0.94,
                                            top=0.87, bottom=0.02)
            top = grid[0].subgridspec(1, 2, width_ratios=(1.25, 1))
            self.map, self.image = self.figure.add_subplot(top[0]), self.figure.add_subplot(top[1])
            plotting.latent_scatter(z[:, :2], labels, "Point, or click two places", circles=axes is None,
                                    names=names, ax=self.map)
            axes = axes or [f"z{k + 1}" for k in range(K)]
            self.map.set(xlabel=axes[0], ylabel=axes[1])
            self.here, = self.map.plot([0], [0], "+", color=plotting.INK, markersize=14, markeredgewidth=2)
            self.path, = self.map.plot([], [], "o-", color=plotting.INK, markersize=5)
            reach = reach or float(max(3, np.abs(z).max()))
            slots = grid[1].subgridspec(rows, columns, wspace=0.5)
            self.sliders = [Slider(self.figure.add_subplot(slots[k % rows, k // rows]), axes[k], -reach, reach,
                                   valinit=0, valfmt="%.1f", color=plotting.COLOURS["VAE"]) for k in range(K)]
            walk = grid[2].subgridspec(1, N_STEPS)
            self.walk = [self.figure.add_subplot(walk[i]) for i in range(N_STEPS)]
            for ax in (self.image, *self.walk):
                ax.imshow(np.zeros(shape), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
                ax.set(xticks=[], yticks=[])
                ax.spines[:].set(visible=True, color=plotting.PALE)
            self.image.set_title("p(x = 1 given z), decoded here")
            self.figure.suptitle("The latent space is a map of images")
        self.moving = [self.here, self.path, *self.image.images, *(image for ax in self.walk for image in ax.images)]
        for slider in self.sliders:
            slider.on_changed(lambda _: self.move([s.val for s in self.sliders]))
            slider.drawon = False  # it is drawn with the rest of what moves
            self.moving += [slider.poly, *slider.ax.lines, slider.valtext]
        for artist in self.moving:
            artist.set_animated(True)
        for event, answer in (("motion_notify_event", self.on_pointer), ("button_press_event", self.on_pointer),
                              ("draw_event", self.on_draw)):
            self.figure.canvas.mpl_connect(event, answer)
        self.move(self.z)

    def on_pointer(self, event):
        """Decode where the pointer is on the map; a click there is an end of the walk. Panning is the toolbar's."""
        toolbar = self.figure.canvas.toolbar
        if event.inaxes is not self.map or toolbar is not None and toolbar.mode:
            return
        z = np.concatenate([[event.xdata, event.ydata], self.z[2:]])
        self.move(z)
        if event.name == "button_press_event" and event.button == MouseButton.LEFT:
            self.choose(z)

    def on_draw(self, event):
        """The whole figure was drawn, but for what moves: keep it, and draw that."""
        if self.figure.canvas.supports_blit:
            self.rest = self.figure.canvas.copy_from_bbox(self.figure.bbox)
        for artist in self.moving:
            self.figure.draw_artist(artist)

    def redraw(self):
        """Draw what moves on what was kept of the rest; all of it, where nothing is kept."""
        canvas = self.figure.canvas
        if self.rest is None:
            return canvas.draw_idle()
        canvas.restore_region(self.rest)
        for artist in self.moving:
            self.figure.draw_artist(artist)
        canvas.blit(self.figure.bbox)

    def move(self, z):
        """Show the image at z (K,), on the map and on the sliders too."""
        self.z = np.array(z, dtype=np.float64)
        self.here.set_data(self.z[:1], self.z[1:2])
        for slider, value in zip(self.sliders, self.z):
            slider.eventson = False  # the slider follows; it must not call us back
            slider.set_val(float(np.clip(value, slider.valmin, slider.valmax)))
            slider.eventson = True
        self.image.images[0].set_data(self.decode(self.z[None])[0].reshape(self.shape))
        self.redraw()

    def choose(self, z):
        """Take z (K,) as the next end of the walk; with two, walk from the first to the second. A third begins anew."""
        self.ends = [*(self.ends if len(self.ends) < 2 else ()), np.array(z, dtype=np.float64)]
        self.path.set_data(*np.array(self.ends)[:, :2].T)
        if len(self.ends) == 2:
            share = np.linspace(0, 1, N_STEPS)[:, None]
            images = self.decode((1 - share) * self.ends[0] + share * self.ends[1])
            for ax, image in zip(self.walk, images):
                ax.images[0].set_data(image.reshape(self.shape))
        self.redraw()


if __name__ == "__main__":
    run_as_command(__spec__)
