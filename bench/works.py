"""What is measured. Each work asks git and us the same, finds the answers equal, and then takes the times.

A work gives rows and facts as it goes. An answer that is not git's is an error, and gives no ratio.
"""

import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import peer
from floors import MOST_PROCESSES
from measure import Failed, Taken, alternate, clean_environment, processes_started, run, run_for_peak, taken
from places import Place, program


@dataclass
class Row:
    """Times of both sides."""

    work: str
    place: Place
    peer: Taken
    ours: Taken
    note: str = ""

    @property
    def ratio(self):
        return self.peer.seconds / self.ours.seconds


@dataclass
class Fact:
    """Something told beside the times."""

    work: str
    place: Place
    text: str
    ratio: float | None = None
    fails: bool = False


def drift(place, budget):
    """Ahead and behind of all branches, a cold process on each side: byte for byte what git prints."""
    git = peer.drift_command(place.path, place.base, place.prefixes)
    ours = [program("examples/drift"), place.path, place.base, *(f"{prefix.rstrip('/')}/" for prefix in place.prefixes)]
    first, answer = run_for_peak(git), run_for_peak(ours)
    wrong = different_lines(first.output, answer.output)
    if wrong:
        raise Failed(f"drift is not git's for {len(wrong)} refs, so there is no ratio:\n" + "\n".join(wrong[:10]))
    # A git that takes minutes is not asked twice.
    once = [first.seconds] if first.seconds > budget else []
    git_taken, our_taken = alternate(lambda: once.pop() if once else run(git).seconds, lambda: run(ours).seconds, budget)
    yield Row("drift", place, git_taken, our_taken)
    yield memory("drift, memory", place, first.peak_bytes, answer.peak_bytes)
    yield drift_by_loop(place, first.output, our_taken)


