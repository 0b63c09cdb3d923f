//! Which bytes may name a ref.

/// Why bytes are no name of a ref. Source: git-check-ref-format(1), whose rules these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// `a//b`, `/a`, `a/`, or nothing at all.
    #[error("a part of its name is empty")]
    EmptyPart,
    /// `HEAD` and the like live outside of `refs/`.
    #[error("its name has only one part")]
    OnePart,
    /// A part begins with a dot.
    #[error("a part of its name begins with `.`")]
    DotFirst,
    /// The name ends with a dot.
    #[error("its name ends with `.`")]
    DotLast,
    /// `..` means a range.
    #[error("its name holds `..`")]
    TwoDots,
    /// `@{` means a reflog entry.
    #[error("its name holds `@{{`")]
    AtBrace,
    /// `.lock` means that somebody is writing.
    #[error("a part of its name ends with `.lock`")]
    Lock,
    /// Space, control characters, and `~^:?*[\`.
    #[error("its name holds the character {0:#04x}")]
    Forbidden(u8),
}

/// Is this a name that Git allows for a ref (`git check-ref-format <name>`)?
pub fn check_name(name: &[u8]) -> Result<(), NameError> {
    let mut last = b'/';
    let mut n_parts = 1;
    let mut part_at = 0;
    for (at, &byte) in name.iter().enumerate() {
        if IS_SPECIAL[byte as usize] {
            match byte {
                b'.' if last == b'.' => return Err(NameError::TwoDots),
                b'.' if last == b'/' => return Err(NameError::DotFirst),
                b'/' if last == b'/' => return Err(NameError::EmptyPart),
                b'/' => {
                    check_end(&name[part_at..at])?;
                    (n_parts, part_at) = (n_parts + 1, at + 1);
                }
                b'{' if last == b'@' => return Err(NameError::AtBrace),
                b'.' | b'{' => {}
                _ => return Err(NameError::Forbidden(byte)),
            }
        }
        last = byte;
    }
    check_end(&name[part_at..])?;
    match last {
        b'/' => Err(NameError::EmptyPart),
        b'.' => Err(NameError::DotLast),
        _ if n_parts == 1 => Err(NameError::OnePart),
        _ => Ok(()),
    }
}

/// Bytes that may not stand just anywhere: a table, since tens of thousands of names are read at once.
const IS_SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        special[byte] = matches!(
            byte as u8,
            0..=0x20 | 0x7f | b'~' | b'^' | b':' | b'?' | b'*' | b'[' | b'\\' | b'.' | b'/' | b'{'
        );
        byte += 1;
    }
    special
};

fn check_end(part: &[u8]) -> Result<(), NameError> {
    if part.ends_with(b".lock") { Err(NameError::Lock) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_allowed_or_refused_with_the_reason() {
        let reason =
            |name: &str| check_name(name.as_bytes()).map_or_else(|error| error.to_string(), |()| "fine".into());
        assert_eq!(reason("refs/heads/feature/x"), "fine");
        assert_eq!(reason("refs/heads/-x"), "fine");
        assert_eq!(reason("refs/heads/a@b"), "fine");
        assert_eq!(reason("HEAD"), "its name has only one part");
        assert_eq!(reason("refs/heads/a..b"), "its name holds `..`");
        assert_eq!(reason("refs//a"), "a part of its name is empty");
        assert_eq!(reason("refs/heads/.a"), "a part of its name begins with `.`");
        assert_eq!(reason("refs/a.lock/b"), "a part of its name ends with `.lock`");
        assert_eq!(reason("refs/heads/a@{1}"), "its name holds `@{`");
        assert_eq!(reason("refs/heads/\u{1b}[m"), "its name holds the character 0x1b");
        assert_eq!(reason("refs/heads/a."), "its name ends with `.`");
        assert_eq!(reason(""), "a part of its name is empty");
    }
}
