//! A report on a period: how it is, what changed against the period before, what to do.
//!
//! A pure function of what the store holds ([`Held`]); the same report is rendered for people ([`mod@markdown`],
//! [`mod@html`], [`mod@letter`]) and for programs. What was not looked at is unknown: it counts neither as good nor as
//! bad, and the report says how much of its time that is ([`Accounting`]).

mod accounting;
mod alerts;
mod alignment;
pub mod held;
pub mod html;
pub mod kpi;
pub mod letter;
pub mod markdown;
#[cfg(test)]
pub(crate) mod sample;
mod sections;
pub mod session;
mod to_do;
mod upkeep;

use serde::Serialize;

pub use accounting::{Accounting, Seen};
pub use alerts::{AlertsPart, Messages, RuleNoise};
pub use alignment::{Aligned, AlignedBranch, AlignmentPart, Lost};
pub use held::{Held, HeldCourse, HeldFinding, HeldNote, HeldRepository, HeldTask, Period, Times};
pub use kpi::{Foretold, Number};
pub use letter::Letter;
pub use to_do::ToDo;
pub use upkeep::{TaskDone, UpkeepPart};

use crate::{
    Known, Severity, Span, Status, Timestamp,
    config::Config,
    trend::{Series, promise},
    window::Purpose,
    words::{agree, count},
};

/// The schema of a report in JSON.
pub const SCHEMA: &str = "alignwatch.report/1";

/// The metric that the promise is about.
const PROMISED: &str = "alignwatch_within_budget_ratio";

/// A report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// `alignwatch.report/1`.
    pub schema: &'static str,
    /// `day`, `week`, `month` or `quarter`.
    pub period: &'static str,
    /// When the period before began.
    pub before: Timestamp,
    /// When the period began.
    pub from: Timestamp,
    /// When it ended.
    pub until: Timestamp,
    /// All of it in a few sentences.
    pub headline: String,
    /// The worst health of all repositories; `unknown` without any.
    pub status: String,
    /// How each repository is.
    pub repositories: Vec<Health>,
    /// What was aligned, lost or nearly lost.
    pub alignment: AlignmentPart,
    /// What was alerted on, and how much of that was noise.
    pub alerts: AlertsPart,
    /// What maintenance did.
    pub maintenance: UpkeepPart,
    /// At most five things to do, the most urgent first.
    pub to_do: Vec<ToDo>,
    /// What the numbers rest on.
    pub accounting: Accounting,
}

/// How a repository is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Health {
    /// Its id.
    pub id: String,
    /// Its path.
    pub path: String,
    /// Its health at the last look.
    pub status: String,
    /// Why nothing could be seen then.
    pub reason: Option<String>,
    /// When it was looked at last.
    pub swept_at: Timestamp,
    /// Findings that were open when the period ended, by severity.
    pub open: Open,
    /// Findings that began in the period.
    pub n_new: usize,
    /// Findings that ended in it.
    pub n_over: usize,
    /// The promise about drift over the period; `null` when nothing was seen.
    pub promise: Option<Promise>,
    /// Its numbers against the period before.
    pub numbers: Vec<Number>,
    /// Where numbers lead.
    pub forecasts: Vec<Foretold>,
}

/// Findings by severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Open {
    /// Critical ones.
    pub critical: usize,
    /// Errors.
    pub error: usize,
    /// Warnings.
    pub warning: usize,
    /// What is worth knowing.
    pub info: usize,
}

/// A promise and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Promise {
    /// The part of open branches that should be within their budget.
    pub objective_ratio: f64,
    /// The part that was, on the mean over time.
    pub kept_ratio: f64,
    /// What is left of the error budget: 1 = all, 0 = none, below = the promise is broken.
    pub error_budget_left_ratio: f64,
    /// The time that it rests on.
    pub seen_seconds: i64,
}

