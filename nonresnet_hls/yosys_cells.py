"""What the cells of Yosys' netlists take of a device, as Vivado and nextpnr would count.

    lut       LUT1 to LUT6, LUT6_2, CFGLUT5, INV (Vivado makes a LUT1 of it)            1 each
              SRL16E, SRLC16E, SRLC32E                                                  1 each, also in `SRL`
              RAM32X1S 1, RAM32X1D 2, RAM32M 4, RAM32M16 8, RAM64X1S 1, RAM64X1D 2, RAM64M 4, RAM64M8 8,
              RAM128X1S 2, RAM128X1D 4, RAM256X1S 4, RAM256X1D 8, RAM512X1S 8, RAM32X16DR8 8, RAM64X8SW 8
              (LUTs as memory, those of the slice: Xilinx UG474, UG574)
              ECP5: LUT4 1, CCU2C 2, TRELLIS_DPR16X4 6 (4 for the data, 2 for the write port; FPGA-TN-02204)
    ff        FDRE, FDSE, FDCE, FDPE, their _1 twins, and latches LDCE, LDPE; ECP5: TRELLIS_FF
    bram_18k  RAMB18E1/E2, FIFO18E1/E2 1; RAMB36E1/E2, FIFO36E1/E2 2; ECP5: DP16KD, PDPW16KD 1 (18 Kbit each)
    dsp       DSP48E1, DSP48E2, DSP58, ...; ECP5: MULT18X18D, MULT9X9D
    uram      URAM288

iCE40: SB_LUT4 1 LUT, SB_DFF... 1 FF, SB_MAC16 1 DSP; its memories hold 4 and 256 Kbit, no blocks of 18.

Carries, wide multiplexers, buffers, ports, and the adders behind ECP5's multipliers take none of these.
"""

import re
from collections.abc import Mapping

SRL = frozenset({"SRL16", "SRL16E", "SRLC16", "SRLC16E", "SRLC32E"})
"""LUTs as shift registers."""

CARRY = frozenset({"CARRY4", "CARRY8", "CCU2C"})
"""Carry chains of 4, 8 and 2 bits; the last holds two LUTs itself."""

COSTS: Mapping[str, Mapping[str, int]] = {
    "lut": {
        **dict.fromkeys([*(f"LUT{n}" for n in range(1, 7)), "LUT6_2", "CFGLUT5", "INV", "$lut", "SB_LUT4", *SRL], 1),
        **{"RAM32X1S": 1, "RAM32X1S_1": 1, "RAM32X1D": 2, "RAM32X1D_1": 2, "RAM32M": 4, "RAM32M16": 8},
        **{"RAM64X1S": 1, "RAM64X1S_1": 1, "RAM64X1D": 2, "RAM64X1D_1": 2, "RAM64M": 4, "RAM64M8": 8},
        **{"RAM128X1S": 2, "RAM128X1S_1": 2, "RAM128X1D": 4, "RAM256X1S": 4, "RAM256X1D": 8, "RAM512X1S": 8},
        **{"RAM32X16DR8": 8, "RAM64X8SW": 8, "CCU2C": 2, "TRELLIS_DPR16X4": 6},
    },
    "ff": dict.fromkeys(
        [
            *("FDRE", "FDSE", "FDCE", "FDPE", "FDRE_1", "FDSE_1", "FDCE_1", "FDPE_1", "LDCE", "LDPE", "TRELLIS_FF"),
            *(f"SB_DFF{edge}{kind}" for edge in ("", "N") for kind in ("", "E", "SR", "R", "SS", "S")),
            *(f"SB_DFF{edge}E{kind}" for edge in ("", "N") for kind in ("SR", "R", "SS", "S")),
        ],
        1,
    ),
    "bram_18k": {
        **dict.fromkeys(["RAMB18E1", "RAMB18E2", "FIFO18E1", "FIFO18E2", "DP16KD", "PDPW16KD"], 1),
        **dict.fromkeys(["RAMB36E1", "RAMB36E2", "FIFO36E1", "FIFO36E2"], 2),
    },
    "dsp": dict.fromkeys(
        ["DSP48", "DSP48A1", "DSP48E", "DSP48E1", "DSP48E2", "DSP58", "MULT18X18D", "MULT9X9D", "SB_MAC16"], 1
    ),
    "uram": {"URAM288": 1, "URAM288_BASE": 1},
}
"""Resource -> cell -> how many of it."""

