// The sum of TERMS words, modulo 2**WIDTH, as a balanced tree. No register.
module adder_tree #(
    parameter int WIDTH = 8,
    parameter int TERMS = 4
) (
    input  wire [TERMS*WIDTH-1:0] terms,
    output wire [      WIDTH-1:0] total
);
    // Nodes 0 .. TERMS-1 are the terms; each one after combines the two oldest that are still free.
    wire [(2*TERMS-1)*WIDTH-1:0] nodes;
    assign nodes[TERMS*WIDTH-1:0] = terms;
    genvar k;
    generate
        for (k = 0; k < TERMS - 1; k = k + 1) begin : pairs
            wire [WIDTH-1:0] a = nodes[2*k*WIDTH+:WIDTH];
            wire [WIDTH-1:0] b = nodes[(2*k+1)*WIDTH+:WIDTH];
            assign nodes[(TERMS+k)*WIDTH+:WIDTH] = a + b;
        end
    endgenerate
    assign total = nodes[(2*TERMS-2)*WIDTH+:WIDTH];
endmodule
