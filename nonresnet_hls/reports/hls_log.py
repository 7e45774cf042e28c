"""`vivado_hls.log`, `vitis_hls.log`: the tool, what it was run on, which steps it came through, its errors.

    ****** Vivado(TM) HLS - High-Level Synthesis from C, C++ and SystemC v2019.1 (64-bit)
    INFO: [HLS 200-10] Setting target device to 'xcu250-figd2104-2L-e'
    ***** C/RTL SYNTHESIS *****
    ERROR: [HLS 200-70] Compilation errors found: ...
    ***** C/RTL SYNTHESIS COMPLETED IN 0h2m28s *****

hls4ml's script announces its steps with five asterisks; other scripts and the GUI leave it to the tool's messages.
A log that stops short is no corrupted report: the run was killed, or still goes on. It is `finished` False.

The tools write their banner into every source that they generate, too, as a comment: a log is told by lines that
begin with the banner, or with the tool's messages, and by not being called like a source.
"""

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from nonresnet_hls.reports import quantities as q
from nonresnet_hls.reports.source import Source
from nonresnet_hls.reports.values import Kind, Report

_BANNER = re.compile(
    rb"^\*{6} (?:Vivado\(TM\) HLS|Vitis HLS|Vivado HLS) - High-Level Synthesis from"
    rb"|^={20,200}[ \t]*\n[ \t]{0,20}(?:Vivado\(TM\) HLS|Vivado HLS) - High-Level Synthesis from"
    rb"|^\*{6} (?:vitis-run|Vitis Unified) v20[0-9]{2}\.[0-9]"
    rb"|^INFO: \[HLS 200-10\] Running '[^'\n]{0,500}[/\\](?:vivado|vitis)_hls(?:\.exe)?'",
    re.MULTILINE,
)
_COMPILER = re.compile(rb"^\*{6} v\+\+ v20[0-9]{2}\.[0-9]", re.MULTILINE)  # it links, too, without HLS
_MESSAGE = re.compile(rb"^(?:INFO|WARNING|ERROR): \[HLS 200-[0-9]{1,5}\] ", re.MULTILINE)
_ANY_MESSAGE = re.compile(rb"^(?:(?:INFO|WARNING|ERROR): \[|@[IWE] \[)", re.MULTILINE)
_COMMENTS = (b"/*", b"//", b"--", b"#!", b"<", b"{", b"`", b"@echo", b"REM ", b"rem ")
_WITHIN = 4096
# What is called so is a source, a script or a text about a log, whatever it quotes.
_NO_LOG = re.compile(
    r"\.(?:s?vh?|vhdl?|h|hh|hpp|hxx|inc|c|cc|cpp|cxx|ll|tcl|tbl|do|bat|cmd|ps1|sh|py|pl|rb|mk|js|css|md|rst|tex|html?"
    r"|xml|json|ipynb|ya?ml|toml|cfg|ini|xdc|sdc|prj|app|aps|jou)",
    re.IGNORECASE,
)

_RUNNING = re.compile(r"INFO: \[HLS 200-10\] Running '([^']{0,500})[/\\](vivado|vitis)_hls(?:\.exe)?'")
_DEVICE = re.compile(r"Setting target device to '([^']{1,100})'")
_CLOCK = re.compile(r"Setting up clock '[^']{0,100}' with a period of ([0-9.,]{1,20} ?(?:ps|ns|us)?)\.?$")
_TOP = re.compile(r"Running: set_top (?:-name )?(\S{1,200})\s*$")
_ERROR = re.compile(r"(?:ERROR|CRITICAL ERROR|FATAL ERROR)(?::| \[)")
_ABORTED = ("    while executing", "invoked from within")
_ENDED = ("Total elapsed time", "Total CPU user time")
_EXITING = re.compile(r"Exiting (?:v(?:ivado|itis)_hls|vitis-run|v\+\+) at")
_LONGEST_ERROR = 300
_LONGEST_MESSAGE = 2000  # the rest of a line says nothing that is looked for

