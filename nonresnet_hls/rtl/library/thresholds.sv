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
    // Without their sign bits, numbers of two's complement are ordered as unsigned ones, on either side of zero.
    localparam int BITS = IN_SIGNED ? IN_WIDTH - 1 : IN_WIDTH;
    wire negative = IN_SIGNED & in_data[IN_WIDTH-1];
    wire [(LEVELS+1)*OUT_WIDTH-1:0] chosen;
    assign chosen[OUT_WIDTH-1:0] = VALUES[OUT_WIDTH-1:0];
    genvar k, b;
    generate
        for (k = 0; k < LEVELS; k = k + 1) begin : steps
            localparam [IN_WIDTH-1:0] THRESHOLD = THRESHOLDS[k*IN_WIDTH+:IN_WIDTH];
            wire beyond;
            if (BITS == 0) begin : sign_alone
                assign beyond = 1'b1;
            end else if (BITS <= 10) begin : few_bits
                // Bit by bit from the lowest: tables of few bits are smaller and faster than subtractions.
                wire [BITS:0] as_great;
                assign as_great[0] = 1'b1;
                for (b = 0; b < BITS; b = b + 1) begin : bits
                    assign as_great[b+1] = THRESHOLD[b] ? in_data[b] & as_great[b] : in_data[b] | as_great[b];
                end
                assign beyond = as_great[BITS];
            end else begin : compared
                // As `<`, since what Yosys subtracts, each bit inverted, is then the constant.
                /* verilator lint_off UNSIGNED */
                assign beyond = ~(in_data[BITS-1:0] < THRESHOLD[BITS-1:0]);
                /* verilator lint_on UNSIGNED */
            end
            wire reached = IN_SIGNED & THRESHOLD[IN_WIDTH-1] ? ~negative | beyond : ~negative & beyond;
            assign chosen[(k+1)*OUT_WIDTH+:OUT_WIDTH] =
                reached ? VALUES[(k+1)*OUT_WIDTH+:OUT_WIDTH] : chosen[k*OUT_WIDTH+:OUT_WIDTH];
        end
    endgenerate
    assign out_data = chosen[LEVELS*OUT_WIDTH+:OUT_WIDTH];
endmodule
