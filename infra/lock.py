"""Write the lock files anew from pyproject.toml; run it with `make lock`.

Versions that are locked stay as they are unless pyproject.toml asks for others; `--upgrade` and
`--upgrade-package NAME` of uv move them. There are three files, because PyTorch comes in two
builds: the one on PyPI wants CUDA's libraries on Linux, the one for CPUs alone is not on PyPI. A
fourth is for `make models`.
"""

import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
ALL = HERE / "requirements.lock"
TORCH = HERE / "requirements-torch.lock"
TORCH_CPU = HERE / "requirements-torch-cpu.lock"
MODELS = HERE / "requirements-models.lock"
HEAD = "# {what} Written by `make lock`; installed with `pip install --require-hashes`.\n"
WITH_TORCH = re.compile(r"torch==|triton==|nvidia-|cuda-")
UV = (
    "--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate",
    "--quiet",
)  # fmt: skip


def main() -> None:
    """Resolve for every supported Python and system, then split by build of PyTorch."""
    with tempfile.TemporaryDirectory() as name:
        found = Path(name) / "all.txt"
        # Uv keeps the versions that it finds in the file it is to write.
        found.write_text(ALL.read_text() + TORCH.read_text())
        blocks = resolved(found, "pyproject.toml", "--extra", "dev", *sys.argv[1:])
        found.write_text("")
        models = resolved(found, "--group", "pyproject.toml:models", "--no-deps")
    write(MODELS, "Packages of `make models`.", models)
    torch = [b for b in blocks if WITH_TORCH.match(b)]
    write(ALL, "All packages but PyTorch.", [b for b in blocks if b not in torch])
    write(TORCH, "PyTorch as on PyPI, for Linux with CUDA's libraries.", torch)
    (version,) = (b.split()[0] for b in torch if b.startswith("torch=="))
    if digest := cpu_digest(f"{version}+cpu"):
        block = f"{version}+cpu \\\n    --hash=sha256:{digest}"
        write(TORCH_CPU, "PyTorch for CPUs alone, where pip is served it.", [block])
    else:
        print(f"pip is served no {version}+cpu; {TORCH_CPU.name} stays as it was.")


def resolved(file: Path, *what: str) -> list[str]:
    """One block for each package: its line, and below it an indented line for each hash."""
    uv = [sys.executable, "-m", "uv", "pip", "compile", *what, *UV, "--output-file", str(file)]
    subprocess.run(uv, cwd=HERE, check=True)
    return re.split(r"\n(?=\S)", file.read_text().strip())


def write(path: Path, what: str, blocks: list[str]) -> None:
    """Write a lock file."""
    path.write_text(HEAD.format(what=what) + "\n".join(blocks) + "\n")


def cpu_digest(requirement: str) -> str | None:
    """The SHA-256 of the wheel that pip would take here; None if there is none."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder]
        if subprocess.run([*pip, requirement], check=False).returncode:
            return None
        (wheel,) = Path(folder).iterdir()
        return hashlib.sha256(wheel.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
