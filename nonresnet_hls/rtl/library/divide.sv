// One integer divided by the constant DIVISOR, the quotient cut towards zero as in C. No register.
module divide #(
    parameter int WIDTH = 8,
    parameter bit SIGNED = 1,
    parameter int DIVISOR = 4
) (
    input  wire [WIDTH-1:0] in_data,
    output wire [WIDTH-1:0] out_data
);
    localparam int SHIFT = $clog2(DIVISOR);
    localparam int WIDE = WIDTH + SHIFT + 2;
    wire signed [WIDE-1:0] x = {{(WIDE - WIDTH) {SIGNED & in_data[WIDTH-1]}}, in_data};
    wire signed [WIDE-1:0] quotient;
    generate
        if (DIVISOR == 1 << SHIFT) begin : power_of_two
            assign quotient = (x + (x[WIDE-1] ? WIDE'(DIVISOR - 1) : '0)) >>> SHIFT;
        end else begin : other
            assign quotient = x / $signed(WIDE'(DIVISOR));
        end
    endgenerate
    assign out_data = quotient[WIDTH-1:0];
    wire unused = &{1'b0, quotient};
endmodule
