// In which steps of a raster something ends: `ends` belongs to the step at `row` and `column`. Steps go through ROWS x
// COLUMNS places row by row, image after image; `later` says that an image came before this one. It ends in every
// STRIDE_HEIGHT-th row from FIRST_ROW to LAST_ROW, counted from the beginning of its own image, and every
// STRIDE_WIDTH-th column likewise: those beyond the last column are in the next row, those beyond the last row in the
// next image. None may lie further than that.
module raster_ends #(
    parameter int ROWS          = 4,
    parameter int COLUMNS       = 4,
    parameter int FIRST_ROW     = 0,
    parameter int LAST_ROW      = 3,
    parameter int STRIDE_HEIGHT = 1,
    parameter int FIRST_COLUMN  = 0,
    parameter int LAST_COLUMN   = 3,
    parameter int STRIDE_WIDTH  = 1,
    localparam int ROW_BITS     = ROWS > 1 ? $clog2(ROWS) : 1,
    localparam int COLUMN_BITS  = COLUMNS > 1 ? $clog2(COLUMNS) : 1
) (
    input  wire                   clk,
    input  wire                   rst,
    input  wire                   step,
    input  wire [   ROW_BITS-1:0] row,
    input  wire [COLUMN_BITS-1:0] column,
    input  wire                   later,
    output wire                   ends
);
    // Of this image (row), or, LATE, of the one before.
    wire [(1<<ROW_BITS)-1:0] row_ends, row_ends_late;
    wire [(1<<COLUMN_BITS)-1:0] column_ends, column_ends_late;
    genvar at;
    generate
        for (at = 0; at < 1 << ROW_BITS; at = at + 1) begin : row_at
            assign row_ends[at] = at >= FIRST_ROW && at <= LAST_ROW && (at - FIRST_ROW) % STRIDE_HEIGHT == 0;
            assign row_ends_late[at] =
                at + ROWS >= FIRST_ROW && at + ROWS <= LAST_ROW && (at + ROWS - FIRST_ROW) % STRIDE_HEIGHT == 0;
        end
        for (at = 0; at < 1 << COLUMN_BITS; at = at + 1) begin : column_at
            assign column_ends[at] = at >= FIRST_COLUMN && at <= LAST_COLUMN && (at - FIRST_COLUMN) % STRIDE_WIDTH == 0;
            assign column_ends_late[at] = at + COLUMNS >= FIRST_COLUMN && at + COLUMNS <= LAST_COLUMN
                && (at + COLUMNS - FIRST_COLUMN) % STRIDE_WIDTH == 0;
        end
    endgenerate
    wire row_counts = row_ends[row] | (row_ends_late[row] & later);
    // Whether the row before this one counts.
    reg row_before;
    always @(posedge clk)
        if (rst) row_before <= 1'b0;
        else if (step & column == COLUMN_BITS'(COLUMNS - 1)) row_before <= row_counts;
    assign ends = (row_counts & column_ends[column]) | (row_before & column_ends_late[column]);
endmodule
