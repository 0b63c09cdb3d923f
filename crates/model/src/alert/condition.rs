//! What else must hold for a rule, in CEL (Common Expression Language): `evidence.n_branches > 5 && labels.subject != "main"`.
//!
//! It is checked when the configuration is read: each name must exist, and each comparison must be one that can hold. What is let
//! through can't take long and can't grow: there is nothing that makes a text or a list longer, lists are gone through by
//! `exists`, `all` and `exists_one` only, one within another never, and both the expression and what it is asked about are
//! bounded. So it needs no fuel.

mod typing;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, LazyLock},
};

use cel::{Context, Env, Program, Value};

use super::Labels;
use crate::Finding;

/// The longest expression, in bytes. Source: ours; the ones that we can think of are a tenth of it.
const LENGTH_AT_MOST: usize = 1_000;

/// Brackets within brackets, at most. Source: measured; 30 fit into a stack of 256 KiB, and threads have eight times that.
const DEPTH_AT_MOST: usize = 12;

/// Signs (operators, points, brackets) at most: each makes the tree one deeper at worst. Source: measured as before.
const SIGNS_AT_MOST: usize = 120;

/// Items of a list that are looked at, at most: `matches` reads its pattern anew for each. Source: ours; checks list ten names.
const ITEMS_AT_MOST: usize = 100;

/// What stands after `\` in a text. The others of CEL have digits after them, and one that is cut short ends the text for the parser.
const ESCAPES: &str = "abfnrtv\"'\\?`";

/// What is not understood here as the parser understands it is refused, so that nothing hides in it.
const PLAIN_QUOTES: &str =
    "a text stands in one pair of plain quotes, within one line: no `r` or `b` in front, no three quotes";

/// What an expression may speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A finding of one of these checks.
    Finding(&'a [String]),
    /// A number of a metric with these labels.
    Number(&'a [&'a str]),
}

/// An expression that was checked.
#[derive(Clone)]
pub struct Condition {
    text: String,
    program: Arc<Program>,
}

/// The functions of CEL, once for all conditions: ten thousand rules may have one each.
static FUNCTIONS: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

impl Condition {
    /// Reads one. Errors: what is wrong with it, and what to write.
    pub fn parse(text: &str, subject: Subject<'_>) -> Result<Condition, String> {
        is_small(text)?;
        let program = FUNCTIONS.compile(text).map_err(|errors| no_expression(&errors))?;
        typing::check(&program, text, subject)?;
        Ok(Condition { text: text.trim().to_owned(), program: Arc::new(program) })
    }

    /// Does it hold for this finding? Errors: why that can't be answered.
    pub fn holds_for(&self, finding: &Finding, labels: &Labels) -> Result<bool, String> {
        let mut context = Condition::context(labels);
        let texts = [
            ("check", finding.check),
            ("key", &finding.key),
            ("subject", &finding.subject),
            ("summary", &finding.summary),
            ("severity", finding.severity.word()),
        ];
        for (name, text) in texts {
            context.add_variable_from_value(name, text);
        }
        let evidence = finding.evidence.iter().map(|(name, value)| Ok((name.clone(), value_of(name, value)?)));
        context.add_variable_from_value("evidence", evidence.collect::<Result<HashMap<String, Value>, String>>()?);
        self.answer(&context)
    }

    /// Does it hold for this number? Errors: why that can't be answered.
    pub fn holds_of(&self, value: f64, labels: &Labels) -> Result<bool, String> {
        let mut context = Condition::context(labels);
        context.add_variable_from_value("value", Value::Float(value));
        self.answer(&context)
    }

    fn context(labels: &Labels) -> Context<'static, 'static> {
        let mut context = Context::with_env(Arc::clone(&FUNCTIONS));
        let labels: HashMap<String, Value> =
            labels.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
        context.add_variable_from_value("labels", labels);
        context
    }

