"""The command line: parse, call, print. Everything else lives below."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from benchmark.errors import EquiluxError

_INTERRUPTED = 130


def main() -> None:
    """Run the command line; a user's mistake prints no traceback."""
    # nothing may wait for a network: data and weights are fetched by explicit commands only
    if sys.argv[1:3] not in (["data", "fetch"], ["weights", "fetch"]):
        for variable in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
            os.environ.setdefault(variable, "1")
    try:
        from benchmark.cli.app import app

        code = app(standalone_mode=False)
    except EquiluxError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _interrupted()
    except Exception as error:
        # typer brings a click of its own in some releases, so its errors are known by their form
        if type(error).__name__ == "Abort":
            _interrupted()
        if not hasattr(error, "show") or not hasattr(error, "exit_code"):
            raise
        error.show()
        sys.exit(error.exit_code)
    if code == _INTERRUPTED:  # how some releases of typer report Ctrl-C
        _interrupted()
    sys.exit(code if isinstance(code, int) else 0)


def _interrupted() -> NoReturn:
    sys.stderr.write("\ninterrupted; the same command goes on where this one stopped\n")
    sys.exit(_INTERRUPTED)
