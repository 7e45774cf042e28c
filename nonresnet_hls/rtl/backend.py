"""The hls4ml backend `OpenRTL`; `plugin` registers it. Import hls4ml before this module, as the plugin does.

It is the Vivado backend up to the project: same optimizers, types, reuse factors, FIFO depths, and the same C++
for the C simulation. Beside that C++ it writes the design as SystemVerilog (folder `rtl`), and `build` simulates
and synthesises that instead of calling a vendor tool.
"""

from pathlib import Path
from typing import Any

from hls4ml.backends import VivadoBackend
from hls4ml.model.flow import get_flow, register_flow
from hls4ml.writer.vivado_writer import VivadoWriter

from nonresnet_hls.errors import ConversionError
from nonresnet_hls.rtl.design import generate

NAME = "OpenRTL"


class OpenRtlWriter(VivadoWriter):  # type: ignore[misc]  # hls4ml has no type information
    """Writes Vivado's project and the SystemVerilog beside it."""

    def write_hls(self, model: Any) -> None:
        """Write the project of a model."""
        super().write_hls(model)
        generate(model, Path(model.config.get_output_dir()) / "rtl")


class OpenRtlBackend(VivadoBackend):  # type: ignore[misc]  # hls4ml has no type information
    """hls4ml's backend of that name."""

    def __init__(self) -> None:
        # As hls4ml's own Vitis backend does: the name is what differs from Vivado.
        super(VivadoBackend, self).__init__(name=NAME)
        self._register_layer_attributes()
        self._register_flows()

    def _register_flows(self) -> None:
        own = NAME.lower()
        template_flow = register_flow(
            "apply_templates", self._get_layer_templates, requires=["vivado:init_layers"], backend=self.name
        )
        self._writer_flow = register_flow(
            "write", ["make_stamp", f"{own}:write_hls"], requires=[f"{own}:ip"], backend=self.name
        )
        requires = get_flow("vivado:ip").requires.copy()
        requires.insert(requires.index("vivado:apply_templates"), template_flow)
        self._default_flow = register_flow("ip", None, requires=requires, backend=self.name)

    def create_initial_config(self, io_type: str = "io_stream", **settings: Any) -> dict[str, Any]:
        """The Vivado backend's, for streams only.

        Raises:
            ConversionError: another `io_type` than `io_stream`.
        """
        if io_type != "io_stream":
            raise ConversionError(f"OpenRTL: io_type='io_stream' wanted, not {io_type!r}")
        config: dict[str, Any] = super().create_initial_config(io_type=io_type, **settings)
        return config

    def build(self, model: Any, **settings: Any) -> dict[str, Any]:
        """Simulate and synthesise; see `nonresnet_hls.rtl.flow.build` for the settings and the report."""
        from nonresnet_hls.rtl.flow import build

        return build(model, Path(model.config.get_output_dir()), **settings).as_dict()
