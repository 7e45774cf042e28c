"""Names of layers that hls4ml's C++ can bear: it names types after layers, and arguments after input layers."""

import re
from collections.abc import Sequence

PROJECT = "myproject"
"""Name of the top function and of the files: hls4ml's own default, which its users know."""

_C_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS = """
input main std hls nnet array
alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t class compl const
const_cast constexpr continue decltype default delete do double dynamic_cast else enum explicit export extern
false float for friend goto if inline int long mutable namespace new noexcept not not_eq nullptr operator or or_eq
private protected public register reinterpret_cast return short signed sizeof static static_assert static_cast
struct switch template this thread_local throw true try typedef typeid typename union unsigned using virtual void
volatile wchar_t while xor xor_eq
"""
_RESERVED = frozenset(_WORDS.split())
_GENERATED = re.compile(rf"{PROJECT}\w*|layer\d+_\w*|[wbs]\d+|config\d+|\w+_t|ap_\w+|N_\w+|[A-Z_]+|_.*")
"""What hls4ml's C++ calls its own things."""
_INSERTED = re.compile(r"(?:clone|repack|zp[12]d)_(?P<of>.+)|(?P<by>.+)_linear")
"""What hls4ml calls the layers that it puts before and behind others."""


def suits(name: str, is_input: bool) -> bool:
    """Whether a layer can be called so; input layers, after which arguments are named, may bear fewer names."""
    own = is_input and (name in _RESERVED or _GENERATED.fullmatch(name))
    return bool(_C_NAME.fullmatch(name)) and not own and name != "input"


def replacements(layers: Sequence[tuple[str, bool]]) -> dict[str, str]:
    """New names for the layers that cannot keep theirs.

    Args:
        layers: name of each layer, and whether it is an input.

    >>> replacements([("image", True), ("1/conv", False), ("image_linear", False)])
    {'1/conv': 'layer_1_conv', 'image_linear': 'layer_image_linear'}
    """
    names = [name for name, _ in layers]
    taken, found = set(names), {}
    for name, is_input in layers:
        if suits(name, is_input) and not any(_may_insert(other, name) for other in names if other != name):
            continue
        new = plain = "layer_" + re.sub(r"[^A-Za-z0-9_]", "_", name)
        number = 1
        while (
            new in taken
            or not suits(new, is_input)
            or any(_may_insert(other, new) or _may_insert(new, other) for other in taken)
        ):
            number += 1
            new = f"{plain}_{number}"
        taken.add(new)
        found[name] = new
    return found


def _may_insert(layer: str, name: str) -> bool:
    """Whether hls4ml may insert a layer of this name beside a layer; quantizing adds some called after it, too."""
    inserted = _INSERTED.fullmatch(name)
    return inserted is not None and (inserted["of"] or inserted["by"]).startswith(layer)
