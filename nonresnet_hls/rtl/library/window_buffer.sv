// Turns an image of HEIGHT x WIDTH pixels, one a word and row by row, into the windows of KERNEL_HEIGHT x
// KERNEL_WIDTH pixels that lie wholly inside it, every STRIDE_HEIGHT rows and STRIDE_WIDTH columns. The window's
// pixels follow each other row by row, the upper left one in the lowest bits. A pixel is taken whenever no
// window waits at the output, or the one that waits is taken: one pixel a cycle. WIDTH must be at least 2 where
// KERNEL_HEIGHT exceeds 1. STYLE is that of the line memory.
module window_buffer #(
    parameter int PIXEL         = 8,
    parameter int HEIGHT        = 4,
    parameter int WIDTH         = 4,
    parameter int KERNEL_HEIGHT = 3,
    parameter int KERNEL_WIDTH  = 3,
    parameter int STRIDE_HEIGHT = 1,
    parameter int STRIDE_WIDTH  = 1,
    parameter int STYLE         = 2
) (
    input  wire                                        clk,
    input  wire                                        rst,
    input  wire [                           PIXEL-1:0] in_data,
    input  wire                                        in_valid,
    output wire                                        in_ready,
    output wire [KERNEL_HEIGHT*KERNEL_WIDTH*PIXEL-1:0] out_data,
    output wire                                        out_valid,
    input  wire                                        out_ready
);
    localparam int ROW_BITS = $clog2(HEIGHT + 1);
    localparam int COLUMN_BITS = $clog2(WIDTH + 1);
    localparam int DOWN_BITS = $clog2(STRIDE_HEIGHT + 1);
    localparam int RIGHT_BITS = $clog2(STRIDE_WIDTH + 1);
    reg [ROW_BITS-1:0] row;
    reg [COLUMN_BITS-1:0] column;
    // How far the last row and column that ended a window lie behind.
    reg [DOWN_BITS-1:0] down;
    reg [RIGHT_BITS-1:0] right;
    reg full;
    wire take = in_valid & in_ready;
    wire last_column = column == COLUMN_BITS'(WIDTH - 1);
    wire last_row = row == ROW_BITS'(HEIGHT - 1);
    /* verilator lint_off UNSIGNED */
    wire row_counts = row >= ROW_BITS'(KERNEL_HEIGHT - 1);
    wire column_counts = column >= COLUMN_BITS'(KERNEL_WIDTH - 1);
    /* verilator lint_on UNSIGNED */
    assign in_ready = ~full | out_ready;
    assign out_valid = full;

    always @(posedge clk)
        if (rst) begin
            row <= '0;
            column <= '0;
            down <= '0;
            right <= '0;
            full <= 1'b0;
        end else begin
            if (take) begin
                column <= last_column ? '0 : column + 1'b1;
                if (last_column) right <= '0;
                else if (column_counts) right <= right == RIGHT_BITS'(STRIDE_WIDTH - 1) ? '0 : right + 1'b1;
                if (last_column) begin
                    row <= last_row ? '0 : row + 1'b1;
                    if (last_row) down <= '0;
                    else if (row_counts) down <= down == DOWN_BITS'(STRIDE_HEIGHT - 1) ? '0 : down + 1'b1;
                end
            end
            if (take) full <= row_counts & column_counts & down == '0 & right == '0;
            else if (out_ready) full <= 1'b0;
        end

    // The newest column of the window: the incoming pixel below those above it.
    wire [KERNEL_HEIGHT*PIXEL-1:0] newest;
    generate
        if (KERNEL_HEIGHT == 1) begin : single_row
            assign newest = in_data;
        end else begin : rows
            wire [(KERNEL_HEIGHT-1)*PIXEL-1:0] above;
            localparam int ADDRESS_BITS = $clog2(WIDTH);
            wire [ADDRESS_BITS-1:0] at = column[ADDRESS_BITS-1:0];
            assign newest = {in_data, above};
            line_memory #(
                .WIDTH((KERNEL_HEIGHT - 1) * PIXEL),
                .DEPTH(WIDTH),
                .STYLE(STYLE)
            ) lines (
                .clk(clk),
                .write(take),
                .write_at(at),
                .in_data(newest[KERNEL_HEIGHT*PIXEL-1:PIXEL]),
                .read(take),
                .read_at(last_column ? '0 : at + 1'b1),
                .out_data(above)
            );
        end
        genvar line;
        for (line = 0; line < KERNEL_HEIGHT; line = line + 1) begin : window
            reg [KERNEL_WIDTH*PIXEL-1:0] pixels;
            if (KERNEL_WIDTH == 1) begin : single_column
                always @(posedge clk) if (take) pixels <= newest[line*PIXEL+:PIXEL];
            end else begin : columns
                always @(posedge clk)
                    if (take) pixels <= {newest[line*PIXEL+:PIXEL], pixels[KERNEL_WIDTH*PIXEL-1:PIXEL]};
            end
            assign out_data[line*KERNEL_WIDTH*PIXEL+:KERNEL_WIDTH*PIXEL] = pixels;
        end
    endgenerate
endmodule
