"""The networks of the paper: skips by style, shapes, and equal weights in what two styles share."""

from typing import Any

import pytest
from tensorflow import keras

from nonresnet_hls.errors import ModelError
from nonresnet_hls.networks import graph
from nonresnet_hls.networks.resnet import resnet
from nonresnet_hls.recipe import SkipStyle

_SKIPS = {SkipStyle.RESIDUAL: 9, SkipStyle.SHORT: 9, SkipStyle.PLAIN: 0, SkipStyle.MERGED: 9}


@pytest.mark.parametrize("style", SkipStyle)
def test_a_20_layer_network_has_the_papers_layers(style: SkipStyle) -> None:
    model = resnet(style, (32, 32, 3), 10)
    nodes = {node.name: node for node in graph.nodes(model)}
    convs = [name for name in nodes if name.endswith(("conv", "conv1", "conv2"))]
    assert len(convs) + 1 == 20
    assert sum(node.kind == "Add" for node in nodes.values()) == _SKIPS[style]
    assert sum(name.endswith("_proj") for name in nodes) == (2 if style is not SkipStyle.PLAIN else 0)
    assert [nodes[f"g{g}b3_relu2"].output_shape for g in (1, 2, 3)] == [(32, 32, 16), (16, 16, 32), (8, 8, 64)]
    assert model.output_shape == (None, 10)


@pytest.mark.parametrize(
    ("style", "feeds", "then"),
    [
        (SkipStyle.RESIDUAL, ("g1b1_bn2", "stem_relu"), "g1b1_relu2"),
        (SkipStyle.SHORT, ("g1b1_bn1", "stem_relu"), "g1b1_relu1"),
    ],
)
def test_a_skip_joins_where_its_style_says(style: SkipStyle, feeds: tuple[str, str], then: str) -> None:
    network = graph.nodes(resnet(style, (8, 8, 1), 10, (4, 8), 1))
    add = next(node for node in network if node.name == "g1b1_add")
    assert add.inputs == feeds
    assert [node.name for node in graph.consumers(network)["g1b1_add"]] == [then]


@pytest.mark.parametrize("style", [SkipStyle.RESIDUAL, SkipStyle.SHORT])
def test_styles_share_the_weights_of_what_they_share(style: SkipStyle) -> None:
    first = resnet(style, (8, 8, 1), 10, (4, 8), 1, seed=3)
    plain = resnet(SkipStyle.PLAIN, (8, 8, 1), 10, (4, 8), 1, seed=3)
    for layer in plain.layers:
        twin = first.get_layer(layer.name)
        assert all((a == b).all() for a, b in zip(layer.get_weights(), twin.get_weights(), strict=True))
    other = resnet(SkipStyle.PLAIN, (8, 8, 1), 10, (4, 8), 1, seed=4)
    assert (other.get_layer("stem_conv").get_weights()[0] != plain.get_layer("stem_conv").get_weights()[0]).any()


def _shared() -> Any:
    image = keras.Input((4, 4, 2))
    conv = keras.layers.Conv2D(2, 1, name="twice")
    return keras.Model(image, conv(conv(image)))


def test_a_shared_layer_is_refused_by_name() -> None:
    with pytest.raises(ModelError, match=r"^layer twice: used 2 times; layers used once wanted$"):
        graph.nodes(_shared())


def test_a_rebuilt_model_is_the_same() -> None:
    model = resnet(SkipStyle.RESIDUAL, (8, 8, 1), 10, (4, 8), 1)
    again = graph.rebuild(model, lambda node, x: graph.copy_layer(node.layer)(x[0] if len(x) == 1 else x))
    graph.carry_weights(model, again)
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    image = keras.backend.ones((2, 8, 8, 1))
    assert (model(image).numpy() == again(image).numpy()).all()
