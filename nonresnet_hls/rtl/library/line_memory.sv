// Memory of DEPTH words with one write and one read port; what is read at an edge stands at the output after it,
// and is held while `read` is low. Reading the word that is written at the same edge is not allowed.
// STYLE: 2 distributed RAM, 3 block RAM.
module line_memory #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 16,
    parameter int STYLE = 2,
    localparam int ADDRESS_BITS = $clog2(DEPTH)
) (
    input  wire                    clk,
    input  wire                    write,
    input  wire [ADDRESS_BITS-1:0] write_at,
    input  wire [       WIDTH-1:0] in_data,
    input  wire                    read,
    input  wire [ADDRESS_BITS-1:0] read_at,
    output wire [       WIDTH-1:0] out_data
);
    reg [WIDTH-1:0] word;
    assign out_data = word;
    generate
        if (STYLE == 2) begin : distributed
            (* ram_style = "distributed", no_rw_check *) reg [WIDTH-1:0] words[DEPTH];
            always @(posedge clk) if (write) words[write_at] <= in_data;
            always @(posedge clk) if (read) word <= words[read_at];
        end else begin : block
            (* ram_style = "block", no_rw_check *) reg [WIDTH-1:0] words[DEPTH];
            always @(posedge clk) if (write) words[write_at] <= in_data;
            always @(posedge clk) if (read) word <= words[read_at];
        end
    endgenerate
endmodule
