// Collects WORDS words of a stream into one, the first in the lowest bits. A word is taken whenever no full
// collection waits at the output, or the one that waits is taken.
module gather #(
    parameter int WIDTH = 8,
    parameter int WORDS = 4
) (
    input  wire                   clk,
    input  wire                   rst,
    input  wire [      WIDTH-1:0] in_data,
    input  wire                   in_valid,
    output wire                   in_ready,
    output wire [WORDS*WIDTH-1:0] out_data,
    output wire                   out_valid,
    input  wire                   out_ready
);
    localparam int COUNT_BITS = $clog2(WORDS + 1);
    reg [WORDS*WIDTH-1:0] words;
    reg [COUNT_BITS-1:0] count;
    reg full;
    wire take = in_valid & in_ready;
    assign in_ready = ~full | out_ready;
    assign out_valid = full;
    assign out_data = words;
    generate
        if (WORDS == 1) begin : single
            always @(posedge clk) if (take) words <= in_data;
        end else begin : several
            always @(posedge clk) if (take) words <= {in_data, words[WORDS*WIDTH-1:WIDTH]};
        end
    endgenerate
    always @(posedge clk)
        if (rst) begin
            count <= '0;
            full <= 1'b0;
        end else begin
            if (take) count <= count == COUNT_BITS'(WORDS - 1) ? '0 : count + 1'b1;
            if (take) full <= count == COUNT_BITS'(WORDS - 1);
            else if (out_ready) full <= 1'b0;
        end
endmodule
