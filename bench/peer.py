"""git, in the best form it has for each question: batches, a commit-graph, packed refs, a warm cache."""

import re
import tempfile
from pathlib import Path

from measure import Failed, clean_environment, run


def git(repository, *args, given=b"", may_fail=False, **env):
    return run(["git", "-C", str(repository), *args], clean_environment(**env), given, may_fail)


def text(repository, *args, may_fail=False):
    return git(repository, *args, may_fail=may_fail).output.decode(errors="surrogateescape").strip()


def version():
    found = re.search(rb"(\d+)\.(\d+)", run(["git", "version"]).output)
    return int(found[1]), int(found[2])


def drift_command(repository, base, prefixes):
    """All branches against a base in one process. Needs git 2.41."""
    form = f"--format=%(refname) %(ahead-behind:{base})"
    return ["git", "-C", str(repository), "for-each-ref", form, *prefixes]


def drift_loop(repository, base, refs):
    """What scripts do instead: a process a branch. Gives its seconds."""
    asked = [["rev-list", "--left-right", "--count", f"{base}...{ref}"] for ref in refs]
    return sum(git(repository, *args, may_fail=True).seconds for args in asked)


class Merges:
    """Predicted merges of pairs (base, tip) by `git merge-tree --stdin`.

    That ends at the first pair it cannot merge (no common commit, a missing object), so it is started again
    behind it; the answer there is None. Objects go to a directory of their own and nothing is written into the
    repository.
    """

    def __init__(self, repository, pairs):
        self.repository = repository
        self.objects = text(repository, "rev-parse", "--absolute-git-dir") + "/objects"
        self.answers, self.seconds = {}, 0.0
        for base in sorted({base for base, _ in pairs}):
            tips = [tip for of, tip in pairs if of == base]
            while tips:
                tips = tips[self._batch(base, tips) :]

    def _batch(self, base, tips):
        """Merges until git ends. Gives the number of tips that are dealt with."""
        with tempfile.TemporaryDirectory() as quarantine:
            env = {"GIT_OBJECT_DIRECTORY": quarantine, "GIT_ALTERNATE_OBJECT_DIRECTORIES": self.objects}
            # In a bare repository git reads attributes only from a commit that is named.
            env["GIT_ATTR_SOURCE"] = base
            args = ["merge-tree", "--write-tree", "-z", "--stdin", "--name-only", "--no-messages"]
            given = "".join(f"{base} {tip}\n" for tip in tips).encode()
            ran = git(self.repository, *args, given=given, may_fail=True, **env)
        self.seconds += ran.seconds
        records = list(merge_records(ran.output))
        self.answers.update(((base, tip), record) for tip, record in zip(tips, records))
        if len(records) == len(tips):
            return len(tips)
        if not ran.said:
            raise Failed(f"git merge-tree ended after {len(records)} of {len(tips)} pairs without a word")
        self.answers[base, tips[len(records)]] = None
        return len(records) + 1


def merge_records(output):
    """(is clean, paths in conflict) of each record: `status NUL tree NUL path NUL … NUL`. In a batch 1 is clean."""
    fields = output.split(b"\0")
    at = 0
    while at + 2 < len(fields):
        end = at + 2
        while end < len(fields) and fields[end]:
            end += 1
        if end == len(fields):
            return
        yield fields[at] == b"1", tuple(sorted(set(fields[at + 2 : end])))
        at = end + 1


def is_landed_by_cherry(repository, base, tip):
    """Whether each commit of a branch has its patch in the base (None when git fails), and the seconds to find out."""
    ran = git(repository, "cherry", base, tip, may_fail=True)
    if ran.code != 0:
        return None, ran.seconds
    lines = ran.output.splitlines()
    return bool(lines) and all(line.startswith(b"-") for line in lines), ran.seconds


def view(source, path):
    """A bare repository at `path` that borrows all objects of `source`, with packed refs and a commit-graph.

    The source is only read.
    """
    common = Path(text(source, "rev-parse", "--path-format=absolute", "--git-common-dir"))
    form = text(source, "rev-parse", "--show-object-format")
    run(["git", "init", "--quiet", "--bare", "--template=", f"--object-format={form}", path])
    (path / "objects/info").mkdir(parents=True, exist_ok=True)
    (path / "objects/info/alternates").write_text(f"{common / 'objects'}\n")
    listed = git(source, "for-each-ref", "--format=%(objectname) %(refname)").output.splitlines(keepends=True)
    listed.sort(key=lambda line: line.split(b" ", 1)[1])
    (path / "packed-refs").write_bytes(b"# pack-refs with: sorted \n" + b"".join(listed))
    head = text(source, "symbolic-ref", "-q", "HEAD", may_fail=True)
    if head:
        git(path, "symbolic-ref", "HEAD", head)
    if (common / "shallow").exists():
        (path / "shallow").write_bytes((common / "shallow").read_bytes())
    git(path, "commit-graph", "write", "--reachable", "--no-progress", may_fail=True)
