//! `submodules`, `lfs-objects`, `embedded-bare`: what the trees of the lines name that lies elsewhere.

use super::{Check, Family, Outcome, Runbook, Seen, draft::*};
use crate::{
    Finding, Known, Look, Remedy, Severity,
    facts::contents::{Contents, LargeFiles, Submodules},
    quote::shell_word,
};

/// Submodules that do not fit to `.gitmodules`, or lack the commit that the line names.
pub(super) static SUBMODULES: Check = Check {
    id: "submodules",
    title: "Submodules that do not fit",
    looks_at: "Submodules in the trees of the lines against `.gitmodules`, the configuration, and the clones in `modules`",
    why: "A checkout of the aligned line is not complete, and its tests fail for a reason that no diff shows",
    severity: Severity::Warning,
    family: Family::Submodules,
    needs: &[Look::Contents],
    git_says: Some("git submodule status"),
    runbook: Runbook {
        look: "`git ls-tree -r <line> | grep ^160000` lists them; `git show <line>:.gitmodules` names them; `git submodule status` compares",
        mend: "Address differs: `git submodule sync`. Commit lacks: `git submodule update --init`; if that fails, its author has not pushed it. Not named: add it to `.gitmodules`, or remove it with `git rm --cached <path>`",
        sure: "`git submodule status` shows no `-` and no `+`, and `alignwatch check --only submodules` is ok",
        undo: Some(
            "`git submodule sync` takes the addresses of `.gitmodules` over; `git config submodule.<name>.url <old address>` takes one back",
        ),
    },
    threshold: None,
    judge: submodules,
};

/// Large files whose content is not here.
pub(super) static LFS_OBJECTS: Check = Check {
    id: "lfs-objects",
    title: "Large files that are not here",
    looks_at: "Git LFS pointers in the trees of the lines, and the objects in `lfs/objects`",
    why: "Only pointers are in Git: a backup of this repository, or a server that is lost, takes the files with it",
    severity: Severity::Error,
    family: Family::Lfs,
    needs: &[Look::Contents],
    git_says: Some("git lfs fsck --objects"),
    runbook: Runbook {
        look: "`git lfs ls-files --all --size` shows them; `git lfs fsck` checks their content, too",
        mend: "Run `git lfs fetch --all`. A file that should be a pointer and is not: `git lfs migrate import --no-rewrite <path>`",
        sure: "`git lfs fsck` prints `Git LFS fsck OK`",
        undo: Some(
            "Nothing to take back for a fetch: `git lfs prune` frees the space again. A commit of `migrate import --no-rewrite` is taken back by `git revert <id>`",
        ),
    },
    threshold: None,
    judge: lfs_objects,
};

/// Bare repositories inside the tree, where Git may work by accident.
pub(super) static EMBEDDED_BARE: Check = Check {
    id: "embedded-bare",
    title: "Repositories hidden in the tree",
    looks_at: "Folders in the trees of the lines that Git would take for a bare repository, and `safe.bareRepository`",
    why: "Whoever enters such a folder runs the programs that its configuration names; it came along with a merge",
    severity: Severity::Warning,
    family: Family::Configuration,
    needs: &[Look::Contents, Look::Settings],
    git_says: Some("git rev-parse --is-bare-repository"),
    runbook: Runbook {
        look: "`git ls-tree <line> <folder>/` lists what is in it; read its file `config` with `git show <line>:<folder>/config`",
        mend: "Run `git config --global safe.bareRepository explicit`: Git then opens such a folder only when told so by `--git-dir`. Rename or remove the folder if nobody needs it",
        sure: "`git -C <folder> rev-parse --git-dir` refuses or names the outer repository",
        undo: Some("`git config --global --unset safe.bareRepository`"),
    },
    threshold: None,
    judge: embedded_bare,
};

fn contents<'a>(seen: &Seen<'a>) -> Result<&'a [Contents], Outcome> {
    match &seen.snapshot.facts.contents {
        Known::Seen(contents) => Ok(contents),
        Known::Unknown(reason) => Err(Outcome::unknown(reason.clone())),
    }
}

