"""Tests of the harness itself: it must not give a ratio for answers that differ.

    python3 -B -m unittest discover -s bench
"""

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import types
import unittest
from importlib.machinery import SourceFileLoader
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import peer
import works
from floors import floor
from measure import Failed, Taken, alternate, clean_environment, processes_started, run


def program(name):
    """A program of this folder as a module."""
    module, file = types.ModuleType(name), str(Path(__file__).resolve().parent / name)
    module.__file__ = file
    SourceFileLoader(name, file).exec_module(module)
    return module


instructions, night = program("instructions"), program("night")


def branch(ref, verdict, paths=None, state="conflicting", base="b", oid=None):
    merge = {"verdict": verdict, "conflict_paths": paths}
    return {"ref": ref, "oid": oid or ref, "base_oid": base, "state": state, "ahead": 1, "behind": 1, "merge": merge}


class Comparing(unittest.TestCase):
    def test_equal_answers_are_counted(self):
        document = {"branches": [branch("x", "clean"), branch("y", "conflict", ["a\\xff"]), branch("z", "unknown")]}
        answers = {("b", "x"): (True, ()), ("b", "y"): (False, (b"a\xff",))}
        told = works.compare_merges(document, answers)
        self.assertEqual(told, "2 verdicts equal git's, lists of paths, too; 1 undecided")

    def test_answers_that_differ_are_refused(self):
        for ours, gits in [
            (branch("x", "clean"), (False, (b"a",))),
            (branch("x", "conflict", ["a"]), (True, ())),
            (branch("x", "conflict", ["a"]), (False, (b"a", b"b"))),
            (branch("x", "conflict", ["a"]), None),
        ]:
            with self.assertRaises(Failed):
                works.compare_merges({"branches": [ours]}, {("b", "x"): gits})

    def test_texts_that_differ_are_shown(self):
        self.assertEqual(works.different_lines(b"a 1\nb 2\n", b"a 1\nb 2\n"), [])
        self.assertEqual(works.different_lines(b"a 1\nb 2\n", b"a 1\nb 3\n"), ["git:  b 2\nours: b 3"])
        self.assertEqual(len(works.different_lines(b"a 1\n", b"")), 1)

    def test_what_is_remembered_must_be_what_was_found(self):
        first, second = {"branches": [branch("x", "clean")]}, {"branches": [branch("x", "conflict")]}
        works.same_answers(first, first)
        with self.assertRaises(Failed):
            works.same_answers(first, second)

    def test_floors_are_those_of_the_size(self):
        self.assertEqual(floor("drift", 900, 95_000), 20)
        self.assertEqual(floor("drift", 50_001, 950_000), 800)
        self.assertIsNone(floor("nothing", 1, 1))


class CountingInstructions(unittest.TestCase):
    def problems(self, ours, git, is_comparable):
        before = {"work": {"ours": 100, "git": 1_000}}
        with contextlib.redirect_stdout(io.StringIO()):
            return list(instructions.problems(before, {"work": {"ours": ours, "git": git}}, is_comparable, 0.15))

    def test_more_than_an_accident_is_told(self):
        self.assertEqual(self.problems(114, 1_000, True), [])
        self.assertEqual(self.problems(116, 1_000, True), ["work: +16.0% instructions"])

    def test_beside_another_compiler_only_the_ratio_to_git_counts(self):
        self.assertEqual(self.problems(150, 1_000, False), [])
        self.assertEqual(self.problems(200, 1_000, False), ["work: 5.0x less than git, was 10.0x"])

    def test_a_work_without_a_baseline_is_told(self):
        with contextlib.redirect_stdout(io.StringIO()):
            told = list(instructions.problems({}, {"new": {"ours": 1, "git": 2}}, True, 0.15))
        self.assertEqual(told, ["new: has no baseline (bench/instructions --update)"])


class Measuring(unittest.TestCase):
    def test_a_failing_program_is_an_error(self):
        with self.assertRaises(Failed):
            run(["git", "no-such-command"])

    def test_both_sides_run_in_turn(self):
        order = []
        peer_taken, our_taken = alternate(lambda: order.append("git") or 9.0, lambda: order.append("us") or 1.0, 10)
        self.assertEqual(order, ["us", "git", "us", "us"] * 2)
        self.assertEqual((peer_taken.seconds, our_taken.runs), (9.0, 6))
        self.assertEqual(Taken([3, 1, 2]).seconds, 2)

    def test_processes_are_counted(self):
        started = processes_started(["sh", "-c", "git version; git version; true"])
        if started is None:
            self.skipTest("strace is missing or not allowed")
        self.assertEqual(started, 2)


