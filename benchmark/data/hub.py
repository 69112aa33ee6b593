"""Datasets of the Hugging Face Hub: fetched once by an explicit command, then read without network.

``data fetch`` puts one pinned revision into the cache, whole or not at all; a run only ever reads
it from there. So a run cannot wait for a network, and what it reads cannot change under it.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from benchmark.data.references import Reference
from benchmark.errors import DataError
from benchmark.files import write_json

#: Seconds to wait for the Hub's first answer.
TIMEOUT = 5.0
_RECORD = ".equilux.json"


def fetched_commit(reference: Reference) -> str:
    """The commit of a dataset that was fetched.

    Raises:
        DataError: if it was not, at once, with how to get it here and on a machine without network.
    """
    try:
        record = json.loads((reference.path / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise DataError(
            "this dataset of the Hub is not on this machine, and a run opens no connection",
            where=str(reference),
            mend=f"python -m benchmark data fetch {reference}\n  without a network: elsewhere, "
            f'datasets.load_dataset("{reference.repo}", revision="{reference.revision}")'
            ".save_to_disk(FOLDER); bring the folder here and pass it as --data",
        ) from None
    return str(record["commit"])


def fetch_dataset(reference: Reference) -> Path:
    """Download one pinned revision of a dataset into the cache; nothing is uploaded.

    Raises:
        DataError: within seconds if there is no network, no such dataset or revision, no right to
            it, or if Hugging Face is set to be offline.
    """
    if (reference.path / _RECORD).is_file():
        return reference.path
    info = _look_up(reference)
    parent = reference.path.parent
    parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=parent, prefix=".fetch-"))
    try:
        _download(reference, info.sha, scratch)
        write_json(scratch / _RECORD, {"repo": reference.repo, "commit": info.sha})
        scratch.rename(reference.path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return reference.path


def _look_up(reference: Reference) -> Any:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (  # type: ignore[attr-defined]
        GatedRepoError,
        HTTPError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    api, where = HfApi(), str(reference)
    try:
        info = api.dataset_info(reference.repo, revision=reference.revision, timeout=TIMEOUT)
        branches = {
            ref.name for ref in api.list_repo_refs(reference.repo, repo_type="dataset").branches
        }
    except OfflineModeIsEnabled as error:
        raise DataError(
            "Hugging Face is set to be offline",
            where=where,
            mend="unset HF_HUB_OFFLINE, or bring a folder made by save_to_disk from elsewhere",
        ) from error
    except GatedRepoError as error:
        raise DataError(
            "its owners ask you to agree to terms first",
            where=where,
            mend=f"agree at https://huggingface.co/datasets/{reference.repo}, then `hf auth login`",
        ) from error
    except RevisionNotFoundError as error:
        raise DataError(
            f"the dataset has no revision {reference.revision}",
            where=where,
            mend=f"see https://huggingface.co/datasets/{reference.repo}/commits/main",
        ) from error
    except RepositoryNotFoundError as error:
        raise DataError(
            "there is no such dataset, or it is private", where=where, mend="check owner and name"
        ) from error
    except (HTTPError, OSError) as error:
        raise _unreachable(reference, error) from error
    if reference.revision in branches:
        raise DataError(
            f"{reference.revision} is a branch, which can mean other images tomorrow",
            where=where,
            mend=f"today it is hub:{reference.repo}@{info.sha}",
        )
    return info


def _download(reference: Reference, commit: str, folder: Path) -> None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

    try:
        snapshot_download(
            reference.repo,
            repo_type="dataset",
            revision=commit,
            local_dir=folder,
            etag_timeout=TIMEOUT,
            ignore_patterns=["*.py"],  # code that comes with data is not even fetched
        )
    except (HTTPError, OSError) as error:
        raise _unreachable(reference, error) from error


def _unreachable(reference: Reference, error: Exception) -> DataError:
    reason = str(error).strip().splitlines() or [type(error).__name__]
    return DataError(
        f"cannot fetch from the Hub: {reason[0]}",
        where=str(reference),
        mend="check the network; or, on another machine, datasets.load_dataset"
        f'("{reference.repo}", revision="{reference.revision}").save_to_disk(FOLDER), '
        "bring the folder here and pass it as --data",
    )
