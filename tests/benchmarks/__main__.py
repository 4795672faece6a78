"""`python -m tests.benchmarks`: measures ours against the baselines and prints one table."""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from tests.benchmarks.benchmark import Bench, Measure, Outcome
from tests.benchmarks.machine import describe_machine
from tests.benchmarks.table import as_json, markdown, print_table
from worker.process.logs import configure_logging

# In the order of the table. Each module has `async def measure(bench) -> Outcome`.
_BENCHMARKS = {
    "receiver": "receiver_throughput",
    "pipeline": "pipeline_throughput",
    "fairness": "fairness",
    "processor": "processor_throughput",
    "relay": "relay_throughput",
    "contacts": "contact_scale",
    "policy": "policy_apply",
    "late": "late_entries",
    "campaigns": "campaign_recipients",
    "overview": "overview",
    "check": "check_ratio",
    "parse": "provider_parse",
    "unproven": "unproven_work",
    "traces": "trace_cost",
}


def main() -> int:
    """Runs what was asked for; 0 when every goal is met, 1 when one is not."""
    options = _read_arguments()
    configure_logging(level="error", json_lines=False)
    folder = Path(tempfile.mkdtemp(prefix="bouncekeeper-bench-"))
    try:
        outcome, machine = asyncio.run(_run(options.only or list(_BENCHMARKS), options, folder))
    finally:
        if options.keep:
            sys.stderr.write(f"logs and files: {folder}\n")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    if options.json is not None:
        options.json.write_text(json.dumps(as_json(outcome, machine), indent=2, ensure_ascii=False) + "\n")
    if options.markdown:
        print(markdown(outcome, machine))
    else:
        print_table(outcome, machine)
    return 0 if all(measurement.met for measurement in outcome.measurements) else 1


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes: shows that all of it runs")
    parser.add_argument("--only", nargs="+", choices=_BENCHMARKS, metavar="NAME", help=", ".join(_BENCHMARKS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single figure there as well")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--keep", action="store_true", help="keep the folder with logs, and say where it is")
    return parser.parse_args()


async def _run(names: Sequence[str], options: argparse.Namespace, folder: Path) -> tuple[Outcome, list[str]]:
    bench = Bench(quick=options.quick, folder=folder)
    outcome = Outcome()
    try:
        for name in names:
            bench.progress(f"── {name}")
            measure: Measure = import_module(f"tests.benchmarks.{_BENCHMARKS[name]}").measure
            one = await measure(bench)
            outcome.measurements += one.measurements
            outcome.remarks += one.remarks
        machine = [*describe_machine(), *await bench.services.versions()]
    finally:
        await bench.services.close()
    if options.quick:
        machine.append("a quick run: sizes too small for figures that mean anything")
    return outcome, machine


if __name__ == "__main__":
    sys.exit(main())
