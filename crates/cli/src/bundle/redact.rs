//! Makes text fit to leave: a collector puts nothing into the bundle that did not come through here.
//!
//! Three nets, each of which would do for most: values that are known to be secret, what looks
//! like a secret by its form ([`super::secrets`]), and our own vocabulary. The last lets nothing
//! pass but numbers and words of which our own messages are made; every other word becomes a
//! pseudonym, so that what nobody thought of does not leave either. `--names` switches the last off.
//!
//! A pseudonym is the same for the same name everywhere: its kind and eight digits of a hash
//! with a salt that does not leave the machine.

use std::{
    cell::RefCell,
    collections::{BTreeMap, HashSet},
    sync::LazyLock,
};

use alignwatch_model::{
    atoms::{atoms, is_number},
    checks, config,
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::secrets::{self, INSTEAD};

/// What a name stands for; the first part of its pseudonym.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A branch or another ref.
    Branch,
    /// A file or folder.
    Path,
    /// A repository.
    Repository,
    /// A person.
    Author,
    /// The first line of a message.
    Subject,
    /// A machine.
    Host,
    /// Any other word.
    Word,
}

/// Shorter names are replaced where they stand alone, and not inside of other words.
const INSIDE_AT_LEAST: usize = 4;

/// Shorter values are too common to be searched for: they would be found everywhere.
const SECRET_AT_LEAST: usize = 5;

/// Replaces what must not leave.
pub struct Redactor {
    salt: [u8; 32],
    keeps_names: bool,
    /// The longest first, so that a name within another does not tear it apart.
    names: Vec<(String, Kind)>,
    /// Those made of several words that are all ours, too: our vocabulary would let them pass.
    of_our_words: Vec<(String, Kind)>,
    secrets: Vec<String>,
    n_replaced: RefCell<BTreeMap<&'static str, usize>>,
}

impl Redactor {
    /// A redactor that knows these names, and these values that are secret whatever they look like.
    pub fn new(salt: [u8; 32], keeps_names: bool, names: Vec<(String, Kind)>, secrets: Vec<String>) -> Redactor {
        let mut names: Vec<_> = names.into_iter().filter(|(name, _)| !name.trim().is_empty()).collect();
        names.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.cmp(b)));
        names.dedup_by(|a, b| a.0 == b.0);
        let mut secrets: Vec<_> = secrets.into_iter().filter(|secret| SECRET_AT_LEAST <= secret.len()).collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.dedup();
        let is_of_our_words =
            |name: &str| INSIDE_AT_LEAST <= name.len() && !is_ours(name) && atoms(name).all(may_leave);
        let of_our_words = names.iter().filter(|(name, _)| is_of_our_words(name)).cloned().collect();
        Redactor { salt, keeps_names, names, of_our_words, secrets, n_replaced: RefCell::default() }
    }

    /// Do names stay?
    pub fn keeps_names(&self) -> bool {
        self.keeps_names
    }

    /// How often something was replaced, by what it was.
    pub fn n_replaced(&self) -> BTreeMap<&'static str, usize> {
        self.n_replaced.borrow().clone()
    }

    /// A name of this kind, as it may leave.
    pub fn name(&self, kind: Kind, name: &str) -> String {
        if self.keeps_names {
            return self.without_secrets(name);
        }
        self.pseudonym(kind, name)
    }

    /// A text, as it may leave.
    pub fn text(&self, text: &str) -> String {
        let text = self.without_secrets(text);
        if self.keeps_names { text } else { self.without_foreign_words(&self.without_names(&text)) }
    }

    /// A value with all its texts and names of fields, as it may leave.
    pub fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => Value::Array(items.iter().map(|item| self.value(item)).collect()),
            Value::Object(fields) => {
                let fields = fields.iter().map(|(name, value)| (self.text(name), self.value(value)));
                Value::Object(Map::from_iter(fields))
            }
            Value::Number(number) if !self.keeps_names && is_long(number) => {
                Value::String(self.pseudonym(Kind::Word, &number.to_string()))
            }
            other => other.clone(),
        }
    }

    fn without_secrets(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for secret in self.secrets.iter().filter(|secret| text.contains(secret.as_str())) {
            self.count("secret");
            clean = clean.replace(secret.as_str(), INSTEAD);
        }
        secrets::find(&clean).iter().for_each(|_| self.count("secret"));
        secrets::scrub(&clean)
    }

    fn without_names(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        // Where every word is ours, only names can be that are made of these, and single words in backticks.
        let is_plain = !text.contains('`') && atoms(text).nth(1).is_some() && atoms(text).all(may_leave);
        let names = if is_plain { &self.of_our_words } else { &self.names };
        for (name, kind) in names.iter().filter(|(name, _)| text.contains(name.as_str())) {
            if INSIDE_AT_LEAST <= name.len() && !is_ours(name) {
                let pseudonym = self.pseudonym(*kind, name);
                clean = clean.replace(name.as_str(), &pseudonym);
            } else {
                clean = self.where_alone(&clean, name, *kind);
            }
        }
        clean
    }

    /// Our messages put names into backticks: there, a name is one also when it is a word of ours.
    fn where_alone(&self, text: &str, name: &str, kind: Kind) -> String {
        let quoted = format!("`{name}`");
        if !text.contains(&quoted) && text != name {
            return text.to_owned();
        }
        let pseudonym = self.pseudonym(kind, name);
        if text == name { pseudonym } else { text.replace(&quoted, &format!("`{pseudonym}`")) }
    }

    fn without_foreign_words(&self, text: &str) -> String {
        let mut clean = String::with_capacity(text.len());
        let mut at = 0;
        for piece in atoms(text) {
            let start = at + text[at..].find(piece).unwrap_or(0);
            clean.push_str(&text[at..start]);
            if may_leave(piece) {
                clean.push_str(piece);
            } else {
                let kind = if piece.contains('/') { Kind::Path } else { Kind::Word };
                clean.push_str(&self.pseudonym(kind, piece));
            }
            at = start + piece.len();
        }
        clean + &text[at..]
    }

    fn pseudonym(&self, kind: Kind, name: &str) -> String {
        if is_pseudonym(name) {
            return name.to_owned();
        }
        self.count(kind.word());
        let digest = Sha256::new().chain_update(self.salt).chain_update(name.as_bytes()).finalize();
        let digits: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{digits}", kind.word())
    }

    fn count(&self, what: &'static str) {
        *self.n_replaced.borrow_mut().entry(what).or_default() += 1;
    }
}

