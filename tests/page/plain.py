"""A project without skips, written by hand as hls4ml writes it."""

from pathlib import Path

_TOP = """
#include "myproject.h"
void myproject(hls::stream<input_t> &image, hls::stream<result_t> &layer3_out) {
    hls::stream<layer2_t> layer2_out("layer2_out");
    #pragma HLS STREAM variable=layer2_out depth=16
    nnet::relu<input_t, layer2_t, relu_config2>(image, layer2_out); // first
    nnet::relu<layer2_t, result_t, relu_config3>(layer2_out, layer3_out); // second
}
"""
_DEFINES = """
typedef nnet::array<ap_fixed<8,3>, 2*1> input_t;
typedef nnet::array<ap_ufixed<6,2>, 2*1> layer2_t;
typedef nnet::array<ap_ufixed<6,2>, 2*1> result_t;
"""
_CONFIG = """
struct relu_config{number} : nnet::activ_config {{
    static const unsigned n_in = 32;
    static const unsigned table_size = 1024;
    static const unsigned io_type = nnet::io_stream;
    static const unsigned reuse_factor = 1;
}};
"""
_SETTINGS = """
Backend: Vivado
ProjectName: myproject
Part: xc7z020clg400-1
ClockPeriod: 5
IOType: io_stream
HLSConfig: {}
"""


def write_plain_project(folder: Path) -> None:
    firmware = folder / "firmware"
    firmware.mkdir(parents=True)
    (firmware / "myproject.cpp").write_text(_TOP)
    (firmware / "defines.h").write_text(_DEFINES)
    (firmware / "parameters.h").write_text("".join(_CONFIG.format(number=number) for number in (2, 3)))
    (folder / "hls4ml_config.yml").write_text(_SETTINGS)
