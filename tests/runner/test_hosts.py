"""Hosts of a run: from the task, by bare name, or from the command line."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from benchmark.cli.app import app
from benchmark.errors import EquiluxError, UnknownNameError
from benchmark.runner.request import Request, resolve
from benchmark.runner.trainings import plan_trainings
from benchmark.spec.catalogue import find_task
from benchmark.spec.task import HostStudy, TaskSpec


def request_for(**settings: tuple[str, ...]) -> Request:
    return resolve(find_task("face-identity"), profile="smoke", device="cpu", **settings)


def rows(request: Request) -> list[tuple[str, str]]:
    return [(run.system, run.arm) for run in request.systems]


def test_a_bare_name_is_a_host_with_and_without_scheduling() -> None:
    task = find_task("face-identity")
    text = task.spec.model_dump(mode="json") | {"hosts": ["curve", "nafnet16+skf"]}
    spec = TaskSpec.model_validate(text)
    assert spec.hosts[1] == HostStudy(
        host="nafnet16+skf", arms=["matched", "cals"], baseline="matched"
    )
    request = resolve(replace(task, spec=spec), profile="smoke", device="cpu")
    assert rows(request)[-2:] == [("nafnet16+skf", "matched"), ("nafnet16+skf", "cals")]
    units = plan_trainings(request)[1].values()
    assert {unit.payload["host"] for unit in units} == {"curve", "nafnet16+skf"}


def test_hosts_of_the_command_line_take_the_place_of_the_tasks() -> None:
    plain = request_for()
    other = request_for(hosts=("nafnet16", "drbn"))
    untrained = [row for row in rows(plain) if not row[1]]
    arms = [(host, arm) for host in ("nafnet16", "drbn") for arm in ("matched", "cals")]
    assert rows(other) == untrained + arms
    assert [study.baseline for study in other.studies] == ["matched", "matched"]
    assert rows(request_for(hosts=("curve",))) == rows(plain)
    one = request_for(systems=("input",), hosts=("drbn",), arms=("oracle",))
    assert rows(one) == [("input", ""), ("drbn", "oracle")]


def test_a_name_that_two_things_have_is_the_host_where_it_is_trained() -> None:
    named = request_for(systems=("drbn",))
    assert rows(named) == [("drbn", "")]
    both = request_for(systems=("drbn", "input"), hosts=("drbn",))
    assert rows(both) == [("drbn", "matched"), ("drbn", "cals"), ("input", "")]


def test_wrong_names_are_told() -> None:
    with pytest.raises(UnknownNameError, match="nafnet16"):
        request_for(hosts=("nafnet61",))
    with pytest.raises(UnknownNameError, match="plug-in"):
        request_for(hosts=("curve+sfk",))
    with pytest.raises(EquiluxError, match="--host nafnet16"):
        request_for(systems=("nafnet16",))


def test_hosts_are_listed() -> None:
    result = CliRunner().invoke(app, ["list", "hosts", "--json"])
    names = {row["name"] for row in json.loads(result.output)}
    assert {"curve", "nafnet16", "nafnet32", "retinexnet", "drbn"} <= names
