"""Reading the C++ that hls4ml generates."""

from pathlib import Path

import pytest

from nonresnet_hls.dataflow.cpp_source import Config, TokenType, parse_source, read_firmware
from nonresnet_hls.errors import ConversionError

CPP = """
#include "net.h"
void net(
    hls::stream<input_t> &image,
    hls::stream<result_t> &layer5_out
) {
    #pragma HLS INTERFACE axis port=image,layer5_out
    #pragma HLS DATAFLOW
    nnet::load_weights_from_txt<weight2_t, 108>(w2, "w2.txt");
    // hls::stream<never_t> commented("commented");
    hls::stream<layer2_t> layer2_out("layer2_out");
    #pragma HLS STREAM variable=layer2_out depth=36
    auto& layer3_out = layer2_out;
    hls::stream<layer4_t> layer4_out("layer4_out");
    nnet::separable_conv_2d_cl<input_t, dw2_t, layer2_t, config2>(
        image, layer2_out, d2, p2, db2, pb2); // sep
#ifndef __SYNTHESIS__
    nnet::save_layer_output<layer2_t>(layer2_out, "sep", 144);
#endif
    nnet::relu<layer2_t, layer4_t, relu_config4>(layer3_out, layer4_out); // act
    nnet::relu<layer4_t, result_t, relu_config5>(layer4_out, layer5_out);
}
"""
DEFINES = """
typedef nnet::array<ap_fixed<16,6>, 3*1> input_t;
typedef nnet::array<ap_fixed<20,8,AP_RND,AP_SAT,0>, 3*1> dw2_t;
typedef nnet::array<ap_ufixed<8,0>, 4*1> layer2_t;
typedef nnet::array<ap_uint<1>, 4*1> layer4_t;
typedef nnet::array<float, 4*1> result_t;
typedef ap_fixed<8,1> weight2_t;
"""
PARAMETERS = """
struct config2_depthwise : nnet::depthwise_conv2d_config {
    static const unsigned in_height = 8;
};
struct config2 {
    typedef config2_depthwise depthwise_config;
};
struct relu_config4 : nnet::activ_config {
    static const unsigned n_in = 144;
    static const unsigned reuse_factor = 1;
    static const unsigned strategy = nnet::resource;
    static const unsigned limit = DIV_ROUNDUP(n_in * 2, reuse_factor + 6) - n_in / 100;
};
"""


def test_streams_calls_types_and_constants() -> None:
    source = parse_source("net", CPP, DEFINES, PARAMETERS)
    assert [port.name for port in source.ports] == ["image", "layer5_out"]
    assert [(stream.name, stream.depth) for stream in source.streams] == [("layer2_out", 36), ("layer4_out", None)]
    assert source.token_types["input_t"] == TokenType(3, 16)
    assert source.token_types["layer4_t"].bits == 4
    assert source.token_types["result_t"].bits == 128
    assert source.bits_of("weight2_t") == 8
    # Weights are no calls, tracing is none, an alias is its stream, a call without a name is its function.
    assert [(call.layer, call.function) for call in source.calls[2:]] == [("act", "relu"), ("relu", "relu")]
    assert source.calls[2].arguments == ("layer2_out", "layer4_out")


def test_a_namespace_and_weights_as_arguments_are_seen() -> None:
    text = "namespace mine {\n" + CPP.replace("&layer5_out\n", "&layer5_out,\n    weight2_t w2[108]\n") + "}\n"
    source = parse_source("net", text, DEFINES, PARAMETERS)
    assert (source.namespace, source.other_arguments) == ("mine", 1)
    plain = parse_source("net", CPP, DEFINES, PARAMETERS)
    assert (plain.namespace, plain.other_arguments) == ("", 0)


def test_a_separable_convolution_is_two_processes_with_a_stream_between() -> None:
    source = parse_source("net", CPP, DEFINES, PARAMETERS)
    depthwise, pointwise = source.calls[:2]
    assert (depthwise.function, depthwise.arguments[:2]) == ("depthwise_conv_2d_cl", ("image", "sep_depthwise_res"))
    assert pointwise.function == "pointwise_conv_2d_cl"
    assert pointwise.arguments[:2] == ("sep_depthwise_res", "layer2_out")
    assert [stream.name for stream in source.inner_streams] == ["sep_depthwise_res"]
    assert source.token_types["dw2_t"] == TokenType(3, 20)


