"""Runs a program and says what it took: time, peak memory, processes started."""

import os
import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field


class Failed(Exception):
    """A program did not do what it should, or its answer is not git's."""


@dataclass
class Ran:
    """One run."""

    seconds: float
    output: bytes
    code: int
    said: str = ""
    peak_bytes: int | None = None


@dataclass
class Taken:
    """Several runs of the same program: the median counts."""

    all_seconds: list = field(default_factory=list)

    @property
    def seconds(self):
        return statistics.median(self.all_seconds)

    @property
    def runs(self):
        return len(self.all_seconds)


def clean_environment(**more):
    """What both sides run in: no configuration but the repository's own, English, UTC."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
    fixed = {
        "HOME": "/nonexistent",
        "XDG_CONFIG_HOME": "/nonexistent",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "LC_ALL": "C",
        "TZ": "UTC",
    }
    return {**kept, **fixed, **{name: str(value) for name, value in more.items()}}


def run(command, env=None, given=b"", may_fail=False):
    """Runs a command once. Input and output are files, so that no reader slows it down."""
    command = [str(word) for word in command]
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        source.write(given)
        source.seek(0)
        program = shutil.which(command[0]) or command[0]
        actions = [(os.POSIX_SPAWN_DUP2, stream.fileno(), fd) for fd, stream in enumerate((source, out, err))]
        began = time.perf_counter()
        child = os.posix_spawn(program, command, env or clean_environment(), file_actions=actions)
        _, status = os.waitpid(child, 0)
        seconds = time.perf_counter() - began
        out.seek(0)
        err.seek(0)
        ran = Ran(seconds, out.read(), os.waitstatus_to_exitcode(status), err.read().decode(errors="replace"))
    if ran.code != 0 and not may_fail:
        raise Failed(f"{' '.join(command[:6])} …: exit {ran.code}\n{ran.said[-2000:]}")
    return ran


def run_for_peak(command, env=None):
    """Runs a command once and tells the peak of its resident memory, too; None where time(1) is missing.

    Not from a wait4 of our own: a child begins with the peak of the Python that starts it.
    """
    if not os.access("/usr/bin/time", os.X_OK):
        return run(command, env)
    with tempfile.NamedTemporaryFile() as report:
        ran = run(["/usr/bin/time", "-f", "%M", "-o", report.name, *command], env)
        ran.peak_bytes = int(report.read().split()[-1]) * 1024
    return ran


def processes_started(command, env=None):
    """Processes that a command starts besides itself; None where strace is missing or not allowed."""
    if not shutil.which("strace"):
        return None
    with tempfile.NamedTemporaryFile() as trace:
        traced = ["strace", "-f", "-qq", "-e", "trace=execve", "-o", trace.name, *command]
        subprocess.run([str(word) for word in traced], env=env or clean_environment(), capture_output=True)
        begun = [line for line in trace.read().splitlines() if b"execve(" in line and line.endswith(b" = 0")]
    return len(begun) - 1 if begun else None


def taken(once, budget_seconds, least=3, most=9):
    """As many runs as fit into the budget, at least three and at most nine. `once` gives seconds."""
    times = Taken([once()])
    while times.runs < least or (times.runs < most and sum(times.all_seconds) < budget_seconds):
        times.all_seconds.append(once())
    return times


def alternate(peer, ours, budget_seconds):
    """Runs both sides in turn, so that the machine is the same for both.

    The peer runs as often as fits into the budget, at least once; ours three times for each of those, at most 15 times.
    """
    peer_taken, our_taken = Taken(), Taken()
    while peer_taken.runs < 5 and (not peer_taken.runs or sum(peer_taken.all_seconds) < budget_seconds):
        our_taken.all_seconds.append(ours())
        peer_taken.all_seconds.append(peer())
        our_taken.all_seconds.extend(ours() for _ in range(2))
    return peer_taken, our_taken
