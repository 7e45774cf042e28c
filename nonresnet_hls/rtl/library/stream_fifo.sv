// FIFO between two streams. A word accepted at a rising edge appears at the output after it (two edges later where STYLE
// is distributed RAM, three where it is block RAM); words leave in the order in which they came, none is lost, and at most
// DEPTH are held. A word is accepted whenever fewer than DEPTH are held: `in_ready` is a register (and `out_valid`), never
// made of `out_ready`, so that no path runs through several units. DEPTH 2 is enough for a word a cycle, DEPTH 1 is not.
// STYLE: 0 registers (DEPTH 1 and 2), 1 shift registers, 2 distributed RAM, 3 block RAM.
// In simulation, `+<instance path>=N` lowers the depth to N, and at the end one line starting with FIFO tells
// the level, the depth, the high-water mark and the four handshake bits.
module stream_fifo #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 1,
    parameter int STYLE = 0
) (
    input  wire             clk,
    input  wire             rst,
    input  wire [WIDTH-1:0] in_data,
    input  wire             in_valid,
    output wire             in_ready,
    output wire [WIDTH-1:0] out_data,
    output wire             out_valid,
    input  wire             out_ready
);
    localparam int LEVEL_BITS = $clog2(DEPTH + 1);
    reg [LEVEL_BITS-1:0] level;
    // Whether there is no place left, and whether there is a word: registers, since much hangs on both.
    reg full, any;
    wire push = in_valid & in_ready;
    wire pop = out_valid & out_ready;
    // Of two words, both say it themselves, and hang on `out_ready`, which comes last, in one step; else the level does.
    wire fills = DEPTH == 1 | level == LEVEL_BITS'(DEPTH - 1);
    wire empties = DEPTH == 1 | level == LEVEL_BITS'(1);

    always @(posedge clk)
        if (rst) begin
            level <= '0;
            full <= 1'b0;
            any <= 1'b0;
        end else begin
            if (push & ~pop) level <= level + 1'b1;
            else if (pop & ~push) level <= level - 1'b1;
            if (DEPTH == 2) begin
                full <= any & ~out_ready & (full | push);
                any <= full | push | (any & ~out_ready);
            end else if (push & ~pop) begin
                full <= fills;
                any <= 1'b1;
            end else if (pop & ~push) begin
                full <= 1'b0;
                any <= ~empties;
            end
        end

`ifdef SYNTHESIS
    assign in_ready = ~full;
`else
    int limit, high_water;
    assign in_ready = int'(level) < limit;
    initial if (!$value$plusargs({$sformatf("%m"), "=%d"}, limit)) limit = DEPTH;
    always @(posedge clk)
        if (rst) high_water <= 0;
        else if (int'(level) > high_water) high_water <= int'(level);
    final
        $display("FIFO %m %0d %0d %0d %b%b%b%b", level, limit, high_water, in_valid, in_ready, out_valid, out_ready);
`endif

    generate
        if (STYLE == 0) begin : registers
            reg [WIDTH-1:0] word;
            assign out_data = word;
            assign out_valid = any;
            if (DEPTH == 1) begin : single
                always @(posedge clk) if (push) word <= in_data;
            end else begin : pair
                // The second word waits in `spare`, which any word passes through unread otherwise.
                reg [WIDTH-1:0] spare;
                always @(posedge clk) begin
                    if (push) spare <= in_data;
                    if (out_ready | ~any) word <= full ? spare : in_data;
                end
            end
        end else if (STYLE == 1) begin : shift
            // One chain a bit, read at `level - 1`: the pattern of an addressable shift register.
            localparam int LAST_BITS = $clog2(DEPTH);
            wire [LAST_BITS-1:0] last = LAST_BITS'(level - 1'b1);
            genvar bit_index;
            for (bit_index = 0; bit_index < WIDTH; bit_index = bit_index + 1) begin : chains
                reg [DEPTH-1:0] chain;
                always @(posedge clk) if (push) chain <= {chain[DEPTH-2:0], in_data[bit_index]};
                assign out_data[bit_index] = chain[last];
            end
            assign out_valid = any;
        end else begin : memory
            localparam int ADDRESS_BITS = $clog2(DEPTH);
            // A word waits a cycle in `came`, which is near what it comes from; the memory may be far. It is written where no
            // word is (one at least is not in the memory), time and again until the next one comes: without an enable.
            reg [WIDTH-1:0] came;
            reg comes;
            always @(posedge clk) came <= in_data;
            always @(posedge clk)
                if (rst) comes <= 1'b0;
                else comes <= push;
            reg [ADDRESS_BITS-1:0] write_at, read_at;
            wire read;
            always @(posedge clk)
                if (rst) begin
                    write_at <= '0;
                    read_at <= '0;
                end else begin
                    if (comes) write_at <= write_at == ADDRESS_BITS'(DEPTH - 1) ? '0 : write_at + 1'b1;
                    if (read) read_at <= read_at == ADDRESS_BITS'(DEPTH - 1) ? '0 : read_at + 1'b1;
                end
            // Words leave the memory for a register, since it is slow; of a block RAM, whose own register is slow, too, for
            // two. `stored` counts those that are still in it. (It is never read where it is written in the same cycle.)
            reg [LEVEL_BITS-1:0] stored;
            reg [WIDTH-1:0] word;
            reg shown;
            assign out_data = word;
            assign out_valid = shown;
            always @(posedge clk)
                if (rst) stored <= '0;
                else if (comes & ~read) stored <= stored + 1'b1;
                else if (read & ~comes) stored <= stored - 1'b1;
            wire move = ~shown | out_ready;
            if (STYLE == 2) begin : distributed
                (* ram_style = "distributed", no_rw_check *) reg [WIDTH-1:0] words[DEPTH];
                assign read = stored != '0 & move;
                always @(posedge clk) begin
                    words[write_at] <= came;
                    if (read) word <= words[read_at];
                end
                always @(posedge clk)
                    if (rst) shown <= 1'b0;
                    else if (move) shown <= read;
            end else begin : block
                (* ram_style = "block", no_rw_check *) reg [WIDTH-1:0] words[DEPTH];
                reg [WIDTH-1:0] fetched;
                reg is_fetched;
                assign read = stored != '0 & (~is_fetched | move);
                always @(posedge clk) begin
                    words[write_at] <= came;
                    if (read) fetched <= words[read_at];
                    if (move) word <= fetched;
                end
                always @(posedge clk)
                    if (rst) begin
                        is_fetched <= 1'b0;
                        shown <= 1'b0;
                    end else begin
                        if (read) is_fetched <= 1'b1;
                        else if (move) is_fetched <= 1'b0;
                        if (move) shown <= is_fetched;
                    end
            end
        end
    endgenerate
endmodule