C_SIMULATION, C_SYNTHESIS, COSIMULATION = "C simulation", "C synthesis", "co-simulation"
VALIDATION, EXPORT, VIVADO_SYNTHESIS = "validation", "export", "Vivado synthesis"
# What hls4ml's script calls them.
_ANNOUNCED = {
    "C SIMULATION": C_SIMULATION,
    "C/RTL SYNTHESIS": C_SYNTHESIS,
    "C/RTL SIMULATION": COSIMULATION,
    "C/RTL VALIDATION": VALIDATION,
    "EXPORT IP": EXPORT,
    "VIVADO SYNTHESIS": VIVADO_SYNTHESIS,
}
_STEP = re.compile(r"\*{5} (.{1,60}?)(?: COMPLETED IN ([0-9hms]{1,20}))? \*{5}")
_COMMANDS = {
    "csim_design": C_SIMULATION,
    "csynth_design": C_SYNTHESIS,
    "cosim_design": COSIMULATION,
    "export_design": EXPORT,
}
_COMMAND = re.compile(r"(?:\] Running: (\w{4,6}_design)\b|\] Finished Command (\w{4,6}_design)\b)")
# (part of a message, step, whether it ends with it)
_MESSAGES = (
    ("CSIM start", C_SIMULATION, False),
    ("CSim done with 0 errors", C_SIMULATION, True),
    ("] Analyzing design file", C_SYNTHESIS, False),
    ("] Generating Verilog RTL for", C_SYNTHESIS, True),
    ("] Finished Generating all RTL models", C_SYNTHESIS, True),
    ("[COSIM 212-47]", COSIMULATION, False),
    ("co-simulation finished: PASS", COSIMULATION, True),
    ("[IMPL 213-8] Exporting RTL", EXPORT, False),
)
_TEST_PASSED = "INFO: Test PASSED"


def is_log(head: bytes, name: str) -> bool:
    """Whether a file called `name` that begins with `head` is a log of an HLS run."""
    if _NO_LOG.fullmatch(PurePosixPath(name).suffix):
        return False
    if head.lstrip().startswith(_COMMENTS):
        return False
    start = head[:_WITHIN]
    banner = _BANNER.search(start)
    if banner:
        # The banner of old stands in texts beside an exported IP, too.
        return not banner[0].startswith(b"=") or _ANY_MESSAGE.search(head) is not None
    if _COMPILER.search(start):
        return _MESSAGE.search(head) is not None
    # The log of a solution, or one whose beginning was cut off.
    return name.lower().endswith(".log") and len(_MESSAGE.findall(start)) >= 2


@dataclass
class _Run:
    """What is known of the run up to some line."""

    begun: dict[str, None] = field(default_factory=dict)  # in their order
    done: set[str] = field(default_factory=set)
    here: str | None = None  # the step that has begun and not ended
    errors: dict[str | None, str] = field(default_factory=dict)  # the first of each step; None: outside of the steps
    count: int = 0
    ended: bool = False
    aborted: bool = False

    def begin(self, step: str) -> None:
        if step != self.here:
            self.begun.setdefault(step)
            self.done.discard(step)
            self.here = step

    def end(self, step: str) -> None:
        self.begun.setdefault(step)
        self.done.add(step)
        self.errors.pop(step, None)  # it was survived
        self.here = None if step == self.here else self.here

    def error(self, text: str) -> None:
        self.count += 1
        if self.here is not None:
            self.done.discard(self.here)  # Vivado, called by the step, ended; the step did not
        self.errors.setdefault(self.here, "".join(c if c.isprintable() else "?" for c in text[:_LONGEST_ERROR]))

    @property
    def failed(self) -> list[str]:
        return [step for step in self.begun if step not in self.done]

    @property
    def finished(self) -> bool:
        """Whether every step that has begun came to its end, and so did the run as far as the log tells."""
        if self.failed or self.aborted:
            return False
        return bool(self.done) or (self.ended and not self.count)

    def why(self) -> str | None:
        """What did not run, and why; None where nothing is missing."""
        parts = []
        for step in self.failed:
            if step in self.errors:
                parts.append(f"{step} failed: {self.errors[step]}")
            elif self.ended or self.aborted or step != self.here:
                parts.append(f"{step} began and did not come to its end")
            else:
                parts.append(f"the log ends within {step}: killed, or still running")
        if not self.begun:
            said = f": {self.errors[None]}" if None in self.errors else ""
            parts.append(f"by the log, no step ran{said}")
        elif C_SYNTHESIS not in self.begun and C_SIMULATION in self.failed:
            parts.append(f"{C_SYNTHESIS} did not run")
        elif not self.failed and set(self.begun) == {C_SIMULATION}:
            parts.append(f"{C_SYNTHESIS} did not run: the script asks for {C_SIMULATION} alone")
        elif not self.failed and self.aborted:
            said = f": {self.errors[None]}" if None in self.errors else ""
            parts.append(f"the script was aborted after {self.last}{said}")
        return "; ".join(parts) or None

    @property
    def last(self) -> str:
        return list(self.begun)[-1]