@pytest.mark.parametrize(
    "without", ["// nnet::relu", "/* old:\n nnet::relu<a, b, c>(d, e); // x\n */ // nnet::relu", "; // x\n//nnet::relu"]
)
def test_a_call_in_a_comment_is_none(without: str) -> None:
    text = CPP.replace("nnet::relu<layer4_t", f"{without}<layer4_t")
    found = parse_source("net", text, DEFINES, PARAMETERS)
    assert [call.layer for call in found.calls[2:]] == ["act"]
    assert text[found.statements[-1].start :].startswith("nnet::relu<layer2_t")


@pytest.mark.parametrize(
    ("before", "condition", "said"),
    [
        ("    nnet::relu<layer4_t", "#if 0", "net.cpp: no conditions in its C++ wanted, not '#if 0'"),
        ("    nnet::relu<layer4_t", "# ifdef  A // x", "net.cpp: no conditions in its C++ wanted, not '# ifdef  A'"),
        ("    nnet::relu<layer4_t", "#ifndef __SYNTHESIS__", "under no condition, not under #ifndef __SYNTHESIS__"),
        ("typedef ap_fixed<8,1> weight2_t", "#if OLD", "defines.h: no conditions in its C++ wanted, not '#if OLD'"),
        (
            "    static const unsigned reuse",
            "#if X > 1",
            "parameters.h: no conditions in its C++ wanted, not '#if X > 1'",
        ),
    ],
)
def test_what_counts_only_at_times_is_refused(before: str, condition: str, said: str) -> None:
    texts = (CPP, DEFINES, PARAMETERS)
    assert any(before in text for text in texts)
    changed = [text.replace(before, f"{condition}\n{before}") + "\n#endif\n" * (before in text) for text in texts]
    with pytest.raises(ConversionError) as caught:
        parse_source("net", *changed)
    assert said in str(caught.value)


def test_constants_are_evaluated() -> None:
    config = parse_source("net", CPP, DEFINES, PARAMETERS).configs["relu_config4"]
    assert config.integer("limit") == 42 - 1
    assert config.symbol("strategy") == "resource"
    assert config.integer("absent", 7) == 7


@pytest.mark.parametrize("text", ["nnet::resource", "sizeof(int)", "1 / 0", "1 +", "MIN()", "n_in", "1 << 4"])
def test_what_is_no_integer_is_refused_by_name(text: str) -> None:
    config = Config("config9", {"n_in": text}, {})
    with pytest.raises(ConversionError, match=r"struct config9 in parameters\.h: n_in should be an integer"):
        config.integer("n_in")


def test_a_missing_constant_is_refused_by_name() -> None:
    with pytest.raises(ConversionError, match=r"struct config9 in parameters\.h: constant 'n_in' wanted"):
        Config("config9", {}, {}).integer("n_in")


def test_a_design_without_streams_is_refused() -> None:
    with pytest.raises(ConversionError, match=r"net\.cpp: hls::stream arguments wanted \(io_stream\)"):
        parse_source("net", "void net(input_t image[4], result_t out[2]) { }", DEFINES, PARAMETERS)


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(ConversionError, match="not 'posit<8>'"):
        parse_source("net", CPP, DEFINES.replace("ap_ufixed<8,0>", "posit<8>"), PARAMETERS)


def test_a_missing_file_is_refused_by_path(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"net\.cpp: generated C\+\+ of hls4ml wanted"):
        read_firmware(tmp_path, "net")


def test_weights_of_several_numbers() -> None:
    """As hls4ml writes powers of two and compressed matrices."""
    types = """
typedef struct weight3_t {ap_uint<1> sign;ap_int<3> weight; } weight3_t;
typedef struct weight4_t {ap_uint<7> row_index;ap_uint<7> col_index;ap_fixed<8,1> weight; } weight4_t;
"""
    source = parse_source("net", CPP, DEFINES + types, PARAMETERS)
    assert [source.bits_of(name) for name in ("weight2_t", "weight3_t", "weight4_t")] == [8, 4, 22]
