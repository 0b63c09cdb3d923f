//! Strings that break programs which take text for something else, and a repository that is full of them.
//!
//! Each stands in the name of a branch (as far as Git lets it), in an author, in a subject, and in the name of a file that
//! conflicts. Our own list, and the Big List of Naughty Strings as it is (`naughty/blns.json`, MIT, Max Woolf and others,
//! https://github.com/minimaxir/big-list-of-naughty-strings, of 2021-04-17).

use std::{io::Write, process::Stdio};

use alignwatch_testkit::{Repo, sketch};

/// The Big List of Naughty Strings, without what holds nothing that can be seen in a name.
pub(crate) fn big_list() -> Vec<String> {
    let all: Vec<String> = serde_json::from_str(include_str!("naughty/blns.json")).unwrap();
    assert!(500 < all.len(), "{} strings", all.len());
    all.into_iter().filter(|text| !text.trim().is_empty()).collect()
}

/// Our own strings.
pub(crate) const STRINGS: [&str; 100] = [
    // Markup that runs.
    "<script>alert(1)</script>",
    "<svg/onload=alert(1)>",
    "<img src=x onerror=alert(1)>",
    "<iframe src=javascript:alert(1)>",
    "<body onload=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "<math><mi//xlink:href=\"data:x,<script>alert(1)</script>\">",
    "<input onfocus=alert(1) autofocus>",
    "<video><source onerror=alert(1)>",
    "<object data=javascript:alert(1)>",
    "<style>@import'http://example.invalid/x.css';</style>",
    "<style>*{display:none}</style>",
    "<link rel=stylesheet href=//example.invalid>",
    "<meta http-equiv=refresh content=0;url=//example.invalid>",
    "<base href=//example.invalid/>",
    "<form action=//example.invalid><button>x",
    "<template><script>alert(1)</script></template>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<ScRiPt>alert(1)</sCrIpT>",
    // Ends of what they may stand in.
    "\"><script>alert(1)</script>",
    "'><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "--><script>alert(1)</script>",
    "]]><script>alert(1)</script>",
    "\" onmouseover=alert(1) x=\"",
    "' onmouseover=alert(1) x='",
    "` onmouseover=alert(1) x=`",
    "\" style=\"position:fixed;inset:0",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "</summary></details>",
    "</td></tr></table>",
    "</main></body></html>",
    "<!--",
    "<![CDATA[",
    // What other escapers would undo or do twice.
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)",
    "&#x3c;script&#x3e;",
    "&amp;amp;",
    "&nbsp;&zwj;&",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "%253Cscript%253E",
    "\\u003cscript\\u003ealert(1)",
    "\\x3cscript\\x3e",
    "+ADw-script+AD4-alert(1)",
    // Templates, queries, shells, formats.
    "{{7*7}}",
    "{{constructor.constructor('alert(1)')()}}",
    "{% raw %}{{ x }}",
    "${7*7}",
    "#{7*7}",
    "<%= 7*7 %>",
    "[[${7*7}]]",
    "'; DROP TABLE branch; --",
    "1' OR '1'='1",
    "Robert'); DELETE FROM repository;--",
    "$(touch /tmp/naughty)",
    "`touch /tmp/naughty`",
    "; touch /tmp/naughty #",
    "| touch /tmp/naughty",
    "&& touch /tmp/naughty",
    "--upload-pack=touch",
    "-oProxyCommand=touch",
    "%s%s%s%n",
    "%d%x%p",
    "../../../../etc/passwd",
    // Text that turns around, hides, or has no end.
    "\u{202e}drawkcab\u{202c}",
    "\u{2066}isolated\u{2069}",
    "\u{200f}right to left",
    "zero\u{200b}width\u{200d}joined",
    "soft\u{ad}hyphen",
    "\u{feff}byte order mark",
    "tag\u{e0041}\u{e0042}s",
    "\u{115f}\u{1160}filler",
    "line\u{2028}separator\u{2029}s",
    "bell\u{7} and escape\u{1b}[31mred\u{1b}[0m",
    "\u{9b}31mC1",
    "del\u{7f}ete",
    "Z\u{351}\u{35b}\u{366}\u{34a}a\u{33f}\u{34b}l\u{304}\u{303}g\u{30e}\u{34b}o\u{303}\u{305}",
    "\u{FDFD}\u{FDFD}\u{FDFD}",
    "x\u{fffd}y\u{fffe}z",
    // Letters that look like others, all the worlds' letters, pictures.
    "m\u{430}in",
    "раураӏ",
    "ﬁnally",
    "Ⅷ№℀",
    "田中さんにあげて下さい",
    "هذا اختبار",
    "עברית\u{200e}",
    "ไทย ภาษา",
    "𝕿𝖍𝖊 𝔮𝔲𝔦𝔠𝔨",
    "👩‍👩‍👧‍👦 🏳️‍🌈",
    "İıſK",
    "ß ẞ ŉ",
    // Words that are taken for something else.
    "null",
    "NaN",
    "__proto__",
];

