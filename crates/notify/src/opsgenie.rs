//! Opens and closes an alert of Opsgenie, one for each group. Jira Service Management took over its form.
//!
//! The alias is the group's, so that a change or a repetition finds the alert that is open.

use alignwatch_model::{
    Severity,
    config::{SecretRef, channels::Opsgenie},
    escape::terminal,
    notice::{Delivered, Failure, Notice, NoticeStatus},
};
use serde_json::{Value, json};

use crate::{
    Tell, Way, group_hash,
    http::{self, Request},
    key_and_address, limits, secret,
    text::{self, PLAIN},
};

impl Tell for Opsgenie {
    fn tell(&self, notice: &Notice, way: Way<'_>) -> Result<Delivered, Failure> {
        tell(self.url.as_deref().unwrap_or("https://api.opsgenie.com"), &self.key, notice, way)
    }

    fn draft(&self, notice: &Notice) -> String {
        draft(notice)
    }

    fn secrets(&self) -> Vec<SecretRef> {
        key_and_address(&self.key, self.url.as_deref())
    }
}

pub(crate) fn tell(base: &str, key: &SecretRef, notice: &Notice, way: Way<'_>) -> Result<Delivered, Failure> {
    let key = secret::read(key, way)?;
    let alias = group_hash(notice);
    let is_over = notice.status == NoticeStatus::Resolved;
    let alerts = http::address(base, way)?.below(&["v2", "alerts"])?;
    let to = if is_over { alerts.below(&[&alias, "close"])?.with_query([("identifierType", "alias")]) } else { alerts };
    let request = Request::json("POST", to, &body(notice)).with_secret("authorization", "GenieKey ", &key);
    let answer = http::send(&request, way)?;
    // Nobody opened it, or somebody closed it already: there is nothing left to close.
    if is_over && answer.status == 404 {
        return Ok(answer.delivered(None));
    }
    Ok(answer.judged(way.now)?.delivered(Some(alias)))
}

pub(crate) fn draft(notice: &Notice) -> String {
    format!("{:#}", body(notice))
}

fn body(notice: &Notice) -> Value {
    if notice.status == NoticeStatus::Resolved {
        let note = text::body(notice, &PLAIN, limits::OPSGENIE_TEXT, 20);
        return json!({ "source": "alignwatch", "note": note });
    }
    let entity = text::shared(&notice.alerts, |alert| &alert.repository).unwrap_or("several repositories");
    json!({
        "message": text::title(notice, limits::OPSGENIE_MESSAGE),
        "alias": group_hash(notice),
        "description": text::body(notice, &PLAIN, limits::OPSGENIE_TEXT, 50),
        "entity": text::cut(&terminal(entity), 500),
        "source": "alignwatch",
        "priority": priority(notice),
        "tags": ["alignwatch"],
    })
}

fn priority(notice: &Notice) -> &'static str {
    match notice.severity() {
        Some(Severity::Critical) => "P1",
        Some(Severity::Error) => "P2",
        Some(Severity::Warning) => "P3",
        _ => "P5",
    }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::sample;

    #[test]
    fn a_group_opens_an_alert_and_closes_the_same() {
        assert_snapshot!(format!("{:#}", body(&sample::notice())), @r#"
        {
          "alias": "c307d67c5b4353c1244b3aa6aaffdb62",
          "description": "ERROR feature/0 is 240 commits behind main (limit 200)\nrefs/heads/feature/0 in a.git\nsince 2026-01-01 00:00 UTC, alert a0\nThe longer it waits, the more will collide.\nMerge the base into it.\ngit merge-base main feature/0\nwhat to do: https://docs.example.org/far-behind\n\nsee all: https://watch.example.org/alerts",
          "entity": "/srv/git/a.git",
          "message": "[ERROR] feature/0 is 240 commits behind main (limit 200) (a.git)",
          "priority": "P2",
          "source": "alignwatch",
          "tags": [
            "alignwatch"
          ]
        }
        "#);
        assert_snapshot!(format!("{:#}", body(&sample::over())), @r#"
        {
          "note": "All are over.\n\nOVER feature/0 is 240 commits behind main (limit 200)\nrefs/heads/feature/0 in a.git\n2026-01-01 00:00 UTC to 2026-01-01 03:00 UTC, 3 h, told late, changed while muted, alert a0\nwhat to do: https://docs.example.org/far-behind\n\nsee all: https://watch.example.org/alerts",
          "source": "alignwatch"
        }
        "#);
    }

    #[test]
    fn an_alert_is_no_longer_than_it_may_be() {
        for notice in [sample::many(300), sample::hostile(&"\u{1}".repeat(40_000))] {
            let body = body(&notice);
            let size = |name: &str| body[name].as_str().map_or(0, |text| text.encode_utf16().count());
            assert!(
                size("message") <= 130
                    && size("description") <= 15_000
                    && size("alias") <= limits::OPSGENIE_ALIAS.at_most
            );
        }
    }
}
