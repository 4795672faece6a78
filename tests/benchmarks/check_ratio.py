"""`POST /v1/check` in the table of benchmarks; see tests.benchmarks.check_lookup for what is measured."""

from statistics import median

from tests.benchmarks import check_lookup
from tests.benchmarks.benchmark import Bench, Goal, Measurement, Outcome


async def measure(bench: Bench) -> Outcome:
    """One API process, 10,000 addresses in one request."""
    bench.progress("check: making contacts")
    dsn = await bench.services.database("bench_check")
    api, bare = await check_lookup.measure(dsn, rounds=bench.size(15, 3))
    bench.progress(f"check · API {median(api):.0f} ms · SQL {median(bare):.0f} ms")
    await bench.services.drop_database("bench_check")
    return Outcome(
        measurements=[
            Measurement(
                what=f"POST /v1/check, {check_lookup.ADDRESSES:,} addresses",
                against="the bare SQL look-up",
                unit=" ms",
                ours=api,
                baseline=bare,
                goal=Goal(at_most=2),
            )
        ]
    )
