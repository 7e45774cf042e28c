"""Between QKeras quantizers and fixed-point types."""

from fractions import Fraction
from typing import Any

from nonresnet_hls.errors import ModelError
from nonresnet_hls.fixed.types import FixedPointError, FixedPointType, Overflow, Rounding


def grid(bits: int, integer_bits: int, signed: bool) -> FixedPointType:
    """The type of `bits` on whose values a quantizer rounds; `integer_bits` without sign, of any size."""
    return FixedPointType(bits, integer_bits + signed, signed, Rounding.RND_CONV, Overflow.SAT)


def signed(bits: int, integer_bits: int) -> Any:
    """Quantizer for weights and biases: all of `fixed<bits, integer_bits + 1>`.

    `quantized_bits` where that can be (`alpha=1` must be said: without it, QKeras makes the scale of a kernel a trained
    power of two), a `FixedPoint` of ours with a negative number of integer bits.
    """
    if integer_bits < 0:
        from nonresnet_hls.networks.grids import FixedPoint

        return FixedPoint(str(grid(bits, integer_bits, True)))
    import qkeras

    return qkeras.quantized_bits(bits, integer_bits, symmetric=0, keep_negative=1, alpha=1.0)


def unsigned(bits: int, integer_bits: int) -> Any:
    """`quantized_relu`: ReLU into `ufixed<bits, integer_bits>`; no negative integer bits, see `activation`."""
    import qkeras

    return qkeras.quantized_relu(bits, integer_bits)


def activation(bits: int, integer_bits: int, relu: bool, name: str) -> Any:
    """Layer that quantizes a tensor, through a ReLU or as it is: a `QActivation`, or ours where QKeras has none."""
    if integer_bits < 0:
        from nonresnet_hls.networks.grids import FixedPointActivation

        return FixedPointActivation(str(grid(bits, integer_bits, not relu)), name=name)
    import qkeras

    make = unsigned if relu else signed
    # As text: QActivation cannot restore a quantizer object from a saved model.
    return qkeras.QActivation(str(make(bits, integer_bits)), name=name)


def binary() -> Any:
    """`binary`: -1 or +1, no scale."""
    import qkeras

    return qkeras.binary(alpha=1.0)


def type_of(quantizer: Any, where: str) -> FixedPointType:
    """The fixed-point type whose values a QKeras quantizer yields.

    Args:
        quantizer: `quantized_bits`, `quantized_relu` or `binary` object of QKeras, or `FixedPoint` of ours.
        where: the layer and role, for the message.

    Raises:
        ModelError: another quantizer, a scale (`alpha`) other than 1, or a setting without a fixed-point twin.
    """
    kind = type(quantizer).__name__
    if kind == "FixedPoint":
        return quantizer.type  # type: ignore[no-any-return]
    config = quantizer.get_config() if hasattr(quantizer, "get_config") else {}

    def refuse(wanted: str, got: object) -> ModelError:
        return ModelError(f"layer {where}: {kind} with {wanted} wanted, not {got!r}")

    if kind not in ("quantized_bits", "quantized_relu", "binary"):
        raise ModelError(f"layer {where}: quantized_bits, quantized_relu or binary wanted, not {kind}")
    alpha = config.get("alpha")
    # A quantizer of an activation without alpha has scale 1; of a kernel QKeras itself sets "auto_po2".
    if getattr(alpha, "shape", ()) or isinstance(alpha, list | tuple):
        raise refuse("alpha=1", "one for each channel")
    if not (alpha is None or alpha == 1):
        raise refuse("alpha=1", alpha)
    if config.get("use_stochastic_rounding"):
        raise refuse("use_stochastic_rounding=False", True)
    if float(config.get("qnoise_factor", 1.0)) != 1.0:
        raise refuse("qnoise_factor=1", config["qnoise_factor"])
    if kind == "binary":
        if config.get("use_01"):
            raise refuse("use_01=False", True)
        return FixedPointType(2, 2, True, Rounding.RND_CONV, Overflow.SAT)
    for key in ("bits", "integer"):
        if config[key] != int(config[key]):
            raise refuse(f"a whole number as {key}", config[key])
    bits, integer = int(config["bits"]), int(config["integer"])
    if kind == "quantized_relu":
        for key in ("negative_slope", "use_sigmoid", "relu_upper_bound"):
            if config.get(key):
                raise refuse(f"{key}=0", config[key])
    elif config.get("symmetric", 0) not in (0, 1):
        raise refuse("symmetric=0 or 1", config["symmetric"])
    signed = kind == "quantized_bits" and bool(config.get("keep_negative", True))
    if signed and bits == 1:  # of which QKeras makes -1 and +1, each times 2^integer
        raise refuse("at least 2 bits or keep_negative=0", bits)
    try:
        return grid(bits, integer, signed)
    except FixedPointError as error:
        raise ModelError(f"layer {where}: {kind}: {error}") from None


def least_value(quantizer: Any, of: FixedPointType) -> Fraction:
    """Smallest value the quantizer yields: `symmetric` leaves out the most negative of the type."""
    config = quantizer.get_config()
    if type(quantizer).__name__ == "binary":
        return Fraction(-1)
    return of.min + of.lsb if of.signed and config.get("symmetric") else of.min