/// The name of a branch that says as much of the string as Git allows.
pub(crate) fn branch(n: usize, text: &str) -> String {
    let is_legal = |char: char| !char.is_ascii_control() && char != '\u{7f}' && !" ~^:?*[\\".contains(char);
    let legal: String = text.chars().filter(|char| is_legal(*char)).collect();
    let legal = legal.replace("..", "").replace("@{", "");
    let parts = legal.split('/').map(|part| part.trim_start_matches('.').trim_end_matches(".lock"));
    let legal = parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
    // A name is a file, and those have 255 bytes at most.
    let legal: String = legal
        .chars()
        .scan(0, |size, char| {
            *size += char.len_utf8();
            Some((*size, char))
        })
        .take_while(|(size, _)| *size <= 200)
        .map(|(_, char)| char)
        .collect();
    let legal = legal.trim_matches('/').trim_end_matches('.').trim_end_matches(".lock");
    format!("{n:02}-{legal}")
}

/// A repository in which each of these strings stands wherever it can.
pub(crate) fn repository(strings: &[&str]) -> Repo {
    let repo = sketch("main: a b c").draw();
    let mut import = repo.git_command(["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = import.stdin.take().unwrap();
    let base = repo.git(["rev-parse", "refs/heads/main"]);
    let base = base.trim();
    for (n, text) in strings.iter().enumerate() {
        let who: String = text.chars().filter(|char| !"<>\n\0".contains(*char)).collect();
        let (name, path) = (branch(n, text), quoted(text));
        write!(input, "commit refs/heads/{name}\nauthor {who} <n{n}@example.org> 1700000000 +0000\n").unwrap();
        writeln!(input, "committer C <c@example.org> 170000{n:04} +0000").unwrap();
        write!(input, "data {}\n{text}\nfrom {base}\nM 100644 inline {path}\ndata 4\n{n:04}\n", text.len()).unwrap();
    }
    // The base changes all of these files as well, so that each branch conflicts there.
    write!(input, "commit refs/heads/main\ncommitter C <c@example.org> 1700009999 +0000\ndata 4\nbase\nfrom {base}\n")
        .unwrap();
    for text in strings {
        write!(input, "M 100644 inline {}\ndata 4\nbase\n", quoted(text)).unwrap();
    }
    drop(input);
    assert!(import.wait().unwrap().success());
    repo
}

/// A path for fast-import: in C's quotes, without what would be folders or leave the repository.
fn quoted(text: &str) -> String {
    let mut path = String::from("\"f ");
    for char in text.replace('/', "|").replace("..", "__").chars() {
        match char {
            '"' | '\\' => path.extend(['\\', char]),
            char if char.is_ascii_control() => path.push_str(&format!("\\{:03o}", char as u32)),
            char => path.push(char),
        }
    }
    path + "\""
}
