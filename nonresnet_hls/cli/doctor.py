"""What is installed, in which version, what is missing for which command, and which extra brings it."""

import argparse

from nonresnet_hls.cli import common

NAME = "doctor"
HELP = "what is installed, and what is missing for which command"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    common.add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Print a line for each library, program and data set."""
    from nonresnet_hls import api

    rows = api.doctor().rows
    if args.json:
        common.print_json(rows)
        return 0
    wide = max(len(row["what"]) for row in rows)
    for row in rows:
        state = row["found"] or "missing"
        if not row["fits"]:
            state += f" - {row['cure']}" + (f"; for {row['needed_by']}" if row["needed_by"] else "")
        print(f"{'ok' if row['fits'] else '--'}  {row['what']:<{wide}}  {state}")
    return 0
