// In which steps of a raster something ends: `ends` belongs to the step that comes, and is a register. Steps go through
// ROWS x COLUMNS places row by row, image after image, each to `next_column`; the row of the step that comes is `row`, or,
// until `turns` has told it, the one after that: `next_row` says so, or that it will be. `last_row` and `later` (that the
// image is not the first one) are told of `row`. It ends in every STRIDE_HEIGHT-th row from FIRST_ROW to LAST_ROW, counted
// from the beginning of its own image, and every STRIDE_WIDTH-th column likewise: those beyond the last column are in the
// next row, those beyond the last row in the next image. None may lie further than that.
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
    input  wire                   turns,
    input  wire [   ROW_BITS-1:0] row,
    input  wire [COLUMN_BITS-1:0] next_column,
    input  wire                   last_row,
    input  wire                   next_row,
    input  wire                   later,
    output reg                    ends
);
    // Of the row after this one; LATE: of the image before it.
    wire [(1<<ROW_BITS)-1:0] row_ends, row_ends_late;
    // Of this row; LATE: of the one before.
    wire [(1<<COLUMN_BITS)-1:0] column_ends, column_ends_late;
    genvar at;
    generate
        for (at = 0; at < 1 << ROW_BITS; at = at + 1) begin : row_at
            localparam int AFTER = at + 1 == ROWS ? 0 : at + 1;
            assign row_ends[at] = AFTER >= FIRST_ROW && AFTER <= LAST_ROW && (AFTER - FIRST_ROW) % STRIDE_HEIGHT == 0;
            assign row_ends_late[at] = AFTER + ROWS >= FIRST_ROW && AFTER + ROWS <= LAST_ROW
                && (AFTER + ROWS - FIRST_ROW) % STRIDE_HEIGHT == 0;
        end
        for (at = 0; at < 1 << COLUMN_BITS; at = at + 1) begin : column_at
            assign column_ends[at] = at >= FIRST_COLUMN && at <= LAST_COLUMN && (at - FIRST_COLUMN) % STRIDE_WIDTH == 0;
            assign column_ends_late[at] = at + COLUMNS >= FIRST_COLUMN && at + COLUMNS <= LAST_COLUMN
                && (at + COLUMNS - FIRST_COLUMN) % STRIDE_WIDTH == 0;
        end
    endgenerate
    // Whether `row` counts, and the one before it.
    reg row_counts, row_before;
    wire after_counts = row_ends[row] | (row_ends_late[row] & (later | last_row));
    wire counts = next_row ? after_counts : row_counts;
    wire counts_before = next_row ? row_counts : row_before;
    always @(posedge clk)
        if (rst) begin
            row_counts <= row_ends[ROWS-1];
            row_before <= 1'b0;
            ends <= row_ends[ROWS-1] & column_ends[0];
        end else begin
            if (turns) begin
                row_counts <= after_counts;
                row_before <= row_counts;
            end
            if (step) ends <= (counts & column_ends[next_column]) | (counts_before & column_ends_late[next_column]);
        end
endmodule