FREE = frozenset(
    {
        *("CARRY4", "CARRY8", "MUXF5", "MUXF6", "MUXF7", "MUXF8", "MUXF9", "XORCY", "MUXCY", "GND", "VCC", "BUF"),
        *("IBUF", "IBUFDS", "IBUFG", "IBUFGDS", "OBUF", "OBUFT", "OBUFDS", "OBUFTDS", "IOBUF", "IOBUFDS"),
        *("BUFG", "BUFGCE", "BUFGCTRL", "BUFGMUX", "BUFH", "BUFHCE", "BUFR", "BUFIO", "PULLUP", "PULLDOWN"),
        *("PFUMX", "L6MUX21", "TRELLIS_IO", "BB", "IB", "OB", "OBZ", "VHI", "VLO", "GSR", "PUR", "DCCA", "ALU54B"),
        *("$scopeinfo", "$print", "$check", "SB_CARRY", "SB_GB", "SB_WARMBOOT", "INBUF", "IBUFCTRL", "LOOKAHEAD8"),
    }
)
"""Cells that take none."""

HARD_BLOCK = re.compile(
    r"(?:EHXPLL|SB_PLL|PLLE|MMCM|PLL|r?PLLV?R|DPLL|XPLL|DCM)\w*"  # clocks
    r"|BUF(?:G|H|R|IO|MR|CE|_)\w*|OSC[A-Z]{0,3}|SB_[HL]FOSC|DCSC|DCC[A-Z]?|DCS|CLKDIV\w*|ECLK\w*|EXTREF\w*|DLLDELD|DDRDLLA"
    r"|SB_(?:GB_)?IO\w*|SB_RGBA?_DRV|SB_LED\w*|SB_I2C|SB_SPI|T?[IO]OBUF\w*|[IO](?:DDR|DELAY|SERDES|O?BUF)\w*"  # I/O
    r"|IODELAY\w*|I[LF]VDS\w*|TLVDS\w*|[IO]DDRX\w*|DELAY[FGEC]\d?|DQSBUFM|TSHX\w*|BCINRD|BCLVDSOB|INRDB|LVDSOB"
    r"|(?:IN|OUT)_?FIFO|HPIO_\w*|[RT]X_?BITSLICE\w*|BITSLICE_CONTROL|RIU_OR|PHASER_\w*|PHY_CONTROL|KEEPER|DCIRESET"
    r"|DCUA|GT[A-Z]{1,3}E?\d?_(?:CHANNEL|COMMON|QUAD)\w*|PCIE\w*|CMAC\w*|ILKN\w*|PS[78]|HBM_\w*|CPM\w*"  # hard cores
    r"|JTAG[GF]|BSCAN\w*|STARTUP\w*|SEDGA|USRMCLK|ICAPE\d|DNA_PORT\w*|EFUSE_USR|FRAME_ECC\w*|CAPTUREE\d|USR_ACCESS\w*"
    r"|XADC|SYSMON\w*|DTR|START|MASTER_JTAG"
)
"""Names of clock managers, I/O, configuration and hard cores, which are no logic."""

OTHER_MEMORIES: Mapping[str, str] = {
    **dict.fromkeys(("SB_RAM40_4K", "SB_RAM40_4KNR", "SB_RAM40_4KNW", "SB_RAM40_4KNRNW"), "4 Kbit"),
    "SB_SPRAM256KA": "256 Kbit",
}
"""Block memories that are none of 18 Kbit."""
