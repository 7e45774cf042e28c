"""From the layers of a network to its units."""

from nonresnet_hls.fixed.network import Network
from nonresnet_hls.recipe import RtlOptions
from nonresnet_hls.rtl.groups import groups_of
from nonresnet_hls.rtl.unit_draft import Unit
from nonresnet_hls.rtl.unit_kinds import unit_of


def build(network: Network, options: RtlOptions) -> tuple[Unit, ...]:
    """All units of a network, in the order of their first layers."""
    return tuple(unit_of(network, group, options) for group in groups_of(network, options))
