"""Checking a submission before anybody measures it; nothing is written outside temporary folders.

A finding is ``ok``, ``failed``, ``note`` (worth knowing, no failure) or ``unchecked``: what was not
looked at is listed as such, with the reason.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from benchmark.enhancers.adapters.outputs import OutputFolder
from benchmark.enhancers.adapters.outside import Outside, locate
from benchmark.enhancers.contamination import LEAKS, declared, remark
from benchmark.errors import EquiluxError
from benchmark.paths import CHECKOUT
from benchmark.progress import Reporter
from benchmark.runner.standing import licence_problem, name_problem
from benchmark.runner.systems import BOTH_ARMS, is_host, refuse_arms, registered_runs
from benchmark.spec.catalogue import TaskFolder, mapping_files
from benchmark.spec.submission import SubmissionSpec, submission_names

State = Literal["ok", "failed", "note", "unchecked"]

_NON_COMMERCIAL = re.compile(r"-NC\b|LicenseRef", re.IGNORECASE)
#: What a process with code from outside is told of this one: no tokens, no passwords.
_PASSED_ON = ("PATH", "HOME", "TMPDIR", "LANG", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "SYSTEMROOT")
_CONTRACT = "benchmark.enhancers.adapters.contract"
IMPORT_SECONDS = 180.0

#: What needs the enhancer itself.
_RUN = ("import", "output contract")

#: What no check here can tell, said at the end of every checklist.
BEYOND = (
    "that the licence is the submitter's to give, and that of the training data allows it",
    "that the list of training data is complete; only its names are compared with ours",
    "what else code from outside does while it runs; --trust sets no limits",
    "that the outputs on a GPU are those on this CPU",
)


@dataclass(frozen=True)
class Check:
    """One line of the checklist."""

    name: str
    state: State
    detail: str


@dataclass(frozen=True)
class Validation:
    """A whole checklist and what was measured on the way.

    Attributes:
        spec: the submission.
        checks: in the order in which they were made.
        parameters: counted; 0 where they cannot be.
        milliseconds: for one picture of 256 x 256 on one thread; None where it was not measured.
    """

    spec: SubmissionSpec
    checks: tuple[Check, ...]
    parameters: int
    milliseconds: float | None

    @property
    def passed(self) -> bool:
        """Whether nothing failed; what was not checked has not failed."""
        return all(check.state != "failed" for check in self.checks)


def validate(
    spec: SubmissionSpec,
    path: Path,
    *,
    tasks: Sequence[TaskFolder],
    trust: bool,
    cache: Path,
    reporter: Reporter,
    seconds: float = IMPORT_SECONDS,
) -> Validation:
    """Check everything that can be checked of one submission.

    Args:
        spec: as read from ``path``, which has settled the schema.
        path: its file.
        tasks: that it is tried on, with profile ``smoke``; none: it is not.
        trust: that foreign code may run.
        cache: stage results of the smoke runs.
        reporter: for progress.
        seconds: that the process with the enhancer may take.
    """
    checks = [Check("schema", "ok", f"format {spec.format}, {path.name}"), _name(spec)]
    checks.append(_licence(spec))
    parameters, milliseconds = 0, None
    outside: Outside | None = None
    try:
        outside = _bytes(spec, path)
    except EquiluxError as error:
        registered = spec.origin.form == "registered"
        checks.append(Check("enhancer" if registered else "digest", "failed", _one(error)))
        why = "only tried with what was declared at hand"
        checks += _unchecked([*_RUN, *_smokes(tasks)], why)
    else:
        checks.append(_digest(outside))
        wanted = _wanted(spec, outside, trust=trust)
        if wanted is None:
            checks += _not_run(outside)
        else:
            found = examine_apart(wanted, seconds=seconds)
            checks += list(_contract(found))
            counted = outside.parameters() if outside else 0
            parameters = int(found.get("parameters") or counted)
            milliseconds = found.get("milliseconds")
        checks += _tried(
            path,
            outside,
            tasks=tasks,
            trust=trust,
            cache=cache,
            reporter=reporter,
            able=_all_ok(checks),
        )
    checks += _contamination(spec, tasks)
    return Validation(spec, tuple(checks), parameters, milliseconds)


def examine_apart(wanted: Mapping[str, Any], *, seconds: float) -> dict[str, Any]:
    """Build and examine an enhancer in a clean process.

    An ``error`` stands in place of the ``findings`` where that fails, with ``built`` if it was.
    """
    with tempfile.TemporaryDirectory(prefix="equilux-") as folder:
        request, result = Path(folder) / "request.json", Path(folder) / "result.json"
        request.write_text(json.dumps(wanted), encoding="utf-8")
        said = Path(folder) / "stderr.txt"
        with said.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", _CONTRACT, str(request), str(result)],
                cwd=folder,
                env=_clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                start_new_session=True,
            )
            why = ""
            try:
                process.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                why = f"not done after {seconds:.0f} s, and ended"
            finally:
                _end(process)
        found: dict[str, Any] = {}
        with contextlib.suppress(OSError, ValueError):
            found = json.loads(result.read_text(encoding="utf-8"))
        if "findings" not in found:
            last = said.read_text(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
            why = why or f"the process ended with {_ending(process.returncode)}: {last[0][:300]}"
            found.setdefault("error", why)
    return found


def _ending(code: int) -> str:
    """An exit code, or the name of the signal behind a negative one."""
    with contextlib.suppress(ValueError):
        return f"code {code}" if code >= 0 else signal.Signals(-code).name
    return f"code {code}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and whatever it has started."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _clean_environment() -> dict[str, str]:
    here = [str(CHECKOUT), str(Path.cwd()), *filter(None, [os.environ.get("PYTHONPATH")])]
    kept = {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
    kept |= {key: value for key, value in os.environ.items() if key.startswith("EQUILUX_")}
    offline = dict.fromkeys(("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"), "1")
    return kept | offline | {"PYTHONPATH": os.pathsep.join(here), "OMP_NUM_THREADS": "1"}


def _name(spec: SubmissionSpec) -> Check:
    why = name_problem(spec, set(submission_names()) - {spec.full_name})
    return Check("name", "failed" if why else "ok", why or f"{spec.full_name} is nobody else's")


def _licence(spec: SubmissionSpec) -> Check:
    why = licence_problem(spec)
    if why:
        return Check("licence", "failed", why)
    limited = _NON_COMMERCIAL.search(spec.licence) is not None
    detail = spec.licence + (": restricts what users may do with it" if limited else "")
    return Check("licence", "note" if limited else "ok", detail)


def _bytes(spec: SubmissionSpec, path: Path) -> Outside | None:
    """What is submitted, found and compared with its digest; None for a registered name."""
    where = str(path)
    if spec.origin.form == "registered":
        registered_runs(spec, seeds=(0,), where=where)
        return None
    refuse_arms(spec, where)
    declared_digest = spec.weights.sha256 if spec.weights else None
    return locate(spec.origin, beside=path.resolve().parent, sha256=declared_digest)


def _digest(outside: Outside | None) -> Check:
    if outside is None:
        return Check("digest", "ok", "registered: its own package vouches for its weights")
    return Check("digest", "ok", f"sha256 {outside.sha256[:16]}..., as declared")


def _wanted(spec: SubmissionSpec, outside: Outside | None, *, trust: bool) -> dict[str, Any] | None:
    """What the process is to build; None where nothing may or can be built."""
    if outside is None:
        return {"form": "host" if is_host(spec) else "registered", "name": spec.origin.target}
    if not outside.maps_pixels or (outside.origin.form == "code" and not trust):
        return None
    form, name = outside.origin.reader, outside.origin.target
    return {"form": form, "name": name, "path": str(outside.path), "trusted": trust}


def _not_run(outside: Outside | None) -> list[Check]:
    if outside is not None and not outside.maps_pixels:
        why = "pictures made elsewhere: there is nothing to run"
    else:
        why = "code from outside runs only with --trust"
    return _unchecked(_RUN, why)


def _unchecked(names: Iterable[str], why: str) -> list[Check]:
    return [Check(name, "unchecked", why) for name in names]


def _smokes(tasks: Sequence[TaskFolder]) -> list[str]:
    return [f"smoke {task.spec.name}" for task in tasks]


def _contract(found: Mapping[str, Any]) -> Iterator[Check]:
    imported, contract = _RUN
    if "error" in found and not found.get("built"):
        yield Check(imported, "failed", _first_line(str(found["error"])))
        yield from _unchecked([contract], "only tried when it can be built")
        return
    yield Check(imported, "ok", "built in a clean process")
    if "error" in found:
        yield Check(contract, "failed", _first_line(str(found["error"])))
        return
    for each in found["findings"]:
        state: State = "ok" if each["kept"] else "failed"
        yield Check(each["promise"], state, each["measured"])


def _all_ok(checks: Sequence[Check]) -> bool:
    return all(check.state in {"ok", "note"} for check in checks)


def _tried(
    path: Path,
    outside: Outside | None,
    *,
    tasks: Sequence[TaskFolder],
    trust: bool,
    cache: Path,
    reporter: Reporter,
    able: bool,
) -> list[Check]:
    """The smoke runs; for outputs made elsewhere, whether there is one for every sample."""
    if outside is not None and not outside.maps_pixels:
        return [_coverage(outside, task) for task in tasks]
    if not able:
        return _unchecked(_smokes(tasks), "only tried when everything before is well")
    return [_smoke(path, task, trust=trust, cache=cache, reporter=reporter) for task in tasks]


def _coverage(outside: Outside, task: TaskFolder) -> Check:
    """Whether the folder answers for the samples of the profile that is ranked."""
    name = f"outputs for {task.spec.name}"
    listed = task.folder / "samples.csv"
    if not listed.is_file():
        return Check(name, "unchecked", "the task lists no samples")
    samples = pd.read_csv(listed, dtype=str)["sample"].tolist()
    lacking = OutputFolder(outside.path).missing(samples)
    if not lacking:
        return Check(name, "ok", f"all {len(samples)} samples are answered")
    detail = f"{len(lacking)} of {len(samples)} are not answered, for example {lacking[0]}"
    return Check(name, "note", f"{detail}: each will count as a failure")


def _smoke(path: Path, task: TaskFolder, *, trust: bool, cache: Path, reporter: Reporter) -> Check:
    """Run the smallest profile with this submission alone; a host in each of its arms."""
    from benchmark.runner.plan import make_plan
    from benchmark.runner.request import resolve
    from benchmark.runner.run import execute
    from benchmark.runner.store import Store

    name = f"smoke {task.spec.name}"
    try:
        request = resolve(task, profile="smoke", device="cpu", systems=(str(path),), trust=trust)
        with tempfile.TemporaryDirectory(prefix="equilux-") as folder:
            plan = make_plan(request)
            done = execute(request, plan, store=Store(cache), runs=Path(folder), reporter=reporter)
            samples = pd.read_parquet(done.folder / "samples.parquet")
    except EquiluxError as error:
        return Check(name, "failed", _one(error))
    failed = samples[~samples["status"].isin(["ok", "decode_error"])]
    arms = sorted({run.arm for run in request.systems if run.arm})
    detail = f"{len(samples)} outputs" + (f", arms {', '.join(arms)}" if arms else "")
    if len(failed):
        kinds = failed["status"].value_counts()
        what = ", ".join(f"{count} {status}" for status, count in kinds.items())
        return Check(name, "failed", f"{detail}: {what}")
    lacking = set(BOTH_ARMS) - set(arms)
    if arms and lacking:
        return Check(name, "note", f"{detail}; no {', '.join(sorted(lacking))} to compare with")
    return Check(name, "ok", detail)


def _contamination(spec: SubmissionSpec, tasks: Sequence[TaskFolder]) -> list[Check]:
    """Against the data of the tasks and of every mapping that ships with the suite."""
    found = []
    for task in tasks:
        trained_here = declared(spec.training_data, "equilux-mixture")
        seen = trained_here.how != "none"
        detail = "other subjects, same renderer" if seen else "rendered here, seen by nobody"
        state: State = "note" if seen else "ok"
        found.append(Check(f"contamination {task.spec.name}", state, detail))
    known = [declared(spec.training_data, name) for name in mapping_files()]
    told = [remark(each) for each in known if each.how not in {"none", "unknown"}]
    unknown = [each.dataset for each in known if each.how == "unknown"]
    if told:
        detail = "; ".join(told) + ": said in every row on these data"
        found.append(Check("contamination, real data", "note", detail))
    elif unknown:
        detail = "has learned from data without a name here, so nobody can say what it has seen"
        found.append(Check("contamination, real data", "note", detail))
    else:
        detail = f"none of the {len(known)} known data sets, by the submitter's word"
        found.append(Check("contamination, real data", "ok", detail))
    leaks = [LEAKS[each.dataset].statement for each in known if each.dataset in LEAKS]
    return found + [Check("leaks", "note", text) for text in leaks if told]


def _one(error: EquiluxError) -> str:
    return f"{error.where}: {error.what}" if error.where else error.what


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0][:400] if text.strip() else "it said nothing"
