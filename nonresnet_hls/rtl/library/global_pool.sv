// Sum (MAXIMUM 0) or maximum (MAXIMUM 1) of each of CHANNELS channels over PIXELS words. Sums are modulo
// 2**WIDTH. The result stays at the output until it is taken; the next image's first word may be taken with it.
module global_pool #(
    parameter int CHANNELS = 4,
    parameter int WIDTH = 8,
    parameter bit SIGNED = 0,
    parameter int PIXELS = 16,
    parameter bit MAXIMUM = 0
) (
    input  wire                      clk,
    input  wire                      rst,
    input  wire [CHANNELS*WIDTH-1:0] in_data,
    input  wire                      in_valid,
    output wire                      in_ready,
    output wire [CHANNELS*WIDTH-1:0] out_data,
    output wire                      out_valid,
    input  wire                      out_ready
);
    localparam int COUNT_BITS = $clog2(PIXELS + 1);
    reg [COUNT_BITS-1:0] count;
    reg full;
    wire take = in_valid & in_ready;
    wire first = count == '0;
    assign in_ready = ~full | out_ready;
    assign out_valid = full;
    always @(posedge clk)
        if (rst) begin
            count <= '0;
            full <= 1'b0;
        end else begin
            if (take) count <= count == COUNT_BITS'(PIXELS - 1) ? '0 : count + 1'b1;
            if (take) full <= count == COUNT_BITS'(PIXELS - 1);
            else if (out_ready) full <= 1'b0;
        end
    genvar c;
    generate
        for (c = 0; c < CHANNELS; c = c + 1) begin : channels
            localparam [WIDTH-1:0] FLIP = SIGNED ? {1'b1, {(WIDTH - 1) {1'b0}}} : '0;
            wire [WIDTH-1:0] x = in_data[c*WIDTH+:WIDTH];
            reg [WIDTH-1:0] state;
            wire [WIDTH-1:0] next = MAXIMUM ? ((x ^ FLIP) > (state ^ FLIP) ? x : state) : state + x;
            always @(posedge clk) if (take) state <= first ? x : next;
            assign out_data[c*WIDTH+:WIDTH] = state;
        end
    endgenerate
endmodule