/// Why a text may not leave: everything that is still in it, told without repeating it.
pub fn leaks(redactor: &Redactor, text: &str) -> Vec<String> {
    let mut leaks: Vec<String> = Vec::new();
    let secret = redactor.secrets.iter().filter(|secret| text.contains(secret.as_str()));
    leaks.extend(secret.map(|_| "a value that is known to be secret".to_owned()));
    let is_replaced = |found: &secrets::Found| is_pseudonym(text[found.at.clone()].trim_matches('.'));
    let found = secrets::find(text).into_iter().filter(|found| !is_replaced(found));
    leaks.extend(found.map(|found| found.kind.to_owned()));
    if !redactor.keeps_names {
        let names = redactor.of_our_words.iter();
        let names = names.filter(|(name, _)| !is_pseudonym(name) && text.contains(name.as_str()));
        leaks.extend(names.map(|(_, kind)| format!("the name of a {}", kind.word())));
        leaks.extend(atoms(text).filter(|piece| !may_leave(piece)).map(|_| "a word that is none of ours".to_owned()));
    }
    leaks.sort();
    leaks.dedup();
    leaks
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Branch => "branch",
            Kind::Path => "path",
            Kind::Repository => "repository",
            Kind::Author => "author",
            Kind::Subject => "subject",
            Kind::Host => "host",
            Kind::Word => "word",
        }
    }

    const ALL: [Kind; 7] =
        [Kind::Branch, Kind::Path, Kind::Repository, Kind::Author, Kind::Subject, Kind::Host, Kind::Word];
}

/// A number with more digits than a count has.
fn is_long(number: &serde_json::Number) -> bool {
    /// Bytes of a disk and seconds since 1970 have this many.
    const DIGITS_AT_MOST: usize = 16;
    number.to_string().bytes().filter(u8::is_ascii_digit).count() > DIGITS_AT_MOST && number.is_u64() | number.is_i64()
}

