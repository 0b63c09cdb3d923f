//! Gives memory back that this process holds and does not use.
#![expect(unsafe_code, reason = "no safe call does this; beside each stands why it is sound")]

use std::{fs, ops::Range, path::Path};

/// Gives back what the allocator keeps of freed memory, and lets go of the pages of the program: those that are used again are
/// mapped again from the cache of the system, in a microsecond each. A program uses most of its pages once, when it starts.
///
/// What can't be given back stays; nobody needs to know.
pub fn give_back() {
    // SAFETY: it takes no pointer, and glibc lets any thread call it at any time.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
    let (Ok(maps), Ok(program)) = (fs::read_to_string("/proc/self/smaps"), fs::read_link("/proc/self/exe")) else {
        return;
    };
    for range in unchanged(&maps, &program) {
        // SAFETY: these pages can't be written, and none of them differs from the file (`unchanged`), which can't be written
        // while it runs. So whoever reads them reads the same bytes before and after.
        unsafe {
            libc::madvise(range.start as *mut libc::c_void, range.len(), libc::MADV_DONTNEED);
        }
    }
}

/// Where this file is mapped, cannot be written, and has no page of its own: none that was written before it was protected, or
/// by a debugger. Source: proc(5), `smaps`.
fn unchanged(maps: &str, program: &Path) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut here = None;
    for line in maps.lines() {
        if let Some(mapping) = mapping(line) {
            here = (mapping.rights.starts_with("r-") && Path::new(mapping.path) == program).then_some(mapping.range);
        } else if line.split_whitespace().eq(["Anonymous:", "0", "kB"]) {
            found.extend(here.take());
        }
    }
    found
}

struct Mapping<'a> {
    range: Range<usize>,
    rights: &'a str,
    path: &'a str,
}

/// The first line of a mapping: `start-end rights offset device inode path`.
fn mapping(line: &str) -> Option<Mapping<'_>> {
    let (range, rest) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    let address = |hex| usize::from_str_radix(hex, 16).ok();
    let rights = rest.split(' ').next()?;
    let path = rest.find('/').map_or("", |at| &rest[at..]);
    Some(Mapping { range: address(start)?..address(end)?, rights, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
1000-2000 r--p 00000000 fe:00 1                    /bin/a program
Rss:                   4 kB
Anonymous:             0 kB
2000-5000 r-xp 00001000 fe:00 1                    /bin/a program
Anonymous:             0 kB
5000-6000 r--p 00004000 fe:00 1                    /bin/a program
Anonymous:             4 kB
6000-7000 rw-p 00005000 fe:00 1                    /bin/a program
Anonymous:             0 kB
7000-8000 r--p 00000000 fe:00 2                    /lib/a library
Anonymous:             0 kB
8000-9000 r--p 00000000 00:00 0
Anonymous:             0 kB
";

    #[test]
    fn only_pages_of_the_program_that_nobody_wrote_or_can_write_are_let_go() {
        assert_eq!(unchanged(MAPS, Path::new("/bin/a program")), [0x1000..0x2000, 0x2000..0x5000]);
        assert!(unchanged(MAPS, Path::new("/bin/a")).is_empty());
    }

    #[test]
    fn the_program_goes_on_with_less() {
        let mapped = || {
            let status = fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("RssFile:")).unwrap();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
        };
        let text = fs::read_to_string("/proc/self/smaps").unwrap();
        let program = fs::read_link("/proc/self/exe").unwrap();
        assert!(!unchanged(&text, &program).is_empty());
        let before = mapped();
        give_back();
        assert!(mapped() < before);
    }
}
