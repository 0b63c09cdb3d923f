//! Gives a notice to a program, as JSON on its standard input. Exit code 0 means that it was told.
//!
//! Nothing of the notice is among its arguments. The key and the state are in its environment, too, so that
//! a small script can do without a reader of JSON.

use std::time::Duration;

use alignwatch_model::{
    config::{SecretRef, channels::Command},
    escape::terminal,
    notice::{Delivered, Failure, FailureReason, Notice, NoticeStatus},
};

use crate::{DEADLINE, Tell, Way, failure::failed, fitted, limits, program, text, webhook::ours};

/// What is kept of its output, in bytes.
const OUTPUT_AT_MOST: usize = 4_096;

impl Tell for Command {
    fn tell(&self, notice: &Notice, _: Way<'_>) -> Result<Delivered, Failure> {
        let variables =
            [("ALIGNWATCH_KEY", terminal(&notice.key).into_owned()), ("ALIGNWATCH_STATUS", status(notice).to_owned())];
        let patience = self.deadline.map_or(DEADLINE, |span| Duration::from_secs(u64::try_from(span.0).unwrap_or(1)));
        let ended = program::run(&self.run, input(notice).as_bytes(), &variables, patience, OUTPUT_AT_MOST);
        let ended = ended.map_err(|why| failed(FailureReason::LocalError, why))?;
        match ended.code {
            Some(0) => Ok(Delivered { answer: said("exit code 0", &ended.output), reference: None }),
            Some(code) => Err(failed(FailureReason::LocalError, said(&format!("exit code {code}"), &ended.complaint))),
            None => Err(failed(FailureReason::LocalError, "a signal ended it".to_owned())),
        }
    }

    fn draft(&self, notice: &Notice) -> String {
        format!("{:#}", serde_json::from_str::<serde_json::Value>(&input(notice)).unwrap_or_default())
    }

    fn secrets(&self) -> Vec<SecretRef> {
        Vec::new()
    }
}

fn input(notice: &Notice) -> String {
    let size = |notice: &Notice| ours(notice).to_string().len();
    format!("{}\n", ours(&fitted(notice, limits::COMMAND_INPUT.at_most, size)))
}

fn status(notice: &Notice) -> &'static str {
    match notice.status {
        NoticeStatus::Firing => "firing",
        NoticeStatus::Resolved => "resolved",
    }
}

fn said(how: &str, output: &[u8]) -> String {
    let output = String::from_utf8_lossy(output);
    let line = output.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    if line.is_empty() { how.to_owned() } else { format!("{how}: {}", text::cut(&terminal(line), 200)) }
}

#[cfg(test)]
mod tests {
    use alignwatch_model::Timestamp;

    use super::*;
    use crate::{Egress, sample};

    fn told(script: &str) -> Result<Delivered, Failure> {
        let run = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        let egress = Egress::default();
        Command { run, ..Command::default() }
            .tell(&sample::hostile("$(id)"), Way::new(&egress, Timestamp(0), crate::DEADLINE))
    }

    #[test]
    fn a_program_gets_the_notice_and_says_how_it_went() {
        let told =
            told("grep -c '\"schema\":\"alignwatch.notice/1\"'; echo $ALIGNWATCH_STATUS $ALIGNWATCH_KEY >/dev/null");
        assert_eq!(told.expect("exit code 0").answer, "exit code 0: 1");
    }

    #[test]
    fn a_program_that_fails_is_another_attempts_matter() {
        let failure = told("echo >&2; echo 'no line to the pager' >&2; exit 9").expect_err("exit code 9");
        assert_eq!(failure.detail, "exit code 9: no line to the pager");
        assert!(!failure.is_permanent && failure.reason == FailureReason::LocalError);
    }
}
