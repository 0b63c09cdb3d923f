//! What a run lost, in words.

use alignwatch_model::run::Verification;

use crate::output::escape;

/// The losses in words, the gravest first; empty when there are none.
pub(crate) fn told(found: &Verification) -> String {
    /// Commits and paths that are named on one line.
    const NAMED: usize = 5;
    let mut text = String::new();
    for (branch, loss) in found.losses() {
        text.push_str(&format!(
            "{}: `{}`: {}\n",
            loss.severity.word(),
            escape::terminal(&branch.branch),
            escape::terminal(&loss.summary)
        ));
        let some = |what: &str, all: &[String], n: usize| {
            let named: Vec<_> = all.iter().take(NAMED).map(|one| escape::terminal(one)).collect();
            let more = n.saturating_sub(named.len());
            let more = if 0 < more { format!(" (+ {more} more)") } else { String::new() };
            if named.is_empty() { String::new() } else { format!("  {what}: {}{more}\n", named.join(" ")) }
        };
        text.push_str(&some("paths", &loss.paths, loss.n_paths as usize));
        text.push_str(&some("commits", &loss.commits, loss.commits.len()));
        if let Some(before) = &branch.before {
            text.push_str(&format!("  the tip before: {before}\n"));
        }
        for (what, command) in branch.rescue() {
            text.push_str(&format!("  {what}:\n    $ {}\n", escape::terminal(&command)));
        }
    }
    text
}

/// What could not be judged, in words.
pub(crate) fn unknown(found: &Verification) -> String {
    let of_branches = found
        .branches
        .iter()
        .flat_map(|branch| branch.unknown.iter().map(|reason| format!("unknown: `{}`: {reason}", branch.branch)));
    let all = found.unknown.iter().map(|reason| format!("unknown: {reason}")).chain(of_branches);
    all.map(|line| format!("{}\n", escape::terminal(&line))).collect()
}