/// Tells nothing of anybody: a number, a word of ours, a pseudonym.
fn may_leave(piece: &str) -> bool {
    is_number(piece) || is_ours(piece) || is_pseudonym(piece) || piece.chars().count() == 1
}

pub(super) fn is_pseudonym(piece: &str) -> bool {
    const DIGITS: usize = 8;
    piece.rsplit_once('-').is_some_and(|(kind, digits)| {
        Kind::ALL.iter().any(|one| one.word() == kind)
            && digits.len() == DIGITS
            && digits.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}

/// Is this a word of which our own messages and documents are made?
fn is_ours(piece: &str) -> bool {
    let one = || piece.strip_suffix('s').is_some_and(|one| WORDS.contains(one));
    WORDS.contains(piece) || WORDS.contains(piece.to_lowercase().as_str()) || one()
}

/// Fields of the manifest, which stand in no text between quotes.
const FIELDS: &str = "schema made_at version names replaced size_limit_bytes collectors name size_bytes reason";

/// Words of our messages; `cargo xtask words` gathers them from the code.
const GATHERED: &str = include_str!("words.txt");

static WORDS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let mut words: HashSet<&'static str> = GATHERED.split_whitespace().chain(FIELDS.split(' ')).collect();
    words.extend([std::env::consts::OS, std::env::consts::ARCH]);
    for check in checks::ALL {
        let runbook = check.runbook;
        let texts = [check.id, check.title, check.looks_at, check.why, runbook.look, runbook.mend, runbook.sure];
        let threshold = check.threshold.as_ref().map(|spec| [spec.unit, spec.source]);
        let texts = texts.into_iter().chain(threshold.into_iter().flatten()).chain(runbook.undo);
        words.extend(texts.flat_map(atoms));
    }
    for key in config::catalogue().descendants() {
        let doc = &key.doc;
        let texts = [&key.path, &doc.meaning, &doc.unit, &doc.range, &doc.reason];
        words.extend(texts.into_iter().flat_map(|text| atoms(text)));
    }
    words
});

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(keeps_names: bool) -> Redactor {
        let names = [("feature/billing", Kind::Branch), ("main", Kind::Branch), ("Ann Example", Kind::Author)];
        let names = names.map(|(name, kind)| (name.to_owned(), kind)).to_vec();
        Redactor::new([7; 32], keeps_names, names, vec!["correct-horse".to_owned()])
    }

    #[test]
    fn our_own_messages_stay_and_names_become_pseudonyms() {
        let redactor = redactor(false);
        let text = "390 branches conflict with their base, 41 of them in use";
        assert_eq!(redactor.text(text), text);
        let told = redactor.text("`feature/billing` is 12 behind `main` by Ann Example");
        assert_eq!(told.matches("branch-").count(), 2, "{told}");
        assert!(told.contains(" is 12 behind ") && told.contains("author-"), "{told}");
        assert_eq!(leaks(&redactor, &told), [""; 0]);
        assert_eq!(redactor.text(&told), told, "twice is once");
    }

    #[test]
    fn the_same_name_has_the_same_pseudonym_and_another_salt_another() {
        let one = redactor(false);
        assert_eq!(one.name(Kind::Branch, "feature/billing"), one.text("feature/billing"));
        let other = Redactor::new([8; 32], false, Vec::new(), Vec::new());
        assert_ne!(one.name(Kind::Branch, "x"), other.name(Kind::Branch, "x"));
    }

    #[test]
    fn a_word_that_nobody_thought_of_does_not_leave() {
        let redactor = redactor(false);
        for text in ["hunter2", "Zaphod", "see src/secret_plan.rs", "call 5551234567", "fedcba9876543210ff"] {
            let told = redactor.text(text);
            assert_ne!(told, text);
            assert_eq!(leaks(&redactor, &told), [""; 0], "{told}");
            assert_ne!(leaks(&redactor, text), [""; 0], "{text}");
        }
    }

    #[test]
    fn with_names_only_secrets_go() {
        let redactor = redactor(true);
        let told = redactor.text("feature/billing at https://me:pw@example.org with correct-horse");
        assert_eq!(told, "feature/billing at https://[secret]@example.org with [secret]");
        assert_eq!(leaks(&redactor, &told), [""; 0]);
        assert_eq!(leaks(&redactor, "correct-horse"), ["a value that is known to be secret"]);
    }
}
