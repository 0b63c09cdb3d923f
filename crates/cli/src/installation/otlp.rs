//! `otlp`: do the metrics arrive where they are sent?

use alignwatch_daemon::export::{self, Sent};
use alignwatch_model::{Finding, Known, Remedy, Severity, Span, Timestamp, config::SecretRef};

use super::{
    Around, Examination, Told,
    secrets::{self, Needs},
};

/// Where metrics are sent, and how that went.
pub(super) static EXAMINATION: Examination = Examination {
    id: "otlp",
    title: "Metrics sent away",
    why: "A dashboard elsewhere that gets nothing new shows the last that it got",
    examine,
};

fn examine(around: &Around) -> Told {
    let otlp = &around.config.otlp;
    let Some(endpoint) = &otlp.endpoint else {
        return Told::well("nowhere: nothing is sent by itself; `/metrics` is there to be asked");
    };
    let address = SecretRef::parse(endpoint).ok();
    let secrets = otlp.headers.iter().map(|header| header.value.clone()).chain(address);
    let unreadable: Vec<Finding> = secrets.filter_map(|secret| unreadable(&secret)).collect();
    let told = match around.data_dir.as_ref().map(|dir| export::sent(dir)) {
        None => Told::unknown("there is no data directory, so that nothing is known of it"),
        Some(Known::Unknown(reason)) => Told::unknown(reason),
        Some(Known::Seen(None)) => Told::well("nothing was sent yet"),
        Some(Known::Seen(Some(sent))) => how(&sent, otlp.every, around.now),
    };
    unreadable.into_iter().fold(told, Told::but)
}

fn how(sent: &Sent, every: Span, now: Timestamp) -> Told {
    let says = match sent.arrived_at_seconds {
        Some(at) => format!("the last arrived {} ago", now.since(Timestamp(at))),
        None => "none arrived yet".to_owned(),
    };
    let told = Told::well(says.clone());
    // As the metric has it: older than three times the pace is not what should be.
    let is_late = sent.arrived_at_seconds.is_some_and(|at| 3 * every.0 < now.since(Timestamp(at)).0);
    let failure = match &sent.failure {
        Some(failure) => failure.clone(),
        None if is_late => format!("they are due every {every}, and nothing was sent; is the daemon running?"),
        None => return told,
    };
    let remedy = Remedy::reversible(
        "Is the address right, and may it be called? See `egress.allow` for a collector in a private network.",
        vec!["alignwatch config explain otlp".to_owned()],
    );
    let dropped = if sent.n_dropped == 0 { String::new() } else { format!(", and {} were dropped", sent.n_dropped) };
    let summary = format!("metrics do not arrive where they are sent: {failure} ({says}{dropped})");
    told.but(EXAMINATION.finding("unheard", Severity::Warning, summary, remedy))
}

fn unreadable(secret: &SecretRef) -> Option<Finding> {
    let mend = ("Put it there, so that only the user of alignwatch can read it.", Vec::new());
    let needs = Needs { who: "sending metrics".to_owned(), cause: secret.to_string(), mend };
    secrets::finding(&EXAMINATION, secret, needs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_a_finding_with_when_it_last_went_well() {
        let sent = Sent {
            arrived_at_seconds: Some(100),
            n_failed: 3,
            n_dropped: 2,
            failure: Some("no connection with otel".into()),
        };
        let told = how(&sent, Span::minutes(1), Timestamp(400));
        assert_eq!(
            told.findings[0].summary,
            "metrics do not arrive where they are sent: no connection with otel (the last arrived 5 min ago, and 2 were dropped)"
        );
        let well = Sent { failure: None, ..sent };
        assert!(how(&well, Span::minutes(5), Timestamp(400)).findings.is_empty());
        let late = how(&well, Span::minutes(1), Timestamp(400));
        assert!(late.findings[0].summary.contains("nothing was sent"), "{}", late.findings[0].summary);
    }
}
