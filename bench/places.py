"""Where things are: the workspace, its programs, and the repositories that are measured."""

import hashlib
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import peer
from measure import Failed, run

ROOT = Path(__file__).resolve().parent.parent

# The profile whose programs are run: "release", or "debug" for what the tests have built already.
PROFILE = "release"


def use(profile):
    """Runs the programs of this profile from now on."""
    global PROFILE
    PROFILE = profile


@cache
def target():
    """Where cargo builds."""
    command = ["cargo", "metadata", "--format-version=1", "--no-deps"]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if said.returncode != 0:
        raise Failed(f"cargo metadata: {said.stderr}")
    return Path(json.loads(said.stdout)["target_directory"])


def build():
    """Builds what is measured: optimised, or as the tests are, of which most is there already."""
    if PROFILE == "debug":
        return cargo_build("--workspace", "--bins", "--examples")
    cargo_build("--release", "-p", "alignwatch", "--bins")
    for name in ("git", "store"):
        cargo_build("--release", "-p", f"alignwatch-{name}", "--examples")
    cargo_build("--release", "-p", "alignwatch-testkit", "--bins")


def cargo_build(*what):
    if subprocess.run(["cargo", "build", "--locked", *what], cwd=ROOT, check=False).returncode != 0:
        raise Failed("cannot build what is measured")


def program(name):
    path = target() / PROFILE / name
    if not path.exists():
        raise Failed(f"{path} is not built (leave out --no-build)")
    return str(path)


@dataclass
class Place:
    """A repository to be measured."""

    name: str
    path: Path
    base: str
    prefixes: list
    n_refs: int
    n_commits: int


def generated(preset, *options):
    """A repository made by the generator; kept as long as the generator is the same."""
    generator = program("generate")
    made_by = hashlib.sha256(Path(generator).read_bytes()).hexdigest()[:16]
    name = "".join([preset, *options]).replace("--", "-")
    path = room() / name
    mark = room() / f"{name}.made-by"
    if not mark.exists() or mark.read_text() != made_by:
        shutil.rmtree(path, ignore_errors=True)
        run([generator, preset, path, *options])
        mark.write_text(made_by)
    return place(name, path, "refs/heads/main", ["refs/heads"])


def given(path, base, prefixes):
    """A view of any repository, which itself is only read."""
    path = Path(path).resolve()
    at = room() / "views" / f"{path.parent.name}-{path.name}-{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}"
    shutil.rmtree(at, ignore_errors=True)
    at.parent.mkdir(parents=True, exist_ok=True)
    peer.view(path, at)
    base = base or peer.text(at, "symbolic-ref", "HEAD")
    full = peer.text(at, "rev-parse", "--symbolic-full-name", base, may_fail=True)
    if not full.startswith("refs/"):
        raise Failed(f"cannot find the base {base} in {path} (name it with --base)")
    name = path.parent.name if path.name in ("repo", ".git") else path.name
    return place(name, at, full, prefixes or ["refs/heads"])


def place(name, path, base, prefixes):
    n_refs = len(peer.git(path, "for-each-ref", "--format=%(refname)", *prefixes).output.splitlines())
    counted = peer.text(path, "rev-list", "--count", "--all", may_fail=True)
    return Place(name, path, base, prefixes, n_refs, int(counted or 0))


def room():
    path = target() / "bench"
    path.mkdir(parents=True, exist_ok=True)
    return path
