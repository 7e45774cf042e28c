// Turns an image of HEIGHT x WIDTH pixels, one a word and row by row, into its windows of KERNEL_HEIGHT x KERNEL_WIDTH
// pixels, one for every STRIDE_HEIGHT-th and STRIDE_WIDTH-th pixel, ROWS x COLUMNS of them: TOP pixels above that one
// belong to its window, LEFT beside it, and zeros where the image ends. A window's pixels follow each other row by row,
// the upper left one in the lowest bits. A step shifts a pixel in: it is made whenever one comes and no window waits at
// the output, or the one that waits is taken; with WAITS only while one could be taken, whether or not one waits: before a
// pipeline that moves anyway. No step is made for zeros, which are masked; but between two images, while
// windows of the first are due and no pixel comes, steps are made without one. The image must be larger than what a pixel
// waits for its window, (KERNEL_HEIGHT - 1 - TOP) * WIDTH + KERNEL_WIDTH - 1 - LEFT steps. STYLE is that of the line
// memory.
// TAP_ROWS, if not 0: every pixel leaves by `tap` as well, in the same order, so many rows after it came in, where it
// leaves the line memory; fewer than KERNEL_HEIGHT. Between two images steps are made without a pixel for that, too. No
// step is made while `tap` has no room.
module masked_window #(
    parameter int PIXEL         = 8,
    parameter int HEIGHT        = 4,
    parameter int WIDTH         = 4,
    parameter int TOP           = 1,
    parameter int LEFT          = 1,
    parameter int KERNEL_HEIGHT = 3,
    parameter int KERNEL_WIDTH  = 3,
    parameter int STRIDE_HEIGHT = 1,
    parameter int STRIDE_WIDTH  = 1,
    parameter int ROWS          = 4,
    parameter int COLUMNS       = 4,
    parameter int STYLE         = 2,
    parameter int TAP_ROWS      = 0,
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
    // Steps from a pixel to the one below it that completes its column, and from its column to its window.
    localparam int DOWN = (KERNEL_HEIGHT - 1 - TOP) * WIDTH;
    localparam int LAG = KERNEL_WIDTH - 1 - LEFT;
    localparam int PIXELS = HEIGHT * WIDTH;
    localparam int PIXEL_BITS = $clog2(PIXELS);
    localparam int ROW_BITS = HEIGHT > 1 ? $clog2(HEIGHT) : 1;
    localparam int COLUMN_BITS = $clog2(WIDTH);
    localparam int WAIT_BITS = $clog2(DOWN + 2);

    // All that decides about a step is a register: what it takes to know it is done in the step before.
    // The pixel that comes in next, and whether it is the first or the last of its image; the steps until the column of the
    // image's first pixel is complete, and whether the next one completes it.
    reg [PIXEL_BITS-1:0] in_at;
    reg [WAIT_BITS-1:0] until_first;
    reg in_first, in_last, begins;
    // Whether there is a pixel whose column is completed next.
    reg active;
    reg full;
    // Whether a step can be made without a pixel: between two images, while windows or pixels of the first are due.
    reg runs_on;
    wire due;
    // Whether a pixel leaves by `tap` in this step.
    wire tapped, tap_room;
    wire room = out_ready | (~WAITS & ~full);
    wire free = room & tap_room;
    wire step = (in_valid | runs_on) & free;
    assign tap_valid = tapped & (in_valid | runs_on) & room;
    assign in_ready = free;
    assign out_valid = full;
    // In a step: whether a pixel comes in, the first of its image.
    wire first = in_valid & in_first;
    wire completes = active | (DOWN == 0 ? first : begins);
    // Of that pixel: where it is, and what is known of its row and its column.
    reg [ROW_BITS-1:0] row;
    reg [COLUMN_BITS-1:0] column;
    reg last_row, last_column;
    always @(posedge clk)
        if (rst) begin
            in_at <= '0;
            in_first <= 1'b1;
            in_last <= PIXELS == 1;
            row <= '0;
            column <= '0;
            last_row <= HEIGHT == 1;
            last_column <= WIDTH == 1;
            until_first <= '0;
            begins <= 1'b0;
            active <= 1'b0;
            runs_on <= 1'b0;
        end else if (step) begin
            if (in_valid) begin
                in_at <= in_last ? '0 : in_at + 1'b1;
                in_first <= in_last;
                in_last <= PIXELS == 1 | in_at == PIXEL_BITS'(PIXELS > 1 ? PIXELS - 2 : 0);
            end
            if (first) until_first <= WAIT_BITS'(DOWN);
            else if (until_first != '0) until_first <= until_first - 1'b1;
            begins <= first ? DOWN == 1 : until_first == WAIT_BITS'(2);
            if (completes) begin
                column <= last_column ? '0 : column + 1'b1;
                last_column <= WIDTH == 1 | column == COLUMN_BITS'(WIDTH > 1 ? WIDTH - 2 : 0);
                if (last_column) begin
                    row <= last_row ? '0 : row + 1'b1;
                    last_row <= HEIGHT == 1 | row == ROW_BITS'(HEIGHT > 1 ? HEIGHT - 2 : 0);
                end
                active <= ~(last_column & last_row);
            end
            runs_on <= (in_valid ? in_last : in_first) & due;
        end

    // For each row and column, of the one after it: whether windows belong to it; for each line (column) of the window
    // whether it lies beyond an end of the image.
    localparam int ROWS_TOLD = KERNEL_HEIGHT + 1;
    localparam int COLUMNS_TOLD = KERNEL_WIDTH + 1;
    wire [(1<<ROW_BITS)*ROWS_TOLD-1:0] rows_after;
    wire [(1<<COLUMN_BITS)*COLUMNS_TOLD-1:0] columns_after;
    // The same of the pixel whose column is completed next.
    reg [ROWS_TOLD-1:0] row_told;
    reg [COLUMNS_TOLD-1:0] column_told;
    genvar at, side;
    generate
        for (at = 0; at < 1 << ROW_BITS; at = at + 1) begin : row_at
            localparam int AFTER = at + 1 >= HEIGHT ? 0 : at + 1;
            assign rows_after[at*ROWS_TOLD+KERNEL_HEIGHT] = AFTER % STRIDE_HEIGHT == 0 && AFTER / STRIDE_HEIGHT < ROWS;
            for (side = 0; side < KERNEL_HEIGHT; side = side + 1) begin : lines
                assign rows_after[at*ROWS_TOLD+side] = AFTER + side < TOP || AFTER + side >= HEIGHT + TOP;
            end
        end
        for (at = 0; at < 1 << COLUMN_BITS; at = at + 1) begin : column_at
            localparam int AFTER = at + 1 >= WIDTH ? 0 : at + 1;
            assign columns_after[at*COLUMNS_TOLD+KERNEL_WIDTH] =
                AFTER % STRIDE_WIDTH == 0 && AFTER / STRIDE_WIDTH < COLUMNS;
            for (side = 0; side < KERNEL_WIDTH; side = side + 1) begin : columns
                assign columns_after[at*COLUMNS_TOLD+side] = AFTER + side < LEFT || AFTER + side >= WIDTH + LEFT;
            end
        end
    endgenerate
    always @(posedge clk)
        if (rst) begin
            row_told <= rows_after[(HEIGHT-1)*ROWS_TOLD+:ROWS_TOLD];
            column_told <= columns_after[(WIDTH-1)*COLUMNS_TOLD+:COLUMNS_TOLD];
        end else if (step & completes) begin
            column_told <= columns_after[column*COLUMNS_TOLD+:COLUMNS_TOLD];
            if (last_column) row_told <= rows_after[row*ROWS_TOLD+:ROWS_TOLD];
        end

    // What is known of a column when it is completed, and LAG steps later, when its window is: whether there is one, whether
    // it counts, and for each line and column of the window whether it lies beyond an end of the image.
    localparam int TOLD = KERNEL_HEIGHT + KERNEL_WIDTH + 2;
    wire [TOLD-1:0] told, then;
    wire counts = completes & row_told[KERNEL_HEIGHT] & column_told[KERNEL_WIDTH];
    assign told = {completes, counts, row_told[KERNEL_HEIGHT-1:0], column_told[KERNEL_WIDTH-1:0]};
    // Whether there is a pixel whose column is completed after this step.
    wire stays = completes ? ~(last_column & last_row) : active;
    wire tap_due;
    generate
        if (LAG == 0) begin : at_once
            assign then = told;
            assign due = stays | tap_due;
        end else begin : later
            reg [LAG*TOLD-1:0] kept;
            // Of those that are kept after this step.
            wire [LAG-1:0] waits;
            assign then = kept[(LAG-1)*TOLD+:TOLD];
            assign waits[0] = completes;
            for (side = 1; side < LAG; side = side + 1) begin : stages
                assign waits[side] = kept[(side-1)*TOLD+TOLD-1];
            end
            assign due = stays | tap_due | (|waits);
            always @(posedge clk)
                if (rst) kept <= '0;
                else if (step) kept <= (LAG * TOLD)'({kept, told});
        end
    endgenerate
    wire unused = &{1'b0, then};
    // The newest column of the window: the pixel that comes in below those above it.
    wire [KERNEL_HEIGHT*PIXEL-1:0] newest;
    generate
        if (TAP_ROWS > 0) begin : taps
            localparam int DELAY = TAP_ROWS * WIDTH;
            localparam int DELAY_BITS = $clog2(DELAY + 2);
            reg [DELAY_BITS-1:0] until_tap;
            // How many more leave in the steps behind this one, and whether none does.
            reg [PIXEL_BITS-1:0] more;
            reg leaves, last_leaves;
            // Whether the next step is the first in which one leaves.
            wire comes = first ? DELAY == 1 : until_tap == DELAY_BITS'(2);
            assign tapped = leaves;
            assign tap_room = tap_ready;
            assign tap_due = leaves & ~last_leaves;
            assign tap_data = newest[(KERNEL_HEIGHT-1-TAP_ROWS)*PIXEL+:PIXEL];
            always @(posedge clk)
                if (rst) begin
                    until_tap <= '0;
                    more <= '0;
                    leaves <= 1'b0;
                    last_leaves <= 1'b0;
                end else if (step) begin
                    if (first) until_tap <= DELAY_BITS'(DELAY);
                    else if (until_tap != '0) until_tap <= until_tap - 1'b1;
                    if (comes) begin
                        more <= PIXEL_BITS'(PIXELS - 1);
                        leaves <= 1'b1;
                        last_leaves <= PIXELS == 1;
                    end else if (leaves) begin
                        more <= more - 1'b1;
                        leaves <= ~last_leaves;
                        last_leaves <= more == PIXEL_BITS'(1);
                    end
                end
        end else begin : no_taps
            wire unused_tap = tap_ready;
            assign tap_due = 1'b0;
            assign tapped = 1'b0;
            assign tap_room = 1'b1;
            assign tap_data = '0;
        end
    endgenerate
    always @(posedge clk)
        if (rst) full <= 1'b0;
        else if (step) full <= then[TOLD-2];
        else if (out_ready) full <= 1'b0;

    generate
        if (KERNEL_HEIGHT == 1) begin : single_row
            assign newest = in_data;
        end else begin : rows
            wire [(KERNEL_HEIGHT-1)*PIXEL-1:0] above;
            localparam int ADDRESS_BITS = $clog2(WIDTH);
            reg [ADDRESS_BITS-1:0] place;
            wire [ADDRESS_BITS-1:0] next_place = place == ADDRESS_BITS'(WIDTH - 1) ? '0 : place + 1'b1;
            always @(posedge clk)
                if (rst) place <= '0;
                else if (step) place <= next_place;
            assign newest = {in_data, above};
            line_memory #(
                .WIDTH((KERNEL_HEIGHT - 1) * PIXEL),
                .DEPTH(WIDTH),
                .STYLE(STYLE)
            ) lines (
                .clk(clk),
                .write(step),
                .write_at(place),
                .in_data(newest[KERNEL_HEIGHT*PIXEL-1:PIXEL]),
                .read(step),
                .read_at(next_place),
                .out_data(above)
            );
        end
        // Columns as they came, for the steps that follow; and masked, for this window. What is shown may change whenever it
        // is not waited for: a pipeline that moves has taken it. Then nothing of it hangs on whether a step is made.
        wire shows = WAITS ? out_ready : step;
        genvar line, place_of;
        for (line = 0; line < KERNEL_HEIGHT; line = line + 1) begin : window
            wire [(KERNEL_WIDTH+1)*PIXEL-1:0] came;
            wire unused_came = &{1'b0, came};
            assign came[KERNEL_WIDTH*PIXEL+:PIXEL] = newest[line*PIXEL+:PIXEL];
            assign came[0+:PIXEL] = '0;
            for (place_of = 0; place_of < KERNEL_WIDTH; place_of = place_of + 1) begin : columns
                wire [PIXEL-1:0] next = came[(place_of+1)*PIXEL+:PIXEL];
                wire masks = (line != TOP & then[KERNEL_WIDTH+line]) | (place_of != LEFT & then[place_of]);
                reg [PIXEL-1:0] shown;
                always @(posedge clk)
                    if (shows) begin
                        if (masks) shown <= '0;
                        else shown <= next;
                    end
                assign out_data[(line*KERNEL_WIDTH+place_of)*PIXEL+:PIXEL] = shown;
                if (place_of > 0) begin : kept_on
                    reg [PIXEL-1:0] pixel;
                    always @(posedge clk) if (step) pixel <= next;
                    assign came[place_of*PIXEL+:PIXEL] = pixel;
                end
            end
        end
    endgenerate
endmodule
