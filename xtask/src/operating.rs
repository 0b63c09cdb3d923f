//! docs/OPERATING.md: how alignwatch is run, and the manual of the checks, from their list.

use alignwatch_model::checks::{self, Check};

const HEAD: &str = "\
<!-- Made by `cargo xtask docs` from xtask/src/operating.rs and the checks in crates/model/src/checks. Do not edit. -->
# Operating

How to run alignwatch, what it leaves behind, and what each finding means.

## Running it

`alignwatch check PATH…` looks at each repository once and ends. It needs no configuration, no network and no daemon. It
reads normal and bare repositories, linked worktrees, shallow and partial clones, sha1 and sha256, refs as files and as
reftable. What it cannot know there is `unknown`, with the reason.

In CI, or from a timer:

```sh
alignwatch check --json . > report.json             # for programs; docs/schema has the schema
alignwatch check --format sarif . > report.sarif    # for code scanning
alignwatch check --fail-on warning .                # exit 3 from a warning on
```

A clone in CI often has one branch and no history. Fetch all branches, and all of their history, before looking.

## Exit codes

| code | means |
|---|---|
| 0 | fine: it was done, and nothing at or above `--fail-on` was found |
| 1 | it could not be done; the answer is not whole |
| 2 | wrong usage or configuration |
| 3 | findings at or above `--fail-on` (default `error`) |
| 4 | not now |
| 70 | a bug in alignwatch |

## What it writes

Looking writes nothing into a repository: no object, no ref, no lock. Only what is asked for does: `doctor --fix`, `task run` and
`task undo`, `hooks install` and `hooks remove`, `backup create` (a lock file), `backup restore --ref`, and the daemon in what
`maintenance.repositories` names.

What it worked out is remembered by object ids in `remembered` below `--data-dir` (default `$XDG_STATE_HOME/alignwatch`, else
`~/.local/state/alignwatch`), so that the next look is fast. That folder may be deleted at any time; only time is lost. Delete
nothing else there: history, alerts, runs, tokens and the way back of tasks are beside it, and so are your backups unless
`backup.folder` is set.

Programs that a repository's settings name (hooks, filters, drivers, pagers, monitors) are never run.

## Recording alignments

```sh
alignwatch run --workflow nightly -- git machete traverse -y   # ends as the command ends
alignwatch -v run --workflow nightly -- git rebase main         # tells the id of the run and its outcome, too
alignwatch verify RUN                                           # did it lose anything? exit 3 when it did
```

Each run is a file in `spool/` below the data directory, an event a line (docs/schema/event-1.schema.json); only you may
read it. Secrets in arguments are replaced before anything is written. A run is judged by what it left behind and by the
refs before its exit code: a rebase that stopped is `conflict` although a script exited 0. When a run cannot be recorded,
one line on standard error says why, and the command ends as ever. The command waits at most 0.2 s for us before it
begins; after its end, measuring and verifying take a few seconds at most, and what was not verified by then is `unknown`.

A script that does not want to be wrapped reports: `alignwatch event start` prints the id of the run and reads the refs,
`event finish` tells which of them moved and verifies as `run` does. The daemon does the same for runs that are reported over
`POST /api/v1/events` in a repository that it watches. A run that lost work is `failed`, whatever was reported of it.

What was done before is taken in once: `alignwatch event import --reflog` makes a run of each merge, rebase and pull that the
logs of this clone's branches tell of, marked as reconstructed; `alignwatch event import FILE` reads events, one a line.

## Asking before an alignment

```sh
alignwatch gate && git machete traverse -y                      # 0 = go, 4 = not now, with the reason and the time
alignwatch gate --branch topic --lease 30m && ./align topic      # and keep others off this branch meanwhile
alignwatch gate --give-back 7                                    # the number that the lease was given
alignwatch hooks install                                         # merges and rebases by hand are recorded, too
```

It looks itself at locks, half-done operations, runs, leases and the disk, and reads what the daemon last saw: it need not
run at that moment. What it cannot know it says, and lets go; with `--strict` it does not. `--ignore CAUSE` leaves a reason
out. A freeze stands in the configuration:

```yaml
windows:
  - {name: release, kind: freeze, open: '2026-12-24T12:00:00Z/2027-01-02T06:00:00Z', reason: code freeze for 4.2}
```

A run that rewrites much is worth a backup before it. What needs one, and how old it may be, stands in the configuration, too:

```yaml
gate:
  backups:
    - {workflows: [nightly], not_older_than: 2h}        # `gate --workflow nightly`, and within `run --workflow nightly`
    - {branches: [\"release/*\"], not_older_than: 1h}
```

What must not be aligned at all, or only in a window, stands there as well; what it is about and is not known, such as the base of a
branch that no daemon has seen, is told and closes nothing:

```yaml
gate:
  forbid:
    - {bases: [\"release/*\"], because: 1.4 is frozen}     # also branches, workflows, repositories
    - {workflows: [robot], merge: conflict}              # or unknown, or clean: what is predicted
    - {workflows: [nightly], unless_open: night}         # one of `windows`
```

