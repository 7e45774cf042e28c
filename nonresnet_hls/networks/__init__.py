"""Keras functional models: blocks and ResNets by skip style."""

from nonresnet_hls.networks.resnet import build, layer_group, resnet

__all__ = ["build", "layer_group", "resnet"]