fn submodules(seen: &Seen<'_>) -> Outcome {
    let contents = match contents(seen) {
        Ok(contents) => contents,
        Err(outcome) => return outcome,
    };
    // Lines that share a folder share what is wrong with it.
    let mut alike: Vec<(&Submodules, Vec<&Contents>)> = Vec::new();
    let mut reasons: Vec<&str> = Vec::new();
    for one in contents {
        match &one.submodules {
            Known::Seen(submodules) => {
                match alike.iter_mut().find(|(other, _)| *other == submodules) {
                    Some((_, lines)) => lines.push(one),
                    None => alike.push((submodules, vec![one])),
                }
                reasons.extend(submodules.unread.iter().map(|(_, reason)| &**reason));
                reasons.extend(submodules.bad_file.as_deref());
            }
            Known::Unknown(reason) => reasons.push(reason),
        }
    }
    let findings = alike.into_iter().filter_map(|(found, lines)| submodules_of(seen, &lines, found)).collect();
    Outcome { findings, unknown: unjudged("submodule", reasons), skipped: None }
}

/// One finding for lines with the same submodules: all that does not fit.
fn submodules_of(seen: &Seen<'_>, lines: &[&Contents], found: &Submodules) -> Option<Finding> {
    let kinds: [(&[String], &str, &str); 4] = [
        (&found.without_commit, "lacks the commit that the line names", "lack the commit that the line names"),
        (&found.not_named, "is not named in .gitmodules", "are not named in .gitmodules"),
        (&found.not_linked, "is named in .gitmodules and not there", "are named in .gitmodules and not there"),
        (&found.other_address, "has another address here", "have another address here"),
    ];
    let said: Vec<String> = kinds
        .iter()
        .filter(|(paths, ..)| !paths.is_empty())
        .map(|(paths, one, many)| format!("{} {}", count(paths.len(), "submodule"), agree(paths.len(), one, many)))
        .collect();
    let first = kinds.iter().find_map(|(paths, ..)| paths.first())?;
    let of = &lines[0].line;
    let names: Vec<String> = lines.iter().map(|one| quoted(&one.line)).collect();
    let summary = format!("On {} {}, such as {first}", names.join(" and "), said.join("; "));
    let fetch = found
        .without_commit
        .first()
        .map(|path| format!("git submodule update --init -- {}", shell_word(path.as_bytes())));
    let sync = (!found.other_address.is_empty()).then(|| "git submodule sync".to_owned());
    let finding = seen
        .finding(Severity::Warning, &of.text(), quoted(of), summary)
        .names("lines", lines.iter().map(|one| one.line.text().into_owned()))
        .fact("n_submodules", found.n_links)
        .names("without_commit", found.without_commit.iter().cloned())
        .names("not_named", found.not_named.iter().cloned())
        .names("not_linked", found.not_linked.iter().cloned())
        .names("other_address", found.other_address.iter().cloned())
        .fact("source", "git ls-tree -r, .gitmodules, and the clones in modules/")
        .so("Whoever checks the line out gets other content than its author had, or none.")
        .mend(Remedy::reversible(
            "An address that differs is taken over from .gitmodules by git submodule sync; undo by setting \
             submodule.<name>.url again. A commit that lacks is fetched by git submodule update. One that is not named is \
             added to .gitmodules, or taken out with git rm --cached.",
            fetch.into_iter().chain(sync),
        ));
    Some(finding)
}

fn lfs_objects(seen: &Seen<'_>) -> Outcome {
    let contents = match contents(seen) {
        Ok(contents) => contents,
        Err(outcome) => return outcome,
    };
    let mut findings = Vec::new();
    let mut reasons: Vec<&str> = Vec::new();
    for one in contents {
        match &one.large_files {
            Known::Seen(files) => {
                findings.extend(missing(seen, one, files));
                findings.extend(not_pointers(seen, one, files));
                reasons.extend(files.not_pointers.reason());
            }
            Known::Unknown(reason) => reasons.push(reason),
        }
    }
    Outcome { findings, unknown: unjudged("line", reasons), skipped: None }
}