    fn answer(&self, context: &Context<'_, '_>) -> Result<bool, String> {
        let unanswered = |reason: String| format!("`when: {}` cannot be answered: {reason}", self.text);
        match self.program.execute(context) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(_) => Err(unanswered("it says neither yes nor no".to_owned())),
            Err(cel::ExecutionError::NoSuchKey(name)) => Err(unanswered(format!("there is no `{name}`"))),
            Err(error) => Err(unanswered(error.to_string())),
        }
    }
}

/// A value of the evidence, as CEL has it.
fn value_of(name: &str, value: &serde_json::Value) -> Result<Value, String> {
    use serde_json::Value as Json;
    Ok(match value {
        Json::Null => Value::Null,
        Json::Bool(yes) => Value::Bool(*yes),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::Int(whole),
            (None, Some(part)) => Value::Float(part),
            (None, None) => return Err(format!("`{name}` is too large a number")),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) if ITEMS_AT_MOST < items.len() => {
            return Err(format!("`{name}` has more than {ITEMS_AT_MOST} items"));
        }
        Json::Array(items) => {
            Value::from(items.iter().map(|item| value_of(name, item)).collect::<Result<Vec<_>, _>>()?)
        }
        Json::Object(parts) => {
            let parts = parts.iter().map(|(part, value)| Ok((part.clone(), value_of(name, value)?)));
            Value::from(parts.collect::<Result<HashMap<String, Value>, String>>()?)
        }
    })
}

/// Can it be read without a deep stack? The parser goes one level down for each bracket and each sign. Errors: what is too much.
pub fn is_small(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("says nothing".to_owned());
    }
    if LENGTH_AT_MOST < text.len() {
        return Err(format!("the condition is longer than {LENGTH_AT_MOST} bytes: write two rules"));
    }
    let (mut depth, mut deepest, mut n_signs, mut quote, mut is_escaped) = (0_usize, 0, 0, None, false);
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(_), c) if is_escaped && !ESCAPES.contains(c) => {
                return Err(format!(
                    "`\\{c}` is nothing in a text: write the character itself, or `\\\\{c}` in a pattern"
                ));
            }
            (Some(_), '\n' | '\r') => return Err(PLAIN_QUOTES.to_owned()),
            (Some(_), _) if is_escaped => is_escaped = false,
            (Some(_), '\\') => is_escaped = true,
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => {
                let is_third = text[at..].starts_with(&[c, c, c].iter().collect::<String>());
                if is_third || before.is_alphanumeric() || before == '_' {
                    return Err(PLAIN_QUOTES.to_owned());
                }
                quote = Some(c);
            }
            (None, '/') if before == '/' => return Err("a condition has no comments".to_owned()),
            (None, '(' | '[' | '{') => {
                (depth, n_signs) = (depth + 1, n_signs + 1);
                deepest = deepest.max(depth);
            }
            (None, ')' | ']' | '}') => depth = depth.saturating_sub(1),
            (None, c) if c.is_alphanumeric() || c.is_whitespace() || c == '_' || c == ',' => {}
            (None, _) => n_signs += 1,
        }
        before = c;
    }
    if quote.is_some() {
        return Err("a text has no end: a quote is missing".to_owned());
    }
    if DEPTH_AT_MOST < deepest {
        return Err(format!("more than {DEPTH_AT_MOST} brackets stand within one another"));
    }
    if SIGNS_AT_MOST < n_signs {
        return Err(format!("more than {SIGNS_AT_MOST} signs: write two rules"));
    }
    Ok(())
}

