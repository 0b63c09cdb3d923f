//! What a notice says in words: a title, and a paragraph for each alert, written in the markup of a channel.
//!
//! Foreign text is harmless before anything else is done with it: control characters and what turns text
//! around are written out. What a channel would obey besides is for its [`Markup`] to escape. What is too
//! long is cut at a word; the severity, the id of an alert and the link to the whole are never cut.

use alignwatch_model::{
    Severity, Timestamp,
    escape::terminal,
    notice::{Notice, NoticeAlert, NoticeReason, NoticeStatus},
    report::Letter,
};

use crate::limits::Limit;

/// The longest summary in a title or in a short paragraph, in characters. Source: ours; two lines of a phone.
const SUMMARY_SHORT: usize = 120;

/// The longest sentence, name or command in a paragraph, in characters. Source: ours; bounds hostile names.
const PART_AT_MOST: usize = 1_000;

/// Commands that are shown of one alert. Source: ours; more is a procedure and stands behind the link.
const COMMANDS_AT_MOST: usize = 5;

/// How a channel writes text. Each function makes its text harmless there.
pub(crate) struct Markup {
    /// Plain text.
    pub text: fn(&str) -> String,
    /// Text that stands out.
    pub bold: fn(&str) -> String,
    /// A name or a command.
    pub code: fn(&str) -> String,
    /// An address of ours, with what it leads to.
    pub link: fn(&str, &str) -> String,
    /// Between lines of a paragraph.
    pub line: &'static str,
    /// Between paragraphs.
    pub paragraph: &'static str,
}

/// No markup at all.
pub(crate) const PLAIN: Markup = Markup {
    text: str::to_owned,
    bold: str::to_owned,
    code: str::to_owned,
    link: |url, words| format!("{words}: {url}"),
    line: "\n",
    paragraph: "\n\n",
};

/// How much of an alert is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    Full,
    Short,
    Least,
}

/// A notice as one line, without markup.
pub(crate) fn title(notice: &Notice, limit: Limit) -> String {
    if let Some(letter) = &notice.letter {
        return cut_to(&format!("[REPORT] {}", terminal(&letter.title)), limit);
    }
    let mark = mark(notice);
    let n_all = notice.alerts.len() as u64 + notice.n_left_out;
    let said = match &notice.alerts[..] {
        [alert] if n_all == 1 => terminal(&alert.summary).into_owned(),
        alerts => shared(alerts, |alert| &alert.rule)
            .map_or_else(|| "several rules".to_owned(), |rule| terminal(rule).into_owned()),
    };
    let place = shared(&notice.alerts, |alert| &alert.repository)
        .map(|path| format!(" ({})", cut(&terminal(repository_name(path)), 60)));
    let place = place.unwrap_or_default();
    let room = limit.at_most.saturating_sub(limit.size_of(&mark) + limit.size_of(&place) + 1);
    format!("{mark} {}{place}", cut_to(&said, Limit { at_most: room, ..limit }))
}

/// `[ERROR]`, `[OVER]`, `[3 FIRING, 1 OVER, 9 MORE, ERROR]`: what is never cut.
fn mark(notice: &Notice) -> String {
    let (n_firing, n_over) = notice.counts();
    let n_all = (n_firing + n_over) as u64 + notice.n_left_out;
    let worst = notice.severity().map_or("", severity_word);
    // Of those that are left out it is not known which of them fire.
    let counts = [(n_firing as u64, "FIRING"), (n_over as u64, "OVER"), (notice.n_left_out, "MORE")];
    let counts = counts.into_iter().filter(|(n, _)| 0 < *n).map(|(n, word)| format!("{n} {word}"));
    let state = match (notice.status, n_all) {
        (NoticeStatus::Resolved, 0 | 1) => "OVER".to_owned(),
        (NoticeStatus::Resolved, _) => counts.collect::<Vec<_>>().join(", "),
        (NoticeStatus::Firing, 0 | 1) => worst.to_owned(),
        (NoticeStatus::Firing, _) => counts.chain([worst.to_owned()]).collect::<Vec<_>>().join(", "),
    };
    if notice.reason == NoticeReason::Test { format!("[TEST] [{state}]") } else { format!("[{state}]") }
}

