// Turns an image of HEIGHT x WIDTH pixels, one a word and row by row, into its windows of KERNEL_HEIGHT x KERNEL_WIDTH
// pixels, every STRIDE_HEIGHT rows and STRIDE_WIDTH columns; around it are TOP and BOTTOM rows, LEFT and RIGHT columns
// of zeros. A window's pixels follow each other row by row, the upper left one in the lowest bits. A step shifts one
// pixel in: it is made whenever no window waits at the output, or the one that waits is taken; with WAITS only while one
// could be taken, whether or not one waits: before a pipeline that moves anyway. Zeros are shifted in
// without waiting for input, and are shared: max(LEFT, RIGHT) columns before each row, max(TOP, BOTTOM) rows before
// each image, so that an image takes that many rows and columns more, each pixel a cycle; what lies beyond the right or
// the lower end of an image is what comes before the next row or image. Windows of an image must end in as many
// different steps: fewer columns than (columns of windows - 1) * STRIDE_WIDTH + 1 are too few, and rows likewise; rows
// and windows of one pixel need two columns where KERNEL_HEIGHT exceeds 1. STYLE is that of the line memory.
// TAP_ROWS and TAP_COLUMNS, if not both 0: every pixel leaves by `tap` as well, in the same order, so many rows and steps
// after it came in: from the window's registers, where it passes by. Of the last pixels of an image those leave that no
// more than zeros came behind; the others wait for the next one. Both are less than the window is large. No step is made
// while `tap` has no room.
module window_buffer #(
    parameter int PIXEL         = 8,
    parameter int HEIGHT        = 4,
    parameter int WIDTH         = 4,
    parameter int TOP           = 0,
    parameter int BOTTOM        = 0,
    parameter int LEFT          = 0,
    parameter int RIGHT         = 0,
    parameter int KERNEL_HEIGHT = 3,
    parameter int KERNEL_WIDTH  = 3,
    parameter int STRIDE_HEIGHT = 1,
    parameter int STRIDE_WIDTH  = 1,
    parameter int STYLE         = 2,
    parameter int TAP_ROWS      = 0,
    parameter int TAP_COLUMNS   = 0,
    parameter bit WAITS         = 0
) (
    input  wire                                        clk,
    input  wire                                        rst,
    input  wire [                           PIXEL-1:0] in_data,
    input  wire                                        in_valid,
    output wire                                        in_ready,
    output wire [KERNEL_HEIGHT*KERNEL_WIDTH*PIXEL-1:0] out_data,
    output wire                                        out_valid,
    input  wire                                        out_ready,
    output wire [                           PIXEL-1:0] tap_data,
    output wire                                        tap_valid,
    input  wire                                        tap_ready
);
    localparam int ABOVE = TOP > BOTTOM ? TOP : BOTTOM;
    localparam int BEFORE = LEFT > RIGHT ? LEFT : RIGHT;
    localparam int ROWS = HEIGHT + ABOVE;
    localparam int COLUMNS = WIDTH + BEFORE;
    localparam int ROW_BITS = ROWS > 1 ? $clog2(ROWS) : 1;
    localparam int COLUMN_BITS = COLUMNS > 1 ? $clog2(COLUMNS) : 1;

    // In which rows (columns) windows end, counted from the beginning of their own image (row).
    localparam int FIRST_ROW = ABOVE - TOP + KERNEL_HEIGHT - 1;
    localparam int FIRST_COLUMN = BEFORE - LEFT + KERNEL_WIDTH - 1;
    localparam int LAST_ROW = FIRST_ROW + (TOP + HEIGHT + BOTTOM - KERNEL_HEIGHT) / STRIDE_HEIGHT * STRIDE_HEIGHT;
    localparam int LAST_COLUMN = FIRST_COLUMN + (LEFT + WIDTH + RIGHT - KERNEL_WIDTH) / STRIDE_WIDTH * STRIDE_WIDTH;
    reg [ROW_BITS-1:0] row;
    reg [COLUMN_BITS-1:0] next_column;
    // All that decides about a step is a register: what it takes to know it is done in the step before.
    reg full, later, last_column, last_row;
    // A row is counted in the cycle behind its last step (a row of one step at once).
    reg turned;
    wire turns = COLUMNS == 1 ? step : turned;
    wire next_row = last_column | turns;
    wire ends, tapped, tap_room;
    wire zero;
    wire room = out_ready | (~WAITS & ~full);
    wire free = room & tap_room;
    wire step = (zero | in_valid) & free;
    wire [PIXEL-1:0] pixel = zero ? '0 : in_data;
    assign in_ready = free & ~zero;
    assign tap_valid = tapped & (zero | in_valid) & room;
    assign out_valid = full;
    generate
        if (ABOVE == 0 && BEFORE == 0) begin : no_zeros
            assign zero = 1'b0;
        end else begin : zeros
            reg in_zeros, row_is_zero;
            assign zero = in_zeros;
            /* verilator lint_off UNSIGNED */
            wire after_is_zero = ABOVE > 0 & (last_row | row < ROW_BITS'(ABOVE > 0 ? ABOVE - 1 : 0));
            wire next_is_zero = next_row ? after_is_zero : row_is_zero;
            always @(posedge clk)
                if (rst) begin
                    row_is_zero <= ABOVE > 0;
                    in_zeros <= 1'b1;
                end else begin
                    if (turns) row_is_zero <= after_is_zero;
                    if (step) in_zeros <= next_is_zero | next_column < COLUMN_BITS'(BEFORE);
                end
            /* verilator lint_on UNSIGNED */
        end
    endgenerate

    always @(posedge clk)
        if (rst) begin
            row <= '0;
            next_column <= COLUMN_BITS'(COLUMNS == 1 ? 0 : 1);
            last_row <= ROWS == 1;
            last_column <= COLUMNS == 1;
            turned <= 1'b0;
            full <= 1'b0;
            later <= 1'b0;
        end else begin
            turned <= step & last_column;
            if (turns) begin
                row <= last_row ? '0 : row + 1'b1;
                last_row <= ROWS == 1 | row == ROW_BITS'(ROWS > 1 ? ROWS - 2 : 0);
                if (last_row) later <= 1'b1;
            end
            if (step) begin
                last_column <= next_column == COLUMN_BITS'(COLUMNS - 1);
                next_column <= next_column == COLUMN_BITS'(COLUMNS - 1) ? '0 : next_column + 1'b1;
            end
            if (step) full <= ends;
            else if (out_ready) full <= 1'b0;
        end

    raster_ends #(
        .ROWS(ROWS),
        .COLUMNS(COLUMNS),
        .FIRST_ROW(FIRST_ROW),
        .LAST_ROW(LAST_ROW),
        .STRIDE_HEIGHT(STRIDE_HEIGHT),
        .FIRST_COLUMN(FIRST_COLUMN),
        .LAST_COLUMN(LAST_COLUMN),
        .STRIDE_WIDTH(STRIDE_WIDTH)
    ) window_ends (
        .clk(clk),
        .rst(rst),
        .step(step),
        .turns(turns),
        .row(row),
        .next_column(next_column),
        .last_row(last_row),
        .next_row(next_row),
        .later(later),
        .ends(ends)
    );
    generate
        if (TAP_ROWS + TAP_COLUMNS > 0) begin : taps
            assign tap_room = tap_ready;
            raster_ends #(
                .ROWS(ROWS),
                .COLUMNS(COLUMNS),
                .FIRST_ROW(ABOVE + TAP_ROWS),
                .LAST_ROW(ABOVE + TAP_ROWS + HEIGHT - 1),
                .FIRST_COLUMN(BEFORE + TAP_COLUMNS),
                .LAST_COLUMN(BEFORE + TAP_COLUMNS + WIDTH - 1)
            ) pixel_ends (
                .clk(clk),
                .rst(rst),
                .step(step),
                .turns(turns),
                .row(row),
                .next_column(next_column),
                .last_row(last_row),
                .next_row(next_row),
                .later(later),
                .ends(tapped)
            );
        end else begin : no_taps
            wire unused = tap_ready;
            assign tapped = 1'b0;
            assign tap_room = 1'b1;
            assign tap_data = '0;
        end
    endgenerate

    // The newest column of the window: the pixel that comes in below those above it.
    wire [KERNEL_HEIGHT*PIXEL-1:0] newest;
    genvar line;
    generate
        if (KERNEL_HEIGHT == 1) begin : single_row
            assign newest = pixel;
        end else begin : rows
            wire [(KERNEL_HEIGHT-1)*PIXEL-1:0] above;
            localparam int ADDRESS_BITS = $clog2(COLUMNS);
            wire [ADDRESS_BITS-1:0] next_place = next_column[ADDRESS_BITS-1:0];
            reg [ADDRESS_BITS-1:0] place;
            wire [(KERNEL_HEIGHT-1)*PIXEL-1:0] kept;
            wire write;
            wire [ADDRESS_BITS-1:0] write_at;
            always @(posedge clk)
                if (rst) place <= '0;
                else if (step) place <= next_place;
            assign newest = {pixel, above};
            line_memory #(
                .WIDTH((KERNEL_HEIGHT - 1) * PIXEL),
                .DEPTH(COLUMNS),
                .STYLE(STYLE)
            ) lines (
                .clk(clk),
                .write(write),
                .write_at(write_at),
                .in_data(kept),
                .read(step),
                .read_at(next_place),
                .out_data(above)
            );
            if (COLUMNS < 3) begin : at_once
                assign write = step;
                assign write_at = place;
                assign kept = newest[KERNEL_HEIGHT*PIXEL-1:PIXEL];
            end else begin : afterwards
                // The window's newest column is written, again and again until the next step: no enable is waited for.
                reg [ADDRESS_BITS-1:0] place_before;
                always @(posedge clk)
                    if (rst) place_before <= ADDRESS_BITS'(COLUMNS - 1);
                    else if (step) place_before <= place;
                assign write = 1'b1;
                assign write_at = place_before;
                for (line = 1; line < KERNEL_HEIGHT; line = line + 1) begin : kept_lines
                    assign kept[(line-1)*PIXEL+:PIXEL] = out_data[(line*KERNEL_WIDTH+KERNEL_WIDTH-1)*PIXEL+:PIXEL];
                end
            end
        end
        for (line = 0; line < KERNEL_HEIGHT; line = line + 1) begin : window
            reg [KERNEL_WIDTH*PIXEL-1:0] pixels;
            if (KERNEL_WIDTH == 1) begin : single_column
                always @(posedge clk) if (step) pixels <= newest[line*PIXEL+:PIXEL];
            end else begin : columns
                always @(posedge clk)
                    if (step) pixels <= {newest[line*PIXEL+:PIXEL], pixels[KERNEL_WIDTH*PIXEL-1:PIXEL]};
            end
            assign out_data[line*KERNEL_WIDTH*PIXEL+:KERNEL_WIDTH*PIXEL] = pixels;
            if (TAP_ROWS + TAP_COLUMNS > 0 && line == KERNEL_HEIGHT - 1 - TAP_ROWS) begin : tapped_line
                // What the step shifts on, TAP_COLUMNS steps behind the newest.
                if (TAP_COLUMNS == 0) begin : at_once
                    assign tap_data = newest[line*PIXEL+:PIXEL];
                end else begin : behind
                    assign tap_data = pixels[(KERNEL_WIDTH-TAP_COLUMNS)*PIXEL+:PIXEL];
                end
            end
        end
    endgenerate
endmodule