/// The report on a period.
pub fn report(held: &Held, config: &Config, times: Times) -> Report {
    let accounting = accounting::accounting(held, config, &times);
    let repositories: Vec<Health> =
        held.repositories.iter().map(|repository| health(repository, config, &times)).collect();
    let alignment = alignment::part(held, &times);
    let alerts = alerts::part(held, &times);
    let maintenance = upkeep::part(held, &times);
    let to_do = to_do::to_do(held, &repositories, &alignment, &maintenance, &accounting, &times);
    let words = repositories.iter().filter_map(|repository| status_of(&repository.status));
    Report {
        schema: SCHEMA,
        period: times.period.word(),
        before: times.before,
        from: times.from,
        until: times.until,
        headline: headline(&repositories, &alignment, &alerts, &accounting, to_do.len()),
        status: words.reduce(Status::worst).unwrap_or(Status::Unknown).word().to_owned(),
        repositories,
        alignment,
        alerts,
        maintenance,
        to_do,
        accounting,
    }
}

/// The status with this word; one that we do not know is unknown.
fn status_of(word: &str) -> Option<Status> {
    let all = [Status::Ok, Status::Info, Status::Warning, Status::Error, Status::Critical, Status::Skipped];
    Some(all.into_iter().find(|status| status.word() == word).unwrap_or(Status::Unknown))
}

fn health(repository: &HeldRepository, config: &Config, times: &Times) -> Health {
    let maintenance = held::windows(config, &repository.path, Purpose::Maintenance, times);
    let is_open =
        |finding: &&HeldFinding| finding.began_at < times.until && finding.ended_at.is_none_or(|at| times.until <= at);
    let mut open = Open::default();
    for finding in repository.findings.iter().filter(is_open) {
        match finding.severity {
            Severity::Critical => open.critical += 1,
            Severity::Error => open.error += 1,
            Severity::Warning => open.warning += 1,
            Severity::Info => open.info += 1,
        }
    }
    let began = |finding: &&HeldFinding| times.holds(finding.began_at);
    let ended = |finding: &&HeldFinding| finding.ended_at.is_some_and(|at| times.holds(at));
    Health {
        id: repository.id.clone(),
        path: repository.path.clone(),
        status: repository.status.clone(),
        reason: repository.reason.clone(),
        swept_at: repository.swept_at,
        open,
        n_new: repository.findings.iter().filter(began).count(),
        n_over: repository.findings.iter().filter(ended).count(),
        promise: promise(repository, config, times, &maintenance),
        numbers: kpi::numbers(repository, times, &maintenance),
        forecasts: kpi::foretold(repository, times.until),
    }
}

/// What became of the promise. Maintenance and gaps are left out: a value holds to the next look, and at most as long as a
/// look counts.
fn promise(repository: &HeldRepository, config: &Config, times: &Times, maintenance: &held::Spans) -> Option<Promise> {
    let course = repository.courses.iter().find(|course| course.metric.name == PROMISED)?;
    let hold = accounting::hold(config, times);
    let points: Vec<_> = course.measured.iter().filter(|(at, _)| times.holds(*at)).copied().collect();
    let (mut sum, mut seconds) = (0.0, 0);
    let ends = points.iter().skip(1).map(|(at, _)| *at).chain([times.until]);
    for ((at, value), end) in std::iter::zip(&points, ends) {
        let counts = !maintenance.holds(*at);
        let lasted = if counts { end.since(*at).0.clamp(0, hold.0) } else { 0 };
        sum += value.clamp(0.0, 1.0) * lasted as f64;
        seconds += lasted;
    }
    if seconds == 0 {
        return None;
    }
    let objective = f64::from(config.serve.aligned_objective) / 100.0;
    // The formula of the budget is said once; the mean is ours, since gaps are not to count.
    let series = Series::new([(times.from, sum / seconds as f64)]);
    match promise::kept(&series, objective, times.period.span(), times.until) {
        Known::Seen(kept) => Some(Promise {
            objective_ratio: kept.objective,
            kept_ratio: kept.kept,
            error_budget_left_ratio: kept.left,
            seen_seconds: seconds,
        }),
        Known::Unknown(_) => None,
    }
}

