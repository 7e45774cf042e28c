// Turns an image of HEIGHT x WIDTH pixels, one a word and row by row, into its windows of KERNEL_HEIGHT x KERNEL_WIDTH
// pixels, one for every STRIDE_HEIGHT-th and STRIDE_WIDTH-th pixel, ROWS x COLUMNS of them: TOP pixels above that one
// belong to its window, LEFT beside it, and zeros where the image ends. A window's pixels follow each other row by row,
// the upper left one in the lowest bits. A step shifts a pixel in: it is made whenever one comes and no window waits at
// the output, or the one that waits is taken. No step is made for zeros, which are masked; but between two images, while
// windows of the first are due and no pixel comes, steps are made without one. The image must be larger than what a pixel
// waits for its window, (KERNEL_HEIGHT - 1 - TOP) * WIDTH + KERNEL_WIDTH - 1 - LEFT steps. STYLE is that of the line
// memory.
// TAP_ROWS, if not 0: every pixel leaves by `tap` as well, in the same order, so many rows after it came in, where it
// leaves the line memory; fewer than KERNEL_HEIGHT. Between two images steps are made without a pixel for that, too. No
// step is made for which `tap` has no room.
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
    parameter int TAP_ROWS      = 0
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
    localparam int ROW_BITS = $clog2(HEIGHT + 1);
    localparam int COLUMN_BITS = $clog2(WIDTH + 1);
    localparam int WAIT_BITS = $clog2(DOWN + 2);

    // For each row and column whether windows belong to it.
    wire [(1<<ROW_BITS)-1:0] row_counts;
    wire [(1<<COLUMN_BITS)-1:0] column_counts;
    genvar at;
    generate
        for (at = 0; at < 1 << ROW_BITS; at = at + 1) begin : row_at
            assign row_counts[at] = at % STRIDE_HEIGHT == 0 && at / STRIDE_HEIGHT < ROWS;
        end
        for (at = 0; at < 1 << COLUMN_BITS; at = at + 1) begin : column_at
            assign column_counts[at] = at % STRIDE_WIDTH == 0 && at / STRIDE_WIDTH < COLUMNS;
        end
    endgenerate

    // The pixel that comes in next; the steps until the column of the image's first pixel is complete; the pixel whose
    // column is completed next, and whether there is one.
    reg [ROW_BITS-1:0] in_row, row;
    reg [COLUMN_BITS-1:0] in_column, column;
    reg [WAIT_BITS-1:0] until_first;
    reg active, full;
    wire at_first = in_row == '0 & in_column == '0;
    wire due;
    // Whether pixels of an image leave by `tap`, and whether one does in this step.
    wire tap_active, tapped;
    wire free = (~full | out_ready) & (~tapped | tap_ready);
    wire step = (in_valid | (at_first & due)) & free;
    assign tap_valid = tapped & (in_valid | (at_first & due)) & (~full | out_ready);
    wire take = in_valid & free;
    assign in_ready = free;
    assign out_valid = full;
    wire completes = active | (DOWN == 0 ? in_valid & at_first : until_first == WAIT_BITS'(1));
    wire in_last_column = in_column == COLUMN_BITS'(WIDTH - 1);
    wire last_column = column == COLUMN_BITS'(WIDTH - 1);
    wire last_row = row == ROW_BITS'(HEIGHT - 1);
    always @(posedge clk)
        if (rst) begin
            in_row <= '0;
            in_column <= '0;
            row <= '0;
            column <= '0;
            until_first <= '0;
            active <= 1'b0;
        end else if (step) begin
            if (take) begin
                in_column <= in_last_column ? '0 : in_column + 1'b1;
                if (in_last_column) in_row <= in_row == ROW_BITS'(HEIGHT - 1) ? '0 : in_row + 1'b1;
            end
            if (take & at_first) until_first <= WAIT_BITS'(DOWN);
            else if (until_first != '0) until_first <= until_first - 1'b1;
            if (completes) begin
                column <= last_column ? '0 : column + 1'b1;
                if (last_column) row <= last_row ? '0 : row + 1'b1;
                active <= ~(last_column & last_row);
            end
        end

    // What is known of a column when it is completed, and LAG steps later, when its window is: whether there is one, whether
    // it counts, and for each column of the window whether it lies beyond the left or the right end.
    localparam int TOLD = KERNEL_WIDTH + 2;
    wire [TOLD-1:0] told, then;
    assign told[TOLD-1] = completes;
    assign told[TOLD-2] = completes & row_counts[row] & column_counts[column];
    genvar side;
    generate
        for (side = 0; side < KERNEL_WIDTH; side = side + 1) begin : sides
            if (side < LEFT) begin : left
                assign told[side] = column < COLUMN_BITS'(LEFT - side);
            end else if (side > LEFT) begin : right
                assign told[side] = column >= COLUMN_BITS'(WIDTH + LEFT - side);
            end else begin : middle
                assign told[side] = 1'b0;
            end
        end
        if (LAG == 0) begin : at_once
            assign then = told;
            assign due = active | tap_active;
        end else begin : later
            reg [LAG*TOLD-1:0] kept;
            wire [LAG-1:0] waits;
            assign then = kept[(LAG-1)*TOLD+:TOLD];
            for (side = 0; side < LAG; side = side + 1) begin : stages
                assign waits[side] = kept[side*TOLD+TOLD-1];
            end
            assign due = active | tap_active | (|waits);
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
            localparam int DELAY_BITS = $clog2(DELAY + 1);
            localparam int LEFT_BITS = $clog2(HEIGHT * WIDTH);
            reg [DELAY_BITS-1:0] until_tap;
            reg [LEFT_BITS-1:0] left;
            reg tapping;
            assign tap_active = tapping;
            assign tapped = tapping | until_tap == DELAY_BITS'(1);
            assign tap_data = newest[(KERNEL_HEIGHT-1-TAP_ROWS)*PIXEL+:PIXEL];
            always @(posedge clk)
                if (rst) begin
                    until_tap <= '0;
                    left <= '0;
                    tapping <= 1'b0;
                end else if (step) begin
                    if (take & at_first) until_tap <= DELAY_BITS'(DELAY);
                    else if (until_tap != '0) until_tap <= until_tap - 1'b1;
                    if (tapped) begin
                        left <= tapping ? left - 1'b1 : LEFT_BITS'(HEIGHT * WIDTH - 1);
                        tapping <= ~tapping | left != LEFT_BITS'(1);
                    end
                end
        end else begin : no_taps
            wire unused_tap = tap_ready;
            assign tap_active = 1'b0;
            assign tapped = 1'b0;
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
        genvar line, place_of;
        for (line = 0; line < KERNEL_HEIGHT; line = line + 1) begin : window
            // Whether this line of the column that is completed lies above or below the image.
            wire outside;
            if (line < TOP) begin : upper
                assign outside = row < ROW_BITS'(TOP - line);
            end else if (line > TOP) begin : lower
                assign outside = row >= ROW_BITS'(HEIGHT + TOP - line);
            end else begin : middle
                assign outside = 1'b0;
            end
            // Columns as they came, right of the middle, for the steps that follow; and masked, for this window.
            wire [(KERNEL_WIDTH+1)*PIXEL-1:0] came;
            wire unused_came = &{1'b0, came};
            assign came[KERNEL_WIDTH*PIXEL+:PIXEL] = newest[line*PIXEL+:PIXEL];
            for (place_of = 0; place_of < KERNEL_WIDTH; place_of = place_of + 1) begin : columns
                wire [PIXEL-1:0] next = came[(place_of+1)*PIXEL+:PIXEL];
                wire beyond = place_of == KERNEL_WIDTH - 1 ? outside : 1'b0;
                reg [PIXEL-1:0] pixel;
                always @(posedge clk)
                    if (step) begin
                        if (beyond | (place_of < LEFT & then[place_of])) pixel <= '0;
                        else pixel <= next;
                    end
                assign came[place_of*PIXEL+:PIXEL] = pixel;
                if (place_of > LEFT) begin : masked
                    reg [PIXEL-1:0] shown;
                    always @(posedge clk)
                        if (step) begin
                            if (beyond | then[place_of]) shown <= '0;
                            else shown <= next;
                        end
                    assign out_data[(line*KERNEL_WIDTH+place_of)*PIXEL+:PIXEL] = shown;
                end else begin : plain
                    assign out_data[(line*KERNEL_WIDTH+place_of)*PIXEL+:PIXEL] = pixel;
                end
            end
        end
    endgenerate
endmodule