def drift_by_loop(place, listed, our_taken):
    refs = [line.split(b" ")[0].decode(errors="surrogateescape") for line in listed.splitlines()]
    sample = refs[:: max(1, len(refs) // 10)][:10]
    seconds = peer.drift_loop(place.path, place.base, sample) / len(sample) * len(refs)
    times = seconds / our_taken.seconds
    return Fact("drift", place, f"a loop of git rev-list: {seconds:.1f} s ({len(sample)} branches measured), {times:,.0f}x ours")


def different_lines(theirs, ours):
    """Where two answers differ, as texts."""
    if theirs == ours:
        return []
    theirs, ours = (answer.decode(errors="backslashreplace").splitlines() for answer in (theirs, ours))
    pairs = [f"git:  {a}\nours: {b}" for a, b in zip(theirs, ours) if a != b]
    return pairs or [f"git has {len(theirs)} lines and we have {len(ours)}"]


def merges(place, budget):
    """`branches`: every verdict and list of paths is git's; then cold, again, and after the base moved."""
    with tempfile.TemporaryDirectory() as room:
        data = Path(room) / "data"
        command = branches_command(place, data)
        document = json.loads(run(command).output)
        git = peer.Merges(place.path, asked_merges(document))
        yield Fact("merges", place, compare_merges(document, git.answers))
        git_taken = Taken([git.seconds])
        note = f"{len(git.answers)} pairs"
        at_once = [*command[:-1], "--paths-within", "0", command[-1]]
        verdicts = json.loads(forgetting(at_once, data).output)
        yield Fact("merges", place, same_verdicts(document, verdicts))
        yield Row("merges, verdicts", place, git_taken, taken(lambda: forgetting(at_once, data).seconds, budget), note)
        cold = taken(lambda: predicted_in_process(place, data), budget)
        yield Row("in process, verdicts", place, git_taken, cold, "without the search for what has landed")
        yield Row("merges, cold", place, git_taken, taken(lambda: forgetting(command, data).seconds, budget), note)
        same_answers(document, json.loads(run(command).output))
        yield Row("merges, again", place, git_taken, taken(lambda: run(command).seconds, budget), note)
        yield memory("merges, again, memory", place, None, run_for_peak(command).peak_bytes)
        yield processes("merges, again", place, command)
        yield from moved(place, at_once, data, document, git_taken)
        shutil.rmtree(data, ignore_errors=True)
        yield memory("merges, cold, memory", place, None, run_for_peak(command).peak_bytes)
        shutil.rmtree(data, ignore_errors=True)
        yield processes("merges, cold", place, command)


def moved(place, command, data, document, git_taken):
    """One step more on the base: all verdicts are remembered but those that it touches."""
    tip = peer.text(place.path, "rev-parse", place.base)
    before = peer.text(place.path, "rev-parse", "--verify", "-q", f"{tip}^", may_fail=True)
    if not before:
        return
    times = Taken()
    try:
        for _ in range(3):
            peer.git(place.path, "update-ref", place.base, before)
            forgetting(command, data)
            peer.git(place.path, "update-ref", place.base, tip)
            after = run(command)
            same_answers(document, json.loads(after.output))
            times.all_seconds.append(after.seconds)
    finally:
        peer.git(place.path, "update-ref", place.base, tip)
        peer.git(place.path, "pack-refs", "--all")
    yield Row("merges, base moved", place, git_taken, times)
    yield Row("in process, again", place, git_taken, again_in_process(place, data))
    yield Row("in process, moved", place, git_taken, moved_in_process(place, data))


def predicted_in_process(place, data):
    """Seconds that the merges took in a look that has nothing remembered, with what a look does after them."""
    shutil.rmtree(data, ignore_errors=True)
    ran = run([program("examples/again"), place.path, data, place.base], given=b"")
    began = [line.split()[0] for line in ran.said.splitlines() if line.endswith("predicting merges")]
    return float(ran.output.split()[0]) - float(began[-1])


def again_in_process(place, data):
    """A look when nothing moved, in a process that goes on, as the daemon does."""
    asked = [program("examples/again"), place.path, data, place.base]
    answers = run(asked, given=b"\n" * 10).output.splitlines()
    # The first look of a process fills its caches.
    return Taken([float(answer.split()[0]) for answer in answers[1:]])


def moved_in_process(place, data):
    """Step after step on the base in a process that goes on; what it finds in the end is what one finds that begins anew."""
    *line, tip = peer.text(place.path, "rev-list", "--first-parent", "--reverse", "-n", "12", place.base).split()
    times, asked = Taken(), [str(program("examples/again")), str(place.path), str(data), place.base]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "env": clean_environment()}
    shutil.rmtree(data, ignore_errors=True)
    try:
        peer.git(place.path, "update-ref", place.base, line[0])
        with subprocess.Popen(asked, **pipes) as process:
            process.stdout.readline()
            for commit in [*line[1:], tip]:
                peer.git(place.path, "update-ref", place.base, commit)
                process.stdin.write(b"\n")
                process.stdin.flush()
                seconds, *found = process.stdout.readline().split()
                times.all_seconds.append(float(seconds))
            process.stdin.close()
        shutil.rmtree(data)
        if run(asked, given=b"").output.split()[1:] != found:
            raise Failed("what was remembered from step to step is not what is found anew")
    finally:
        peer.git(place.path, "update-ref", place.base, tip)
        peer.git(place.path, "pack-refs", "--all")
    return times


def landed(place, budget):
    """`branches` against `git cherry` for each branch with commits of its own: what git finds landed, so do we."""
    with tempfile.TemporaryDirectory() as room:
        data = Path(room) / "data"
        *command, path = branches_command(place, data)
        # Paths of conflicts have no part in it.
        command += ["--paths-within", "0", path]
        document = json.loads(run(command).output)
        own = [branch for branch in document["branches"] if branch["ahead"] and branch["behind"] and branch["merge_bases"]]
        sample = own[:: max(1, len(own) // 30)][:30]
        if not sample:
            return
        git_seconds = cherry_seconds(place, sample) / len(sample) * len(own)
        note = f"git cherry measured on {len(sample)} of {len(own)}"
        cold = taken(lambda: forgetting(command, data).seconds, budget)
        yield Row("landed, cold", place, Taken([git_seconds]), cold, note)
        yield Row("landed, again", place, Taken([git_seconds]), taken(lambda: run(command).seconds, budget), note)


def cherry_seconds(place, branches):
    """What `git cherry` takes for these. Fails when it finds one landed that we do not."""
    seconds, wrong = 0.0, []
    for branch in branches:
        is_landed, took = peer.is_landed_by_cherry(place.path, branch["base_oid"], branch["oid"])
        seconds += took
        if is_landed and branch["state"] not in ("squash_merged", "reverted", "continued", "merged"):
            wrong.append(f"{branch['ref']}: git cherry finds all of it landed, we say {branch['state']}")
    if wrong:
        raise Failed(f"{len(wrong)} landed branches are not found, so there is no ratio:\n" + "\n".join(wrong[:10]))
    return seconds


def check(place, budget):
    """All of `check`, with everything it looks at, against what git needs for drift and merges alone."""
    with tempfile.TemporaryDirectory() as room:
        data = Path(room) / "data"
        command = [program("alignwatch"), "--data-dir", data, "check", "--json", "--fail-on", "never", place.path]
        document = json.loads(run(branches_command(place, data)).output)
        git = peer.Merges(place.path, asked_merges(document))
        compare_merges(document, git.answers)
        drift_seconds = run(peer.drift_command(place.path, place.base, place.prefixes)).seconds
        git_taken = Taken([git.seconds + drift_seconds])
        yield Row("check, cold", place, git_taken, taken(lambda: forgetting(command, data).seconds, budget))
        yield Row("check, again", place, git_taken, taken(lambda: run(command).seconds, budget))
        yield memory("check, again, memory", place, None, run_for_peak(command).peak_bytes)
        yield processes("check, again", place, command)


def store(_place, _budget):
    """A year of numbers into the store and out of it, against plain rows in the same SQLite at the same durability."""
    with tempfile.TemporaryDirectory() as room:
        said = json.loads(run([program("examples/numbers"), Path(room) / "numbers"]).output)
    numbers = Place("20 series × 1 year", Path(), "", [], 20, 0)
    rate = said["n_numbers"] / said["our_insert_seconds"] / 1e6
    rows = [
        ("store, in", "insert", f"SQLite rows; {rate:.1f} M numbers a second, {said['our_bytes_each']:.2f} bytes each"),
        ("store, out", "question", "SQLite rows; one series as 487 points, all as it was measured"),
    ]
    for work, what, note in rows:
        peer_taken, ours = Taken([said[f"peer_{what}_seconds"]]), Taken([said[f"our_{what}_seconds"]])
        yield Row(work, numbers, peer_taken, ours, note)
    rolled_up = Taken([said["our_question_rolled_up_seconds"]])
    yield Row("store, out, old", numbers, Taken([said["peer_question_seconds"]]), rolled_up, "the same, rolled up by age")
    each = said["peer_bytes_each"], said["our_bytes_each"]
    yield Fact("store, bytes", numbers, f"bytes a number: rows {each[0]:.2f}, ours {each[1]:.2f}", each[0] / each[1])


def year(_place, _budget):
    """A year of one repository in simulated time: how large the store gets, and how long anybody waits."""
    with tempfile.TemporaryDirectory() as room:
        said = json.loads(run([program("examples/year"), Path(room) / "year"]).output)
    yield Fact("year", Place("200 series × 1 year", Path(), "", [], 200, 0), told_year(said))


def told_year(year):
    mib, commit, step = year["file_bytes"] / (1 << 20), year["commit_seconds"], year["step_seconds"]
    return (
        f"a repository with 1,000 branches, {year['days']} days, a sweep each 5 minutes: {mib:.1f} MiB; "
        f"a commit takes {commit['median'] * 1e3:.1f} ms (p99 {commit['p99'] * 1e3:.1f}), "
        f"the longest step of tending {step['most'] * 1e3:.0f} ms"
    )


def branches_command(place, data):
    asked = ["branches", "--json", "--limit", "0", "--base", place.base]
    return [program("alignwatch"), "--data-dir", data, *asked, place.path]


def forgetting(command, data):
    """Runs with nothing remembered."""
    shutil.rmtree(data, ignore_errors=True)
    return run(command)


def asked_merges(document):
    """The pairs that we gave a verdict for, each once."""
    decided = (branch for branch in document["branches"] if branch["merge"]["verdict"] in ("clean", "conflict"))
    return sorted({(branch["base_oid"], branch["oid"]) for branch in decided})


def compare_merges(document, answers):
    """Holds our verdicts and paths against git's. Gives what was compared, and what is left open, as a sentence."""
    wrong, n_compared, n_without_list = [], 0, 0
    for branch in document["branches"]:
        pair = branch["base_oid"], branch["oid"]
        if pair not in answers:
            continue
        n_compared += 1
        n_without_list += branch["merge"]["verdict"] == "conflict" and branch["merge"]["conflict_paths"] is None
        wrong.extend(f"{branch['ref']}: {problem}" for problem in merge_problems(branch["merge"], answers[pair]))
    if wrong:
        raise Failed(f"{len(wrong)} merges are not git's, so there is no ratio:\n" + "\n".join(wrong[:10]))
    n_undecided = sum(branch["merge"]["verdict"] == "unknown" and is_open(branch) for branch in document["branches"])
    lists = f", {n_without_list} of them without a final list of paths" if n_without_list else ", lists of paths, too"
    return f"{n_compared} verdicts equal git's{lists}; {n_undecided} undecided"


def merge_problems(merge, answer):
    if answer is None:
        yield f"git cannot merge it, we say {merge['verdict']}"
        return
    is_clean, paths = answer
    if is_clean != (merge["verdict"] == "clean"):
        yield f"git says {'clean' if is_clean else 'conflict'}, we say {merge['verdict']}"
    elif merge["conflict_paths"] is not None:
        # Bytes that are no text are written as \xNN in the documents.
        theirs = {path.decode(errors="backslashreplace") for path in paths}
        different = sorted(theirs ^ set(merge["conflict_paths"]))
        if different:
            yield f"lists of paths differ in {different[:5]}"


def is_open(branch):
    return branch["state"] in ("diverged", "conflicting", "unknown")


def same_verdicts(document, verdicts):
    """Verdicts that came before the lists of paths must be those that came with them. Gives what is compared.

    Where an object is missing that only the list needs, the verdict alone is known.
    """
    known = [branch for branch in document["branches"] if branch["merge"]["verdict"] != "unknown"]
    names = {branch["ref"] for branch in known}
    same_answers({"branches": known}, {"branches": [branch for branch in verdicts["branches"] if branch["ref"] in names]})
    merges = [branch["merge"] for branch in verdicts["branches"]]
    n_lists = sum(merge["verdict"] == "conflict" and merge["conflict_paths"] is None for merge in merges)
    return f"without waiting for Git the verdicts are the same, and {n_lists} lists of paths are left for later"


def same_answers(first, second):
    """What was remembered must be what was found."""
    first, second = told(first), told(second)
    refs = sorted(first.keys() | second.keys())
    wrong = [f"{ref}: {first.get(ref)} became {second.get(ref)}" for ref in refs if first.get(ref) != second.get(ref)]
    if wrong:
        raise Failed("answers changed though nothing did:\n" + "\n".join(wrong[:10]))


def told(document):
    return {
        branch["ref"]: (branch["state"], branch["ahead"], branch["behind"], branch["merge"]["verdict"])
        for branch in document["branches"]
    }


def memory(work, place, theirs, ours):
    if ours is None:
        return Fact(work, place, f"{work}: time(1) is missing")
    text = f"{work}: peak {ours / 1e6:.1f} MB" + (f", git {theirs / 1e6:.1f} MB" if theirs else "")
    return Fact(work, place, text, theirs / ours if theirs else None)


def processes(work, place, command):
    started = processes_started(command)
    if started is None:
        return Fact(work, place, f"{work}: strace is missing or not allowed, processes not counted")
    text = f"{work}: {started} processes started for {place.n_refs:,} branches (at most {MOST_PROCESSES})"
    return Fact(work, place, text, fails=started > MOST_PROCESSES)


WORKS = {"drift": drift, "merges": merges, "landed": landed, "check": check, "store": store, "year": year}

# Those that take so long that they are measured only when they are named.
LONG = {"year"}