/// All of it in a few sentences.
fn headline(
    repositories: &[Health],
    alignment: &AlignmentPart,
    alerts: &AlertsPart,
    accounting: &Accounting,
    n_to_do: usize,
) -> String {
    let watched = match repositories {
        [] => return "No repository was watched, so that nothing can be told.".to_owned(),
        _ if accounting.seen_seconds == 0 => {
            return "Nothing is known of this time: nobody looked. What follows is of before or after.".to_owned();
        }
        [one] => budget_told(one),
        many => format!("{} were watched", count(many.len(), "repository")),
    };
    let lost = match (alignment.lost.len() + alignment.n_more_lost, alignment.nearly_lost.len()) {
        (0, 0) if alignment.n_unverified > 0 => "no loss of work was seen",
        (0, 0) => "no work was lost",
        (0, _) => "work was nearly lost",
        _ => "work was LOST",
    };
    let fired = match alerts.n_fired {
        0 => "no alert fired".to_owned(),
        n => format!("{} fired", count(n, "alert")),
    };
    let unseen = match accounting.unknown_seconds {
        0 => String::new(),
        seconds => format!(" Of {} nothing is known, since nobody looked.", Span(seconds)),
    };
    let to_do = match n_to_do {
        0 => "Nothing needs anybody.".to_owned(),
        n => format!("{} {} somebody.", count(n, "thing"), agree(n, "needs", "need")),
    };
    format!("{watched}; {fired}, and {lost}. {to_do}{unseen}")
}

