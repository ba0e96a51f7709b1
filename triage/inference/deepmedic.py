"""The DeepMedic of BLAST-CT, and how it runs over a head in seconds instead of minutes.

The architecture is that of PyPI blast-ct 2.1.0 (Apache-2.0): Kamnitsas et al., Medical Image Analysis 36 (2017);
Monteiro, Newcombe et al., Lancet Digital Health 2 (2020) e314. Written anew here: three paths of eight valid
3x3x3 convolutions at every, every third and every fifth voxel, joined by three 1x1x1 layers. Names of
parameters are those of the published state dicts, so that they load as they are.

All convolutions are valid (no padding) and all sampling is on the grid of the volume, so a voxel's answer does
not depend on the tile it is computed in, as long as tiles begin at multiples of 15 (of both strides). That is
what `BrainTiles` makes use of: only where a bleed can be, coarse paths once, tiles of one size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from triage.inference.cavity import analysable
from triage.inference.runtimes import Accelerated, accelerate

STRIDES = (5, 3, 1)
FEATURES = (30, 30, 40, 40, 40, 40, 50, 50)
JOINED = (250, 250)
# Eight valid convolutions of width three take away so many samples on each side.
MARGIN = len(FEATURES)
# Weight decay left a third of the published weights subnormal (below 1e-38): each costs a processor some hundred
# times a normal number, and all together change no answer. This is what makes the package slow on a CPU.
_NOTHING = 1e-20
# Tiles begin at multiples of this: there all three paths sample the same voxels whatever the tile.
GRID = 15

Corner = tuple[int, int, int]


class Block(nn.Module):
    """Normalise, PReLU, convolve; with a residual where the number of channels stays."""

    def __init__(self, inputs: int, outputs: int, width: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm3d(inputs)
        self.prelu = nn.PReLU()
        self.conv = nn.Conv3d(inputs, outputs, kernel_size=width, bias=False)
        self.residual = inputs == outputs
        self.cut = width // 2

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(self.prelu(self.bn(x)))
        if not self.residual:
            return y
        if self.cut:
            c = self.cut
            x = x[:, :, c:-c, c:-c, c:-c]
        return y + x


class Path(nn.Module):
    """Eight blocks at one stride; takes samples with `MARGIN` more on each side than it answers for."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        widths = (channels, *FEATURES)
        blocks: list[nn.Module] = [nn.Identity()]  # the published names count the sampling as layer 0
        blocks += [Block(a, b, 3) for a, b in pairwise(widths)]
        self.path = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.path(x)
        return y


