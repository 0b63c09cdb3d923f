#!/usr/bin/env python3
"""How long 10,000 rules over 50,000 series take: here, and in a real Prometheus beside it on the same machine.

    bench/rules.py [--prometheus PATH] [--rounds 3]

Both have rules of the same shape: each compares the one series that it names with a number, and one series in a hundred is bad. Here it is
one pass of `Book::take_in` (crates/model/examples/rules.rs, built with optimization), with all that follows: pending, firing,
labels, fingerprints. In Prometheus it is the duration of one evaluation of all groups as it tells itself
(`prometheus_rule_group_last_duration_seconds`, ten groups of a thousand rules, summed: they run one beside the other, so that the
slowest is told, too). Reading the series in (scrape) counts in neither. Without a Prometheus only ours is measured. The last line says how
many times as long as ours theirs takes: by the median of the rounds, and by the best of theirs over the worst of ours.
"""

import argparse
import http.server
import json
import pathlib
import shutil
import socket
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request

RULES, SERIES, GROUPS = 10_000, 50_000, 10
ROOT = pathlib.Path(__file__).resolve().parent.parent


def ours():
    command = ["cargo", "run", "--release", "-q", "-p", "alignwatch-model", "--example", "rules"]
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in told.splitlines()]


def page():
    lines = [f'bench_metric_{number % 5}{{branch="b{number // 5}"}} {1000 if number % 100 == 0 else 1}' for number in range(SERIES)]
    return ("\n".join(sorted(lines)) + "\n").encode()


def rules():
    text = "groups:\n"
    for group in range(GROUPS):
        text += f"- name: g{group}\n  rules:\n"
        for number in range(group, RULES, GROUPS):
            text += f"  - {{alert: rule-{number}, expr: 'bench_metric_{number % 5}{{branch=\"b{number}\"}} > 100'}}\n"
    return text


class Page(http.server.BaseHTTPRequestHandler):
    body = b""

    def do_GET(self):
        self.send_response(200)
        self.send_header("content-type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_):
        pass


def free_port():
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        return it.getsockname()[1]


def asked(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        return answer.read().decode()


def durations(port):
    """The last duration of each group."""
    name = "prometheus_rule_group_last_duration_seconds{"
    lines = [line for line in asked(port, "/metrics").splitlines() if line.startswith(name)]
    return [float(line.rsplit(" ", 1)[1]) for line in lines]


def theirs(program, rounds):
    Page.body = page()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "rules.yml").write_text(rules())
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 5s, scrape_timeout: 5s, evaluation_interval: 15s}\n"
            f"rule_files: [{folder}/rules.yml]\n"
            f"scrape_configs: [{{job_name: bench, static_configs: [{{targets: ['127.0.0.1:{server.server_address[1]}']}}]}}]\n"
        )
        command = [program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
                   f"--web.listen-address=127.0.0.1:{port}"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
            try:
                found, until = [], time.monotonic() + 60 + 16 * rounds
                while len(found) < rounds and time.monotonic() < until:
                    time.sleep(5)
                    try:
                        last = durations(port)
                        count = json.loads(asked(port, "/api/v1/query?query=count(ALERTS)"))["data"]["result"]
                    except OSError:
                        continue
                    # The first rounds have no series yet.
                    if len(last) == GROUPS and count and last not in [one["all"] for one in found]:
                        found.append({"seconds": sum(last), "slowest_group": max(last), "firing": int(count[0]["value"][1]), "all": last})
                return found
            finally:
                child.terminate()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prometheus", default=shutil.which("prometheus"))
    parser.add_argument("--rounds", type=int, default=3)
    asked_for = parser.parse_args()
    mine = ours()
    for one in mine:
        print("alignwatch", json.dumps(one))
    if not asked_for.prometheus:
        return
    other = theirs(asked_for.prometheus, asked_for.rounds)
    for one in other:
        print("prometheus", json.dumps({"rules": RULES, "series": SERIES, **{k: v for k, v in one.items() if k != "all"}}))
    if other:
        ours_seconds, their_seconds = [one["seconds"] for one in mine], [one["seconds"] for one in other]
        print("ratio", json.dumps({
            "prometheus_to_alignwatch_median": round(statistics.median(their_seconds) / statistics.median(ours_seconds), 2),
            "best_prometheus_to_worst_alignwatch": round(min(their_seconds) / max(ours_seconds), 2),
        }))


if __name__ == "__main__":
    main()
