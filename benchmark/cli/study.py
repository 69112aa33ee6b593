"""``python -m benchmark study``: what a way of training adds, apart from all that is not it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.run import Contexts, Devices, Profiles, outline, torch_device

app = typer.Typer(
    help="Studies of ways of training: with and without, everything else being equal.",
    no_args_is_help=True,
)

_TASKS = ("face-identity", "medical-structure", "low-light-recognition")

Tasks = Annotated[list[str] | None, typer.Option("--task", help="Only this task; repeatable.")]
Profile = Annotated[Profiles, typer.Option(help="Sizes, steps and seeds.")]
Seeds = Annotated[int | None, typer.Option(min=1, help="Trainings per arm; default the profile's.")]
Device = Annotated[Devices, typer.Option(help="auto takes the GPU if there is one.")]
Runs = Annotated[Path, typer.Option(help="Where run folders go.")]
Cache = Annotated[
    Path | None, typer.Option(help="Stage results; default EQUILUX_CACHE or the user's cache.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plans and stop.")]


@app.command("cals")
def cals(  # noqa: PLR0917 - options are given by name
    task: Tasks = None,
    profile: Profile = Profiles.QUICK,
    control: Annotated[
        list[str] | None,
        typer.Option(help="Arm beside the four; may be repeated; default shuffled and uniform."),
    ] = None,
    seeds: Seeds = None,
    contexts: Contexts = None,
    scale: Annotated[
        str | None, typer.Option(help="How loss terms come to one scale; default calib_param.")
    ] = None,
    balance: Annotated[
        bool, typer.Option("--balance", help="Every context trains as strongly as in matched.")
    ] = False,
    tune: Annotated[
        int | None,
        typer.Option(min=2, help="Choose among so many tables and gates for each arm, then test."),
    ] = None,
    device: Device = Devices.AUTO,
    runs: Runs = Path("runs"),
    cache: Cache = None,
    dry_run: DryRun = False,
) -> None:
    """Context x time with controls: main effects, interaction, controls, costs, gradient shares.

    With --tune, cals and matched each choose a table (or vector) and a gate on people that are
    neither trained on nor tested on, from equally many; both are frozen in a file and tested once.
    """
    from benchmark.cli.cals_study import print_study, print_tuned
    from benchmark.paths import cache_root
    from benchmark.progress import Reporter
    from benchmark.runner.store import Store
    from benchmark.runner.study import CALS, CONTROLS, plan_study, run_study
    from benchmark.runner.tuning import tune_and_test

    recipe = {"scale": scale} if scale else {}
    recipe |= {"context_balance": "grad_share"} if balance else {}
    planned = plan_study(
        task or _TASKS,
        profile=profile.value,
        device=torch_device(device),
        arms=(*CALS.arms, *(control or CONTROLS)),
        seeds=range(seeds or 0),
        recipe=recipe,
        contexts=contexts,
    )
    store, reporter = Store(cache or cache_root()), Reporter()
    if tune is not None:
        for request, _ in planned:
            typer.echo(f"{request.task.spec.name}: {tune} candidates for each arm, then one test")
            if not dry_run:
                print_tuned(tune_and_test(request, tune, store=store, runs=runs, reporter=reporter))
        return
    for request, plan in planned:
        reporter.console.print(f"{request.task.spec.name}: {outline(plan, store)}", highlight=False)
    if not dry_run:
        print_study(run_study(planned, store=store, runs=runs, reporter=reporter))


@app.command("skf")
def skf(  # noqa: PLR0917 - options are given by name
    profile: Profile = Profiles.QUICK,
    host: Annotated[str, typer.Option(help="What the parts are plugged into.")] = "curve",
    seeds: Seeds = None,
    device: Device = Devices.AUTO,
    runs: Runs = Path("runs"),
    dry_run: DryRun = False,
) -> None:
    """One host with and without SKF's parts: the rows of the paper's Tables 3 to 5."""
    from benchmark.cli.skf_study import skf_study

    skf_study(
        host=host,
        profile=profile.value,
        seeds=seeds,
        device=torch_device(device),
        runs=runs,
        dry_run=dry_run,
    )


@app.command("sdag")
def sdag(  # noqa: PLR0917 - options are given by name
    task: Tasks = None,
    profile: Profile = Profiles.QUICK,
    arm: Annotated[
        list[str] | None, typer.Option(help="Guided arm; repeatable; default zero-dce+sdag-own.")
    ] = None,
    seeds: Seeds = None,
    device: Device = Devices.AUTO,
    runs: Runs = Path("runs"),
    cache: Cache = None,
    dry_run: DryRun = False,
) -> None:
    """Zero-DCE without references, with and without guidance: effects, also at equal brightness."""
    from benchmark.cli.cals_study import print_effects
    from benchmark.paths import cache_root
    from benchmark.progress import Reporter
    from benchmark.runner.store import Store
    from benchmark.runner.study import SDAG, plan_study, run_arms

    bare, own = SDAG
    planned = plan_study(
        task or ("low-light-recognition",),
        profile=profile.value,
        device=torch_device(device),
        arms=(bare, *(arm or (own,))),
        baseline=bare,
        seeds=range(seeds or 0),
    )
    store, reporter = Store(cache or cache_root()), Reporter()
    for request, plan in planned:
        reporter.console.print(f"{request.task.spec.name}: {outline(plan, store)}", highlight=False)
    if dry_run:
        return
    finished, effects = run_arms(planned, store=store, runs=runs, reporter=reporter)
    print_effects(
        effects[effects["target"] == "overall"],
        what="arm",
        title="guided against zero-dce, everybody; accuracy_beyond_brightness: each against its "
        "input at its own mean brightness",
    )
    groups = effects[effects["metric"].isin(("accuracy", "accuracy_beyond_brightness"))]
    print_effects(
        groups[~groups["axis"].str.contains("*", regex=False) & (groups["axis"] != "")],
        what="target",
        title="the same by stratum",
    )
    for run in finished:
        typer.echo(f"tables  {run.folder}/*.parquet")


@app.command("router")
def router(  # noqa: PLR0917 - options are given by name
    profile: Profile = Profiles.QUICK,
    clip: Annotated[
        list[str] | None,
        typer.Option(help="CLIP or SigLIP, a folder or hub:owner/name@COMMIT; repeatable."),
    ] = None,
    vlm: Annotated[
        list[str] | None, typer.Option(help="A vision-language model, written the same.")
    ] = None,
    routes: Annotated[Path | None, typer.Option(help="YAML of who mends what.")] = None,
    device: Device = Devices.AUTO,
    runs: Runs = Path("runs"),
    dry_run: DryRun = False,
) -> None:
    """Classifiers of degradations, and what a wrong route costs."""
    from benchmark.cli.router_study import router_study

    router_study(
        profile=profile.value,
        clip=clip or [],
        vlm=vlm or [],
        routes=routes,
        device=torch_device(device),
        runs=runs,
        dry_run=dry_run,
    )
