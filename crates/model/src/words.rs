//! How numbers read in sentences, the same wherever something is told.

/// A number and its noun: `1 branch`, `1,531 branches`, `2 repositories`.
pub fn count(n: usize, noun: &str) -> String {
    let (stem, ending) = match noun.as_bytes() {
        _ if n == 1 => (noun, ""),
        [.., b'c' | b's', b'h'] | [.., b's' | b'x'] => (noun, "es"),
        [.., b'a' | b'e' | b'o' | b'u', b'y'] => (noun, "s"),
        [.., b'y'] => (&noun[..noun.len() - 1], "ies"),
        _ => (noun, "s"),
    };
    format!("{} {stem}{ending}", thousands(n))
}

/// The word that agrees with the number.
pub fn agree(n: usize, one: &'static str, many: &'static str) -> &'static str {
    if n == 1 { one } else { many }
}

/// A number with commas between thousands.
pub fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size as people read it.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let mut size = n as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{n} bytes") } else { format!("{size:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(count(1, "branch"), "1 branch");
        assert_eq!(count(0, "commit"), "0 commits");
        assert_eq!(count(1531, "branch"), "1,531 branches");
        assert_eq!(count(2, "repository"), "2 repositories");
        assert_eq!(count(2, "day"), "2 days");
        assert_eq!(count(2, "month"), "2 months");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(bytes(1023), "1023 bytes");
        assert_eq!(bytes(3 << 19), "1.5 MiB");
        assert_eq!(agree(1, "is", "are"), "is");
    }
}