/// The alerts of a notice, in as much detail as there is room for, and where the rest can be read.
///
/// Promise: no longer than `limit`, unless not even the id and the link fit; with `n_at_most` paragraphs at most.
pub(crate) fn body(notice: &Notice, markup: &Markup, limit: Limit, n_at_most: usize) -> String {
    if let Some(letter) = &notice.letter {
        return letter_told(letter, notice, markup, limit);
    }
    let whole = |detail| written(notice, markup, limit, n_at_most, detail);
    let all = |(_, n_told): &(String, usize)| *n_told == notice.alerts.len().min(n_at_most);
    let full = whole(Detail::Full);
    if all(&full) {
        return full.0;
    }
    let short = whole(Detail::Short);
    if short.1 > 0 { short.0 } else { whole(Detail::Least).0 }
}

/// As many paragraphs as fit, and how many they are.
fn written(notice: &Notice, markup: &Markup, limit: Limit, n_at_most: usize, detail: Detail) -> (String, usize) {
    let n_all = notice.alerts.len() as u64 + notice.n_left_out;
    let mut text = opening(notice).map(|words| (markup.text)(&words)).unwrap_or_default();
    let mut n_told = 0;
    for alert in notice.alerts.iter().take(n_at_most) {
        let next = joined(&text, &paragraph(alert, markup, detail), markup);
        let whole = joined(&next, &closing(notice, markup, n_all - n_told as u64 - 1), markup);
        if limit.size_of(&whole) > limit.at_most {
            break;
        }
        text = next;
        n_told += 1;
    }
    (joined(&text, &closing(notice, markup, n_all - n_told as u64), markup), n_told)
}

/// A letter: its summary, and as many of its paragraphs as there is room for.
fn letter_told(letter: &Letter, notice: &Notice, markup: &Markup, limit: Limit) -> String {
    let part = |text: &str| (markup.text)(&cut(&terminal(text), PART_AT_MOST));
    let link = url(&notice.external_url).map(|url| (markup.link)(&url, "see all")).unwrap_or_default();
    let mut text = part(&letter.summary);
    for paragraph in &letter.paragraphs {
        let head = (markup.bold)(&cut(&terminal(&paragraph.title), SUMMARY_SHORT));
        let lines = [head].into_iter().chain(paragraph.lines.iter().map(|line| part(line)));
        let next = joined(&text, &lines.collect::<Vec<_>>().join(markup.line), markup);
        if limit.at_most < limit.size_of(&joined(&next, &link, markup)) {
            break;
        }
        text = next;
    }
    joined(&text, &link, markup)
}

fn joined(before: &str, after: &str, markup: &Markup) -> String {
    let between = if before.is_empty() || after.is_empty() { "" } else { markup.paragraph };
    format!("{before}{between}{after}")
}

/// Why it is told now; of the first of a group that needs no words.
fn opening(notice: &Notice) -> Option<String> {
    match notice.reason {
        NoticeReason::First => None,
        NoticeReason::Test => Some("This is a test of this channel. Nothing is wrong.".to_owned()),
        reason => Some(capital(reason.words())),
    }
}

/// What is not told here, and where it is.
fn closing(notice: &Notice, markup: &Markup, n_left: u64) -> String {
    let link = url(&notice.external_url);
    let words = match (n_left, link.is_some()) {
        (0, _) => "see all",
        (_, true) => "see the rest",
        (_, false) => "",
    };
    let more = (n_left > 0).then(|| (markup.text)(&format!("… {n_left} more")));
    let link = link.map(|url| (markup.link)(&url, words));
    more.into_iter().chain(link).collect::<Vec<_>>().join(", ")
}

fn paragraph(alert: &NoticeAlert, markup: &Markup, detail: Detail) -> String {
    let summary_at_most = if detail == Detail::Full { PART_AT_MOST } else { SUMMARY_SHORT };
    let head =
        format!("{} {}", (markup.bold)(state(alert)), (markup.text)(&cut(&terminal(&alert.summary), summary_at_most)));
    let id = (markup.text)(&format!("alert {}", cut(&terminal(&alert.id), 80)));
    if detail == Detail::Least {
        return format!("{head}{}{id}", markup.line);
    }
    let part = |text: &str| (markup.code)(&cut(&terminal(text), PART_AT_MOST));
    let mut lines = vec![head];
    lines.push(format!(
        "{} {} {}",
        part(&alert.subject),
        (markup.text)("in"),
        part(repository_name(&alert.repository))
    ));
    let remarks: Vec<String> = std::iter::once(times(alert)).chain(remarks(alert).map(str::to_owned)).collect();
    lines.push(format!("{}, {id}", (markup.text)(&remarks.join(", "))));
    // What is over needs nothing to be done.
    if detail == Detail::Full && alert.is_firing {
        let sentences = [&alert.description, &alert.remedy].into_iter().filter(|text| !text.is_empty());
        lines.extend(sentences.map(|text| (markup.text)(&cut(&terminal(text), PART_AT_MOST))));
        lines.extend(alert.commands.iter().take(COMMANDS_AT_MOST).map(|command| part(command)));
    }
    lines.extend(alert.runbook_url.as_deref().and_then(url).map(|url| (markup.link)(&url, "what to do")));
    lines.join(markup.line)
}