fn budget_told(health: &Health) -> String {
    let number = health.numbers.iter().find(|number| number.metric == PROMISED);
    match number.filter(|number| number.value.is_some()) {
        None => "How many branches are within their budget of drift is not known".to_owned(),
        Some(number) => {
            let before = match number.before {
                Some(_) => format!(" (before: {})", number.told.before),
                None => String::new(),
            };
            format!("{} of open branches were within their budget of drift{before}", number.told.value)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> Report {
        report(&sample::held(), &sample::config(), sample::times())
    }

    #[test]
    fn what_nobody_looked_at_is_unknown_and_counts_neither_way() {
        let made = made();
        // From the last look before the gap on, that one counts for ten minutes.
        assert_eq!(made.accounting.unknown_seconds, 6 * 3_600 - 300);
        assert_eq!(made.accounting.seen_seconds + made.accounting.unknown_seconds, Period::Week.span().0);
        assert_eq!(made.accounting.repositories[0].gaps.len(), 1);
        let promise = made.repositories[0].promise.unwrap();
        // Of the seven nights of maintenance, one lies in the gap but for no time.
        assert_eq!(promise.seen_seconds, made.accounting.seen_seconds - made.accounting.maintenance_seconds);
        assert!((promise.kept_ratio - 0.9).abs() < 1e-9, "{promise:?}");
        assert!(made.headline.contains("nothing is known, since nobody looked"), "{}", made.headline);
    }

    #[test]
    fn a_repository_that_was_never_looked_at_is_not_healthy_and_has_no_numbers() {
        let mut held = sample::held();
        let repository = &mut held.repositories[0];
        (repository.sweeps, repository.courses) = (Vec::new(), Vec::new());
        repository.status = "unknown".into();
        let made = report(&held, &sample::config(), sample::times());
        assert_eq!(made.status, "unknown");
        assert_eq!((made.accounting.seen_seconds, made.repositories[0].promise), (0, None));
        assert!(made.to_do.iter().any(|one| one.what.contains("nobody looked")), "{:?}", made.to_do);
        assert_eq!(report(&Held::default(), &sample::config(), sample::times()).status, "unknown");
    }

    #[test]
    fn the_time_before_the_first_look_is_neither_seen_nor_a_gap() {
        let mut held = sample::held();
        held.repositories[0].first_seen_at = sample::hours_ago(24);
        held.repositories[0].sweeps.retain(|at| sample::hours_ago(24) <= *at);
        let made = report(&held, &sample::config(), sample::times()).accounting;
        assert_eq!((made.seen_seconds, made.unknown_seconds, made.not_watched_seconds), (86_400, 0, 6 * 86_400));
    }

    #[test]
    fn numbers_stand_against_the_period_before_and_leave_maintenance_out() {
        let numbers = &made().repositories[0].numbers;
        let told: Vec<_> =
            numbers.iter().map(|one| (&*one.title, &*one.told.value, &*one.told.before, one.verdict)).collect();
        assert_eq!(
            told,
            [("Within budget of drift", "90 %", "80 %", "better"), ("Conflicting branches", "4", "1", "worse")]
        );
        assert_eq!(made().accounting.maintenance_seconds, 7 * 3_600);
    }

    #[test]
    fn a_time_when_nobody_looked_is_told_as_that_first() {
        let (config, times) = (sample::config(), sample::times());
        let before = Timestamp(times.from.0 - Span::days(400).0);
        let made = report(&sample::held(), &config, Times::of(Period::Week, before, &config.store, times.until));
        assert!(made.headline.starts_with("Nothing is known of this time"), "{}", made.headline);
    }

    #[test]
    fn what_was_lost_comes_first_of_five_things() {
        let made = made();
        assert_eq!((made.alignment.n_runs, made.alignment.n_runs_before), (2, 1));
        assert_eq!((made.alignment.lost.len(), made.alignment.aligned.len(), made.alignment.n_unverified), (1, 1, 1));
        assert_eq!(made.alignment.success_ratio, Some(0.5));
        assert!(made.to_do[0].what.starts_with("Work was lost"), "{:?}", made.to_do);
        assert!(made.to_do.len() <= 5 && made.to_do.windows(2).all(|pair| pair[1].severity <= pair[0].severity));
        assert!(made.headline.contains("work was LOST"), "{}", made.headline);
    }

    #[test]
    fn an_alert_that_came_and_went_with_nobody_caring_is_noise_and_counts_once() {
        let alerts = made().alerts;
        assert_eq!((alerts.n_fired, alerts.n_fired_before, alerts.n_firing), (2, 1, 1));
        assert_eq!(alerts.noise_ratio, Some(0.5));
        assert_eq!(alerts.taken_on_after_median_seconds, Some(3_600));
        assert_eq!(alerts.rules[0].firing_seconds, 50 * 3_600 + 120);
    }

    #[test]
    fn maintenance_is_told_by_what_it_changed() {
        let maintenance = made().maintenance;
        assert_eq!((maintenance.n_runs, maintenance.freed_bytes), (Some(3), 3 << 20));
        assert_eq!(maintenance.runs.iter().map(|run| run.result).collect::<Vec<_>>(), ["effect", "failed"]);
    }

    #[test]
    fn foreign_text_is_text_in_every_form() {
        let made = made();
        let page = html::file(&made);
        assert!(!page.contains("<script") && !page.contains('\u{202e}'), "{page}");
        for address in ["http:", "https:", "src=", "url(", "@import"] {
            assert!(!page.contains(address), "nothing may be fetched: {address}");
        }
        let text = markdown::markdown_of(&made);
        let bare = text.replace("\\<", "");
        assert!(!text.contains('\u{202e}') && !bare.contains('<'), "{text}");
        assert!(text.lines().filter(|line| line.starts_with("| 1 |")).all(|line| line.ends_with(" |")), "{text}");
        insta::assert_snapshot!("week", text);
        let letter = letter::letter(&made, "weekly");
        assert_eq!(letter.title, "weekly: Week to 2026-01-12");
        assert!(letter.paragraphs.iter().all(|one| !one.lines.is_empty()), "{letter:?}");
    }

    #[test]
    fn a_monitoring_session_has_exactly_its_five_parts() {
        let (held, config, times) = (sample::held(), sample::config(), sample::times());
        let value = session::session(&report(&held, &config, times), &held, &config, &times, &["repack"]);
        let parts: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        let five =
            ["alerts_generated", "health_status", "maintenance_schedule", "monitoring_session", "performance_metrics"];
        assert_eq!(parts, five);
        assert_eq!(value["monitoring_session"]["session_id"], "monitor-20260112-000000-002");
        assert_eq!(value["health_status"]["resource_utilization"]["cpu_percent"], 25.0);
        assert_eq!(value["health_status"]["system_health"], "unknown", "memory and disk were not measured");
        assert_eq!(value["performance_metrics"]["alignment_operations"]["average_time_seconds"], 12.5);
        assert_eq!(value["alerts_generated"][0]["severity"], "critical", "an error is never told as less");
        assert_eq!(value["maintenance_schedule"]["next_cleanup"], "2026-01-12T02:00:00Z");
    }
}