fn missing(seen: &Seen<'_>, of: &Contents, files: &LargeFiles) -> Option<Finding> {
    let n_bad = files.n_missing + files.n_other_size;
    let first = files.examples.first().filter(|_| n_bad > 0)?;
    // A clone without any of them left them at the server on purpose.
    let severity = if files.n_missing == files.n_pointers { Severity::Warning } else { Severity::Error };
    let summary = format!(
        "On {} {} of {} {} not here whole ({}), such as {first}",
        quoted(&of.line),
        thousands(n_bad),
        count(files.n_pointers, "large file"),
        agree(n_bad, "is", "are"),
        crate::words::bytes(files.missing_bytes)
    );
    let finding = seen
        .finding(severity, &format!("missing:{}", of.line.text()), quoted(&of.line), summary)
        .fact("line", of.line.text())
        .fact("n_pointers", files.n_pointers)
        .fact("n_missing", files.n_missing)
        .fact("missing_bytes", files.missing_bytes)
        .fact("n_other_size", files.n_other_size)
        .fact("paths", files.examples.clone())
        .fact("source", "pointers in the tree, and lfs/objects")
        .so("A backup of this clone does not hold them, and a checkout without the server gets pointers in place of files.")
        .mend(Remedy::irreversible(
            "Fetch them. That only adds files below lfs/objects; git lfs prune frees the space again.",
            ["git lfs fetch --all".to_owned()],
        ));
    Some(finding)
}

fn not_pointers(seen: &Seen<'_>, of: &Contents, files: &LargeFiles) -> Option<Finding> {
    let paths = files.not_pointers.seen()?;
    let (first, n) = (paths.first()?, paths.len());
    let summary = format!(
        "On {} {} should be kept outside and {} in Git as {}, such as {first}",
        quoted(&of.line),
        count(n, "file"),
        agree(n, "is", "are"),
        agree(n, "it is", "they are")
    );
    let finding = seen
        .finding(Severity::Warning, &format!("not-pointers:{}", of.line.text()), quoted(&of.line), summary)
        .fact("line", of.line.text())
        .names("paths", paths.iter().cloned())
        .fact("source", "`filter=lfs` in .gitattributes of the line")
        .so("With Git LFS installed they look changed right after a checkout, so no alignment finds a clean tree.")
        .mend(Remedy::reversible(
            "Turn them into pointers with a commit. Undo: git revert <id of that commit>",
            [format!("git lfs migrate import --no-rewrite -- {}", shell_word(first.as_bytes()))],
        ));
    Some(finding)
}

