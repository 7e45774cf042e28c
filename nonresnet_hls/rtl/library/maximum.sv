// The greatest of TERMS numbers of one type, as a balanced tree. No register.
module maximum #(
    parameter int WIDTH = 8,
    parameter bit SIGNED = 0,
    parameter int TERMS = 4
) (
    input  wire [TERMS*WIDTH-1:0] terms,
    output wire [      WIDTH-1:0] greatest
);
    localparam [WIDTH-1:0] FLIP = SIGNED ? {1'b1, {(WIDTH - 1) {1'b0}}} : '0;
    // Nodes 0 .. TERMS-1 are the terms; each one after combines the two oldest that are still free.
    wire [(2*TERMS-1)*WIDTH-1:0] nodes;
    assign nodes[TERMS*WIDTH-1:0] = terms;
    genvar k;
    generate
        for (k = 0; k < TERMS - 1; k = k + 1) begin : pairs
            wire [WIDTH-1:0] a = nodes[2*k*WIDTH+:WIDTH];
            wire [WIDTH-1:0] b = nodes[(2*k+1)*WIDTH+:WIDTH];
            assign nodes[(TERMS+k)*WIDTH+:WIDTH] = (b ^ FLIP) > (a ^ FLIP) ? b : a;
        end
    endgenerate
    assign greatest = nodes[(2*TERMS-2)*WIDTH+:WIDTH];
endmodule
