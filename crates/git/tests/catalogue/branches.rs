//! Branches, lines and names.

use alignwatch_model::{
    Known, Span, Timestamp,
    facts::past::{LinePast, Past},
    relation::Budget,
};

use super::{Case, LOST_TIP, made, set};

/// A branch that changes what `main` changes, too.
const APART: &str = "git checkout -q -b topic; commit topic f topic; git checkout -q main; commit three f 3";

/// How far apart `topic` and `main` are, where they are.
const COUNTS: &str = "git rev-parse -q --verify topic >/dev/null && git rev-list --count topic..main | grep -v '^0$'";

pub(super) const CASES: &[Case] = &[
    made(
        "base-behind-remote",
        "git config remote.origin.url /nowhere; git config remote.origin.fetch '+refs/heads/*:refs/remotes/origin/*'; git config branch.main.remote origin; git config branch.main.merge refs/heads/main; commit three f 3; git update-ref refs/remotes/origin/main HEAD; git reset -q --hard HEAD~1",
        "git for-each-ref --format='%(upstream:track)' refs/heads | grep behind",
    ),
    made(
        "forbidden-merged",
        "commit three f 3; git checkout -q lab; commit lab g 1; git merge -q -m merge main; git checkout -q main; commit four f 4",
        "git log --merges --format=%H lab",
    )
    .by("bases: [main, lab]\nrelations: [{branches: [lab], base: main, relation: forbidden}]")
    .beside("git branch lab"),
    made(
        "diverging-lines",
        "git checkout -q lab; for n in 1 2 3; do commit lab$n g$n 1; done; git checkout -q main; for n in 1 2 3; do commit main$n h$n 1; done",
        "git rev-list --left-right lab...main",
    )
    .by("bases: [main, lab]\nthresholds: {diverging-lines: 2}")
    .beside("git branch lab"),
    made("missing-base", "git branch -m two three", "git rev-parse -q --verify two >/dev/null || echo gone")
        .by("bases: [main, two]")
        .beside("git branch two"),
    set("unsure-base", |snapshot| {
        let topic = snapshot.branches.iter_mut().find(|branch| branch.name.text() == "refs/heads/topic").unwrap();
        topic.base.as_mut().unwrap().confidence = 0.3;
    })
    .beside("git checkout -q -b topic; commit topic g 1; git checkout -q main"),
    made(
        "conflicting",
        APART,
        "git rev-parse -q --verify topic >/dev/null && { git merge-tree --write-tree main topic >/dev/null || echo conflict; }",
    )
    .unread(LOST_TIP),
    made(
        "conflict-markers",
        "git checkout -q -b topic; printf '<<<<<<< a\\n1\\n=======\\n2\\n>>>>>>> b\\n' > m; git add m; git commit -qm m; git checkout -q main",
        "git for-each-ref --format='%(refname)' refs/heads | xargs git grep -l '^<<<<<<< '",
    )
    .unread(LOST_TIP),
    made("over-budget", APART, COUNTS)
        .by("relations: [{branches: [topic, lost], budget: {behind: 0}}]")
        .unread(LOST_TIP),
    set("budget-soon-exceeded", |snapshot| {
        let at = |weeks: i64| Timestamp(snapshot.seen_at.0 - weeks * 7 * 86_400);
        let line = LinePast {
            name: "refs/heads/main".into(),
            n_commits: (0..=52).map(|week| Some(1_000 + 70 * week)).collect(),
            moves: Vec::new(),
            landings: Vec::new(),
        };
        let past = Past { ends: (0..=52).rev().map(at).collect(), lines: vec![line], ..Past::default() };
        snapshot.facts.past = Known::Seen(past);
        let mut branch = snapshot.branches[0].clone();
        branch.name = "refs/heads/topic".into();
        branch.budget = Budget { behind: Some(100), age: None };
        branch.base = Some(alignwatch_model::branch::BaseChoice {
            name: "refs/heads/main".into(),
            oid: snapshot.lines[0].oid,
            confidence: 1.0,
            because: "by hand".into(),
        });
        branch.landed = alignwatch_model::Landed::No;
        branch.relation = alignwatch_model::Relation::Track;
        branch.drift = Known::Seen(alignwatch_model::Drift {
            ahead: 1,
            behind: 60,
            merge_bases: vec![snapshot.lines[0].oid],
            on_base_line: false,
            base_at: Some(at(1)),
            missing_since: Some(Timestamp(snapshot.seen_at.0 - Span::days(6).0)),
        });
        snapshot.branches.push(branch);
    }),
    made("far-behind", "git checkout -q -b topic; commit topic g 1; git checkout -q main; for n in 3 4 5; do commit $n f $n; done", COUNTS)
        .by("thresholds: {far-behind: 1}")
        .unread(LOST_TIP),
    made(
        "stale",
        "ago 20000000; git checkout -q -b topic; commit topic g 1; git checkout -q main",
        "git for-each-ref --format='%(committerdate:unix)' refs/heads | awk -v limit=$((now - 10000000)) '$1 < limit'",
    )
    .unread(LOST_TIP),
    made("old-backups", "ago 20000000; git checkout -q -b backup/x; commit topic g 1; git checkout -q main", ""),
    made(
        "landed-still-here",
        "git checkout -q -b topic; commit topic g 1; git checkout -q main; git merge -q --no-ff -m merge topic",
        "git branch --merged main --format='%(refname:short)' | grep -v '^main$'",
    )
    .unread(LOST_TIP),
    made(
        "continued-after-landing",
        "git checkout -q -b topic; commit topic g 1; commit more g2 1; git checkout -q main; git merge -q --squash topic 2>/dev/null; git commit -qm squashed; git checkout -q topic; commit on g3 1; git checkout -q main",
        "git rev-parse -q --verify topic >/dev/null && git cherry -v main topic | grep '^+'",
    )
    .unread(LOST_TIP),
    made(
        "reverted",
        "git checkout -q -b topic; commit topic g 1; git checkout -q main; commit three f 3; git cherry-pick topic >/dev/null; git revert --no-edit HEAD >/dev/null",
        "git log --grep='This reverts' --format=%H main",
    )
    .unread(LOST_TIP),
    made(
        "retry-families",
        "for n in 1234567890123 2234567890123 3234567890123; do git checkout -q -b agent-fix-leak-$n main; commit $n g $n; done; git checkout -q main",
        "",
    ),
    made(
        "identical-tips",
        "git checkout -q -b topic; commit topic g 1; git branch twin; git checkout -q main",
        "git for-each-ref --format='%(objectname)' refs/heads | sort | uniq -d",
    ),
    made(
        "unrelated-history",
        "git checkout -q --orphan foreign; git rm -rfq .; commit foreign g 1; git checkout -q main",
        "git for-each-ref --format='%(refname)' refs/heads | while read -r name; do git merge-base main $name >/dev/null || echo $name; done",
    )
    .unread(LOST_TIP),
    made(
        "criss-cross",
        "git checkout -q -b topic; commit t1 g 1; git checkout -q main; commit m1 h 1; a=$(git rev-parse main); b=$(git rev-parse topic); git merge -q -m m $b; git checkout -q topic; git merge -q -m t $a; commit t2 g 2; git checkout -q main; commit m2 h 2",
        "git rev-parse -q --verify topic >/dev/null && git merge-base --all main topic | tail -n +2",
    )
    .unread(LOST_TIP),
    made(
        "upstream-gone",
        "git config remote.origin.url /nowhere; git config remote.origin.fetch '+refs/heads/*:refs/remotes/origin/*'; git checkout -q -b topic; commit topic g 1; git config branch.topic.remote origin; git config branch.topic.merge refs/heads/topic; git checkout -q main",
        "git for-each-ref --format='%(upstream:track)' refs/heads | grep gone",
    ),
    made(
        "hostile-names",
        "git branch \"$(printf 'a\\342\\200\\256b')\"",
        "git for-each-ref --format='%(refname)' refs/heads | LC_ALL=C grep \"$(printf '\\342\\200\\256')\"",
    ),
    made(
        "ambiguous-names",
        "git branch twin; git tag twin",
        "git for-each-ref --format='%(refname:lstrip=2)' refs/heads refs/tags | sort | uniq -d",
    ),
    made(
        "base-rewritten",
        "git config remote.origin.url /nowhere; git config remote.origin.fetch '+refs/heads/*:refs/remotes/origin/*'; commit three f 3; git update-ref -m push refs/remotes/origin/main HEAD; git commit -q --amend -m other; git update-ref -m 'update by push' refs/remotes/origin/main HEAD",
        "git log -g --format=%H main 2>/dev/null | while read -r id; do git merge-base --is-ancestor $id main || echo $id; done",
    )
    .unread("rm .git/logs/refs/heads/main; ln -s main .git/logs/refs/heads/main"),
    made(
        "dropped-side",
        "git checkout -q -b topic HEAD~1; commit topic g 1; git checkout -q main; git merge -q -s ours -m dropped topic",
        "git log --merges --format='%H %P' main | while read -r id a b; do git diff --quiet $id $a && echo $id; done",
    ),
    made(
        "odd-dates",
        "at $((now + 900000)); commit three f 3",
        "git log --format=%ct | awk -v limit=$((now + 86400)) 'limit < $1'",
    ),
    made("head", "git symbolic-ref HEAD refs/tags/none", "git symbolic-ref --quiet HEAD | grep -v ^refs/heads/"),
    made(
        "no-upstream",
        "git config remote.origin.url /nowhere; git config remote.origin.fetch '+refs/heads/*:refs/remotes/origin/*'; git update-ref refs/remotes/origin/main main; git checkout -q -b topic; commit topic g 1; git checkout -q main",
        "test -n \"$(git remote)\" && git for-each-ref --format='%(refname) %(upstream)' refs/heads | grep ' $'",
    ),
    made(
        "left-behind-refs",
        "for n in 1 2 3; do git update-ref refs/original/$n HEAD; done",
        "git for-each-ref refs/original",
    )
    .by("thresholds: {left-behind-refs: 1}"),
    made(
        "blocked-names",
        "git config remote.origin.url /nowhere; git config remote.origin.fetch '+refs/heads/*:refs/remotes/origin/*'; git branch a; git update-ref refs/remotes/origin/a/b HEAD",
        "git for-each-ref --format='%(refname)' | sed 's,^refs/heads/,,;s,^refs/remotes/origin/,,' | awk '{ seen[$0] = 1 } END { for (a in seen) for (b in seen) if (index(b, a \"/\") == 1) print a, b }'",
    ),
];