/// `ERROR`, `over`.
pub(crate) fn state(alert: &NoticeAlert) -> &'static str {
    if alert.is_firing { severity_word(alert.severity) } else { "OVER" }
}

pub(crate) fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "INFO",
        Severity::Warning => "WARNING",
        Severity::Error => "ERROR",
        Severity::Critical => "CRITICAL",
    }
}

/// Since when, and until when.
pub(crate) fn times(alert: &NoticeAlert) -> String {
    match alert.ends_at {
        Some(ends_at) => {
            format!("{} to {}, {}", minute(alert.starts_at), minute(ends_at), ends_at.since(alert.starts_at))
        }
        None => format!("since {}", minute(alert.starts_at)),
    }
}

fn remarks(alert: &NoticeAlert) -> impl Iterator<Item = &'static str> {
    let late = alert.is_late.then_some("told late");
    let muted = alert.was_muted.then_some("changed while muted");
    late.into_iter().chain(muted)
}

/// `2026-11-28 05:00 UTC`.
pub(crate) fn minute(time: Timestamp) -> String {
    let text = time.rfc3339();
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(clock)) if text.ends_with('Z') && text.len() == 20 => format!("{day} {clock} UTC"),
        _ => text,
    }
}

/// The last part of a path.
pub(crate) fn repository_name(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}

/// What all alerts have; `None` when they differ or there are none.
pub(crate) fn shared<'a>(alerts: &'a [NoticeAlert], of: impl Fn(&'a NoticeAlert) -> &'a String) -> Option<&'a str> {
    let first = of(alerts.first()?);
    alerts.iter().all(|alert| of(alert) == first).then_some(first.as_str())
}

/// A web address as it may stand in a link; `None` when it is none.
pub(crate) fn url(text: &str) -> Option<String> {
    let url = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    // The parser has written all that could end a link as `%NN`, but for these.
    let shown = url.as_str().replace('\'', "%27").replace('(', "%28").replace(')', "%29").replace('|', "%7C");
    (shown.len() <= 2_000).then_some(shown)
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).chain(['.']).collect())
}

/// The begin of a text, cut at a word where there is one near, with `…` at its end; in characters.
pub(crate) fn cut(text: &str, at_most: usize) -> String {
    if text.chars().count() <= at_most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(at_most.saturating_sub(1)).collect();
    with_end(&kept)
}

/// The same, in the unit of a limit.
pub(crate) fn cut_to(text: &str, limit: Limit) -> String {
    if limit.size_of(text) <= limit.at_most {
        return text.to_owned();
    }
    let end = limit.size_of("…");
    let mut used = 0;
    let fits = |c: &char| {
        used += limit.size_of(c.encode_utf8(&mut [0; 4]));
        used + end <= limit.at_most
    };
    let kept: String = text.chars().take_while(fits).collect();
    if kept.is_empty() && limit.at_most < end { String::new() } else { with_end(&kept) }
}

