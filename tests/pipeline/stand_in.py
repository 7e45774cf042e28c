"""Small programs on PATH in place of Vivado HLS, Vitis HLS and Vivado.

They run the project's own Tcl in tclsh, with the vendor's commands stubbed: each is logged, `csynth_design` leaves a
report of our own. They test how the tools are called, and nothing of what they do.
"""

from pathlib import Path

REPORTS = Path(__file__).parent.parent / "data" / "reports" / "vivado_hls_2019"

_PROGRAM = """#!/bin/sh
echo "$(basename "$0") $*" >> {log}
echo "INFO: this is a stand-in"
{fail}
exec tclsh {prelude} "$@"
"""

_PRELUDE = r"""
proc logged {words} {
    set out [open {LOG} a]
    puts $out [join $words " "]
    close $out
}
foreach name {open_project set_top add_files open_solution config_array_partition config_compile set_part
        config_schedule create_clock set_clock_uncertainty csim_design export_design config_interface
        config_dataflow config_rtl config_export} {
    proc $name args "logged \[concat $name \$args\]"
}
proc csynth_design args {
    logged csynth_design
    set folder myproject_prj/solution1/syn
    file mkdir $folder/report $folder/verilog
    foreach kind {rpt xml} {
        set in [open {REPORTS}/tiny_prj/solution1/syn/report/tiny_csynth.$kind]
        set out [open $folder/report/myproject_csynth.$kind w]
        puts -nonewline $out [string map {tiny myproject} [read $in]]
        close $in
        close $out
    }
    puts "INFO: synthesised"
}
proc cosim_design args {
    logged [concat cosim_design $args]
    file mkdir myproject_prj/solution1/sim/verilog myproject_prj/solution1/sim/report
    set script [open myproject_prj/solution1/sim/verilog/myproject.tcl w]
    puts $script "log_wave -r /\nquit"
    close $script
    set script [open myproject_prj/solution1/sim/verilog/run_sim.tcl w]
    puts $script "logged run_sim"
    close $script
    set in [open {REPORTS}/tiny_prj/solution1/sim/report/tiny_cosim.rpt]
    set out [open myproject_prj/solution1/sim/report/myproject_cosim.rpt w]
    puts -nonewline $out [string map {tiny myproject} [read $in]]
    close $in
    close $out
    foreach name {csim_results rtl_cosim_results} {
        set out [open tb_data/$name.log w]
        puts $out {COSIM} ; close $out
    }
}
rename exit leave
proc exit {{status 0}} { logged "exit $status"; leave $status }
set place [lsearch -regexp $::argv {^(-f|--tcl)$}]
set script [lindex $::argv $place+1]
set ::argv [lrange $::argv $place+2 end]
source $script
"""


def install(folder: Path, *programs: str, fail: str = "", prelude: str = "") -> Path:
    """Put programs of these names into `folder`; returns the file in which they log what they were asked."""
    folder.mkdir(exist_ok=True)
    log = folder / "asked.log"
    text = _PRELUDE.replace("{LOG}", str(log)).replace("{REPORTS}", str(REPORTS)).replace("{COSIM}", "{1 2 3}")
    source = folder / "prelude.tcl"
    source.write_text(prelude + text)
    for name in programs:
        program = folder / name
        program.write_text(_PROGRAM.format(log=log, fail=fail, prelude=source))
        program.chmod(0o755)
    return log