DATE = "1700000000 +0000"


class AskingGit(unittest.TestCase):
    """git on a small repository with a conflict, a clean merge, and a history of its own."""

    def setUp(self):
        room = tempfile.TemporaryDirectory()
        self.addCleanup(room.cleanup)
        self.room = Path(room.name)
        self.repository = self.room / "repo.git"
        who = {f"GIT_{role}_{what}": "a@b" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        self.environment = clean_environment(**who, GIT_AUTHOR_DATE=DATE, GIT_COMMITTER_DATE=DATE)
        run(["git", "init", "-q", "--bare", "-b", "main", self.repository])
        self.root = self.commit("one")
        self.main = self.commit("two", self.root)
        self.clean = self.commit("one", self.root, other="x")
        self.conflicting = self.commit("three", self.root)
        self.alien = self.commit("four")
        for name in ("main", "clean", "conflicting", "alien"):
            peer.git(self.repository, "update-ref", f"refs/heads/{name}", getattr(self, name))

    def git(self, *args, given=b""):
        return run(["git", "-C", self.repository, *args], self.environment, given).output.decode().strip()

    def commit(self, content, *parents, other=None):
        blobs = {"f": content} | ({"g": other} if other else {})
        entries = [f"100644 blob {self.git('hash-object', '-w', '--stdin', given=text.encode())}\t{path}\n" for path, text in blobs.items()]
        tree = self.git("mktree", given="".join(entries).encode())
        return self.git("commit-tree", "-m", content, *(word for parent in parents for word in ("-p", parent)), tree)

    def test_a_batch_goes_on_behind_what_cannot_be_merged(self):
        before = sorted(os.listdir(self.repository / "objects"))
        merges = peer.Merges(self.repository, [(self.main, tip) for tip in (self.clean, self.alien, self.conflicting)])
        self.assertEqual(merges.answers[self.main, self.clean], (True, ()))
        self.assertIsNone(merges.answers[self.main, self.alien])
        self.assertEqual(merges.answers[self.main, self.conflicting], (False, (b"f",)))
        self.assertEqual(sorted(os.listdir(self.repository / "objects")), before)

    def test_a_view_has_the_same_refs_and_leaves_the_repository_alone(self):
        before = sorted(path.name for path in self.repository.rglob("*"))
        view = self.room / "view.git"
        peer.view(self.repository, view)
        self.assertEqual(peer.text(view, "for-each-ref"), peer.text(self.repository, "for-each-ref"))
        self.assertTrue((view / "objects/info/commit-graph").exists())
        self.assertEqual(sorted(path.name for path in self.repository.rglob("*")), before)

    def test_a_night_is_refused_when_an_object_is_gone(self):
        copy = night.copied(self.repository, self.room)
        night.messed_up(copy)
        counted = peer.text(copy, "count-objects", "-v").splitlines()
        self.assertIn("count: 15", counted)
        self.assertIn("garbage: 1", counted)
        refs, objects = night.refs_of(copy), night.objects_of(copy)
        self.assertEqual((len(refs), len(objects)), (4, 15))
        night.proved(copy, refs, objects)
        with self.assertRaises(Failed):
            night.proved(copy, refs, objects | {b"0" * 40})
        peer.git(copy, "update-ref", "refs/heads/clean", self.root)
        with self.assertRaises(Failed):
            night.proved(copy, refs, objects)

    def test_cherry_says_what_landed(self):
        self.assertEqual(peer.is_landed_by_cherry(self.repository, self.main, self.clean)[0], False)
        self.assertEqual(peer.is_landed_by_cherry(self.repository, self.main, self.main)[0], False)

    def test_the_command_refuses_what_it_does_not_know(self):
        command = [sys.executable, "-B", Path(__file__).resolve().parent / "run", "no-such-work"]
        done = subprocess.run(command, capture_output=True, check=False)
        self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    unittest.main()
