"""The floors: how many times faster than git we must be, at least. The one place for them.

A floor holds for repositories with at least so many branches and commits; of several the last that fits counts.
Floors are ratios to git in the same run on the same repository, never times, so they hold on any machine. They are
set below what was measured (last column), and far above what a mistake in an algorithm would leave.
"""

from dataclasses import dataclass


@dataclass
class Floor:
    work: str
    branches: int
    commits: int
    ratio: float
    seen: str


FLOORS = [
    # Ahead, behind and merge bases of all branches, a cold process, against `git for-each-ref %(ahead-behind)`.
    Floor("drift", 500, 10_000, 10, "22 on 649 generated branches, 18,000 commits"),
    Floor("drift", 800, 90_000, 20, "21 on 881 branches, 97,000 commits"),
    Floor("drift", 10_000, 90_000, 100, "163 on 10,000 branches, 88,000 commits"),
    Floor("drift", 15_000, 90_000, 200, "286 on 18,455 branches, 97,000 commits"),
    Floor("drift", 50_000, 900_000, 800, "1,013 on 50,000 branches, 1,049,000 commits"),
    # git's peak memory by ours.
    Floor("drift, memory", 50_000, 300_000, 3, "5 on 50,000 branches, 936,000 commits"),
    # Verdicts with nothing remembered, against `git merge-tree --stdin` for the same pairs: the merges of a look alone, and all of
    # `branches --paths-within 0`, which also looks for what has landed. The generated repository has no floor yet: 0.9 was seen
    # there on a busy machine.
    Floor("in process, verdicts", 800, 40_000, 60, "70 on 881 branches"),
    Floor("merges, verdicts", 800, 40_000, 25, "35 on 881 branches on a quiet machine, 66 on a busy one"),
    # All of `branches` after a push to the base.
    Floor("merges, base moved", 800, 40_000, 100, "256 on 881 branches"),
    # A look when nothing moved, and one after a push, in a process that goes on.
    Floor("in process, again", 800, 40_000, 2_000, "11,300 on 881 branches"),
    Floor("in process, moved", 800, 40_000, 800, "938 on 881 branches"),
    # The same again with everything remembered.
    Floor("merges, again", 500, 0, 100, "187 on 649 generated branches"),
    # All of `branches` against `git cherry` for each branch that has commits of its own.
    Floor("landed, cold", 800, 40_000, 30, "46 on 739 branches"),
    Floor("landed, again", 500, 0, 200, "424 on 649 generated branches"),
    Floor("landed, again", 800, 40_000, 400, "450 on 734 branches"),
    # A year of numbers against rows in the same SQLite. "in" has no floor yet: 2.3 was seen on a busy machine.
    Floor("store, out", 20, 0, 4, "8 on a busy machine, 10.5 million numbers"),
    Floor("store, out, old", 20, 0, 30, "139 on a busy machine"),
    Floor("store, bytes", 20, 0, 7, "28"),
]

# Processes that one look at a repository may start, however many branches it has.
MOST_PROCESSES = 8


def floor(work, branches, commits):
    """The ratio that must be reached, or None."""
    fitting = [f for f in FLOORS if f.work == work and f.branches <= branches and f.commits <= commits]
    return fitting[-1].ratio if fitting else None
