// Casts one fixed-point number to another type as `ap_fixed` does (Vivado HLS, UG902): first the fraction is cut
// or widened to OUT_FRACTION bits, by ROUNDING 0 towards minus infinity (AP_TRN), 1 to nearest with ties upwards
// (AP_RND), 2 to nearest with ties to even (AP_RND_CONV), 3 towards zero (AP_TRN_ZERO), to nearest with ties 4 towards
// zero (AP_RND_ZERO), 5 away from it (AP_RND_INF) or 6 downwards (AP_RND_MIN_INF); then what does not fit into OUT_WIDTH
// bits loses its upper bits (OVERFLOW 0, AP_WRAP), becomes the nearest bound (1, AP_SAT), of bounds of one size (2,
// AP_SAT_SYM), or 0 (3, AP_SAT_ZERO). No register.
module requantize #(
    parameter int IN_WIDTH     = 8,
    parameter int IN_FRACTION  = 0,
    parameter bit IN_SIGNED    = 1,
    parameter int OUT_WIDTH    = 8,
    parameter int OUT_FRACTION = 0,
    parameter bit OUT_SIGNED   = 1,
    parameter int ROUNDING     = 0,
    parameter int OVERFLOW     = 0
) (
    input  wire [ IN_WIDTH-1:0] in_data,
    output wire [OUT_WIDTH-1:0] out_data
);
    localparam int DROP = IN_FRACTION > OUT_FRACTION ? IN_FRACTION - OUT_FRACTION : 0;
    localparam int SHIFT = OUT_FRACTION > IN_FRACTION ? OUT_FRACTION - IN_FRACTION : 0;
    // Wide enough for the sign, the shift, the carry of the rounding, and the output's range.
    localparam int INNER = IN_WIDTH + SHIFT > DROP ? IN_WIDTH + SHIFT + 2 : DROP + 2;
    localparam int WIDE = INNER > OUT_WIDTH + 1 ? INNER : OUT_WIDTH + 1;
    wire sign = IN_SIGNED & in_data[IN_WIDTH-1];
    wire signed [WIDE-1:0] extended = {{(WIDE - IN_WIDTH) {sign}}, in_data};
    wire signed [WIDE-1:0] rounded;
    generate
        if (DROP == 0) begin : widen
            assign rounded = extended <<< SHIFT;
        end else if (ROUNDING == 0) begin : truncate
            assign rounded = extended >>> DROP;
        end else begin : nearest
            wire signed [WIDE-1:0] floor = extended >>> DROP;
            wire half = extended[DROP-1];
            wire negative = extended[WIDE-1];
            wire rest;
            wire up;
            if (DROP > 1) begin : more
                assign rest = |extended[DROP-2:0];
            end else begin : no_more
                assign rest = 1'b0;
            end
            if (ROUNDING == 1) begin : upwards
                assign up = half;
            end else if (ROUNDING == 2) begin : even
                assign up = half & (floor[0] | rest);
            end else if (ROUNDING == 3) begin : cut_to_zero
                assign up = negative & (half | rest);
            end else if (ROUNDING == 4) begin : to_zero
                assign up = half & (rest | negative);
            end else if (ROUNDING == 5) begin : from_zero
                assign up = half & (rest | ~negative);
            end else begin : downwards
                assign up = half & rest;
            end
            wire unused_of_rounding = &{1'b0, negative, rest};
            assign rounded = floor + WIDE'(up);
        end
        if (OVERFLOW == 0) begin : wrap
            assign out_data = rounded[OUT_WIDTH-1:0];
        end else begin : saturate
            localparam int VALUE_BITS = OUT_SIGNED ? OUT_WIDTH - 1 : OUT_WIDTH;
            localparam [OUT_WIDTH-1:0] LOWEST = OUT_SIGNED ? {1'b1, {(OUT_WIDTH - 1) {1'b0}}} : '0;
            localparam [OUT_WIDTH-1:0] LEAST = OVERFLOW == 3 ? '0 : LOWEST + OUT_WIDTH'(OVERFLOW == 2 & OUT_SIGNED);
            localparam [OUT_WIDTH-1:0] MOST = OVERFLOW == 3 ? '0 : ~LOWEST;
            wire negative = rounded[WIDE-1];
            wire below = negative & (OUT_SIGNED ? ~&rounded[WIDE-1:VALUE_BITS] : 1'b1);
            wire lowest = OVERFLOW == 2 & negative & (rounded[OUT_WIDTH-1:0] == LOWEST);
            wire too_small = below | lowest;
            wire too_great = ~negative & |rounded[WIDE-1:VALUE_BITS];
            assign out_data = too_small ? LEAST : too_great ? MOST : rounded[OUT_WIDTH-1:0];
        end
    endgenerate
    wire unused = &{1'b0, extended, rounded};
endmodule
