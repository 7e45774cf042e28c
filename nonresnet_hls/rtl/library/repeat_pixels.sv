// Repeats each pixel of an image of HEIGHT x WIDTH pixels, one a word and row by row, ROWS times downwards and COLUMNS
// times to the right. The first of these passes straight through; the others are offered without waiting for input,
// from a memory of one row. One pixel a cycle.
module repeat_pixels #(
    parameter int PIXEL   = 8,
    parameter int HEIGHT  = 4,
    parameter int WIDTH   = 4,
    parameter int ROWS    = 2,
    parameter int COLUMNS = 2
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
    localparam int Y_BITS = $clog2(HEIGHT + 1);
    localparam int X_BITS = $clog2(WIDTH + 1);
    localparam int ROW_BITS = $clog2(ROWS + 1);
    localparam int COLUMN_BITS = $clog2(COLUMNS + 1);
    // The pixel, and which of its repetitions.
    reg [Y_BITS-1:0] y;
    reg [X_BITS-1:0] x;
    reg [ROW_BITS-1:0] row;
    reg [COLUMN_BITS-1:0] column;
    reg [PIXEL-1:0] memory[0:WIDTH-1];
    wire first = row == '0 & column == '0;
    wire last_column = column == COLUMN_BITS'(COLUMNS - 1);
    wire last_x = last_column & x == X_BITS'(WIDTH - 1);
    wire last_row = last_x & row == ROW_BITS'(ROWS - 1);
    wire last_y = last_row & y == Y_BITS'(HEIGHT - 1);
    assign in_ready = first & out_ready;
    assign out_valid = ~first | in_valid;
    assign out_data = first ? in_data : memory[x];
    always @(posedge clk) begin
        if (in_valid & in_ready) memory[x] <= in_data;
        if (rst) begin
            y <= '0;
            x <= '0;
            row <= '0;
            column <= '0;
        end else if (out_valid & out_ready) begin
            column <= last_column ? '0 : column + 1'b1;
            if (last_column) x <= last_x ? '0 : x + 1'b1;
            if (last_x) row <= last_row ? '0 : row + 1'b1;
            if (last_row) y <= last_y ? '0 : y + 1'b1;
        end
    end
endmodule
