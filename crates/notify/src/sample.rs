//! Notices for tests.

use std::collections::BTreeMap;

use alignwatch_model::{
    Severity, Timestamp,
    notice::{Notice, NoticeAlert, NoticeReason, NoticeStatus},
};

/// Names that hurt somebody once, as branches and words of branches.
pub(crate) const NAUGHTY: [&str; 24] = [
    "evil\u{202e}gnp",
    "\x1b]0;title\x07\x1b[2J",
    "line\nfeed\r\nBcc: victim@example.org\r\n\r\n.\r\nMAIL FROM:<x@y>",
    "zero\u{200b}width\u{feff}",
    "<svg/onload=alert(1)>",
    "\"><script>alert('x')</script>&amp;",
    "=cmd()|' /C calc'!A0",
    "[click](javascript:alert(1)) ![x](http://x)",
    "@everyone @here <!channel> <@U123> <!here|x> @channel @all @room",
    "@user #1 user/repo#2 GH-3 !4 www.example.com https://example.com",
    "```\n# heading\n---\n| a | b |",
    "` `` ``` ````",
    "*bold* _it_ ~no~ **b** __u__ ||spoiler|| > quote",
    "$(id) `id` ; | & > <",
    "{{7*7}} ${7*7} <%= 7*7 %> #{7*7} {0}",
    "\\[\\u{202e}",
    "tag \u{e0041}\u{e0042} selector \u{fe0f}\u{e0100}",
    "]]> <![CDATA[ \u{ffff} \0 \x7f",
    "<a href=\"tg://user?id=1\">x</a> <https://evil.example|click>",
    "--> <!-- alignwatch group -->",
    ":emoji: /giphy x /shrug",
    "\u{ff20}everyone",
    "/close",
    "  /assign @me",
];

/// One alert that fires.
pub(crate) fn notice() -> Notice {
    Notice {
        key: "n-1".into(),
        group_key: "far-behind/a.git".into(),
        group_labels: BTreeMap::from([("alertname".into(), "far-behind".into())]),
        status: NoticeStatus::Firing,
        reason: NoticeReason::First,
        receiver: "team".into(),
        alerts: vec![alert(0)],
        n_left_out: 0,
        external_url: "https://watch.example.org/alerts".into(),
        letter: None,
    }
}

/// The same, over, told late.
pub(crate) fn over() -> Notice {
    let ended = NoticeAlert {
        is_firing: false,
        ends_at: Some(Timestamp(1_767_236_400)),
        is_late: true,
        was_muted: true,
        ..alert(0)
    };
    Notice {
        status: NoticeStatus::Resolved,
        reason: NoticeReason::AllResolved,
        alerts: vec![ended],
        key: "n-2".into(),
        ..notice()
    }
}

/// So many alerts of one rule, and five that are not listed.
pub(crate) fn many(n: usize) -> Notice {
    Notice { alerts: (0..n).map(alert).collect(), n_left_out: 5, reason: NoticeReason::NewInGroup, ..notice() }
}

/// A notice in which every foreign text is this one.
pub(crate) fn hostile(text: &str) -> Notice {
    let text = text.to_owned();
    let hurting = NoticeAlert {
        subject: text.clone(),
        repository: format!("/srv/git/{text}"),
        summary: format!("{text} is behind"),
        description: text.clone(),
        remedy: text.clone(),
        commands: vec![format!("git log {text}")],
        labels: BTreeMap::from([("branch".into(), text.clone())]),
        annotations: BTreeMap::from([("note".into(), text)]),
        ..alert(0)
    };
    Notice { alerts: vec![hurting], ..notice() }
}

fn alert(nth: usize) -> NoticeAlert {
    NoticeAlert {
        id: format!("a{nth}"),
        rule: "far-behind".into(),
        severity: if nth == 0 { Severity::Error } else { Severity::Warning },
        is_firing: true,
        subject: format!("refs/heads/feature/{nth}"),
        repository: "/srv/git/a.git".into(),
        summary: format!("feature/{nth} is 240 commits behind main (limit 200)"),
        description: "The longer it waits, the more will collide.".into(),
        remedy: "Merge the base into it.".into(),
        commands: vec![format!("git merge-base main feature/{nth}")],
        runbook_url: Some("https://docs.example.org/far-behind".into()),
        labels: BTreeMap::from([
            ("alertname".into(), "far-behind".into()),
            ("repository".into(), "a.git".into()),
            ("branch".into(), format!("feature/{nth}")),
        ]),
        annotations: BTreeMap::from([("summary".into(), format!("feature/{nth} is far behind"))]),
        starts_at: Timestamp(1_767_225_600),
        ends_at: None,
        fingerprint: format!("{nth:016x}"),
        is_late: false,
        was_muted: false,
    }
}
