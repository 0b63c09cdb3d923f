//! A git whose output is heard piece by piece, because there is too much of it to keep.

use std::time::Instant;

use super::{Call, GitError, Output};

impl Call<'_> {
    /// Runs it, and hands on what it says as it says it; exit code 0 alone is an answer.
    ///
    /// `hear` gets pieces that end anywhere. The bound on standard output holds for one piece.
    pub fn run_streamed(mut self, hear: &mut dyn FnMut(&[u8])) -> Result<Output, GitError> {
        let mut input = std::mem::take(&mut self.input);
        let mut running = self.start()?;
        let until = Instant::now() + self.limits.time;
        let mut sent = 0;
        while running.stdout.is_some() || running.stderr.is_some() {
            if sent == input.len() {
                running.stdin = None;
                input = Vec::new();
                sent = 0;
            }
            sent += running.turn(&input[sent..], until)?;
            running.check_bound(running.said.len())?;
            hear(&running.said);
            running.said.clear();
        }
        let code = running.hear_out(&[], until)?;
        hear(&running.said);
        running.said.clear();
        if code != 0 {
            return Err(running.failed(code));
        }
        Ok(running.output(code))
    }
}
