"""`python -m tests.faults`: makes faults on purpose, prints the figures, and says which promises did not hold."""

import argparse
import asyncio
import random
import sys
from importlib import import_module

from tests.faults.drill import Drill, DrillOptions

# In the order in which they run. Each module has `async def drill(options) -> DrillResult`.
_DRILLS = {
    "edge": "edge",
    "kills": "kills",
    "outage": "outage",
    "failover": "failover",
    "restore": "restore",
}


def main() -> int:
    """Runs what was asked for; 0 when every promise was kept."""
    arguments = _read_arguments()
    options = DrillOptions(
        seed=arguments.seed, quick=arguments.quick, webhooks=arguments.webhooks, seconds=arguments.seconds
    )
    kept = True
    for name in arguments.only or _DRILLS:
        print(f"── {name}, seed {options.seed}", flush=True)
        drill: Drill = import_module(f"tests.faults.{_DRILLS[name]}").drill
        result = asyncio.run(drill(options))
        print(result, flush=True)
        kept = kept and not result.broken
    return 0 if kept else 1


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=_DRILLS, metavar="NAME", help=", ".join(_DRILLS))
    parser.add_argument("--quick", action="store_true", help="the size of the test suite")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000), help="the same seed, the same faults")
    parser.add_argument("--webhooks", type=int, help="how many the kills' drill sends")
    parser.add_argument("--seconds", type=float, help="how long its posting is spread over")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
