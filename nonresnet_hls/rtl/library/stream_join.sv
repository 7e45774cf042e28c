// Pairs the words of two streams: the output is valid when both inputs are, and takes both at once.
module stream_join (
    input  wire left_valid,
    output wire left_ready,
    input  wire right_valid,
    output wire right_ready,
    output wire out_valid,
    input  wire out_ready
);
    assign out_valid = left_valid & right_valid;
    assign left_ready = out_ready & right_valid;
    assign right_ready = out_ready & left_valid;
endmodule
