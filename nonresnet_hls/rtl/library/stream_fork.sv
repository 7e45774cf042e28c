// Copies a stream to OUTPUTS streams. Each output takes the word when it can; the input is taken in the cycle in
// which the last of them has. An output never sees a word twice, and never waits for another to take it.
module stream_fork #(
    parameter int WIDTH = 8,
    parameter int OUTPUTS = 2
) (
    input  wire                     clk,
    input  wire                     rst,
    input  wire [        WIDTH-1:0] in_data,
    input  wire                     in_valid,
    output wire                     in_ready,
    output wire [OUTPUTS*WIDTH-1:0] out_data,
    output wire [      OUTPUTS-1:0] out_valid,
    input  wire [      OUTPUTS-1:0] out_ready
);
    reg [OUTPUTS-1:0] taken;
    wire [OUTPUTS-1:0] done = taken | out_ready;
    assign out_data = {OUTPUTS{in_data}};
    assign out_valid = {OUTPUTS{in_valid}} & ~taken;
    assign in_ready = &done;
    always @(posedge clk)
        if (rst) taken <= '0;
        else if (in_valid) taken <= in_ready ? '0 : done;
endmodule
