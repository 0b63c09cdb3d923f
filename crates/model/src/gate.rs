//! May an alignment start now?
//!
//! What stands in the way is seen at this moment (locks, half-done operations, runs, leases, the disk, the clock
//! against freezes) or was seen by the daemon (health, a predicted conflict). What is not known is a doubt: it is
//! told, and closes the gate only for those who asked for that.

mod looks;

use serde::Serialize;

use crate::{Known, Snapshot, Timestamp, config::Config, kept::KeptBranch, lease::Lease, run::RunId};

/// What stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A freeze is on.
    Freeze,
    /// Another alignment run is under way.
    Run,
    /// Somebody else has a lease.
    Lease,
    /// A lock file.
    Lock,
    /// An operation that is half done.
    Unfinished,
    /// Too little room on the disk.
    Disk,
    /// The repository is not well.
    Health,
    /// The two must never be merged, or the configuration forbids it.
    Forbidden,
    /// It would stop at a conflict.
    Conflict,
    /// There is no fresh backup that was found good.
    Backup,
}

impl Cause {
    /// All of them.
    pub const ALL: [Cause; 10] = [
        Cause::Freeze,
        Cause::Run,
        Cause::Lease,
        Cause::Lock,
        Cause::Unfinished,
        Cause::Disk,
        Cause::Health,
        Cause::Forbidden,
        Cause::Conflict,
        Cause::Backup,
    ];

    /// The word, as in JSON and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Cause::Freeze => "freeze",
            Cause::Run => "run",
            Cause::Lease => "lease",
            Cause::Lock => "lock",
            Cause::Unfinished => "unfinished",
            Cause::Disk => "disk",
            Cause::Health => "health",
            Cause::Forbidden => "forbidden",
            Cause::Conflict => "conflict",
            Cause::Backup => "backup",
        }
    }

    /// The cause with this word.
    pub fn from_word(word: &str) -> Option<Cause> {
        Cause::ALL.into_iter().find(|cause| cause.word() == word)
    }
}

/// One thing that stands in the way.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Obstacle {
    /// Which kind.
    pub cause: Cause,
    /// In a sentence, without a final period.
    pub text: String,
    /// When it ends by itself, where that is known.
    pub until: Option<Timestamp>,
    /// What to type that takes it out of the way, in order.
    pub commands: Vec<String>,
}

/// Who wants to align what.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// The branch, by its full name; `None` = any in the repository.
    pub branch: Option<&'a str>,
    /// The workflow that wants to; `None` = nobody said, or that of the run that asks.
    pub workflow: Option<&'a str>,
    /// The run that asks: it is not in its own way.
    pub run: Option<&'a RunId>,
    /// Who asks: their own lease is not in their way.
    pub holder: &'a str,
    /// What is not to count.
    pub ignored: &'a [Cause],
}

/// What is known.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The repository now: locks, half-done operations, runs, the disk.
    pub snapshot: &'a Snapshot,
    /// Where the branch that is asked about stands now, as a full id.
    pub tip: &'a Known<String>,
    /// Leases that are not over.
    pub leases: &'a Known<Vec<Lease>>,
    /// What the daemon saw.
    pub watched: &'a Known<Watched>,
    /// The configuration in force.
    pub config: &'a Config,
}

/// What the daemon last saw of a repository.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched {
    /// When.
    pub swept_at: Timestamp,
    /// Findings that are critical, in words.
    pub critical: Vec<String>,
    /// The branch that is asked about.
    pub branch: Option<KeptBranch>,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// What stands in the way, in the order of [`Cause`]. None = go.
    pub obstacles: Vec<Obstacle>,
    /// What could not be known, as sentences.
    pub doubts: Vec<String>,
}

/// The checks that say whether there is room.
pub const OF_ROOM: [&str; 3] = ["host-disk", "host-inodes", "room-to-repack"];