A backup counts when the last look at it found it good (`backup create` looks at once). One that is not known of is none: the
gate stays closed and shows the command that opens it.

Rebases and merges by hand, by git-machete, git-branchless or Graphite, incremental merges of git-imerge, and processes of these
tools that are at work are seen without their help: `unfinished-operation` tells of them, the gate keeps their branches closed, and
tasks wait for what began within a day. A stopped `git machete traverse` is a rebase of a branch in its tree, and is told as that.

**Windows** recur by cron pattern, by a rule of calendars, or at the events of a calendar that others keep:

```yaml
calendars:
  - {name: company, at: file:/run/secrets/calendar-address, zone: Europe/Berlin}     # or /path/to/file.ics, or https://…
windows:
  - {name: night, open: \"0 1 * * *\", lasts: 3h, zone: Europe/Berlin}
  - {name: patch-sunday, open: FREQ=MONTHLY;BYDAY=1SU, from: \"2026-01-04T02:00\", lasts: 4h, zone: Europe/Berlin}
  - {name: no-deploys, kind: freeze, open: calendar company}
  - {name: rollout, open: \"0 6 * * 1-5\", lasts: 12h, flexible: 1h}       # open for an hour from the first alert in it on
```

`alignwatch window list` says which are open, which wait for an alert, and which are unknown and why. `alignwatch window extend night 1h --note
release` and `window end night` change the opening that is on, at once and over restarts; `POST /api/v1/windows/NAME` does the same. Who did
it stands in `windows/changes.json` below the data directory for two months, and in the audit log. In the night in which clocks go
forward, a cron pattern whose time does not exist is due right after the gap, and a recurrence rule where RFC 5545 puts it: by the offset
before (02:30 is 03:30). A calendar that cannot be read leaves the last one in force (it lies in `calendars/` below the data directory), and the
alert `own-promise` with `promise=\"calendars\"` says so, as it does of events that are not understood. A freeze by a calendar of which
nothing is known is told by `gate` as a doubt; a maintenance window of which nothing is known does not open.

Leases lie in `leases/` below the data directory and end by themselves. When one is held by something that died, wait for
its end, or give it back by its number.

## Tending repositories

```sh
alignwatch task plan                        # what each task would do here, and why; changes nothing
alignwatch task plan geometric-repack -v    # all numbers, the limits they are compared with, and whose limits these are
alignwatch task run pack-refs --yes         # 0 = effect or nothing to do, 1 = failed, 4 = held, with the reason
alignwatch task run all --yes ~/src/*       # whatever is due by its numbers
alignwatch task history                     # what was done, and what came of it
```

A task acts when its numbers say so, not because it is night. `--force` runs it when they do not; a refusal or a hold stands.

* **What holds it.** Any lock of Git's (also one left over: git would wait, fail, or do nothing and say that all is well), an
  alignment run under way, somebody's lease, a freeze, too little room, another task. `gate` in turn says that it is not now while a task runs.
* **What it refuses.** A repository with a broken ref, a missing object or a missing alternate, a partial clone, a git that is
  known to lose objects. First that is mended.
* **What is kept.** All objects that refs, reflogs, HEADs, indexes and stashes of all worktrees reach are counted before and after,
  without the indexes that tasks write. Until the second count, packs and loose objects have a second name in
  `quarantine/` of the Git directory: what is lost comes back, and the run ends as `failed`, marked critical.
* **What it says.** `effect` with the numbers before and after, `noop`, `skipped` with what held it, or `failed`. That git
  ended well is none of them.
* **When it is killed**, the repository is sound. The next run moves aside what was left (locks, unfinished packs) and goes on.
* **Stop it** with Ctrl-C or a TERM signal: the step under way comes to its end (a repack may take its time), no other begins, what
  is there is measured, and the journal says so. The end of a window does the same.

The journal is `tasks.jsonl` in the data directory; a plan is on the disk before its first step. From 8 MiB on, what nobody needs
any more goes into `tasks.old.jsonl`, which the next time is replaced; what takes a run back stays for `cleanup.archive_for` and
a month. A task that is held writes one line for each reason. With `mode: report` a task plans on its schedule, and
`task history` shows what it would have done.

The maintenance page of the dashboard plans a task, and runs what the plan shows in repositories of `maintenance.repositories`; each
run can be taken back there as well. That needs the scope `operate`, and who asked stands in the audit log (`/alerts`). For
programs: `POST /api/v1/tasks/plan`, `GET /api/v1/tasks/plans/TICKET`, `POST /api/v1/tasks/run`, `POST /api/v1/tasks/ID/undo`.
The same page tells when each task is due next and in which window, and marks in its calendar what is in each other's way; for
programs: `GET /api/v1/tasks/due`.

### By themselves, in their windows

```yaml
maintenance:
  repositories: [/srv/git/*.git]      # handed over; none are by default
  load_limit: 100                     # percent of the processors, five-minute average
tasks:
  - {name: full-repack, due: \"0 3 * * 6\", zone: Europe/Berlin}
  - {name: branch-cleanup, mode: report}
windows:
  - {name: night, open: \"0 1 * * *\", lasts: 4h, zone: Europe/Berlin}
  - {name: cut, kind: freeze, open: \"2026-12-24T12:00:00Z/2027-01-02T06:00:00Z\", reason: release}
```

