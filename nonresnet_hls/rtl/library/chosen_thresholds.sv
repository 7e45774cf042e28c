// A rising or falling staircase of one number, chosen by another: the output is VALUES[k], k the number of the LEVELS
// thresholds that the input reaches. Thresholds rise with the level, for each choice; a level's 2**CHOICE thresholds
// follow each other, those of the first level in the lowest bits. They are counted from the least number that IN_WIDTH
// bits can be, in a bit more: 2**IN_WIDTH is never reached. No register.
module chosen_thresholds #(
    parameter int IN_WIDTH = 8,
    parameter bit IN_SIGNED = 1,
    parameter int CHOICE = 2,
    parameter int OUT_WIDTH = 2,
    parameter int LEVELS = 3,
    parameter bit [(LEVELS<<CHOICE)*(IN_WIDTH+1)-1:0] THRESHOLDS = '0,
    parameter bit [(LEVELS+1)*OUT_WIDTH-1:0] VALUES = '0
) (
    input  wire [ IN_WIDTH-1:0] in_data,
    input  wire [   CHOICE-1:0] choice,
    output wire [OUT_WIDTH-1:0] out_data
);
    localparam int WIDE = IN_WIDTH + 1;
    // Compared piece by piece from the lowest bits on: a piece, the choice and what lies below fit a table of 6 inputs.
    localparam int PIECE = CHOICE < 4 ? 5 - CHOICE : 1;
    localparam int PIECES = (WIDE + PIECE - 1) / PIECE;
    localparam [IN_WIDTH-1:0] FLIP = IN_SIGNED ? {1'b1, {(IN_WIDTH - 1) {1'b0}}} : '0;
    wire [PIECES*PIECE-1:0] ordered = (PIECES * PIECE)'(in_data ^ FLIP);
    wire [(LEVELS+1)*OUT_WIDTH-1:0] chosen;
    assign chosen[OUT_WIDTH-1:0] = VALUES[OUT_WIDTH-1:0];
    genvar k, p, c;
    generate
        for (k = 0; k < LEVELS; k = k + 1) begin : steps
            wire [PIECES:0] reached;
            assign reached[0] = 1'b1;
            for (p = 0; p < PIECES; p = p + 1) begin : pieces
                wire [PIECE-1:0] mine = ordered[p*PIECE+:PIECE];
                wire [(PIECE<<CHOICE)-1:0] limits;
                for (c = 0; c < 1 << CHOICE; c = c + 1) begin : limit
                    localparam [PIECES*PIECE-1:0] WHOLE =
                        (PIECES * PIECE)'(THRESHOLDS[((k<<CHOICE)+c)*WIDE+:WIDE]);
                    assign limits[c*PIECE+:PIECE] = WHOLE[p*PIECE+:PIECE];
                end
                wire [PIECE-1:0] limit_chosen = limits[choice*PIECE+:PIECE];
                assign reached[p+1] = mine > limit_chosen | (mine == limit_chosen & reached[p]);
            end
            assign chosen[(k+1)*OUT_WIDTH+:OUT_WIDTH] =
                reached[PIECES] ? VALUES[(k+1)*OUT_WIDTH+:OUT_WIDTH] : chosen[k*OUT_WIDTH+:OUT_WIDTH];
        end
    endgenerate
    assign out_data = chosen[LEVELS*OUT_WIDTH+:OUT_WIDTH];
endmodule
