//! The last lines of what a command writes, where they can be read without standing in between.
//!
//! Nothing is put between the command and its output, so a terminal stays a terminal and no pipe of ours can break.
//! Where its output goes into a file, as under cron or with `>>`, the end of that file is read when the command ended.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use rustix::fs::OFlags;

/// Bytes that are read: more than is kept, so that a secret is seen whole before it is cut.
const TAIL_AT_MOST_BYTES: u64 = 64 << 10;

/// The files into which the command writes.
#[derive(Debug)]
pub struct Tail(Vec<Written>);

#[derive(Debug)]
struct Written {
    /// How we can open it again.
    path: &'static str,
    file: (u64, u64),
    began_at: u64,
}

impl Tail {
    /// To be called before the command starts: what stands in the files already is not its output.
    pub fn before() -> Tail {
        let mut files: Vec<Written> = Vec::new();
        for path in ["/proc/self/fd/1", "/proc/self/fd/2"] {
            // Follows the link, so this is what the stream leads to.
            let Ok(about) = std::fs::metadata(path) else { continue };
            let file = (about.dev(), about.ino());
            if about.is_file() && files.iter().all(|other| other.file != file) {
                files.push(Written { path, file, began_at: about.len() });
            }
        }
        Tail(files)
    }

    /// The end of what was written since, as text; `None` where nothing was, or it cannot be read.
    pub fn after(&self) -> Option<String> {
        let tails: Vec<String> = self.0.iter().filter_map(Written::end).collect();
        (!tails.is_empty()).then(|| tails.join("\n"))
    }
}

impl Written {
    fn end(&self) -> Option<String> {
        end_of(File::open(self.path).ok()?, self.began_at).ok()?
    }
}

/// The last lines of a file; `None` where it has none. Errors: it is no file, or can't be read.
pub fn of_file(path: &Path) -> io::Result<Option<String>> {
    // A pipe must not keep us waiting, nor a terminal become ours.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    let flags = i32::try_from(flags).map_err(io::Error::other)?;
    end_of(File::options().read(true).custom_flags(flags).open(path)?, 0)
}

fn end_of(mut file: File, from: u64) -> io::Result<Option<String>> {
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let began_at = from.max(about.len().saturating_sub(TAIL_AT_MOST_BYTES));
    file.seek(SeekFrom::Start(began_at))?;
    let mut bytes = Vec::new();
    // No further than the size that it has: files that the kernel makes up have none.
    file.take(about.len().saturating_sub(began_at)).read_to_end(&mut bytes)?;
    if from < began_at {
        // Begins in the middle of a line, which says less than it confuses, and may hide what makes it a secret.
        let line = bytes.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |end| end + 1);
        bytes.drain(..line);
    }
    Ok((!bytes.is_empty()).then(|| String::from_utf8_lossy(&bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn written(file: &mut File, path: &'static str, text: &str) -> Option<String> {
        let about = file.metadata().unwrap();
        let tail = Tail(vec![Written { path, file: (about.dev(), about.ino()), began_at: about.len() }]);
        file.write_all(text.as_bytes()).unwrap();
        tail.after()
    }

    #[test]
    fn only_whole_last_lines_of_what_was_written_meanwhile_are_kept() {
        let temp = tempfile::tempdir().unwrap();
        let path: &'static str = temp.path().join("log").to_str().unwrap().to_owned().leak();
        let mut file = File::options().create(true).append(true).open(path).unwrap();
        assert_eq!(written(&mut file, path, ""), None);
        assert_eq!(written(&mut file, path, "first\n").as_deref(), Some("first\n"));
        assert_eq!(written(&mut file, path, "second\n").as_deref(), Some("second\n"), "without what was there");
        let long: String = (0..10_000).map(|n| format!("line {n}\n")).collect();
        let kept = written(&mut file, path, &long).unwrap();
        assert!(kept.starts_with("line ") && kept.ends_with("line 9999\n"), "{kept}");
        assert!(kept.len() <= TAIL_AT_MOST_BYTES as usize);
        assert_eq!(written(&mut file, path, &"x".repeat(70_000)), None, "half a line may hide that it is a secret");
    }

    #[test]
    fn what_is_no_file_on_a_disk_has_no_tail_and_keeps_nobody_waiting() {
        let temp = tempfile::tempdir().unwrap();
        let pipe = temp.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RWXU).unwrap();
        assert!(of_file(&pipe).is_err());
        assert_eq!(of_file(Path::new("/proc/self/environ")).unwrap(), None);
        assert!(of_file(temp.path()).is_err());
    }
}
