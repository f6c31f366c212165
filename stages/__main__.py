"""The entry point `unroll`: hands the command to a build's server if there is one, else runs it here."""

import os
import sys

SERVER = "UNROLL_SERVER"
"""Names the socket of a build's server (`stages/server.py`)."""


def main() -> None:
    """Run the command line of this process and end with its exit status."""
    address = os.environ.get(SERVER)
    if address:
        from stages import client

        status = client.run(address, sys.argv[1:])
        if status is not None:
            sys.exit(status)
    # Not before: a stage that the server runs costs 30 ms here, with these imports 100.
    from stages import blas

    blas.pin()
    from stages import commands

    sys.exit(commands.status())


if __name__ == "__main__":
    main()
