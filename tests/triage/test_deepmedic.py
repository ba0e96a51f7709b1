"""The DeepMedic answers alike in every tile, and its published weights load and agree with the package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.inference.deepmedic import MARGIN, BrainTiles, DeepMedic, samples, tile_corners


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def network() -> DeepMedic:
    torch.manual_seed(3)
    return DeepMedic().eval()


def test_a_voxel_gets_the_same_answer_in_every_tile(network: DeepMedic) -> None:
    image = torch.randn(1, 1, 40, 50, 45)
    where = np.zeros((40, 50, 45), dtype=bool)
    where[20:32, 17:40, 16:29] = True
    small = BrainTiles(tile=(15, 15, 15), runtime="torch").run(image, where, network)
    large = BrainTiles(tile=(30, 30, 45), runtime="torch").run(image, where, network)
    inside = torch.from_numpy(where)
    torch.testing.assert_close(small[0][:, inside], large[0][:, inside], atol=1e-5, rtol=0.0)
    assert float(small[0][:, inside].std()) > 1e-3, "a constant answer would prove nothing"


def test_tiles_agree_with_the_network_called_on_a_padded_volume(network: DeepMedic) -> None:
    image = torch.randn(1, 1, 15, 30, 15)
    padded = torch.nn.functional.pad(image, [40] * 6, mode="replicate")
    with torch.inference_mode():
        expected = torch.softmax(network(padded), dim=1)
    where = np.ones((15, 30, 15), dtype=bool)
    found = BrainTiles(tile=(15, 15, 15), runtime="torch").run(image, where, network)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0.0)


def test_openvino_answers_as_torch_does(network: DeepMedic) -> None:
    image = torch.randn(1, 1, 30, 30, 30)
    where = np.ones((30, 30, 30), dtype=bool)
    by_torch = BrainTiles(tile=(15, 30, 30), runtime="torch").run(image, where, network)
    by_openvino = BrainTiles(tile=(15, 30, 30), runtime="openvino").run(image, where, network)
    assert float((by_torch - by_openvino).abs().max()) <= 1e-4


@given(
    shape=st.tuples(*[st.integers(1, 70)] * 3),
    tile=st.sampled_from([(15, 15, 15), (30, 45, 45), (45, 30, 15)]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60)
def test_tiles_cover_what_is_wanted_once_and_hold_something_each(
    shape: tuple[int, int, int], tile: tuple[int, int, int], seed: int
) -> None:
    where = np.random.default_rng(seed).random(shape) > 0.995
    times = np.zeros(tuple(n + 45 for n in shape), dtype=int)
    for corner in tile_corners(where, tile):
        assert all(c % 15 == 0 for c in corner)
        box = tuple(slice(c, c + t) for c, t in zip(corner, tile, strict=True))
        assert where[box].any()
        times[box] += 1
    assert times.max(initial=0) <= 1
    assert (times[tuple(slice(0, n) for n in shape)][where] == 1).all()


def test_samples_beyond_the_volume_repeat_its_edge() -> None:
    image = torch.arange(20.0).reshape(1, 1, 20, 1, 1).expand(1, 1, 20, 15, 15)
    line = samples(image, (0, 0, 0), (15, 15, 15), 5)[0, 0, :, 0, 0]
    assert line.tolist() == [0.0] * MARGIN + [2.0, 7.0, 12.0, 17.0] + [19.0] * (MARGIN - 1)


def test_outside_the_tiles_nothing_is_found_and_a_head_without_any_gives_an_empty_map(
    network: DeepMedic,
) -> None:
    tiles = BrainTiles(tile=(15, 15, 15), groups=[[1, 2, 4]], runtime="torch")
    assert not tiles.run(torch.zeros(1, 1, 20, 20, 20), np.zeros((20, 20, 20), bool), network).any()


def test_weights_too_small_to_count_are_dropped_on_loading(network: DeepMedic) -> None:
    state = {key: value.clone() for key, value in network.state_dict().items()}
    key = "path(1, 1, 1)2.path.3.conv.weight"
    state[key][0] = 1e-39
    other = DeepMedic()
    other.load_state_dict(state)
    assert not other.state_dict()[key][0].any()
    assert torch.equal(other.state_dict()[key][1], state[key][1])


def test_a_tile_that_is_no_multiple_of_both_strides_is_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 15"):
        BrainTiles(tile=(30, 32, 30))


@pytest.mark.needs_shared_data
@pytest.mark.parametrize("number", [1, 2, 3])
def test_all_three_published_state_dicts_fit_as_they_are(shared_data: Path, number: int) -> None:
    state = torch.load(
        shared_data / "blast_ct_v1" / f"model_{number}.pt", map_location="cpu", weights_only=True
    )
    network = DeepMedic()
    assert str(network.load_state_dict(state)) == "<All keys matched successfully>"
    assert sum(p.numel() for p in network.parameters()) == 1_030_033
