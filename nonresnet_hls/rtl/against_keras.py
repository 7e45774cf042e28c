"""How far the values of a design are from those of the Keras model that it was made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nonresnet_hls.fixed.arithmetic import Integers
from nonresnet_hls.fixed.network import Network
from nonresnet_hls.networks.prediction import called
from nonresnet_hls.rtl.simulation import to_values

_FAR = 0.1
"""Of the outputs' own root mean square: more than the types that people choose should cost."""


@dataclass(frozen=True)
class KerasFigures:
    """All outputs of all images together; types cost accuracy, so that equality is not to be expected."""

    values: int
    equal_values: int
    largest_difference: float
    rms_difference: float
    rms: float
    """Root mean square of what Keras gives."""

    @property
    def is_far(self) -> bool:
        """Whether the design computes something else than the model, for all that one can use it for."""
        return not self.rms_difference <= _FAR * self.rms

    def __str__(self) -> str:
        share = f"{100 * self.rms_difference / self.rms:.2g} % of their rms" if self.rms else "all of Keras' are 0"
        text = (
            f"against Keras {self.equal_values} of {self.values} outputs are equal, the largest difference is"
            f" {self.largest_difference:.3g}, the rms difference {self.rms_difference:.3g} ({share})"
        )
        return text + ("; far from it: look at the layers' types, for rounding and overflow" if self.is_far else "")


def against_keras(
    model: Any, network: Network, inputs: Mapping[str, Integers], outputs: Mapping[str, Integers]
) -> KerasFigures:
    """Run the Keras model on what the design was fed.

    Args:
        model: the Keras model.
        network: what was made of it.
        inputs: mantissas by input stream, images first.
        outputs: mantissas by output stream, images first.
    """
    given = []
    for tensor, name in zip(model.inputs, network.inputs, strict=True):
        values = to_values(inputs[name], network.streams[name].kind.fraction_bits)
        given.append(values.reshape(len(values), *tensor.shape[1:]).astype(np.float32))
    answer = called(model, given if len(given) > 1 else given[0])
    wanted = [np.asarray(one, np.float64) for one in (answer if isinstance(answer, list) else [answer])]
    ours = [to_values(outputs[name], network.streams[name].kind.fraction_bits) for name in network.outputs]
    expected, got = (np.concatenate([one.reshape(-1) for one in many]) for many in (wanted, ours))
    difference = np.abs(expected - got)
    return KerasFigures(
        values=expected.size,
        equal_values=int((difference == 0).sum()),
        largest_difference=float(difference.max()),
        rms_difference=float(np.sqrt((difference**2).mean())),
        rms=float(np.sqrt((expected**2).mean())),
    )
