"""Models of the Hub in transformers' format: found on this machine, checked, loaded whole.

A model is named by a folder or as ``hub:owner/name@COMMIT``. Nothing is downloaded but by
``python -m benchmark weights fetch hub:...``, which fills the Hub's own cache, so a run cannot wait
for a network and what it loads cannot change under it. Weights come as safetensors: a pickle can
run code when it is read, and so can a model that brings its own Python, so both are refused.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.errors import WeightsError
from benchmark.files import sha256_of_file

#: Seconds to wait for the Hub's first answer.
TIMEOUT = 5.0
_HUB = re.compile(r"hub:(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[\w.-]+))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
_WANTED = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja")


@dataclass(frozen=True)
class LocalModel:
    """A model on this machine.

    Attributes:
        name: as it was asked for.
        folder: with ``config.json`` and safetensors.
        digest: SHA-256 over names and contents of everything that is loaded.
    """

    name: str
    folder: Path
    digest: str


def find_model(name: str) -> LocalModel:
    """The model called ``name``, without touching the network.

    Args:
        name: a folder, or ``hub:owner/name@COMMIT`` that was fetched before.

    Raises:
        WeightsError: at once, if it is not there, not pinned, a pickle, or brings code.
    """
    folder = _cached(name) if name.startswith("hub:") else Path(name).expanduser()
    if not folder.is_dir():
        raise WeightsError(
            "no such folder",
            where=name,
            mend="name a folder that holds config.json and *.safetensors, or hub:owner/name@COMMIT",
        )
    _check(folder, name)
    digest = hashlib.sha256()
    for path in sorted(p for pattern in _WANTED for p in folder.glob(pattern)):
        digest.update(f"{path.name}\0{sha256_of_file(path)}\n".encode())
    return LocalModel(name, folder, digest.hexdigest())


def load_pretrained(kind: str, model: LocalModel, **options: Any) -> Any:
    """``transformers.<kind>.from_pretrained`` on a checked folder.

    Args:
        kind: a class of transformers, such as ``AutoModel`` or ``AutoProcessor``.
        model: from :func:`find_model`.
        **options: for ``from_pretrained``.

    Raises:
        WeightsError: if it cannot be read, or weights are missing that would be left random.
    """
    import transformers
    from safetensors import SafetensorError

    bars: Any = transformers.utils.logging
    bars.disable_progress_bar()  # progress is told by the reporter
    factory = getattr(transformers, kind)
    is_network = "Model" in kind
    known = {"use_safetensors": True, "output_loading_info": True} if is_network else {}
    try:
        found = factory.from_pretrained(
            model.folder, local_files_only=True, trust_remote_code=False, **known, **options
        )
    except (OSError, ValueError, RuntimeError, KeyError, ImportError, SafetensorError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise WeightsError(
            f"transformers cannot load it as {kind}: {reason[0]}",
            where=model.name,
            mend="name a model of the kind that is asked for, or fetch it again",
        ) from error
    if not is_network:
        return found
    network, report = found
    lacking = sorted(map(str, [*report["missing_keys"], *report["mismatched_keys"]]))
    if lacking:
        raise WeightsError(
            f"the weights do not fill the network: {lacking[0]} and {len(lacking) - 1} more",
            where=model.name,
            mend="the file is truncated or of another architecture; fetch it again",
        )
    return network.eval().requires_grad_(False)


def fetch_model(name: str) -> LocalModel:
    """Download one pinned revision into the Hub's cache: safetensors and settings, no code.

    Raises:
        WeightsError: within seconds if there is no network, no such model or revision, no right to
            it, or if Hugging Face is set to be offline.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    repo, revision = _parsed(name)
    try:
        commit = HfApi().model_info(repo, revision=revision or None, timeout=TIMEOUT).sha
        if commit == revision:
            snapshot_download(
                repo,
                revision=commit,
                etag_timeout=TIMEOUT,
                allow_patterns=list(_WANTED),
                ignore_patterns=["*/*"],
            )
    except (HTTPError, OSError, ValueError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise WeightsError(
            f"cannot fetch from the Hub: {reason[0]}",
            where=name,
            mend="check name, network and HF_HUB_OFFLINE; or copy the model's folder here from "
            "another machine and name the folder",
        ) from error
    if commit != revision:
        raise _unpinned(name, f"today it is hub:{repo}@{commit}")
    return find_model(name)


def _cached(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    repo, revision = _parsed(name)
    if not _COMMIT.fullmatch(revision):
        raise _unpinned(name, f"see https://huggingface.co/{repo}/commits/main")
    try:
        return Path(snapshot_download(repo, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError:
        raise WeightsError(
            "this model of the Hub is not on this machine, and a run opens no connection",
            where=name,
            mend=f"python -m benchmark weights fetch {name}\n  without a network: copy its folder "
            "here and name the folder",
        ) from None


def _parsed(name: str) -> tuple[str, str]:
    found = _HUB.fullmatch(name)
    if found is None:
        raise WeightsError("not a model of the Hub", where=name, mend="write hub:owner/name@COMMIT")
    return found["repo"], found["revision"] or ""


def _unpinned(name: str, mend: str) -> WeightsError:
    return WeightsError(
        "the revision is not pinned to a commit: it can mean other weights tomorrow",
        where=name,
        mend=mend,
    )


def _check(folder: Path, name: str) -> None:
    """Refuse what could run code or is no model."""
    if next(folder.glob("*.safetensors"), None) is None:
        pickles = sorted(p.name for p in folder.iterdir() if p.suffix in _PICKLES)
        what = "no *.safetensors in this folder"
        if pickles:
            what = f"refused: {pickles[0]} is a pickle, and reading it could run its code"
        raise WeightsError(what, where=name, mend="choose a revision that has *.safetensors")
    try:
        settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"config.json cannot be read: {error}", where=name, mend="fetch the model again"
        ) from error
    if "auto_map" in settings:
        raise WeightsError(
            "refused: this model brings Python of its own",
            where=name,
            mend="choose a model whose architecture is part of transformers",
        )
