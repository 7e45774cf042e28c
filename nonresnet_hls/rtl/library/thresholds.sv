// A rising or falling staircase of one number: the output is VALUES[k], k the number of the LEVELS thresholds
// that the input reaches (`>=`). Thresholds rise, the first in the lowest bits; so are the LEVELS + 1 values.
// No register.
module thresholds #(
    parameter int IN_WIDTH = 8,
    parameter bit IN_SIGNED = 1,
    parameter int OUT_WIDTH = 2,
    parameter int LEVELS = 3,
    parameter bit [LEVELS*IN_WIDTH-1:0] THRESHOLDS = '0,
    parameter bit [(LEVELS+1)*OUT_WIDTH-1:0] VALUES = '0
) (
    input  wire [ IN_WIDTH-1:0] in_data,
    output wire [OUT_WIDTH-1:0] out_data
);
    // With the sign bit inverted, two's complement orders as unsigned numbers do.
    localparam [IN_WIDTH-1:0] FLIP = IN_SIGNED ? {1'b1, {(IN_WIDTH - 1) {1'b0}}} : '0;
    wire [IN_WIDTH-1:0] ordered = in_data ^ FLIP;
    wire [(LEVELS+1)*OUT_WIDTH-1:0] chosen;
    assign chosen[OUT_WIDTH-1:0] = VALUES[OUT_WIDTH-1:0];
    genvar k;
    generate
        for (k = 0; k < LEVELS; k = k + 1) begin : steps
            wire reached = ordered >= (THRESHOLDS[k*IN_WIDTH+:IN_WIDTH] ^ FLIP);
            assign chosen[(k+1)*OUT_WIDTH+:OUT_WIDTH] =
                reached ? VALUES[(k+1)*OUT_WIDTH+:OUT_WIDTH] : chosen[k*OUT_WIDTH+:OUT_WIDTH];
        end
    endgenerate
    assign out_data = chosen[LEVELS*OUT_WIDTH+:OUT_WIDTH];
endmodule
