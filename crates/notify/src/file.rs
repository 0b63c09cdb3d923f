//! Appends a notice to a file, as one line of JSON that is on the disk when it is told.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use alignwatch_model::{
    config::{SecretRef, channels::File},
    notice::{Delivered, Failure, FailureReason, Notice},
};

use crate::{Tell, Way, failure::failed, fitted, limits, plain_file, webhook::ours};

impl Tell for File {
    fn tell(&self, notice: &Notice, _: Way<'_>) -> Result<Delivered, Failure> {
        let line = line(notice);
        append(Path::new(&self.path), line.as_bytes())
            .map_err(|error| failed(FailureReason::LocalError, format!("cannot append to `{}`: {error}", self.path)))?;
        Ok(Delivered { answer: format!("{} bytes are on the disk", line.len()), reference: None })
    }

    fn draft(&self, notice: &Notice) -> String {
        format!("{:#}", serde_json::from_str::<serde_json::Value>(&line(notice)).unwrap_or_default())
    }

    fn secrets(&self) -> Vec<SecretRef> {
        Vec::new()
    }
}

fn line(notice: &Notice) -> String {
    let size = |notice: &Notice| ours(notice).to_string().len();
    format!("{}\n", ours(&fitted(notice, limits::FILE_LINE.at_most, size)))
}

/// One write, so that lines of two writers do not mix.
fn append(path: &Path, line: &[u8]) -> io::Result<()> {
    let is_new = !path.exists();
    let mut file = plain_file::open(OpenOptions::new().append(true).create(true).mode(0o600), path)?;
    file.write_all(line)?;
    file.sync_data()?;
    // The name of a new file is on the disk only when its folder is.
    match path.parent().filter(|_| is_new) {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use alignwatch_model::Timestamp;

    use super::*;
    use crate::{Egress, sample};

    fn told(path: &Path, notice: &Notice) -> Result<Delivered, Failure> {
        let egress = Egress::default();
        let channel = File { path: path.to_string_lossy().into_owned(), ..File::default() };
        channel.tell(notice, Way::new(&egress, Timestamp(0), crate::DEADLINE))
    }

    #[test]
    fn each_notice_is_one_line_that_can_be_read_back() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("notices.jsonl");
        let hostile = sample::hostile("line\nfeed");
        for notice in [&sample::notice(), &hostile] {
            told(&path, notice).expect("it is written");
        }
        let text = fs::read_to_string(&path).expect("it is there");
        let read: Vec<Notice> = text.lines().map(|line| serde_json::from_str(line).expect("a notice")).collect();
        assert_eq!(read, [sample::notice(), hostile]);
    }

    #[test]
    fn what_is_no_plain_file_is_refused() {
        let failure = told(Path::new("/dev/null"), &sample::notice()).expect_err("a device");
        assert_eq!(failure.detail, "cannot append to `/dev/null`: it is no plain file");
        assert!(told(Path::new("/no/such/folder/x"), &sample::notice()).is_err());
    }
}
