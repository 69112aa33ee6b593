"""Runs commands as the command line does, each in a fork of a process that has torch already.

Started in a desk (:mod:`.desk`), whose copy of the package it takes. A job is a line of JSON on
stdin; its exit status and the seconds that it took of a CPU are a line on stdout. What is published
or takes long has stand-ins (:mod:`.standins`).
"""

from __future__ import annotations

import json
import multiprocessing.context
import multiprocessing.forkserver
import os
import signal
import sys
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

_HEAVY = ("datasets", "huggingface_hub", "lpips", "matplotlib.pyplot", "pyiqa", "spandrel")


def serve() -> None:
    """Answer every job."""
    for name in ("benchmark.runner.preload", "benchmark.cli.app", *_HEAVY):
        import_module(name)
    # workers of a run fork from here, too, and do not load torch again
    contexts: Any = multiprocessing.context
    contexts._concrete_contexts["forkserver"] = contexts._concrete_contexts["fork"]
    multiprocessing.forkserver.ensure_running = lambda: None
    import_module("standins").prepare()
    print("ready", flush=True)  # noqa: T201 - to the desk
    for line in sys.stdin:
        code, seconds = _forked(json.loads(line))
        print(code, f"{seconds:.1f}", flush=True)  # noqa: T201 - to the desk


def _forked(job: dict[str, Any]) -> tuple[int, float]:
    """Exit status, and the seconds that it and its workers took of a CPU."""
    child = os.fork()
    if child == 0:
        os._exit(_answer(job))
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(child, signal.SIGKILL))
    signal.alarm(job["seconds"])
    _, status, used = os.wait4(child, 0)
    signal.alarm(0)
    return os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime


def _answer(job: dict[str, Any]) -> int:
    os.setpgid(0, 0)
    for descriptor, path in enumerate((job["input"], job["output"], job["errors"])):
        mode = os.O_RDONLY if descriptor == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
        os.dup2(os.open(path, mode), descriptor)
    try:
        if "python" in job:
            exec(compile(job["python"], job["where"], "exec"), {"__name__": "__main__"})
            code: Any = 0
        else:
            sys.argv = ["benchmark", *job["words"]]
            import_module("benchmark.cli").main()
    except SystemExit as ended:
        code = ended.code or 0
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else 1


if __name__ == "__main__":
    sys.path[:1] = ["", str(Path(__file__).parent)]  # as `python -m` in the desk has it
    serve()
