// Surrounds an image of HEIGHT x WIDTH pixels, one a word and row by row, with zero pixels: TOP and BOTTOM rows,
// LEFT and RIGHT columns. A padding pixel is offered without waiting for input; the pixels between pass straight
// through. One pixel a cycle.
module zero_pad #(
    parameter int PIXEL  = 8,
    parameter int HEIGHT = 4,
    parameter int WIDTH  = 4,
    parameter int TOP    = 1,
    parameter int BOTTOM = 1,
    parameter int LEFT   = 1,
    parameter int RIGHT  = 1
) (
    input  wire             clk,
    input  wire             rst,
    input  wire [PIXEL-1:0] in_data,
    input  wire             in_valid,
    output wire             in_ready,
    output wire [PIXEL-1:0] out_data,
    output wire             out_valid,
    input  wire             out_ready
);
    localparam int ROWS = TOP + HEIGHT + BOTTOM;
    localparam int COLUMNS = LEFT + WIDTH + RIGHT;
    localparam int ROW_BITS = $clog2(ROWS + 1);
    localparam int COLUMN_BITS = $clog2(COLUMNS + 1);
    reg [ROW_BITS-1:0] row;
    reg [COLUMN_BITS-1:0] column;
    /* verilator lint_off UNSIGNED */
    /* verilator lint_off CMPCONST */
    // A side without padding makes its comparison constant.
    wire image = row >= ROW_BITS'(TOP) & row < ROW_BITS'(TOP + HEIGHT)
        & column >= COLUMN_BITS'(LEFT) & column < COLUMN_BITS'(LEFT + WIDTH);
    /* verilator lint_on CMPCONST */
    /* verilator lint_on UNSIGNED */
    wire last_column = column == COLUMN_BITS'(COLUMNS - 1);
    wire last_row = row == ROW_BITS'(ROWS - 1);
    assign in_ready = image & out_ready;
    assign out_valid = ~image | in_valid;
    assign out_data = image ? in_data : '0;
    always @(posedge clk)
        if (rst) begin
            row <= '0;
            column <= '0;
        end else if (out_valid & out_ready) begin
            column <= last_column ? '0 : column + 1'b1;
            if (last_column) row <= last_row ? '0 : row + 1'b1;
        end
endmodule
