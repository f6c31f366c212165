"""The entry point `unroll`."""

import sys

from pipeline import numerics


def main() -> None:
    """Run the command line of this process and end with its exit status."""
    if {"train", "tune"} & {*sys.argv}:
        numerics.start_with()
    numerics.settle()  # before NumPy is imported
    from stages.commands import main as commands

    sys.exit(commands.status())


if __name__ == "__main__":
    main()
