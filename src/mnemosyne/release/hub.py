"""A finished release folder to the model hub, in one commit."""

from __future__ import annotations

from pathlib import Path

from mnemosyne.datasets.hub import forbidden, network_errors
from mnemosyne.errors import ReleaseError
from mnemosyne.release.making import sha256

WEIGHTS = ("*.gguf", "*.safetensors", "*.safetensors.index.json", "adapter/*")
"""Files of an earlier release that nobody may take for those of this one."""


def check_sums(folder: Path) -> None:
    """Raise ReleaseError unless every file of the folder is as SHA256SUMS says, and listed there."""
    sums = folder / "SHA256SUMS"
    if not sums.is_file():
        raise ReleaseError(f"{folder} is not a finished release: SHA256SUMS is missing.")
    lines = sums.read_text(encoding="utf-8").splitlines()
    listed = {name: expected for expected, _, name in (line.partition("  ") for line in lines)}
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {sums.name}
    for name in sorted(present | listed.keys()):
        if name not in present or name not in listed or sha256(folder / name) != listed[name]:
            raise ReleaseError(
                f"{folder / name} is not as SHA256SUMS says.",
                hint="Make the release again; nothing was sent or shipped.",
            )


def upload(folder: Path, repository: str, *, private: bool = True, endpoint: str | None = None) -> str:
    """Check the sums, make the repository when it is not there, upload the folder; the address of the commit.

    Weights of an earlier release that this one does not have are deleted in the same commit; other files stay.
    The token comes from HF_TOKEN or from `hf auth login`. A new repository is private, so that a person
    looks before others do. Raises ReleaseError.
    """
    if forbidden():
        raise ReleaseError(
            f"{folder} was not uploaded: MNEMOSYNE_OFFLINE or HF_HUB_OFFLINE is set.",
            hint=f"Unset it, then `mnemosyne release {folder} --upload {repository}`.",
        )
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

    check_sums(folder)
    expected: tuple[type[BaseException], ...] = (
        HfHubHTTPError,
        LocalTokenNotFoundError,
        OSError,
        RuntimeError,
        *network_errors(),
    )
    api = HfApi(endpoint=endpoint)
    try:
        api.create_repo(repository, repo_type="model", private=private, exist_ok=True)
        done = api.upload_folder(
            repo_id=repository,
            folder_path=folder,
            repo_type="model",
            commit_message=f"Release {folder.name}",
            delete_patterns=list(WEIGHTS),
        )
    except HFValidationError as error:
        raise ReleaseError(
            f"The model hub has no repository {repository!r}: {error}", hint="Name it OWNER/NAME."
        ) from error
    except ValueError as error:  # a header of the card that the hub does not know
        raise ReleaseError(
            f"The model hub did not take the card of {folder}: {' '.join(str(error).split())}",
            hint="Release again with a --licence that the hub knows.",
        ) from error
    except expected as error:
        said = str(error).strip() or type(error).__name__
        raise ReleaseError(
            f"The model hub did not take {folder}: {said.splitlines()[0]}",
            hint=f"Set HF_TOKEN to a token that may write to {repository}, then "
            f"`mnemosyne release {folder} --upload {repository}`: the release stays as it is.",
        ) from error
    return str(done.commit_url)
