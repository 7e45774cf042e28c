"""QKeras -> hls4ml -> HLS project -> C simulation; every workaround of hls4ml 1.3.0 lives in this room."""
