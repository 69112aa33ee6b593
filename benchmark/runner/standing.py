"""A submission's file against what the suite knows already: names that are taken, and licences."""

from __future__ import annotations

from collections.abc import Iterable

from benchmark.enhancers import ENHANCERS
from benchmark.enhancers.hosts import HOSTS
from benchmark.runner.systems import is_host
from benchmark.spec.naming import name_conflict
from benchmark.spec.submission import SubmissionSpec


def name_problem(spec: SubmissionSpec, taken: Iterable[str]) -> str:
    """Why a submission cannot be called so; empty if it can.

    Args:
        spec: the submission.
        taken: ``owner/name`` of the others.
    """
    own = {spec.origin.target} if spec.origin.form == "registered" else set()
    reserved = {*ENHANCERS.names(), *HOSTS.names()} - own
    return name_conflict(spec.owner, spec.name, taken=taken, reserved=reserved)


def licence_problem(spec: SubmissionSpec) -> str:
    """Why a licence cannot be right; empty if nothing speaks against it.

    Whoever registers an enhancer says its licence: a submission of it cannot give it another.
    """
    name = spec.origin.target
    registry = HOSTS if is_host(spec) else ENHANCERS
    if spec.origin.form != "registered" or name not in registry:
        return ""
    known = registry.entry(name).meta.get("licence", spec.licence)
    return (
        "" if known == spec.licence else f"{spec.licence}, but {name} is registered under {known}"
    )