fn with_end(kept: &str) -> String {
    /// The least of a text that is left when it is cut at a word. A name without spaces is cut where it must be.
    const LEAST: f64 = 0.6;
    let at_word = kept.rfind(char::is_whitespace).filter(|at| *at as f64 >= kept.len() as f64 * LEAST);
    format!("{}…", at_word.map_or(kept, |at| &kept[..at]).trim_end())
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::*;
    use crate::{limits::*, sample};

    #[test]
    fn one_alert_is_told_with_all_that_helps() {
        let notice = sample::notice();
        assert_snapshot!(title(&notice, MAIL_SUBJECT), @"[ERROR] feature/0 is 240 commits behind main (limit 200) (a.git)");
        assert_snapshot!(body(&notice, &PLAIN, MATTERMOST_TEXT, 9), @r"
        ERROR feature/0 is 240 commits behind main (limit 200)
        refs/heads/feature/0 in a.git
        since 2026-01-01 00:00 UTC, alert a0
        The longer it waits, the more will collide.
        Merge the base into it.
        git merge-base main feature/0
        what to do: https://docs.example.org/far-behind

        see all: https://watch.example.org/alerts
        ");
    }

    #[test]
    fn many_alerts_are_listed_shorter_and_then_counted() {
        let notice = sample::many(30);
        assert_snapshot!(title(&notice, MAIL_SUBJECT), @"[30 FIRING, 5 MORE, ERROR] far-behind (a.git)");
        let text = body(&notice, &PLAIN, Limit { at_most: 700, ..DISCORD_TEXT }, 50);
        assert_snapshot!(text, @r"
        New in this group.

        ERROR feature/0 is 240 commits behind main (limit 200)
        refs/heads/feature/0 in a.git
        since 2026-01-01 00:00 UTC, alert a0
        what to do: https://docs.example.org/far-behind

        WARNING feature/1 is 240 commits behind main (limit 200)
        refs/heads/feature/1 in a.git
        since 2026-01-01 00:00 UTC, alert a1
        what to do: https://docs.example.org/far-behind

        WARNING feature/2 is 240 commits behind main (limit 200)
        refs/heads/feature/2 in a.git
        since 2026-01-01 00:00 UTC, alert a2
        what to do: https://docs.example.org/far-behind

        … 32 more, see the rest: https://watch.example.org/alerts
        ");
    }

    #[test]
    fn what_is_left_out_is_neither_firing_nor_over() {
        let mut mixed = sample::many(3);
        mixed.alerts[2].is_firing = false;
        assert_eq!(mark(&mixed), "[2 FIRING, 1 OVER, 5 MORE, ERROR]");
        mixed.n_left_out = 0;
        assert_eq!(mark(&mixed), "[2 FIRING, 1 OVER, ERROR]");
        mixed.status = NoticeStatus::Resolved;
        mixed.alerts.iter_mut().for_each(|alert| alert.is_firing = false);
        assert_eq!(mark(&mixed), "[3 OVER]");
    }

    #[test]
    fn what_is_over_is_told_as_over() {
        let notice = sample::over();
        assert_snapshot!(title(&notice, MAIL_SUBJECT), @"[OVER] feature/0 is 240 commits behind main (limit 200) (a.git)");
        assert_snapshot!(body(&notice, &PLAIN, MATTERMOST_TEXT, 9), @r"
        All are over.

        OVER feature/0 is 240 commits behind main (limit 200)
        refs/heads/feature/0 in a.git
        2026-01-01 00:00 UTC to 2026-01-01 03:00 UTC, 3 h, told late, changed while muted, alert a0
        what to do: https://docs.example.org/far-behind

        see all: https://watch.example.org/alerts
        ");
    }

    #[test]
    fn texts_are_cut_at_a_word() {
        assert_eq!(cut("one two three", 13), "one two three");
        assert_eq!(cut("one two three", 12), "one two…");
        assert_eq!(cut("onetwothree", 6), "onetw…");
        assert_eq!(cut("ä𝄞ö", 2), "ä…");
        assert_eq!(cut_to("ä𝄞ö", Limit { at_most: 5, ..NTFY_TEXT }), "ä…");
        assert_eq!(cut_to("abc", Limit { at_most: 2, ..NTFY_TEXT }), "");
    }

    #[test]
    fn an_address_that_is_none_is_no_link() {
        for text in ["", "x", "javascript:alert(1)", "file:///etc/passwd", "https://"] {
            assert_eq!(url(text), None, "{text}");
        }
        assert_eq!(
            url("https://x.example/a b\"<>|()'").as_deref(),
            Some("https://x.example/a%20b%22%3C%3E%7C%28%29%27")
        );
    }

    proptest! {
        #[test]
        fn whatever_is_told_fits_and_names_the_alert(summary in any::<String>(), n in 1_usize..40, at_most in 600_usize..3_000) {
            let mut notice = sample::many(n);
            notice.alerts.iter_mut().for_each(|alert| alert.summary.clone_from(&summary));
            for limit in [DISCORD_TEXT, NTFY_TEXT] {
                let limit = Limit { at_most, ..limit };
                let text = body(&notice, &PLAIN, limit, 30);
                prop_assert!(limit.size_of(&text) <= at_most, "{}", text);
                prop_assert!(text.contains("alert a0"), "{}", text);
                prop_assert!(text.contains(&notice.external_url), "{}", text);
                let title = title(&notice, Limit { at_most: 150, ..limit });
                prop_assert!(limit.size_of(&title) <= 150 && !title.contains('\n'), "{}", title);
            }
        }
    }
}