```sh
alignwatch task run --due     # from cron or contrib/alignwatch-tasks.timer; the daemon does the same by itself
alignwatch window list        # what is open, and what opens when
alignwatch window check       # what will be in each other's way, and when there would be no conflict; exit 3 when something is
```

[TASKS](TASKS.md) lists all tasks. What was missed is caught up once. Where there are maintenance windows for a repository,
tasks run in them only; one that would not fit is not begun, and work stops at the end at the next safe step. A task that
was held (a lock, a run, a lease, a freeze, load, battery, room) is due until it could run; the reason is in `task history`.
Git runs at a low priority throughout.

`maintenance.report_to` names channels that are told half an hour before a window what is planned, and five minutes after it what
was done: effects, failures, what held, room and time. Each message is sent once, also over restarts; with `task run --due`
alone nobody sends them, and `task history` has it all. `task history --trend` shows what each task brought, week by week.

### Remotes

```sh
alignwatch task run prefetch --yes          # into refs/prefetch/, which nobody looks at
alignwatch task run fetch --yes             # tracking refs and tags move; by itself only where a rule names it
alignwatch task run tracking-prune --yes    # refs of branches that are gone there, into refs/archive/; the same
alignwatch task run remote-head --yes       # follow another default branch; the same
```

Git runs in a scratch repository beside the real one, whose settings, hooks and submodules have no say: only the address and the
refspecs count. Keys, credential helpers and proxies are those of whoever runs alignwatch; nobody is asked for a password. What
arrived is written into the real repository in one transaction, and `task undo` takes it back. A remote that does not
answer is told; when none does, the run is skipped and asked again at its next turn. When more than half of a
remote's branches (and more than ten) are gone at once, nothing is pruned. `FETCH_HEAD` is written only when all remotes were asked.

By hand: `git fetch --no-auto-maintenance --recurse-submodules=no REMOTE`.

### Branches that have landed

```sh
alignwatch task plan branch-cleanup -v      # which may go by which proof, which stay and why; changes nothing
alignwatch task run branch-cleanup --yes    # only where `cleanup.delete_in` names the repository
alignwatch task undo 7                      # refs, settings and reflogs exactly as before run 7
```

```yaml
cleanup:
  delete_in: [/srv/git/product.git]   # everywhere else it only reports
  proof: ancestor                     # or content, or patches: how strong a proof must be
  rested: 14d                         # no younger commit, and the ref not made or moved since
  fetched_within: 1d                  # where there is a remote
  open_requests: /var/lib/alignwatch/open-requests   # names of branches with an open pull request, one a line
```

A branch stays when its base took it back (the merge, the squash, or a commit of it) and did not bring it again, when it is a base,
a primary line or an upstream, when a HEAD or an unfinished operation is on it in any worktree
(also one whose disk is away), when it was made or moved lately or has no reflog that tells, when a ref of `refs/pull/` or
`refs/merge-requests/` is at its tip or `cleanup.open_requests` names it, when there is a remote and the last fetch is too long
ago, or when anything of this could not be read. What can't be known of requests is said in the plan. It goes in one transaction, at the id that was judged; its commits, and those
that only its reflog knew, stay under `refs/archive/<run>/`. When a base moves in that moment, all comes back by itself.

`task undo` takes back what nobody changed since, and tells the rest: a branch that somebody made anew stays, what it had been stays
under `refs/archive/`, and settings that were changed since get the sections of the branches again and keep what was changed. One
that was ended half-way (`task history` says *half undone*) is taken up again by the same command.

### Open branches that nobody works on

`stale-branches` (only where a rule names it, and `cleanup.delete_in` the repository) tells of branches without a commit for
`cleanup.stale_after`, in its plan, in `task history` and in the report of the window. After `cleanup.notice` they go the same way
into `refs/archive/`: their work is in no base, and is never deleted. A commit, or the name in `cleanup.keep`, ends that.

## Backups

```sh
alignwatch backup create                    # what came since the newest one, or all; --full for all
alignwatch backup verify --drill            # restore into a scratch place, compare refs and objects one by one
alignwatch backup list
alignwatch backup restore --into ~/rescued  # a whole repository; --from FOLDER where the repository is gone
alignwatch backup restore --ref topic       # one branch or ref that is gone here, from the newest backup that has it
alignwatch backup restore --ref topic --into ~/one   # the same into a new repository that holds nothing else
```

The tasks `backup`, `restore-drill` and `backup-retention` do the same by themselves. A backup holds all refs, HEADs of all
worktrees, older stashes, commits that only a reflog or a half-done merge or rebase knows, and symbolic refs as such; configuration, hooks and reflogs lie beside it. What is not in
it is said each time: changes in working trees, files of Git LFS, submodules, hooks that `core.hooksPath` has elsewhere, settings
that are included, links.