/// Answers.
pub fn answer(asked: &Asked<'_>, facts: &Facts<'_>, now: Timestamp) -> Answer {
    let mut answer = Answer::default();
    for look in looks::ALL {
        look(&mut answer, asked, facts, now);
    }
    answer.obstacles.retain(|obstacle| !asked.ignored.contains(&obstacle.cause));
    answer.obstacles.sort_by_key(|obstacle| obstacle.cause);
    answer
}

impl Answer {
    /// When it is worth asking again: the latest time that is known, when all obstacles end by themselves.
    pub fn until(&self) -> Option<Timestamp> {
        let ends: Option<Vec<Timestamp>> = self.obstacles.iter().map(|obstacle| obstacle.until).collect();
        ends?.into_iter().max()
    }

    fn stop(&mut self, cause: Cause, text: String, until: Option<Timestamp>) {
        self.obstacles.push(Obstacle { cause, text, until, commands: Vec::new() });
    }

    fn doubt(&mut self, text: String) {
        self.doubts.push(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        RefName, Relation,
        branch::{Conflict, Merge, Verdict},
        checks::sample::{self, NOW},
        facts::runs::{Brief, Process},
        snapshot::{Lock, LockKind, LockVerdict, Unfinished},
    };

    struct World {
        snapshot: Snapshot,
        tip: Known<String>,
        leases: Known<Vec<Lease>>,
        watched: Known<Watched>,
        config: Config,
    }

    fn well() -> World {
        let mut snapshot = sample::snapshot([sample::branch("refs/heads/x", 1, 1)]);
        snapshot.facts.runs = Known::Seen(Vec::new());
        let branch = KeptBranch::of(&snapshot.branches[0]);
        let watched = Watched { swept_at: NOW, critical: Vec::new(), branch: Some(branch) };
        let tip = Known::Seen(snapshot.branches[0].tip.seen().unwrap().oid.hex());
        World {
            snapshot,
            tip,
            leases: Known::Seen(Vec::new()),
            watched: Known::Seen(watched),
            config: Config::default(),
        }
    }

    fn facts(world: &World) -> Facts<'_> {
        Facts {
            snapshot: &world.snapshot,
            tip: &world.tip,
            leases: &world.leases,
            watched: &world.watched,
            config: &world.config,
        }
    }

    fn told(world: &World, asked: Asked<'_>) -> (Vec<String>, Vec<String>) {
        let answer = answer(&asked, &facts(world), NOW);
        (answer.obstacles.into_iter().map(|obstacle| obstacle.text).collect(), answer.doubts)
    }

