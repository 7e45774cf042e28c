// The valid bits of a pipeline of STAGES registers that share one clock enable. The pipeline moves whenever its
// last stage is empty or taken, whether or not something comes in: it drains by itself, one word a cycle. With WAITS it
// moves whenever a word could be taken, with or without one in the last stage: before a FIFO, whose `in_ready` is a
// register, nothing else hangs on the enable then.
module pipeline_control #(
    parameter int STAGES = 1,
    parameter bit WAITS  = 0
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
    assign enable = out_ready | (~WAITS & ~out_valid);
    generate
        if (WAITS) begin : at_once
            assign in_ready = enable;
        end else begin : apart
            // The same once more, from a register of its own: far from all that the enable goes to, near what is asked.
            reg vacant;
            assign in_ready = out_ready | vacant;
            always @(posedge clk)
                if (rst) vacant <= 1'b1;
                else if (enable) vacant <= STAGES == 1 ? ~in_valid : ~valid[STAGES > 1 ? STAGES-2 : 0];
        end
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
