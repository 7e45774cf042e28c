// The valid bits of a pipeline of STAGES registers that share one clock enable. The pipeline moves whenever its
// last stage is empty or taken, whether or not something comes in: it drains by itself, one word a cycle.
module pipeline_control #(
    parameter int STAGES = 1
) (
    input  wire clk,
    input  wire rst,
    input  wire in_valid,
    output wire in_ready,
    output wire enable,
    output wire out_valid,
    input  wire out_ready
);
    reg [STAGES-1:0] valid;
    assign out_valid = valid[STAGES-1];
    assign enable = ~out_valid | out_ready;
    assign in_ready = enable;
    generate
        if (STAGES == 1) begin : single
            always @(posedge clk)
                if (rst) valid <= '0;
                else if (enable) valid <= in_valid;
        end else begin : several
            always @(posedge clk)
                if (rst) valid <= '0;
                else if (enable) valid <= {valid[STAGES-2:0], in_valid};
        end
    endgenerate
endmodule