def read_hls_log(source: Source) -> Report:
    """The whole log.

    Raises:
        ReportError: a clock whose period is no figure.
    """
    tool = version = part = top = first_error = None
    clock: float | None = None
    run = _Run()
    for number, line in enumerate(source.lines):
        text = line[:_LONGEST_MESSAGE].strip()
        if not text:
            continue
        if tool is None or version is None:
            tool, version = _tool(text, tool, version)
        if _ERROR.match(text):
            run.error(text)
            first_error = first_error or next(iter(run.errors.values()), None)
        elif text.startswith("INFO: "):
            device, period, name = _DEVICE.search(text), _CLOCK.search(text), _TOP.search(text)
            part = device[1] if device else part
            top = name[1] if name else top
            if period:
                clock = source.figure(number, "clock period", q.period_ns, period[1].rstrip("."))
            run.ended = run.ended or _EXITING.search(text) is not None or any(mark in text for mark in _ENDED)
            _follow(run, text)
        elif text.startswith("***** "):
            step = _STEP.fullmatch(text)
            if step and step[2]:
                run.end(_ANNOUNCED.get(step[1], step[1].lower()))
            elif step:
                run.begin(_ANNOUNCED.get(step[1], step[1].lower()))
        elif text.startswith("Finished export RTL"):
            run.end(EXPORT)
        elif any(mark in line[:_LONGEST_MESSAGE] for mark in _ABORTED):
            run.aborted = True
    return Report(
        path=source.name,
        kind=Kind.HLS_LOG,
        tool=tool,
        tool_version=version,
        part=part,
        top=top,
        clock_target_ns=clock,
        finished=run.finished,
        error_count=run.count,
        first_error=first_error,
        steps=tuple(f"{step}: {'done' if step in run.done else 'not done'}" for step in run.begun),
        note=run.why(),
    )


def _follow(run: _Run, text: str) -> None:
    """The steps by the tool's own messages."""
    command = _COMMAND.search(text)
    if command:
        step = _COMMANDS.get(command[1] or command[2])
        if step and command[1]:
            run.begin(step)
        elif step:
            run.end(step)
    elif text == _TEST_PASSED and run.here == VALIDATION:
        run.end(VALIDATION)
    elif "Exiting Vivado at" in text:
        if run.here in {EXPORT, VIVADO_SYNTHESIS} and run.here not in run.errors:
            run.done.add(run.here)
    else:
        for part, step, ends in _MESSAGES:
            if part in text:
                if ends:
                    run.end(step)
                elif run.here is None:
                    run.begin(step)


def _tool(text: str, tool: str | None, version: str | None) -> tuple[str | None, str | None]:
    """Tool and version by the banner (2016 on several lines), or by the program that ran."""
    running = _RUNNING.search(text)
    if running:
        return tool or ("Vivado HLS" if running[2] == "vivado" else "Vitis HLS"), version or q.version(running[1])
    if "High-Level Synthesis from" in text:
        tool = "Vitis HLS" if "Vitis" in text else "Vivado HLS"
        return tool, version or q.version(text)
    if text.startswith("****** ") and tool is None and not text.startswith("****** Vivado v"):
        return "Vitis HLS", version or q.version(text)
    if tool and text.startswith("Version "):
        return tool, version or q.version(text)
    return tool, version


def logs_of_the_run(logs: list[Report]) -> list[Report]:
    """The log that speaks of the run, of all that lie in a project; several where each holds steps of its own.

    `vivado_hls.log` holds the whole run; `solution1.log` the messages of one solution without the script's, and
    a log that a later start moved aside speaks of an older run. Vitis' unified flow writes a log per step.
    """
    ordered = sorted(logs, key=_belief)
    taken = ordered[:1]
    for log in ordered[1:]:
        beside = PurePosixPath(log.path).parent == PurePosixPath(taken[0].path).parent
        known = {_step_of(step) for other in taken for step in other.steps}
        if beside and log.steps and known and not known & {_step_of(step) for step in log.steps}:
            taken.append(log)
    return taken


def _step_of(step: str) -> str:
    return step.rpartition(":")[0]


def _belief(log: Report) -> tuple[int, int, str]:
    name = PurePosixPath(log.path).name.lower()
    if re.fullmatch(r"(?:vivado|vitis)_hls\.log", name):
        rank = 0
    elif "backup" in name or name.endswith((".old", ".bak", "~")):
        rank = 3
    else:
        rank = 2 if name == f"{PurePosixPath(log.path).parent.name.lower()}.log" else 1
    return rank, log.path.count("/"), log.path
