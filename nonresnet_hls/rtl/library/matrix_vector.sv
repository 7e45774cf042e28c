// Matrix-vector product, folded: OUTPUTS x INPUTS multiplications in INPUT_FOLDS * OUTPUT_FOLDS cycles, by
// ROWS = ceil(OUTPUTS / OUTPUT_FOLDS) rows of COLUMNS = ceil(INPUTS / INPUT_FOLDS) multipliers. The weights come
// from a memory outside, one word a fold, one edge after its address: row by row, the first column in the lowest
// bits, zero beyond the matrix. BINARY weights are one bit: 1 is +1, 0 is -1. DROP fraction bits of every product
// are cut off before it is added (the accumulator of `ap_fixed` with fewer fraction bits than the products).
// PACKED: two rows share a multiplier, so that one DSP block makes two products. A weight of an even row and the one below
// it are then one of 2 * WEIGHT + 1 bits: the upper row's in the lowest bits, above it the lower row's, less one where the
// other is negative. An odd row at the end has a row of zeros below it.
// Sums are SUM bits, modulo 2**SUM. The input must stay until it is taken, in the last fold; results stay at the
// output until they are taken, and while they wait everything stands still.
module matrix_vector #(
    parameter int INPUTS        = 4,
    parameter int OUTPUTS       = 2,
    parameter int INPUT_FOLDS   = 2,
    parameter int OUTPUT_FOLDS  = 1,
    parameter int IN_WIDTH      = 8,
    parameter bit IN_SIGNED     = 0,
    parameter int WEIGHT        = 8,
    parameter bit BINARY        = 0,
    parameter int DROP          = 0,
    parameter int SUM           = 24,
    parameter bit PACKED        = 0,
    localparam int COLUMNS      = (INPUTS + INPUT_FOLDS - 1) / INPUT_FOLDS,
    localparam int ROWS         = (OUTPUTS + OUTPUT_FOLDS - 1) / OUTPUT_FOLDS,
    localparam int FOLDS        = INPUT_FOLDS * OUTPUT_FOLDS,
    localparam int ADDRESS_BITS = FOLDS > 1 ? $clog2(FOLDS) : 1,
    localparam int WORD         = PACKED ? (ROWS + 1) / 2 * COLUMNS * (2 * WEIGHT + 1) : ROWS * COLUMNS * WEIGHT
) (
    input  wire                           clk,
    input  wire                           rst,
    input  wire [    INPUTS*IN_WIDTH-1:0] in_data,
    input  wire                           in_valid,
    output wire                           in_ready,
    output wire                           weights_read,
    output wire [       ADDRESS_BITS-1:0] weights_at,
    input  wire [               WORD-1:0] weights,
    output wire [        OUTPUTS*SUM-1:0] out_data,
    output wire                           out_valid,
    input  wire                           out_ready
);
    localparam int ROW_BITS = OUTPUT_FOLDS > 1 ? $clog2(OUTPUT_FOLDS) : 1;
    localparam int COLUMN_BITS = INPUT_FOLDS > 1 ? $clog2(INPUT_FOLDS) : 1;
    localparam int PRODUCT = BINARY ? IN_WIDTH + 1 : IN_WIDTH + WEIGHT;
    localparam int TERM = PRODUCT - DROP > 1 ? PRODUCT - DROP : 1;
    localparam int TOTAL = TERM + $clog2(COLUMNS);
    localparam int PADDED = INPUT_FOLDS * COLUMNS * IN_WIDTH;

    reg full;
    wire enable = ~full | out_ready;
    assign out_valid = full;

    // Stage 0: which fold.
    reg [COLUMN_BITS-1:0] column;
    reg [ROW_BITS-1:0] row;
    reg [ADDRESS_BITS-1:0] at;
    wire first = column == '0;
    wire last = column == COLUMN_BITS'(INPUT_FOLDS - 1);
    wire last_row = row == ROW_BITS'(OUTPUT_FOLDS - 1);
    assign in_ready = enable & last & last_row;
    assign weights_read = enable;
    assign weights_at = at;
    always @(posedge clk)
        if (rst) begin
            column <= '0;
            row <= '0;
            at <= '0;
        end else if (enable & in_valid) begin
            column <= last ? '0 : column + 1'b1;
            if (last) row <= last_row ? '0 : row + 1'b1;
            at <= last & last_row ? '0 : at + 1'b1;
        end

    // Stage 1: the inputs of this fold beside its weights. Stage 2: products. Stage 3: their sums, by row.
    // Stage 4: accumulators.
    wire [PADDED-1:0] padded = PADDED'(in_data);
    reg [COLUMNS*IN_WIDTH-1:0] slice;
    always @(posedge clk) if (enable) slice <= padded[column*(COLUMNS*IN_WIDTH)+:COLUMNS*IN_WIDTH];
    reg [2:0] valid, starts, ends, finishes;
    reg [3*ROW_BITS-1:0] rows;
    always @(posedge clk)
        if (rst) valid <= '0;
        else if (enable) valid <= {valid[1:0], in_valid};
    always @(posedge clk)
        if (enable) begin
            starts <= {starts[1:0], first};
            ends <= {ends[1:0], last};
            finishes <= {finishes[1:0], last & last_row};
            rows <= {rows[2*ROW_BITS-1:0], row};
        end
    wire [ROW_BITS-1:0] row_at_end = rows[2*ROW_BITS+:ROW_BITS];
    always @(posedge clk)
        if (rst) full <= 1'b0;
        else if (enable) full <= valid[2] & finishes[2];

    genvar i, j;
    wire [ROWS*COLUMNS*PRODUCT-1:0] products;
    generate
        for (j = 0; j < COLUMNS; j = j + 1) begin : columns
            wire [IN_WIDTH-1:0] x = slice[j*IN_WIDTH+:IN_WIDTH];
            wire signed [IN_WIDTH:0] x_signed = {IN_SIGNED & x[IN_WIDTH-1], x};
            if (PACKED) begin : pairs
                for (i = 0; i < ROWS; i = i + 2) begin : pair
                    localparam int AT = (i / 2 * COLUMNS + j) * (2 * WEIGHT + 1);
                    wire signed [WEIGHT-1:0] upper_row = weights[AT+:WEIGHT];
                    wire signed [WEIGHT:0] lower_row = weights[AT+WEIGHT+:WEIGHT+1];
                    wire signed [PRODUCT+WEIGHT:0] both = {lower_row, PRODUCT'(upper_row)};
                    reg signed [2*PRODUCT+1:0] product;
                    always @(posedge clk) if (enable) product <= x_signed * both;
                    wire unused = &{1'b0, product};
                    assign products[(i*COLUMNS+j)*PRODUCT+:PRODUCT] = product[PRODUCT-1:0];
                    // What the upper row's product borrowed is given back.
                    if (i + 1 < ROWS) begin : second
                        assign products[((i+1)*COLUMNS+j)*PRODUCT+:PRODUCT] =
                            product[PRODUCT+:PRODUCT] + PRODUCT'(product[PRODUCT-1]);
                    end
                end
            end else begin : singles
                for (i = 0; i < ROWS; i = i + 1) begin : single
                    wire [WEIGHT-1:0] weight = weights[(i*COLUMNS+j)*WEIGHT+:WEIGHT];
                    reg signed [PRODUCT-1:0] product;
                    if (BINARY) begin : add_or_subtract
                        always @(posedge clk)
                            if (enable) product <= weight[0] ? x_signed : -x_signed;
                    end else begin : multiply
                        wire signed [WEIGHT-1:0] weight_signed = weight;
                        always @(posedge clk) if (enable) product <= x_signed * weight_signed;
                    end
                    assign products[(i*COLUMNS+j)*PRODUCT+:PRODUCT] = product;
                end
            end
        end
        for (i = 0; i < ROWS; i = i + 1) begin : lanes
            wire [COLUMNS*TOTAL-1:0] terms;
            for (j = 0; j < COLUMNS; j = j + 1) begin : addends
                wire signed [PRODUCT-1:0] product = products[(i*COLUMNS+j)*PRODUCT+:PRODUCT];
                assign terms[j*TOTAL+:TOTAL] = TOTAL'(product >>> DROP);
            end
            wire signed [TOTAL-1:0] total;
            adder_tree #(
                .WIDTH(TOTAL),
                .TERMS(COLUMNS)
            ) tree (
                .terms(terms),
                .total(total)
            );
            wire unused = &{1'b0, total};
            reg [SUM-1:0] partial, accumulator;
            wire [SUM-1:0] next = (starts[2] ? '0 : accumulator) + partial;
            always @(posedge clk)
                if (enable) begin
                    partial <= SUM'(total);
                    if (valid[2]) accumulator <= next;
                end
            genvar fold;
            for (fold = 0; fold < OUTPUT_FOLDS; fold = fold + 1) begin : results
                if (fold * ROWS + i < OUTPUTS) begin : kept
                    reg [SUM-1:0] result;
                    always @(posedge clk)
                        if (enable & valid[2] & ends[2] & row_at_end == ROW_BITS'(fold)) result <= next;
                    assign out_data[(fold*ROWS+i)*SUM+:SUM] = result;
                end
            end
        end
    endgenerate
endmodule
