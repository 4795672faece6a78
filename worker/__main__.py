"""The program `bouncekeeper`; `python -m worker` is the same."""

import sys

from worker.process.interruption import end_at_once_when_asked


def main() -> int:
    """Runs the command line, interruptible from the first moment; gives the exit status."""
    end_at_once_when_asked()
    from worker.cli import main as run  # noqa: PLC0415 - its imports take their time

    return run()


if __name__ == "__main__":
    sys.exit(main())