fn embedded_bare(seen: &Seen<'_>) -> Outcome {
    let contents = match contents(seen) {
        Ok(contents) => contents,
        Err(outcome) => return outcome,
    };
    let is_explicit = match &seen.snapshot.facts.settings {
        Known::Seen(settings) => {
            matches!(&settings.safe_bare_repository, Known::Seen(Some(value)) if value == "explicit")
        }
        Known::Unknown(reason) => return Outcome::unknown(reason.clone()),
    };
    let with = contents.iter().filter_map(|one| Some((one, one.bare_repositories.seen()?)));
    let findings = with.filter(|(_, folders)| !folders.is_empty()).map(|(one, folders)| {
        let severity = if is_explicit { Severity::Info } else { Severity::Warning };
        let summary = format!(
            "On {} {} in the tree {} a bare repository, such as {}",
            quoted(&one.line),
            count(folders.len(), "folder"),
            agree(folders.len(), "is", "are"),
            folders[0]
        );
        seen.finding(severity, &one.line.text(), quoted(&one.line), summary)
            .fact("line", one.line.text())
            .names("folders", folders.iter().cloned())
            .fact("safe_bare_repository_is_explicit", is_explicit)
            .fact("source", "git ls-tree -r -t")
            .so("Git run inside such a folder obeys its configuration, which can name programs.")
            .mend(Remedy::reversible(
                "Let Git open such folders only when told so. Undo: git config --global --unset safe.bareRepository",
                ["git config --global safe.bareRepository explicit".to_owned()],
            ))
    });
    Outcome {
        findings: findings.collect(),
        unknown: unjudged("line", contents.iter().filter_map(|one| one.bare_repositories.reason())),
        skipped: None,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::sample::*, *};
    use crate::{Snapshot, facts::settings::Settings};

    fn with(change: impl FnOnce(&mut Contents)) -> Snapshot {
        let mut contents = Contents {
            line: "refs/heads/main".into(),
            submodules: Known::Seen(Submodules::default()),
            large_files: Known::Seen(LargeFiles::default()),
            bare_repositories: Known::Seen(Vec::new()),
        };
        change(&mut contents);
        let mut snapshot = snapshot([]);
        snapshot.facts.contents = Known::Seen(vec![contents]);
        snapshot.facts.settings = Known::Seen(Settings {
            safe_directories: Known::Seen(Vec::new()),
            safe_bare_repository: Known::Seen(None),
            log_ref_updates: Known::Seen(None),
            takes_pushes: None,
            denies_rewinds: Known::Seen(false),
            denies_deletes: Known::Seen(false),
        });
        snapshot
    }

    #[test]
    fn plain_trees_are_fine_and_unread_ones_are_unknown() {
        let unread = with(|one| {
            let reason = || "object 00 is missing".to_owned();
            one.submodules = Known::Unknown(reason());
            one.large_files = Known::Unknown(reason());
            one.bare_repositories = Known::Unknown(reason());
        });
        for check in [&SUBMODULES, &LFS_OBJECTS, &EMBEDDED_BARE] {
            assert_eq!(judged(check, &with(|_| {})), Outcome::default(), "{}", check.id);
            assert!(judged(check, &unread).unknown.is_some(), "{}", check.id);
            assert!(judged(check, &snapshot([])).unknown.is_some(), "{}", check.id);
        }
    }

    #[test]
    fn all_that_does_not_fit_is_one_finding_a_line() {
        let ill = with(|one| {
            one.submodules = Known::Seen(Submodules {
                n_links: 3,
                not_named: vec!["lib/a".into()],
                without_commit: vec!["lib/b".into(), "lib/c".into()],
                ..Submodules::default()
            });
        });
        let finding = only(judged(&SUBMODULES, &ill));
        assert_eq!(
            told([&finding]),
            "[warning] submodules:refs/heads/main: On `main` 2 submodules lack the commit that the line names; 1 submodule is not named in .gitmodules, such as lib/b"
        );
        assert_eq!(finding.remedy.commands, ["git submodule update --init -- lib/b"]);
        let unread = with(|one| {
            let unread = vec![("lib/a".to_owned(), "it is no repository".to_owned())];
            one.submodules = Known::Seen(Submodules { unread, ..Submodules::default() });
        });
        assert!(judged(&SUBMODULES, &unread).unknown.is_some());
    }

    #[test]
    fn missing_large_files_are_counted_and_none_at_all_are_a_choice() {
        let tell = |n_missing| {
            let ill = with(|one| {
                one.large_files = Known::Seen(LargeFiles {
                    n_pointers: 3,
                    n_missing,
                    missing_bytes: 2048,
                    examples: vec!["a.bin".into()],
                    ..LargeFiles::default()
                });
            });
            told(&judged(&LFS_OBJECTS, &ill).findings)
        };
        assert_eq!(
            tell(2),
            "[error] lfs-objects:missing:refs/heads/main: On `main` 2 of 3 large files are not here whole (2.0 KiB), such as a.bin"
        );
        assert!(tell(3).starts_with("[warning]"));
        assert_eq!(tell(0), "");
    }

    #[test]
    fn files_that_should_be_pointers_are_told() {
        let ill = with(|one| {
            let not_pointers = Known::Seen(vec!["a.bin".to_owned()]);
            one.large_files = Known::Seen(LargeFiles { not_pointers, ..LargeFiles::default() });
        });
        assert_eq!(
            told(&judged(&LFS_OBJECTS, &ill).findings),
            "[warning] lfs-objects:not-pointers:refs/heads/main: On `main` 1 file should be kept outside and is in Git as it is, such as a.bin"
        );
    }

    #[test]
    fn attributes_that_could_not_be_read_are_unknown() {
        let unread = with(|one| {
            let not_pointers = Known::Unknown("this git is too old".to_owned());
            one.large_files = Known::Seen(LargeFiles { not_pointers, ..LargeFiles::default() });
        });
        assert!(judged(&LFS_OBJECTS, &unread).unknown.is_some());
    }

    #[test]
    fn a_hidden_repository_weighs_less_where_git_is_told_to_be_careful() {
        let mut ill = with(|one| one.bare_repositories = Known::Seen(vec!["test/fixture.git".into()]));
        assert_eq!(
            told(&judged(&EMBEDDED_BARE, &ill).findings),
            "[warning] embedded-bare:refs/heads/main: On `main` 1 folder in the tree is a bare repository, such as test/fixture.git"
        );
        if let Known::Seen(settings) = &mut ill.facts.settings {
            settings.safe_bare_repository = Known::Seen(Some("explicit".into()));
        }
        assert!(told(&judged(&EMBEDDED_BARE, &ill).findings).starts_with("[info]"));
    }
}
