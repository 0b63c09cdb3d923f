//! `history COMMITS BRANCHES [SEED] | git -C NEW.git fast-import`: a large history with empty trees.
//!
//! For measuring. Shaped like a busy repository: a quarter of the commits on
//! `main` merge topics of one to six commits; most branches start near the end
//! of `main`, have a handful of commits, and one in five merged `main` again;
//! one in seven is the tip of a topic that landed.

use std::io::{self, BufWriter, Write};

/// How far apart commits are, in seconds, at most.
const PACE_SECONDS: usize = 900;

fn main() -> io::Result<()> {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse::<usize>().map_err(io::Error::other));
    let n_commits = numbers.next().ok_or(io::ErrorKind::InvalidInput)??;
    let n_branches = numbers.next().ok_or(io::ErrorKind::InvalidInput)??;
    let seed = numbers.next().transpose()?.unwrap_or(1) as u64;
    let mut history = History { out: BufWriter::new(io::stdout().lock()), chance: seed, mark: 0 };
    // Branches take six commits each on average.
    let (main, landed) = history.main_line(n_commits.saturating_sub(6 * n_branches).max(1000))?;
    for at in 0..n_branches {
        let name = format!("refs/heads/team{:02}/topic-{at:06}", at % 97);
        if history.chance(100) < 15 && !landed.is_empty() {
            let recent = landed.len() - 1 - history.chance(landed.len().div_ceil(3));
            history.reset(&name, landed[recent])?;
        } else {
            history.branch(&name, &main)?;
        }
    }
    history.reset("refs/heads/main", main[main.len() - 1].mark)
}

#[derive(Clone, Copy)]
struct Commit {
    mark: usize,
    date: usize,
}

struct History<W: Write> {
    out: W,
    chance: u64,
    mark: usize,
}

impl<W: Write> History<W> {
    /// `main`, oldest first, and the tips of the topics that it merged.
    fn main_line(&mut self, n_commits: usize) -> io::Result<(Vec<Commit>, Vec<usize>)> {
        let mut landed = Vec::new();
        let mut main = vec![self.commit("refs/heads/main", &[], 1_300_000_000)?];
        while self.mark < n_commits {
            let tip = main[main.len() - 1];
            let date = tip.date + 30 + self.chance(PACE_SECONDS);
            if self.chance(100) < 25 {
                let back = self.skewed(60).min(main.len() - 1);
                let mut topic = main[main.len() - 1 - back];
                for _ in 0..1 + self.chance(6) {
                    let then = (topic.date + 10 + self.chance(600)).min(date);
                    topic = self.commit("refs/scratch", &[topic.mark], then)?;
                }
                landed.push(topic.mark);
                main.push(self.commit("refs/heads/main", &[tip.mark, topic.mark], date)?);
            } else {
                main.push(self.commit("refs/heads/main", &[tip.mark], date)?);
            }
        }
        Ok((main, landed))
    }

    /// A branch of 1 to 40 commits, mostly few, that may have merged `main` again.
    fn branch(&mut self, name: &str, main: &[Commit]) -> io::Result<()> {
        let span = match self.chance(100) {
            0..70 => main.len() / 20,
            70..90 => main.len() * 3 / 10,
            _ => main.len(),
        };
        let mut from = main.len() - 1 - self.chance(span.max(1));
        let mut tip = main[from];
        let n_commits = 1 + self.skewed(5).min(39);
        let merges_at = if self.chance(100) < 20 { self.chance(n_commits) } else { n_commits };
        for at in 0..n_commits {
            let mut parents = vec![tip.mark];
            let mut date = tip.date + 10 + self.chance(5000);
            if at == merges_at {
                from = (from + 1 + self.chance(200)).min(main.len() - 1);
                parents.push(main[from].mark);
                date = date.max(main[from].date);
            }
            tip = self.commit(name, &parents, date)?;
        }
        Ok(())
    }

    fn commit(&mut self, name: &str, parents: &[usize], date: usize) -> io::Result<Commit> {
        self.mark += 1;
        writeln!(self.out, "commit {name}\nmark :{}\ncommitter A <a@example.org> {date} +0000\ndata 0", self.mark)?;
        for (nth, parent) in parents.iter().enumerate() {
            writeln!(self.out, "{} :{parent}", if nth == 0 { "from" } else { "merge" })?;
        }
        Ok(Commit { mark: self.mark, date })
    }

    fn reset(&mut self, name: &str, mark: usize) -> io::Result<()> {
        writeln!(self.out, "reset {name}\nfrom :{mark}\n")
    }

    /// An even chance below `n` (splitmix64).
    fn chance(&mut self, n: usize) -> usize {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.chance ^ (self.chance >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % n as u64) as usize
    }

    /// Mostly small numbers, `mean` on average.
    fn skewed(&mut self, mean: usize) -> usize {
        let even = (1 + self.chance(1 << 30)) as f64 / f64::from(1 << 30);
        (-even.ln() * mean as f64) as usize
    }
}