    fn of_x() -> Asked<'static> {
        Asked { branch: Some("refs/heads/x"), holder: "me", ..Asked::default() }
    }

    #[test]
    fn words_are_those_of_json() {
        for cause in Cause::ALL {
            assert_eq!(serde_json::to_string(&cause).unwrap(), format!("\"{}\"", cause.word()));
            assert_eq!(Cause::from_word(cause.word()), Some(cause));
        }
    }

    #[test]
    fn a_well_repository_lets_everybody_go() {
        assert_eq!(told(&well(), of_x()), (Vec::new(), Vec::new()));
        assert_eq!(told(&well(), Asked::default()), (Vec::new(), Vec::new()));
    }

    #[test]
    fn a_run_stops_all_but_itself() {
        let mut world = well();
        let run = RunId::from_parts(1, [1; 10]);
        world.snapshot.facts.runs = Known::Seen(vec![Brief {
            run: run.clone(),
            workflow: "nightly".into(),
            began_at: Timestamp(NOW.0 - 60),
            heard_at: NOW,
            ended: None,
            process: Process::Alive,
            losses: Vec::new(),
            is_unverified: false,
            operations: Vec::new(),
        }]);
        assert_eq!(told(&world, of_x()).0, ["a run of `nightly` is under way since 60 s"]);
        assert!(told(&world, Asked { run: Some(&run), ..of_x() }).0.is_empty());
        assert!(told(&world, Asked { ignored: &[Cause::Run], ..of_x() }).0.is_empty());
    }

    #[test]
    fn a_lease_on_this_branch_or_all_stops_others_than_its_holder() {
        let lease = |branch: Option<&str>| Lease {
            holder: "ann".into(),
            branch: branch.map(str::to_owned),
            until: Timestamp(NOW.0 + 60),
            token: 1,
        };
        let mut world = well();
        world.leases = Known::Seen(vec![lease(Some("refs/heads/y"))]);
        assert!(told(&world, of_x()).0.is_empty());
        assert_eq!(told(&world, Asked::default()).0, ["ann has a lease on `refs/heads/y`"]);
        world.leases = Known::Seen(vec![lease(None)]);
        assert_eq!(told(&world, of_x()).0, ["ann has a lease on the whole repository"]);
        assert!(told(&world, Asked { holder: "ann", ..of_x() }).0.is_empty());
    }

    #[test]
    fn locks_and_half_done_operations_of_this_branch_stop() {
        let mut world = well();
        let lock = |verdict| Lock {
            path: "index.lock".into(),
            kind: LockKind::Index,
            modified_at: Timestamp(NOW.0 - 300),
            verdict,
            because: "git rebase works here".into(),
            limit: None,
        };
        world.snapshot.locks = Known::Seen(vec![lock(LockVerdict::Live), lock(LockVerdict::Unknown)]);
        let operation = |branch: &str| Unfinished {
            operation: "rebase",
            branch: Some(RefName::from(branch)),
            ..Unfinished::default()
        };
        world.snapshot.unfinished = Known::Seen(vec![operation("refs/heads/x"), operation("refs/heads/y")]);
        let (stops, doubts) = told(&world, of_x());
        assert_eq!(stops, ["index.lock is held: git rebase works here", "a rebase is half done in the main worktree"]);
        assert_eq!(doubts, ["index.lock is there for 5 min: git rebase works here"]);
    }

    #[test]
    fn where_a_fresh_good_backup_is_asked_for_anything_else_stops_and_says_what_to_type() {
        use crate::facts::tasks::Backups;
        let mut world = well();
        let text = "gate: {backups: [{branches: [x], workflows: [nightly], not_older_than: 2h}]}";
        world.config = Config::from_yaml(text, "f").unwrap().0;
        let ago = |minutes: i64| Some(Timestamp(NOW.0 - minutes * 60));
        let with = |world: &mut World, backups: Known<Backups>| {
            world.snapshot.facts.backups = backups;
            told(world, of_x()).0.join("; ")
        };
        let good = Backups { n: 2, newest_at: ago(120), good_made_at: ago(120), ..Backups::default() };
        assert_eq!(with(&mut world, Known::Seen(good)), "");
        let old = Backups { newest_at: ago(121), good_made_at: ago(121), ..good };
        let said = "the newest backup that was found good is 2 h old, and 2 h is the limit";
        assert_eq!(with(&mut world, Known::Seen(old)), said);
        assert!(told(&world, Asked { workflow: Some("weekly"), ..of_x() }).0.is_empty());
        assert!(told(&world, Asked { branch: Some("refs/heads/y"), ..of_x() }).0.is_empty());
        assert_eq!(told(&world, Asked { ignored: &[Cause::Backup], ..of_x() }).0, [""; 0]);
        assert!(with(&mut world, Known::Seen(Backups { newest_at: ago(5), ..old })).contains("was not looked at"));
        let bad = Backups { newest_at: ago(5), is_bad: true, ..old };
        assert_eq!(with(&mut world, Known::Seen(bad)), said);
        assert!(
            with(&mut world, Known::Seen(Backups::default())).starts_with("there is no backup that was found good")
        );
        let unread = with(&mut world, Known::Unknown("permission denied".to_owned()));
        assert_eq!(unread, "whether there is a fresh backup is not known: permission denied");
        world.snapshot.repository.path = "/srv/my repo".into();
        world.snapshot.facts.backups = Known::Seen(Backups::default());
        assert_eq!(
            answer(&of_x(), &facts(&world), NOW).obstacles[0].commands,
            ["alignwatch backup create --of '/srv/my repo'"]
        );
        let run = RunId::from_parts(1, [1; 10]);
        world.snapshot.facts.runs = Known::Seen(vec![Brief {
            run: run.clone(),
            workflow: "weekly".into(),
            began_at: NOW,
            heard_at: NOW,
            ended: None,
            process: Process::Alive,
            losses: Vec::new(),
            is_unverified: false,
            operations: Vec::new(),
        }]);
        assert!(told(&world, Asked { run: Some(&run), ..of_x() }).0.is_empty(), "the run says its workflow");
    }

    #[test]
    fn what_the_configuration_forbids_stops_and_what_it_cannot_tell_is_a_doubt() {
        let mut world = well();
        if let Known::Seen(Watched { branch: Some(branch), .. }) = &mut world.watched {
            branch.verdict = Verdict::Clean;
        }
        let with = |world: &mut World, rule: &str| {
            let nights = "windows: [{name: nights, open: \"0 1 * * *\", lasts: 4h}]";
            world.config = Config::from_yaml(&format!("gate: {{forbid: [{rule}]}}\n{nights}\n"), "f").unwrap().0;
            told(world, of_x())
        };
        let go = (Vec::new(), Vec::new());
        assert_eq!(
            with(&mut world, "{bases: [main], because: main is frozen}").0,
            ["`gate.forbid` forbids it: main is frozen"]
        );
        assert_eq!(with(&mut world, "{bases: [\"release/*\"]}"), go);
        assert_eq!(with(&mut world, "{branches: [y]}"), go);
        assert_eq!(with(&mut world, "{branches: [x], repositories: [/other]}"), go);
        assert_eq!(with(&mut world, "{workflows: [nightly]}").0.len(), 1, "nobody said that it is another one");
        assert_eq!(told(&world, Asked { workflow: Some("weekly"), ..of_x() }), go);
        assert_eq!(told(&world, Asked { ignored: &[Cause::Forbidden], ..of_x() }).0, [""; 0]);
        // By what is predicted: this branch merges cleanly.
        assert_eq!(with(&mut world, "{merge: clean}").0.len(), 1);
        assert_eq!(with(&mut world, "{merge: conflict}"), go);
        assert_eq!(with(&mut world, "{merge: unknown}"), go);
        // NOW is 22:13 UTC, and the window opens at 01:00.
        let closed = answer(&of_x(), &facts(&world), NOW);
        assert_eq!(closed.obstacles, []);
        assert_eq!(
            with(&mut world, "{unless_open: nights}").0,
            ["`gate.forbid` allows it only in the window `nights`"]
        );
        assert_eq!(answer(&of_x(), &facts(&world), NOW).until().unwrap().rfc3339(), "2023-11-15T01:00:00Z");
        assert_eq!(answer(&of_x(), &facts(&world), Timestamp(NOW.0 + 3 * 3600)).obstacles.len(), 0, "it is open then");
        // What is not known closes nothing, and is told.
        world.watched = Known::Unknown("no daemon ever ran here".into());
        let (stops, doubts) = with(&mut world, "{bases: [main]}");
        assert_eq!(stops, [""; 0]);
        assert!(doubts.iter().any(|doubt| doubt.contains("since its base is not")), "{doubts:?}");
        assert_eq!(with(&mut world, "{merge: unknown}").0.len(), 1, "unless it is asked for");
        let wrong = Config::from_yaml("gate: {forbid: [{unless_open: days}]}", "f").unwrap_err();
        assert!(wrong[0].to_string().contains("none of `windows` has this name"), "{wrong:?}");
    }

    #[test]
    fn a_window_of_another_repository_or_of_an_unread_calendar_allows_nothing() {
        let mut world = well();
        let with = |world: &mut World, windows: &str| {
            let text = format!("gate: {{forbid: [{{unless_open: nights}}]}}\n{windows}\n");
            world.config = Config::from_yaml(&text, "f").unwrap().0;
            told(world, of_x())
        };
        let always = "open: \"2023-11-14T00:00:00Z/2023-11-15T00:00:00Z\"";
        assert_eq!(with(&mut world, &format!("windows: [{{name: nights, {always}}}]")), (Vec::new(), Vec::new()));
        assert_eq!(
            with(&mut world, &format!("windows: [{{name: nights, {always}, repositories: [/other]}}]")).0,
            ["`gate.forbid` allows it only in the window `nights`, which is not one of this repository"]
        );
        let unread = "windows: [{name: nights, open: calendar team}]\ncalendars: [{name: team, at: /team.ics}]";
        let (stops, doubts) = with(&mut world, unread);
        assert_eq!(stops, ["`gate.forbid` allows it only in the window `nights`"]);
        assert!(doubts[0].starts_with("whether the window `nights` is open is not known"), "{doubts:?}");
    }

    #[test]
    fn a_freeze_stops_until_it_ends_and_only_where_it_is_meant() {
        let mut world = well();
        let config = |repositories: &str| {
            let text = format!(
                "windows: [{{name: cut, kind: freeze, open: \"2023-11-14T00:00:00Z/2023-11-15T00:00:00Z\", reason: release{repositories}}}]"
            );
            Config::from_yaml(&text, "f").unwrap().0
        };
        world.config = config("");
        let found = answer(&of_x(), &facts(&world), NOW);
        assert_eq!(found.obstacles[0].text, "the freeze `cut` is on (release)");
        assert_eq!(found.until().unwrap().rfc3339(), "2023-11-15T00:00:00Z");
        world.config = config(", repositories: [/other]");
        assert!(told(&world, of_x()).0.is_empty());
    }

    #[test]
    fn what_the_daemon_saw_stops_while_it_is_fresh_and_the_branch_has_not_moved() {
        let mut world = well();
        world.snapshot.branches[0].merge =
            Merge::conflict(Some(vec![Conflict { path: "a.rs".into(), kinds: vec!["contents".into()] }]));
        let kept = KeptBranch::of(&world.snapshot.branches[0]);
        let watched = |swept_at, branch: &KeptBranch| {
            Known::Seen(Watched {
                swept_at,
                critical: vec!["objects are missing".into()],
                branch: Some(branch.clone()),
            })
        };
        world.watched = watched(NOW, &kept);
        assert_eq!(
            told(&world, of_x()).0,
            ["objects are missing", "`refs/heads/x` conflicts with `refs/heads/main` in 1 paths: a.rs"]
        );
        let old = KeptBranch { oid: Some(sample::oid(9)), ..kept.clone() };
        world.watched = watched(NOW, &old);
        assert_eq!(told(&world, of_x()).1, ["`refs/heads/x` has moved since its merge was predicted"]);
        world.watched = watched(Timestamp(NOW.0 - 7200), &kept);
        let (stops, doubts) = told(&world, of_x());
        assert_eq!(
            (stops.len(), &*doubts[0]),
            (0, "health and predicted merges are from 2 h ago, so they say nothing about now")
        );
        let forbidden = KeptBranch { relation: Relation::Forbidden, verdict: Verdict::Clean, ..kept };
        world.watched = watched(NOW, &forbidden);
        assert!(told(&world, of_x()).0[1].contains("must never be merged"), "{:?}", told(&world, of_x()));
    }

    #[test]
    fn what_cannot_be_known_is_a_doubt_and_no_obstacle() {
        let mut world = well();
        let unknown = || "permission denied".to_owned();
        world.snapshot.locks = Known::Unknown(unknown());
        world.snapshot.unfinished = Known::Unknown(unknown());
        world.snapshot.facts.runs = Known::Unknown(unknown());
        world.leases = Known::Unknown(unknown());
        world.watched = Known::Unknown(unknown());
        let (stops, doubts) = told(&world, of_x());
        assert_eq!((stops.len(), doubts.len()), (0, 5), "{doubts:?}");
    }
}