A new place comes to be at once, when all in it was compared with the manifest. Where a link of a chain is missing or damaged, it
is named, and nothing is restored.

Each is a folder that comes to be at once: `objects.bundle` (`git clone` reads it), `manifest.json`, `SHA256SUMS`
(`sha256sum -c` reads it). `git bundle verify` is content with damaged and with truncated bundles: it does not read the
objects. Retention keeps one of each of the last days, weeks and months; the newest that was restored and compared, all after it
and what they need stay in any case. Where none was ever proven, nothing goes.

With `backup.recipients` what a backup holds is encrypted (age, <https://age-encryption.org/v1>); names and ids of refs, sizes and
times lie open in `manifest.json`. Where `backup.identity` names the key, drills go on by themselves; elsewhere only sums are
proven, and `--identity FILE` restores. Keep that key where the backups are not. By hand: `age -d -i KEY objects.bundle.age`.

By hand: `git clone --mirror objects.bundle NEW`, then `git -C NEW for-each-ref`.

## When a run lost work

`alignwatch run` says so on standard error, and `alignwatch verify RUN` says it again, with commits and paths.

* **It means.** What Git itself makes of the old tip and the base has files, changes or lines that the new tip does not
  have, or commits of the branch are nowhere any more, or conflict markers were committed. Or a push overwrote commits at a remote
  (what a fetch brings is the doing of others), a merge that made a new branch kept one side whole, a tag is gone, or a stash was
  dropped whose content is in no working tree and on no branch. A warning is something that a
  later commit of the same run did on purpose, perhaps.
* **Look closer.** `git diff BEFORE AFTER -- PATH`, where BEFORE is the tip before that `verify` names; for commits that are
  gone, `git range-diff BASE BEFORE AFTER`.
* **Keep it.** Do this first: `git branch keep-BRANCH BEFORE`. Without a ref or a reflog, gc removes the old tip.
* **Mend.** A stash: `git stash store ID`. For paths, `git checkout BEFORE -- PATH` (or the base's version) and a commit; for commits,
  `git cherry-pick COMMIT`; to take all of it back, `git update-ref refs/heads/BRANCH BEFORE AFTER` where the branch is
  checked out nowhere.
* **Be sure.** Run the alignment again under `alignwatch run`, and `verify` says ok. `unknown` is not ok: objects are gone, or
  there was no time.

## Watching all the time

```sh
alignwatch serve ~/src/*                      # until Ctrl-C or SIGTERM
xdg-open http://localhost:8750/               # the dashboard: how all is, what is wrong, where branches stand
curl localhost:8750/readyz                    # does it do its work?
curl localhost:8750/metrics                   # for a Prometheus; docs/METRICS.md says what each number is
curl localhost:8750/api/v1/repositories/ID/trends   # what rises or falls, and when limits are passed
curl localhost:8750/api/v1/findings           # what is wrong, since when
```

As a service: `contrib/alignwatch.service` (of a user) and `contrib/alignwatch-system.service` (of the machine) say in their first
lines where to put them. systemd hears when it answers, restarts it when its loop no longer turns, and lets it write into its own
folder and `/srv/git` only; where maintenance works elsewhere, its `ReadWritePaths` names that folder, too.

Repositories are named on the command line or in `serve.repositories`, whose patterns are read again twice a minute. One that was
deleted or moved, or whose disk is not mounted, is `gone`: the daemon starts without it, the rule `repository-unseen` tells of it, and
nothing of it is forgotten. Where that is meant: take it out of the configuration, or, where a pattern had found it,
`DELETE /api/v1/repositories/ID`. `serve.at_once` of them are looked at together; one that is slow, or whose disk hangs, delays
no other, and is told as unknown after ten minutes. Where `serve.may_add` opens folders for it, they can be
added while it runs, and are there again after the next start:

```sh
curl -d '{\"path\": \"/srv/git/new.git\"}' localhost:8750/api/v1/repositories     # DELETE /api/v1/repositories/ID takes it out
```

It looks at a repository again seconds after its refs moved, and otherwise every `serve.interval`. `/openapi.json` describes
the API (a copy stands in docs/schema/openapi.json). It answers on this machine only. For others, put a proxy that speaks
TLS in front of it, name the address and the names by which it is asked, and give each of them a token of its own:

```yaml
serve: {address: 0.0.0.0, front: tls_proxy, names: [watch.example.org]}
```

```sh
alignwatch token add prometheus --scope read   # shown once; read, report (only runs, for CI) or operate
alignwatch token remove prometheus             # opens nothing from this moment on
```

A browser asks for the token as a password, to any name. `serve.status_page: public` shows `/status` and the badges
(`/badge/NAME/health.svg`, `aligned`, `conflicting`, `branches`) to everybody who can reach the address.

What it saw is kept in `store/` below the data directory: one SQLite file, a copy of it every day (`backups/`, the newest
seven, each verified), and a lock that keeps a second daemon out. A file that is found damaged at the
start (looked through for two seconds then, and whole once a day) is moved aside as `store.damaged-1`, and the newest
good copy takes its place. To start anew, stop the daemon and move `store/` away.

What gets old takes less room: numbers as they were measured become spans of five minutes, an hour, a day, and go in
the end (`store` in the [configuration](CONFIGURATION.md)). When the file holds more than `store.size`, the oldest go
before their time; findings that last and the numbers of the last day never do. Copies come on top of it, each as large as the file.

When the disk is full or can't be written, the daemon goes on looking and answering, `/readyz` says why it keeps
nothing, and what was seen last is kept as soon as that is possible. A daemon that starts then does the same, as long as there is
a store.

Clients of cron monitors can report runs, too, in the protocol of Healthchecks:

```sh
curl 'localhost:8750/ping/any/nightly/start?create=1'   # a run of the workflow nightly begins
curl localhost:8750/ping/any/nightly                  # it went well; /fail, /log or an exit code say otherwise
```

In the place of `any` stands a token with the scope `report` where tokens are asked for. `workflows: [{name: nightly, ping: UUID}]`
gives it an id of its own: `/ping/UUID`. Runs that overlap are told apart by `rid=UUID`. They belong to no repository: what is
wrong with them (`run-failed`, `run-missed` and the like) is an alert whose repository is null.

## Hearing of a push

Moved refs are seen within seconds where they are files. A forge can tell of a push as well, and a script of anything:

```yaml
webhooks:
  - {name: team-forge, kind: github, secret: \"file:/run/secrets/forge\"}     # gitlab, gitea (Forgejo, too), standard
  - {name: deploy, kind: plain, secret: \"env:DEPLOY_TOKEN\"}
```

```sh
# At the forge: https://watch.example.org/api/v1/webhooks/team-forge, content type JSON, the same secret.
curl -H \"Authorization: Bearer $DEPLOY_TOKEN\" -d repository=/srv/git/product.git localhost:8750/api/v1/webhooks/deploy
```

The repository that is meant is found by the addresses of its remotes, whatever protocol leads there, or, in what scripts send
(plain, standard), by its path; it is looked at, and nothing else is done: bringing the push here is for the task `fetch`, or for
whoever mirrors. Who knows the secret needs no token besides. A message that comes twice within ten seconds (standard: the same id
within an hour), or (standard) is older than five minutes, does nothing. 202 with `repositories: 0`: it is taken, but no watched
repository has a remote of this address (a script is told so by 404). 401: the secret is not the same on both sides; 413: more than 1 MiB: such a push is not heard, and is seen at the
next look; 503: `alignwatch doctor` says why the secret can't be read. One that could not be read is tried again after 30 seconds.

## Sending metrics away

`/metrics` waits to be asked. Where OpenTelemetry is in use, the same numbers can be sent (OTLP over HTTP, protobuf):

```yaml
otlp:
  endpoint: \"http://10.1.2.3:4318/v1/metrics\"
  headers: [{header: authorization, value: \"file:/run/secrets/otlp\"}]
egress: {allow: [10.1.2.3]}                  # a collector in a private network has to be allowed, also one on this machine
```

What has a name in its semantic conventions bears it (docs/METRICS.md). Ten batches wait while the receiver is away, then
the oldest goes; attempts are 1 s to 5 min apart, or as the receiver asks, within that. `alignwatch_otlp_failed_exports_total` counts failures,
and `alignwatch doctor` tells of the last.

## Building it into a program

The package is a library, too: `alignwatch::Monitor` has health, metrics, scheduling of tasks, alerts, diagnostics and the report
as calls, which say what the commands say, and print nothing. `crates/cli/examples/monitor.rs` shows it. Programs in other languages
have the JSON of the commands and the API; `/api/v1/improvement` has the times of runs and their parts, for tools that improve them.

## Telling people

Channels stand in the configuration, each with a name. What is secret stands elsewhere, and is read each time it is needed:

```yaml
channels:
  slack: [{name: team, url: \"file:/run/secrets/slack\"}]             # the first line of a file
  pagerduty: [{name: on-call, key: \"env:PAGERDUTY_KEY\"}]            # an environment variable
  mail:
    - {name: mail, server: mail.example.org, from: watch@example.org, to: [team@example.org], user: watch,
       password: \"command:/usr/bin/pass show mail\"}                 # what a program writes; no shell reads it
egress: {allow: [10.1.2.3]}                                         # a private address that may be called
```

```sh
alignwatch notify list                      # channels, their secrets, and when a scheduled test last arrived
alignwatch notify test team                 # one attempt, and what the other side answered
alignwatch notify test on-call --over       # closes what a test opened
alignwatch notify test team --preview       # what would be sent
```

Kinds: webhook (signed by the scheme of Standard Webhooks; `payload: alertmanager` posts what Alertmanager would), mail, Slack,
Microsoft Teams (a workflow), Discord, Mattermost, Rocket.Chat, Telegram, Matrix, ntfy, PagerDuty, Opsgenie, Jira Service
Management, Alertmanager, issues of GitHub, GitLab and Gitea, a command, a file. [CONFIGURATION](CONFIGURATION.md#channels)
has their keys, [CHANNELS](CHANNELS.md) what each sends and takes.

* **Addresses.** A name is looked up once; private, link-local and this machine's own addresses are refused unless `egress.allow` has
  them, also where they hide in IPv6. Redirects are not followed, and no proxy of the environment is used.
* **Time.** An attempt takes 30 seconds at most; a command may take as long as its `deadline` says, up to 5 minutes.
* **Secrets.** They are read for each attempt. One that can't be read just now is looked for again with the next attempt.
* **Length.** What is too long is told shorter, then counted: `… 12 more, see the rest`. What is refused as too large all the same is
  halved and tried once more.
* **Foreign text.** Nothing in the name of a branch is obeyed: no mention, no markup, no header, no link. Where a channel looks
  for mentions in finished text, `@` is written as `＠`.
* **Twice.** A notice can come twice after a crash, never under another key: `webhook-id`, the transaction of Matrix, the key of an
  incident. An issue that was told already is not told again.
* **An issue** has marks at its end by which it is found. Leave them in, and the issue is kept current and closed.
* **A command** gets the notice as JSON on standard input, `ALIGNWATCH_KEY` and `ALIGNWATCH_STATUS` in its environment, and
  ends with 0 when it was told. It should be able to hear the same key twice.

## Alerts

The daemon holds [rules](CONFIGURATION.md#rules) against what it sees and tells people through [channels](CONFIGURATION.md#channels). Without any configuration
there are alerts and nobody is told: `alignwatch alert list` shows them. One channel is enough to be told of everything
from a warning on:

```yaml
channels:
  webhook: [{name: team, url: \"https://watch.example.org/hook\"}]
```

| to | type |
|---|---|
| see what fires, and what holds it back | `alignwatch alert list` (`--all`: also pending, and over since a day) |
| know why somebody was told, or was not | `alignwatch explain ID`: every decision from the rule to the last attempt; `--to CHANNEL`, `--at TIME`; `explain CHANNEL`, `explain rule:NAME`, `explain KEY` of a message |
| say that you care for it: no reminder, no escalation | `alignwatch alert ack ID --note 'rebasing it now'` (`--undo` takes it back) |
| see what a silence would hold, then hold it | `alignwatch alert silence repository=/srv/git/a.git --for 2h --comment 'moving it' --dry-run`, then without `--dry-run` |
| end a silence | `alignwatch alert silences`, `alignwatch alert unsilence ID` |
| see what could not be delivered, and try again | `alignwatch alert dead`, `alignwatch alert retry KEY`, `alignwatch alert drop KEY` |
| end an alert that nobody can see to be over, such as one of a repository that is watched no more | `alignwatch alert end ID` |
| see which rules there are | `alignwatch rules list` |
| know who is on duty, and who is next | `alignwatch notify on-call` |
| know how often a rule would have fired | `alignwatch rules backtest NAME --days 28` |
| have the same rules in a Prometheus | `alignwatch rules export > alignwatch.rules.yml`, then `promtool check rules alignwatch.rules.yml` |

What is promised, and tested (`crates/model/src/turn/story.rs`, `crates/cli/tests/it/alerts.rs`):

* What was decided is on the disk before it is told, and is tried for three days with growing pauses; `Retry-After` is
  honoured. Then it is a dead letter, which is itself told. It may come twice after a crash, with the same key; never less than once.
* Whoever heard that something fires hears that it is over: also when it was silenced, acknowledged or in a window
  meanwhile, when the daemon was down, or when its rule was taken out.
* What can't be seen neither fires nor is over. A repository that can't be looked at is told once; what follows from it is not.
* Holding back holds the telling only. Judging, counting and the end go on.
* While the store can't keep anything, only that is told; everything else waits for the disk.

A rule of your own can say what else must hold, in CEL, over what `check --json` shows of a finding or over the number of a metric:

```yaml
rules:
  - name: many-conflicts
    expr: 'finding{check=\"conflicting\"} >= error'
    when: 'evidence.n_branches > 5 && !(subject in [\"main\", \"develop\"])'
```

`config check` tells of names, words and comparisons that there are not. `has(evidence.age_seconds)` asks whether there is such a fact; where a
condition cannot be answered, the alert neither fires nor ends, and `explain` says why.

A promise of your own is a rule with an `objective`. It fires when its error budget goes too fast over a long and a short window at once
(Google, The Site Reliability Workbook, chapter 5); `expr` names a ratio that says which part is good, or says what is bad:

```yaml
rules:
  - {name: aligned-slo, expr: 'alignwatch_aligned_ratio{repository=\"/srv/git/a.git\"}', objective: 95}
  - name: packs-slo
    expr: alignwatch_repo_packs > 50
    objective: 99.5
    burn_rates:
      - {short: 5m, long: 1h, factor: 14.4, severity: critical}
      - {short: 2h, long: 1d, factor: 3}
```

Each series has its own budget. What is not known is neither good nor bad; what happens in a window for maintenance, or while our own
clock is in doubt, does not count. The last three days are read again at a start.

**While our own network or clock is in doubt**, what rests on it neither fires nor ends, and the alert `own-promise` says so once
(`promise=\"network\"`, `promise=\"clock\"`). The network is in doubt while at least two hosts of remotes, channels or heartbeats that were called in the last hour
were not heard, and nobody was since; a host that answers with an error was heard. The clock is in doubt after it was set back by more than five minutes, until it is
where it was or for an hour, and where a look finds a date that cannot be right (check `clock`). What was lost or is damaged is told all the same.

Alerts of others: a Prometheus can send its alerts here (`alertmanagers: [{static_configs: [{targets: [localhost:8750]}]}]`), and
`amtool --alertmanager.url=http://localhost:8750` lists alerts and adds, lists and ends silences.

### When alignwatch itself fails

A watch that is dead tells nobody. So somebody outside should wait for its calls, such as Healthchecks, or an alignwatch elsewhere
(`/ping/UUID`, above), and raise the alarm when they stop:

```yaml
heartbeat: {url: \"file:/run/secrets/heartbeat\", every: 5m}           # tell the other side to wait for three of them
canaries:
  - {channels: [team], due: \"0 9 * * 1-5\", zone: Europe/Berlin}      # a test in each channel, so that none is dead for weeks
alerts: {fallback: mail}                                             # who is told when a test does not arrive
```

* **The call** is made only when an audit finds that all that was due has happened: each repository was looked at within twice
  its interval, it could be judged whether the expected runs came, what is told was decided in time (steps of an escalation,
  too), no channel has taken nothing for 15 minutes while something waits for it, no message is a dead letter, the last
  scheduled tests arrived, calendars could be read, our own network and clock are in no doubt, the store keeps what it should and its daily copy was made, maintenance was begun in time. That a run did not
  come, a backup is old or a task failed is told by alerts and stops no call: then alignwatch does what it should.
* **When something is not kept**, `POST ADDRESS/fail` tells the reasons, a line each. With `when_failing: be_silent` nothing is
  called. Inside it is the alert `own-promise`. A call that is not heard is made again after 30 seconds, and told after three.
* **A test** says that it is one, is never firing, wakes nobody and opens nothing. It is tried three times. One that does not arrive
  is the alert `own-promise` with `promise=\"canary\"`, which goes the usual ways and to the channel `alerts.fallback`. While a window for
  maintenance of all repositories is open it waits, unless `in_windows: send`. Where issues or incidents are kept, it proves that the other side
  is there and knows us, not that something can be opened: that does `alignwatch notify test`.

`alignwatch doctor` and `/status` say when a call was last heard, `alignwatch notify list` when a test last arrived in each channel;
`alignwatch_broken_promises`, `alignwatch_heartbeat_timestamp_seconds` and `alignwatch_canary_timestamp_seconds` are on `/metrics`, all of it is
at `/api/v1/promises`. The stories of all this are in `crates/model/src/turn/promises.rs`.

### Testing rules

`alignwatch rules test FILE` runs tests that are data: what is seen when, what people do, and what is expected then. They
cover the whole road: rules, grouping, alignment runs, silences, windows, escalation, channels that are down, restarts.

```yaml
config: |
  channels: {webhook: [{name: team, url: \"https://watch.example.org/hook\"}]}
  rules: [{name: far, expr: \"alignwatch_far_behind_branches > 20\", clear: 15, for: 2m}]
tests:
  - name: a restart in between tells nothing twice
    interval: 1m
    series: [{series: 'alignwatch_far_behind_branches{repository=\"/srv/a.git\"}', values: '0x4 25x9 10x9'}]
    findings: [{check: conflicting, repository: /srv/a.git, subject: main, severity: error, from: 30m, until: 50m}]
    acts: [{at: 9m, restart: true}, {at: 31m, silence: ['alertname=\"conflict\"'], for: 2h}]
    expect:
      - {at: 8m, alerts: [{rule: far, severity: warning}], told: [{channel: team, firing: [far]}]}
      - {at: 25m, alerts: [], told: [{channel: team, resolved: [far]}]}
      - {at: 49m, alerts: [{rule: conflict, held: silence}], told: []}
```

Values are written as `promtool test rules` has them (`5x3`, `0+2x3`, `_`), one for each look. Other acts: `ack: RULE` (with `sticky: true`,
`for: 2h`), `unack: RULE`, `end: RULE`, `until_resolved: true` beside `silence`, `unsilence: [MATCHER]`,
`post: [{labels: {alertname: Disk}, annotations: {summary: full}, lasts: 5m}]` for alerts of others, `window: {name: night, extend: 1h}` (without
`extend` it ends), `down: CHANNEL`, `up: CHANNEL`. Findings may have `evidence: {base: refs/heads/main}`, what conditions (`when`) ask for. What alignwatch says of itself (`own-promise`, `silence-ends-soon`,
`rule-matches-nothing`) is looked at with each look. Messages count each, and to each channel in the order in which they stand; `reason: repeat` and
`group: {alertname: far}` can be said of each. `unseen: [{repository: …, from: 10m, until: 20m}]` for a repository that can't be looked at; `in_doubt: true` for a check that can't.
`remotes: [{repository: /srv/a.git, host: forge.example.org, from: 10m, until: 20m}]` is a remote that each look asks, and that does not answer
from then until then; `clock_back: 2h` sets the clock back (times of the test go on).

Alignment runs are told by what is reported of them, and judged by the same checks as elsewhere, with the `workflows` of the configuration:

```yaml
config: \"workflows: [{name: nightly, repositories: [/srv/a.git], due: 1d, grace: 1h}]\"
tests:
  - name: a run that fails, one that lost work, and none after it
    interval: 5m
    acts:
      - {at: 10m, run: {workflow: nightly, repository: /srv/a.git, event: started}}
      - {at: 20m, run: {workflow: nightly, repository: /srv/a.git, event: finished, outcome: failed}}
      - {at: 60m, run: {workflow: nightly, repository: /srv/a.git, event: started}}
      - {at: 70m, run: {workflow: nightly, repository: /srv/a.git, event: finished, lost: {refs/heads/x: 3 commits are gone}}}
    expect:
      - {at: 30m, alerts: [{rule: run-failed}]}
      - {at: 80m, alerts: [{rule: run-failed}, {rule: work-lost}]}
      - {at: 27h, alerts: [{rule: run-failed}, {rule: work-lost}, {rule: run-missed}]}
```

`event` is `started`, `heartbeat`, `finished` (with `outcome`, else `aligned`, and `lost`) or `gone` (its process is gone, and nobody said that it
ended), of the last run of this workflow there. Without `repository` the run belongs to none, as one that is only pinged. The next look sees it.

## Reports

`alignwatch report` tells how a period went (`--period day`, `week`, `month`, `quarter`): as text, `--format markdown`, `json` or `html`
(one file, for a browser, a mail or paper). `/report` in the dashboard shows the same, `GET /api/v1/report` gives it to programs.

```yaml
reports:
  - {name: weekly, due: \"0 8 * * 1\", zone: Europe/Berlin, channels: [team]}
```

sends one by itself, through the outbox of alerts. What came due while nothing ran is sent once, at the next start; a daemon
that is killed neither loses nor repeats one. How it is counted stands in each report: what a look saw counts until the next
look, for twice `serve.interval` at most; all else is a gap, in which nothing is known; means of ratios leave maintenance windows
out; what lies before the first look was rebuilt from history and has the mark `~`. Noise is an alert that was over within ten minutes
and that nobody took on, or one that flapped.

`alignwatch top` shows branches, runs, alerts and tasks live in a terminal. It reads the daemon, and the store when none answers.

## How fast it is

`bench/run` measures it against git on generated repositories, and `bench/run --repo PATH` on one of yours
(`bench/README.md`). All branches are measured in one pass over the history, so a commit-graph helps: without one, the
history is read from packs first, and remembered.

## When to look at what

| when | what | how |
|---|---|---|
| before an alignment | locks, unfinished work, base behind its remote | `alignwatch check --budget 2s` |
| daily | everything but the expensive | `alignwatch check` |
| weekly | what has landed and can go, attempts at the same idea, stale branches | `alignwatch branches --state merged --state squash_merged` |
| monthly, and after a crash or a full disk | all objects | `alignwatch check --all` |

Every night from cron, quiet when all is well:

```sh
0 5 * * *  alignwatch -q check --fail-on warning /srv/git/* > /tmp/alignwatch.txt || mail -s alignwatch me < /tmp/alignwatch.txt
```

## Procedures

One for each check; a finding names its check. `alignwatch check --list` prints this list, [CHECKS](CHECKS.md) is the
same as a table, and `thresholds` in the [configuration](CONFIGURATION.md) changes the numbers.
";

/// docs/OPERATING.md.
pub(crate) fn document() -> String {
    let sections: String = checks::ALL.iter().copied().map(section).collect();
    format!("{HEAD}{sections}")
}

fn section(check: &Check) -> String {
    let Check { id, title, looks_at, why, runbook, .. } = check;
    let steps = [
        Some(("It means", format!("{title}. {why}"))),
        Some(("Looks at", (*looks_at).to_owned())),
        threshold(check).map(|threshold| ("Threshold", threshold)),
        Some(("Look closer", runbook.look.to_owned())),
        Some(("Mend", runbook.mend.to_owned())),
        Some(("Be sure", runbook.sure.to_owned())),
        Some(("Undo", runbook.undo.unwrap_or("There is nothing to take back, or it cannot be").to_owned())),
    ];
    let steps: String = steps.into_iter().flatten().map(|(step, text)| told(step, &text)).collect();
    format!("\n### {id}\n\n{steps}")
}

fn told(step: &str, text: &str) -> String {
    format!("* **{step}.** {}.\n", text.trim_end_matches('.'))
}

fn threshold(check: &Check) -> Option<String> {
    let threshold = check.threshold.as_ref()?;
    let (least, most) = threshold.range;
    Some(format!(
        "{} {}, from {least} to {most}. Source: {}",
        threshold.default,
        threshold.unit,
        threshold.source.trim_end_matches('.')
    ))
}