/// The first thing that the parser says, in one line.
fn no_expression(errors: &cel::ParseErrors) -> String {
    let first = errors.errors.first();
    let (line, column) = first.map_or((1, 0), |error| error.pos);
    let said = first.map_or("", |error| error.msg.lines().next().unwrap_or_default());
    let place = if line <= 1 { format!("character {}", column.max(0) + 1) } else { format!("line {line}") };
    format!("the condition is no CEL: {said} (at {place})")
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Condition({:?})", self.text)
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Condition) -> bool {
        self.text == other.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Remedy, Severity};

    fn checks() -> Vec<String> {
        vec!["conflicting".to_owned(), "far-behind".to_owned()]
    }

    fn of_finding(text: &str) -> Result<Condition, String> {
        Condition::parse(text, Subject::Finding(&checks()))
    }

    fn wrong(text: &str) -> String {
        of_finding(text).map(|fine| panic!("{fine} is taken")).unwrap_err()
    }

    fn finding(evidence: serde_json::Value) -> Finding {
        let serde_json::Value::Object(evidence) = evidence else { panic!("evidence is an object") };
        Finding {
            check: "conflicting",
            key: "conflicting:main".to_owned(),
            severity: Severity::Error,
            subject: "main".to_owned(),
            summary: "three branches conflict".to_owned(),
            evidence,
            threshold: None,
            impact: String::new(),
            remedy: Remedy::default(),
            doc: String::new(),
        }
    }

    fn holds(text: &str) -> Result<bool, String> {
        let seen = finding(serde_json::json!({
            "n_branches": 3, "branches": ["refs/heads/a", "refs/heads/b"], "path": "src/lib.rs", "base": "main",
        }));
        let labels = Labels::from([("repository".to_owned(), "/srv/a.git".to_owned())]);
        of_finding(text).unwrap().holds_for(&seen, &labels)
    }

    #[test]
    fn facts_labels_and_texts_of_a_finding_can_be_asked_for() {
        for (text, expected) in [
            ("evidence.n_branches > 2", true),
            ("evidence['n_branches'] > 5", false),
            ("evidence.n_branches * 2 >= 6 && severity == 'error'", true),
            ("evidence.path.startsWith('src/') && !(subject in ['develop', 'next'])", true),
            ("evidence.branches.exists(b, b.endsWith('/b'))", true),
            ("evidence.branches.all(b, b.matches('refs/heads/[a-c]'))", true),
            ("evidence.branches.exists_one(b, b == 'refs/heads/a')", true),
            ("size(evidence.branches) == 3", false),
            ("has(evidence.age_seconds) && evidence.age_seconds > 60", false),
            ("labels.repository.contains('a.git') ? evidence.n_branches == 3 : false", true),
            ("double(evidence.n_branches) / 2.0 > 1.4", true),
        ] {
            assert_eq!(holds(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_fact_that_the_finding_lacks_leaves_the_answer_open() {
        let told = holds("evidence.age_seconds > 60").unwrap_err();
        assert!(told.ends_with("cannot be answered: there is no `age_seconds`"), "{told}");
    }

    #[test]
    fn what_does_not_exist_or_can_never_hold_is_a_mistake() {
        let mut untold = Vec::new();
        for (text, part) in [
            ("evidence.n_brnches > 2", "did you mean `n_branches`?"),
            ("severty == 'error'", "did you mean `severity`?"),
            ("labels.branch == 'x'", "labels has no `branch`"),
            ("value > 2.0", "there is no `value`"),
            ("evidence.n_branches > '2'", "compares a whole number with a text"),
            ("evidence.path == 3", "compares a text with a whole number"),
            ("evidence.n_branches", "is a whole number, and a condition says yes or no"),
            ("evidence.n_branches + 0.5 > 2.0", "write `double(…)`"),
            ("severity == 'hgih'", "`severity` is never `hgih`"),
            ("check in ['conflictign']", "did you mean `conflicting`?"),
            ("check == 'stale-lock'", "`check` is never `stale-lock`"),
            ("evidence.branches.exist(b, b == 'x')", "there is no `exist`"),
            ("evidence.path.matches('(')", "is no pattern"),
            ("evidence.path.matches(subject)", "the pattern stands there as a text"),
            ("evidence.branches.map(b, b + 'x') == []", "`exists`"),
            ("evidence.branches.exists(a, evidence.branches.exists(b, a == b))", "within another"),
            ("evidence.path + 'x' == 'y'", "adds texts"),
            ("evidence.n_branches >", "is no CEL"),
            ("timestamp('2026-01-01T00:00:00Z') > timestamp('2025-01-01T00:00:00Z')", "there is no `timestamp`"),
        ] {
            let told = wrong(text);
            if !told.contains(part) {
                untold.push(format!("{text}: {told}"));
            }
        }
        assert_eq!(untold, [""; 0]);
    }

    #[test]
    fn numbers_have_their_value_and_the_labels_of_their_metric() {
        let subject = Subject::Number(&["mount", "repository"]);
        let told = Condition::parse("labels.mont == '/'", subject).unwrap_err();
        assert!(told.contains("did you mean `mount`?"), "{told}");
        let condition = Condition::parse("value > 0.5 && labels.mount != '/boot'", subject).unwrap();
        let labels = Labels::from([("mount".to_owned(), "/".to_owned())]);
        assert_eq!(condition.holds_of(0.7, &labels), Ok(true));
        assert_eq!(condition.holds_of(0.4, &labels), Ok(false));
    }

    #[test]
    fn nothing_hides_in_texts_or_comments() {
        let deep = "(".repeat(400);
        for text in [
            format!("r'\\' == {deep}1"),
            format!("subject == R\"\\\" || {deep}1"),
            "subject == b'x'".to_owned(),
            format!("subject == '''a'b''' || {deep}1"),
            format!("subject == \"\"\"a\"\"\" || {deep}1"),
            format!("subject == \"a\n{deep}\""),
        ] {
            assert!(wrong(&text).starts_with("a text stands in one pair of plain quotes"), "{text}: {}", wrong(&text));
        }
        for text in [format!("true // ' \n || {deep}1 // '"), "true // why".to_owned()] {
            assert_eq!(wrong(&text), "a condition has no comments", "{text}");
        }
        // The parser leaves out a quote after which no text comes, and reads on.
        assert!(wrong(&format!("subject == '\\x{deep}'")).starts_with("`\\x` is nothing in a text"));
        assert!(wrong("evidence.path.matches('\\d')").contains("or `\\\\d` in a pattern"));
        assert_eq!(wrong(&format!("subject == '{deep}")), "a text has no end: a quote is missing");
        assert_eq!(holds("evidence.path.matches('^src/\\\\w+\\\\.rs$') && '' != \"//'\" && subject != '('"), Ok(true));
    }

    #[test]
    fn hostile_expressions_are_refused_on_a_small_stack() {
        let hostile = [
            "(".repeat(500) + "true" + &")".repeat(400),
            "!".repeat(900) + "true",
            "[".repeat(900),
            "true".to_owned() + &" || true".repeat(120),
            "a".to_owned() + &".a".repeat(400),
            "true ? ".repeat(140) + "true",
            "-".repeat(900) + "1 == 1",
            "x".repeat(100_000),
            "\"".to_owned() + &"\\".repeat(900),
            "[0].map(a, [a].map(b, [b].map(c, [c].map(d, d))))".repeat(10),
        ];
        // Half of what threads have.
        let small = std::thread::Builder::new().stack_size(1 << 20);
        let all = small.spawn(move || hostile.iter().for_each(|text| assert!(of_finding(text).is_err(), "{text}")));
        all.unwrap().join().unwrap();
    }

    #[test]
    fn what_is_just_allowed_fits_a_small_stack_and_is_answered() {
        let deep = "(".repeat(DEPTH_AT_MOST) + "evidence.n_branches > 2" + &")".repeat(DEPTH_AT_MOST);
        let long = "true".to_owned() + &" && true".repeat(SIGNS_AT_MOST / 2);
        let nots = "!".repeat(SIGNS_AT_MOST) + "true";
        let small = std::thread::Builder::new().stack_size(1 << 20);
        let all = small.spawn(move || [deep, long, nots].map(|text| holds(&text)));
        assert_eq!(all.unwrap().join().unwrap(), [Ok(true), Ok(true), Ok(true)]);
    }

    #[test]
    fn a_list_without_an_end_leaves_the_answer_open() {
        let names: Vec<String> = (0..=ITEMS_AT_MOST).map(|n| n.to_string()).collect();
        let condition = of_finding("evidence.branches.exists(b, b == 'x')").unwrap();
        let told = condition.holds_for(&finding(serde_json::json!({"branches": names})), &Labels::new());
        assert!(told.unwrap_err().contains("more than 100 items"));
    }
}
