"""What hls4ml's plugin loader calls (entry-point group `hls4ml.backends`) while hls4ml itself is being imported."""

from collections.abc import Callable


def register(register_backend: Callable[..., None], register_writer: Callable[..., None]) -> None:
    """Register the backend and its writer."""
    from nonresnet_hls.rtl.backend import NAME, OpenRtlBackend, OpenRtlWriter

    register_writer(NAME, OpenRtlWriter)
    register_backend(NAME, OpenRtlBackend)


def ensure_registered() -> None:
    """Register with hls4ml where the entry point has not (a source tree that is not installed)."""
    from hls4ml.backends import get_available_backends, register_backend
    from hls4ml.writer import register_writer

    from nonresnet_hls.rtl.backend import NAME

    if NAME.lower() not in get_available_backends():
        register(register_backend, register_writer)
