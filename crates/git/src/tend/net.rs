//! A net below a task that rewrites objects: a second name for each pack and loose object.
//!
//! Second names cost next to nothing while the first are there, and keep the content when Git takes the first away.
//! After the objects were counted again the net is taken in, and only then the room is free.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use crate::mend::place;

/// Files in one net. Source: ours; four times a repository that nobody has tended for a year.
const FILES_AT_MOST: usize = 4_000_000;

/// The net of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Net {
    folder: PathBuf,
    objects_dir: PathBuf,
}

impl Net {
    /// The net with this id; nothing is made before [`Net::spread`]. Errors: a link is in the way.
    pub fn of(common_dir: &Path, objects_dir: &Path, id: &str) -> Result<Net, String> {
        let below = format!("quarantine/{id}/objects");
        let folder = place::inside(common_dir, &below).map_err(|refusal| refusal.to_string())?;
        Ok(Net { folder, objects_dir: objects_dir.to_owned() })
    }

    /// Gives each file below `objects/` that holds objects its second name.
    ///
    /// Errors: the file system has no second names, or is full; what was made is taken away again.
    pub fn spread(&self) -> Result<(), String> {
        let spread = (|| {
            for (folder, name) in self.files(&self.objects_dir)? {
                let from = self.objects_dir.join(&folder).join(&name);
                make(&self.folder.join(&folder))?;
                match fs::hard_link(&from, self.folder.join(&folder).join(&name)) {
                    Ok(()) => {}
                    // Somebody packed it meanwhile; then the pack has it.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    Err(error) => return Err(cannot("keep", &from, error)),
                }
            }
            make(&self.folder)?;
            place::sync(&self.folder)
        })();
        if spread.is_err() {
            let _ = self.take_in();
        }
        spread
    }

    /// Is it there?
    pub fn is_spread(&self) -> bool {
        self.folder.is_dir()
    }

    /// Puts back under its first name what has none any more. Returns how many files that were.
    pub fn put_back(&self) -> Result<usize, String> {
        let mut n_back = 0;
        for (folder, name) in self.files(&self.folder)? {
            let to = self.objects_dir.join(&folder).join(&name);
            if let Some(folder) = to.parent() {
                DirBuilder::new().recursive(true).create(folder).map_err(|error| cannot("make", folder, error))?;
            }
            match fs::hard_link(self.folder.join(&folder).join(&name), &to) {
                Ok(()) => n_back += 1,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(cannot("put back", &to, error)),
            }
        }
        place::sync(&self.objects_dir.join("pack")).map(|()| n_back)
    }

    /// Takes the second names away.
    pub fn take_in(&self) -> Result<(), String> {
        match fs::remove_dir_all(&self.folder) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(cannot("take away", &self.folder, error)),
        }
        // The folders around it go as well, unless something else lies there.
        for folder in self.folder.ancestors().skip(1).take(2) {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// Folder below `root` and name of each pack file and loose object there.
    fn files(&self, root: &Path) -> Result<Vec<(String, String)>, String> {
        let mut found = Vec::new();
        for folder in names(root)?.into_iter().filter(|name| name == "pack" || is_hex(name, 2)) {
            for name in names(&root.join(&folder))? {
                let holds_objects =
                    if folder == "pack" { is_of_a_pack(&name) } else { is_hex(&name, 38) || is_hex(&name, 62) };
                if holds_objects {
                    found.push((folder.clone(), name));
                }
                if FILES_AT_MOST < found.len() {
                    return Err(format!("there are more than {FILES_AT_MOST} files in `{}`", root.display()));
                }
            }
        }
        Ok(found)
    }
}

/// Names that are text; none for what is no folder. Links are not followed.
fn names(folder: &Path) -> Result<Vec<String>, String> {
    match fs::symlink_metadata(folder) {
        Ok(about) if about.is_dir() => {}
        Ok(_) => return Ok(Vec::new()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot("look at", folder, error)),
    }
    let entries = fs::read_dir(folder).map_err(|error| cannot("read", folder, error))?;
    entries
        .map(|entry| {
            entry.map(|entry| entry.file_name().into_string().ok()).map_err(|error| cannot("read", folder, error))
        })
        .filter_map(Result::transpose)
        .collect()
}

/// The files without which the objects of a pack can't be read, and those that say what must stay.
fn is_of_a_pack(name: &str) -> bool {
    name.starts_with("pack-")
        && [".pack", ".idx", ".mtimes", ".keep", ".promisor"].iter().any(|end| name.ends_with(end))
}

fn is_hex(name: &str, len: usize) -> bool {
    name.len() == len && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn make(folder: &Path) -> Result<(), String> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| cannot("make", folder, error))
}

fn cannot(what: &str, path: &Path, cause: io::Error) -> String {
    format!("cannot {what} `{}`: {cause}", path.display())
}
