"""Whether the fault tests bite: `make faults-proofs` takes one safeguard away at a time and sees its test fail.

In: the table below; names of safeguards to limit it to. Out: how each test failed; exit code 1 if one passed.
Never: a change in the product's files (`tests.support.safeguards` replaces functions as the processes start).
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

from deploy.local.places import ROOT
from tests.support.safeguards import SAFEGUARDS, VARIABLE

FAULTS = "tests/faults"
CRASH_POINTS = f"{FAULTS}/test_crash_points.py"

#: Safeguard, test.
PROOFS: tuple[tuple[str, str], ...] = (
    ("outputs-before-states", CRASH_POINTS),
    ("events-are-a-set", CRASH_POINTS),
    ("rows-with-position", CRASH_POINTS),
    ("flags-from-the-beginning", CRASH_POINTS),
    ("acknowledge-manually", CRASH_POINTS),
    ("stop-on-a-bug", f"{FAULTS}/test_raising.py"),
    ("wait-for-database", f"{FAULTS}/test_database_faults.py"),
    ("refusals-are-kept", f"{FAULTS}/test_poison.py"),
    ("paused-is-not-acknowledged", f"{FAULTS}/test_paused_partition.py"),
    ("store-from-the-beginning", f"{FAULTS}/test_rebuild.py"),
    ("group-is-told", f"{FAULTS}/test_slow_sink.py"),
    ("greater-content-wins", "tests/consumers/store/test_store_laws.py -k which_of_two"),
    ("changelog", f"{FAULTS}/test_rebalance_storm.py"),
    ("changelog", f"{FAULTS}/test_kill_loop.py"),
)


def main() -> None:
    """Run the table, or the part of it that the arguments name."""
    wanted = set(sys.argv[1:])
    unknown = wanted - SAFEGUARDS.keys()
    if unknown:
        raise SystemExit(f"No such safeguard: {', '.join(sorted(unknown))}. There are: {', '.join(SAFEGUARDS)}.")
    chosen = [one for one in PROOFS if not wanted or one[0] in wanted]
    toothless = [safeguard for safeguard, test in chosen if not fails_without(safeguard, test)]
    if toothless:
        raise SystemExit(f"These tests pass without what they test: {', '.join(toothless)}")


def fails_without(safeguard: str, test: str) -> bool:
    """Run one test without one safeguard; tell how it failed."""
    began = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *test.split()],
        cwd=ROOT,
        env={**os.environ, VARIABLE: safeguard},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - began
    how = next(failures(ran.stdout), ran.stdout[-300:])
    verdict = "failed" if ran.returncode == 1 else "PASSED"
    sys.stdout.write(f"{safeguard} | {test} | {verdict} | {seconds:.0f} s | {how}\n")
    sys.stdout.flush()
    return ran.returncode == 1


def failures(output: str) -> Iterator[str]:
    """The first lines of what pytest reports as wrong."""
    return (line.removeprefix("E").strip()[:200] for line in output.splitlines() if line.startswith("E  "))


if __name__ == "__main__":
    main()