class DeepMedic(nn.Module):
    """Logits per class from one normalised channel at 1 mm.

    Called with a padded tile float [1, 1, z + 80, y + 80, x + 80] whose sides z, y, x are multiples of 15, it gives
    the tile's logits [1, classes, z, y, x]. The 40 voxels around a tile are what the path of stride five sees.
    """

    def __init__(self, in_channels: int = 1, num_classes: int = 5) -> None:
        super().__init__()
        for number, stride in enumerate(STRIDES):
            self.add_module(f"path({stride}, {stride}, {stride}){number}", Path(in_channels))
        widths = (FEATURES[-1] * len(STRIDES), *JOINED, num_classes)
        self.fully_connected = nn.Sequential(*(Block(a, b, 1) for a, b in pairwise(widths)))
        self.num_classes = num_classes
        self.register_load_state_dict_post_hook(_drop_subnormal)

    def path(self, stride: int) -> Path:
        """The path that sees every `stride`-th voxel."""
        module = self.get_submodule(f"path({stride}, {stride}, {stride}){STRIDES.index(stride)}")
        assert isinstance(module, Path)
        return module

    def forward(self, tile: Tensor) -> Tensor:
        most = MARGIN * STRIDES[0]
        found = []
        for stride in STRIDES:
            cut = most - MARGIN * stride
            sides = [slice(cut + stride // 2, n - cut, stride) for n in tile.shape[2:]]
            found.append(enlarge(self.path(stride)(tile[:, :, sides[0], sides[1], sides[2]]), stride))
        logits: Tensor = self.fully_connected(torch.cat(found, dim=1))
        return logits


class Fine(nn.Module):
    """The path at full resolution and the joining layers, given what the coarse paths found."""

    def __init__(self, network: DeepMedic) -> None:
        super().__init__()
        self.path = network.path(1)
        self.joined = network.fully_connected

    def example(self) -> tuple[Tensor, Tensor, Tensor]:
        """The smallest input: no size is fixed in the network, so its trace holds for all (see `runtimes`)."""
        channels, features = 1, FEATURES[-1]
        return (
            torch.zeros(1, channels, *3 * (GRID + 2 * MARGIN,)),
            torch.zeros(1, features, *3 * (GRID // 3,)),
            torch.zeros(1, features, *3 * (GRID // 5,)),
        )

    def forward(self, tile: Tensor, third: Tensor, fifth: Tensor) -> Tensor:
        logits: Tensor = self.joined(
            torch.cat([enlarge(fifth, 5), enlarge(third, 3), self.path(tile)], dim=1)
        )
        return logits


def _drop_subnormal(network: nn.Module, incompatible: object) -> None:
    """Set weights that are too small to count to zero."""
    with torch.no_grad():
        for values in network.state_dict().values():
            if values.is_floating_point():
                values[values.abs() < _NOTHING] = 0.0


def enlarge(x: Tensor, factor: int) -> Tensor:
    """Each sample repeated `factor` times along z, y and x."""
    if factor == 1:
        return x
    return nn.functional.interpolate(x, scale_factor=float(factor), mode="nearest")


class BrainTiles:
    """Runs a DeepMedic over the part of a head where a bleed can be.

    Takes [1, 2, z, y, x]: the network's channel, and HU to find the skull's cavity by; gives class probabilities
    [1, groups, z, y, x], and 0 for every class but the background where nothing was computed.

    Args:
        tile: sides (z, y, x) of a tile in voxels, multiples of 15.
        groups: classes whose probabilities are added up for each channel of the answer; every class alone if
            left out.
        runtime: see `runtimes.accelerate`.
    """

    def __init__(
        self,
        tile: Sequence[int] = (30, 45, 45),
        groups: Sequence[Sequence[int]] | None = None,
        runtime: str = "openvino",
    ) -> None:
        if len(tile) != 3 or any(side % GRID or side <= 0 for side in tile):
            raise ValueError(f"a tile's three sides must be multiples of {GRID}, not {tuple(tile)}")
        self.tile: Corner = (int(tile[0]), int(tile[1]), int(tile[2]))
        self.groups = groups
        self.runtime = runtime

    def __call__(self, inputs: Tensor, network: nn.Module | Accelerated) -> Tensor:
        whole = network.network if isinstance(network, Accelerated) else network
        if not isinstance(whole, DeepMedic):
            raise TypeError("BrainTiles runs a DeepMedic only")
        if isinstance(network, Accelerated):
            self.runtime = network.prefer
        where = analysable(inputs[0, 1].numpy(), (1.0, 1.0, 1.0))
        answer = self.run(inputs[:, :1], where, whole)
        if isinstance(network, Accelerated):
            network.name = accelerate(_fine_part(whole), prefer=self.runtime).name
        return answer

    def run(self, image: Tensor, where: NDArray[np.bool_], network: DeepMedic) -> Tensor:
        """Class probabilities [1, groups, z, y, x] of the tiles that touch `where`, bool [z, y, x]."""
        groups = self.groups or [[n] for n in range(network.num_classes)]
        answer = torch.zeros((1, len(groups), *image.shape[2:]))
        for channel, classes in enumerate(groups):
            if 0 in classes:
                answer[:, channel] = 1.0
        for corner, logits in self.tiles(image, where, network):
            probabilities = torch.softmax(logits, dim=1)
            sides = [slice(c, c + t) for c, t in zip(corner, self.tile, strict=True)]
            place = answer[:, :, sides[0], sides[1], sides[2]]
            z, y, x = place.shape[2:]
            for channel, classes in enumerate(groups):
                place[:, channel] = probabilities[:, list(classes), :z, :y, :x].sum(dim=1)
        return answer

    def tiles(
        self, image: Tensor, where: NDArray[np.bool_], network: DeepMedic
    ) -> Iterator[tuple[Corner, Tensor]]:
        """Corner and logits [1, classes, *tile] of each tile that touches `where`."""
        corners = tile_corners(where, self.tile)
        if not corners:
            return
        low = np.min(corners, axis=0)
        sides = np.max(corners, axis=0) + self.tile - low
        coarse = {
            stride: accelerate(network.path(stride), prefer="torch")(samples(image, low, sides, stride))
            for stride in STRIDES
            if stride > 1
        }
        fine = accelerate(_fine_part(network), prefer=self.runtime)
        for corner in corners:
            third, fifth = (
                _cut(coarse[s], [(c - int(o)) // s for c, o in zip(corner, low, strict=True)], self.tile, s)
                for s in (3, 5)
            )
            yield corner, fine(samples(image, corner, self.tile, 1), third, fifth)


def tile_corners(where: NDArray[np.bool_], tile: Corner) -> list[Corner]:
    """Corners, multiples of 15, of tiles that do not overlap and cover `where`, bool [z, y, x].

    Layers of tiles begin where there is something to see, in them rows, in these tiles.
    """
    blocks = np.pad(where, [(0, -n % GRID) for n in where.shape])
    z, y, x = (n // GRID for n in blocks.shape)
    blocks = blocks.reshape(z, GRID, y, GRID, x, GRID).max(axis=(1, 3, 5))
    tz, ty, tx = (side // GRID for side in tile)
    corners = []
    for k in _starts(blocks.max(axis=(1, 2)), tz):
        layer = blocks[k : k + tz].max(axis=0)
        for j in _starts(layer.max(axis=1), ty):
            for i in _starts(layer[j : j + ty].max(axis=0), tx):
                corners.append((k * GRID, j * GRID, i * GRID))
    return corners


def samples(image: Tensor, corner: Sequence[int], sides: Sequence[int], stride: int) -> Tensor:
    """What the path of one stride takes in to answer for a box of `image` [1, channels, z, y, x].

    The middle one of every `stride` voxels, with `MARGIN` samples more on each side; beyond the volume its outermost
    voxels go on, as the package pads its tiles.
    """
    for axis, (start, side) in enumerate(zip(corner, sides, strict=True), start=2):
        count = side // stride + 2 * MARGIN
        wanted = int(start) + (torch.arange(count) - MARGIN) * stride + stride // 2
        image = image.index_select(axis, wanted.clamp(0, image.shape[axis] - 1))
    return image


def _starts(line: NDArray[np.bool_], length: int) -> Iterator[int]:
    at = 0
    while at < len(line):
        if line[at]:
            yield at
            at += length
        else:
            at += 1


def _cut(x: Tensor, corner: Sequence[int], tile: Corner, stride: int) -> Tensor:
    z, y, x0 = (slice(c, c + side // stride) for c, side in zip(corner, tile, strict=True))
    return x[:, :, z, y, x0]


def _fine_part(network: DeepMedic) -> Fine:
    if network not in _fine:
        _fine[network] = Fine(network)
    return _fine[network]


# Made once for each network: runtimes compile a module and keep what they compiled by it.
_fine: WeakKeyDictionary[DeepMedic, Fine] = WeakKeyDictionary()
