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
        // SAFETY: these are code and constants that can't be written, and none differs from the file (`unchanged`), which
        // can't be written while it runs. So whoever reads them reads the same bytes before and after.
        unsafe {
            libc::madvise(range.start as *mut libc::c_void, range.len(), libc::MADV_DONTNEED);
        }
    }
}

/// Where code and constants of this file are mapped and no page differs from the file, as one does that a debugger wrote to.
///
/// What the loader wrote to and protected afterwards is none of them: it lies behind the beginning of the file and holds no
/// code. Source: proc(5), `smaps`; elf(5).
fn unchanged(maps: &str, program: &Path) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut here = None;
    for line in maps.lines() {
        if let Some(mapping) = mapping(line) {
            found.extend(here.take());
            here = (mapping.is_never_written() && Path::new(mapping.path) == program).then_some(mapping.range);
        } else if ["Anonymous:", "Swap:"].iter().any(|name| line.starts_with(name)) && !line.ends_with(" 0 kB") {
            here = None;
        }
    }
    found.extend(here);
    found
}

struct Mapping<'a> {
    range: Range<usize>,
    rights: &'a str,
    offset: usize,
    path: &'a str,
}

impl Mapping<'_> {
    fn is_never_written(&self) -> bool {
        self.rights == "r-xp" || (self.rights == "r--p" && self.offset == 0)
    }
}

/// The first line of a mapping: `start-end rights offset device inode path`.
fn mapping(line: &str) -> Option<Mapping<'_>> {
    let (range, rest) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    let number = |hex| usize::from_str_radix(hex, 16).ok();
    let mut words = rest.split(' ');
    let (rights, offset) = (words.next()?, number(words.next()?)?);
    let path = rest.find('/').map_or("", |at| &rest[at..]);
    Some(Mapping { range: number(start)?..number(end)?, rights, offset, path })
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
5000-5800 r-xp 00004000 fe:00 1                    /bin/a program
Anonymous:             4 kB
5800-5900 r-xp 00004800 fe:00 1                    /bin/a program
Anonymous:             0 kB
Swap:                  4 kB
5900-6000 r--p 00004900 fe:00 1                    /bin/a program
Anonymous:             0 kB
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
