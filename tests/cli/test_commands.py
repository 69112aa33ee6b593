"""Commands print what they promise and turn mistakes into exit code 2 without a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.cli import main


def invoke(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["benchmark", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    code = ended.value.code
    return code if isinstance(code, int) else 0, out, err


KINDS = [
    *("tasks", "submissions", "enhancers", "metrics", "losses", "schedules", "judges"),
    *("hosts", "plugins", "contexts", "classifiers"),
]


@pytest.mark.parametrize("kind", KINDS)
def test_everything_that_is_listed_can_be_shown(
    kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = invoke(capsys, monkeypatch, "list", kind, "--json")
    names = [entry["name"] for entry in json.loads(out)]
    assert code == 0
    assert names
    for name in names:
        code, out, err = invoke(capsys, monkeypatch, "show", kind, name, "--json")
        assert code == 0, err
        assert json.loads(out)
        code, text, _ = invoke(capsys, monkeypatch, "show", kind, name)
        assert code == 0
        assert name in text


LACKING = {
    "enhancers": ("zero-dce", "weights fetch zero-dce"),
    "losses": ("lpips-vgg", "weights fetch vgg16"),
}


@pytest.mark.parametrize("kind", LACKING)
def test_what_lacks_weights_says_what_brings_them(
    kind: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for variable in ("EQUILUX_WEIGHTS", "TORCH_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    _, out, _ = invoke(capsys, monkeypatch, "list", kind, "--json")
    mends = {row["name"]: row["mend"] for row in json.loads(out)}
    name, command = LACKING[kind]
    assert command in mends[name]
    assert None in mends.values()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--task", "face-identiti"], "did you mean face-identity?"),
        (["run", "--task", "face-identity", "--arm", "calls"], "did you mean cals"),
        (["run", "--task", "face-identity", "--metric", "pnsr"], "did you mean psnr"),
        (["run", "--task", "face-identity", "--system", "gama"], "did you mean gamma"),
        (["run", "--task", "face-identity", "--mapping", "london"], "--data"),
        (["run", "--task", "face-identity", "--data", "no/such/folder"], "no such folder"),
        (["run", "--task", "face-identity", "--profile", "quik"], "quick"),
        (["show", "judges", "dlipp"], "did you mean dlib"),
        (["show", "metrics", "tarr"], "did you mean tar"),
        (["weights", "fetch", "dlib-resnett"], "did you mean dlib-resnet"),
        (["weights", "add", "dlib-resnet", "no-such-file"], "no-such-file"),
        (["report", "no/such/run"], "no/such/run: no such folder"),
        (["report", "pyproject.toml"], "this is a file"),
        (["frobnicate"], "frobnicate"),
    ],
)
def test_mistakes_exit_with_2_and_say_how_to_mend(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code, _, err = invoke(capsys, monkeypatch, *arguments)
    assert code == 2
    assert message in err
    assert "Traceback" not in err


def test_a_malformed_task_names_file_line_and_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "task.yaml"
    path.write_text("format: 1\nname: mine\nmetricks: {}\n", encoding="utf-8")
    code, _, err = invoke(capsys, monkeypatch, "run", "--task", str(path))
    assert code == 2
    assert f"{path}:3: metricks: unknown key; did you mean 'metrics'?" in err


def test_a_dry_run_plans_and_computes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = invoke(
        capsys,
        monkeypatch,
        *("run", "--task", "face-identity", "--dry-run", "--cache", str(tmp_path / "cache")),
    )
    assert code == 0
    assert "to do: data 1" in err
    assert "train 6" in err
    assert not list(tmp_path.rglob("*.npy"))


def test_an_unwritable_cache_is_a_clear_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("", encoding="utf-8")
    code, _, err = invoke(
        capsys,
        monkeypatch,
        *("run", "--task", "face-identity", "--profile", "smoke", "--cache", str(blocker)),
    )
    assert code == 2
    assert "EQUILUX_CACHE" in err


def test_listing_does_not_import_torch() -> None:
    script = (
        "import sys; sys.argv = ['benchmark', 'list', 'tasks']\n"
        "from benchmark.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_version(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, _ = invoke(capsys, monkeypatch, "--version")
    assert code == 0
    assert out.strip()
