//! A git that stays, and answers one message after the other.

use std::time::Instant;

use super::{
    GitError, Output,
    running::{READ_BYTES, Running},
};

/// A git that answers one message after the other. Dropped, it and its children are ended.
///
/// What it says meanwhile is read while a message is sent, so that neither side waits for the other.
pub struct Conversation {
    running: Running,
    taken: usize,
}

impl Conversation {
    /// With a git that was just started.
    pub(super) fn with(running: Running) -> Conversation {
        Conversation { running, taken: 0 }
    }

    /// Sends bytes. Errors: those of a git that ended, or does not read within [`Limits::time`](super::Limits::time).
    pub fn send(&mut self, mut bytes: &[u8]) -> Result<(), GitError> {
        let until = self.deadline();
        while !bytes.is_empty() {
            if self.running.stdin.is_none() {
                return Err(self.ended());
            }
            let sent = self.running.turn(bytes, until)?;
            bytes = &bytes[sent..];
            self.check_bound()?;
        }
        Ok(())
    }

    /// Closes its standard input: there will be no further message.
    pub fn close_input(&mut self) {
        self.running.stdin = None;
    }

    /// The bytes up to the next `end`, without it; `None` when it ended well with nothing left to say.
    pub fn read_until(&mut self, end: u8) -> Result<Option<Vec<u8>>, GitError> {
        let until = self.deadline();
        let mut searched = self.taken;
        loop {
            if let Some(at) = self.running.said[searched..].iter().position(|&byte| byte == end) {
                let answer = self.take(searched + at - self.taken);
                self.taken += 1;
                return Ok(Some(answer));
            }
            searched = self.running.said.len();
            if !self.listen(until)? {
                return Ok(None);
            }
        }
    }

    /// Exactly so many bytes.
    pub fn read_exact(&mut self, len: usize) -> Result<Vec<u8>, GitError> {
        let until = self.deadline();
        while self.running.said.len() - self.taken < len {
            if !self.listen(until)? {
                return Err(GitError::Ended { command: self.running.command.clone() });
            }
        }
        Ok(self.take(len))
    }

    /// Closes its input, takes all that is left, and waits for its end. A code other than 0 is an answer here.
    pub fn finish(mut self) -> Result<Output, GitError> {
        self.close_input();
        let until = self.deadline();
        self.forget_taken();
        let code = self.running.hear_out(&[], until)?;
        Ok(self.running.output(code))
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.running.limits.time
    }

    /// Waits for more output; `false` when it ended well and everything it said was taken.
    fn listen(&mut self, until: Instant) -> Result<bool, GitError> {
        if self.running.stdout.is_none() {
            let ended = self.ended();
            let all_taken = self.taken == self.running.said.len();
            return if all_taken && matches!(ended, GitError::Ended { .. }) { Ok(false) } else { Err(ended) };
        }
        self.running.turn(&[], until)?;
        self.check_bound()?;
        Ok(true)
    }

    /// How it ended, as the reason for an answer that will not come.
    fn ended(&mut self) -> GitError {
        let until = self.deadline();
        match self.running.hear_out(&[], until) {
            Ok(0) => GitError::Ended { command: self.running.command.clone() },
            Ok(code) => self.running.failed(code),
            Err(error) => error,
        }
    }

    fn take(&mut self, len: usize) -> Vec<u8> {
        let answer = self.running.said[self.taken..self.taken + len].to_vec();
        self.taken += len;
        // Moving what is left to the front is paid by what was taken before it.
        if self.running.said.len() / 2 < self.taken && READ_BYTES < self.taken {
            self.forget_taken();
        }
        answer
    }

    fn forget_taken(&mut self) {
        self.running.said.drain(..self.taken);
        self.taken = 0;
    }

    fn check_bound(&self) -> Result<(), GitError> {
        self.running.check_bound(self.running.said.len() - self.taken)
    }
}
