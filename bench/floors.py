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
    Floor("drift", 50_000, 900_000, 800, "1,100 on 50,000 branches, 936,000 commits"),
    # git's peak memory by ours.
    Floor("drift, memory", 50_000, 300_000, 3, "5 on 50,000 branches, 936,000 commits"),
    # Verdicts of `branches --paths-within 0` with nothing remembered, against `git merge-tree --stdin` for the same
    # pairs. The generated repository has no floor yet: 0.9 was seen there on a busy machine.
    Floor("merges, verdicts", 800, 90_000, 60, "66 on 881 branches, beside a run of all tests"),
    # All verdicts after a push to the base, of which only those that it touched are found anew. 970 is what is wanted for 881 branches.
    Floor("merges, base moved", 800, 90_000, 300, "0.24 s on 881 branches in a process that goes on, on a busy machine"),
    # A look when nothing moved, in a process that goes on.
    Floor("in process, again", 800, 90_000, 2_000, "4,500 on 881 branches, on a busy machine"),
    # The same again with everything remembered.
    Floor("merges, again", 500, 0, 100, "187 on 649 generated branches"),
    # All of `branches` against `git cherry` for each branch that has commits of its own.
    Floor("landed, cold", 800, 90_000, 30, "39 on 734 branches"),
    Floor("landed, again", 500, 0, 200, "424 on 649 generated branches"),
    Floor("landed, again", 800, 90_000, 400, "450 on 734 branches"),
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
