//! Layers of the configuration: defaults, file, environment, flags; and which of them each value comes from.

use std::{collections::BTreeMap, fmt};

use serde_json::{Map, Value};

use super::{
    Config, FILE_AT_MOST_BYTES,
    catalogue::{Key, Shape, catalogue},
    compat,
    decode::{Decoded, Setting, decode_file, decode_value},
    error::{ConfigError, Place, shown_name},
    prometheus, rules,
    tree::{self, At, Content, Node, Problem, Scalar},
};

/// Mistakes that are told of one file. More would hide the first.
const TOLD_AT_MOST: usize = 100;

/// Variables that are read and set no key, so that they are not taken for a misspelled one.
const OTHER_VARIABLES: [&str; 1] = ["ALIGNWATCH_CONFIG"];

/// Everything that a configuration is made of besides the defaults, as values.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sources<'a> {
    /// The file, if there is one.
    pub file: Option<File<'a>>,
    /// Environment variables; those that do not begin with `ALIGNWATCH_` are not looked at.
    pub environment: Option<&'a BTreeMap<String, String>>,
    /// Flags of the command line that set a key, in their order.
    pub flags: &'a [Flag<'a>],
}

/// A configuration file, read.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// Its name for messages.
    pub name: &'a str,
    /// What it holds. Of a file over [`FILE_AT_MOST_BYTES`], one byte more than that is enough.
    pub bytes: &'a [u8],
}

/// A flag that sets a key.
#[derive(Clone, Copy, Debug)]
pub struct Flag<'a> {
    /// As it is typed: `--data-dir`.
    pub name: &'a str,
    /// The key that it sets: `data_dir`.
    pub key: &'a str,
    /// Its value.
    pub value: &'a str,
}

impl Sources<'_> {
    fn set_nothing(&self) -> bool {
        let may_set = |name: &String| name.starts_with("ALIGNWATCH_") && !OTHER_VARIABLES.contains(&name.as_str());
        let variables = self.environment.into_iter().flat_map(BTreeMap::keys);
        self.file.is_none() && self.flags.is_empty() && !variables.into_iter().any(may_set)
    }
}

/// A configuration in force.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// All values.
    pub config: Config,
    /// Where each comes from.
    pub origins: Origins,
    /// What is no mistake and should still be told, as sentences: variables that look misspelled.
    pub notes: Vec<String>,
}

/// Where the value of a key comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    #[default]
    Default,
    /// A line of a file.
    File {
        /// The file's name as it was given.
        name: String,
        /// Line, from 1.
        line: u32,
        /// Column in characters, from 1.
        column: u32,
        /// The key as it is spelled there, where that is not ours.
        spelled: Option<String>,
    },
    /// An environment variable.
    Variable(String),
    /// A flag of the command line.
    Flag(String),
}

/// Where the values of a configuration come from, by the path of their key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    set: BTreeMap<String, Origin>,
}

impl Origins {
    /// Where the value of this key comes from.
    pub fn of(&self, path: &str) -> Origin {
        self.set.get(path).cloned().unwrap_or_default()
    }

    /// The keys that somebody set.
    pub fn set_keys(&self) -> impl Iterator<Item = (&str, &Origin)> {
        self.set.iter().map(|(path, origin)| (path.as_str(), origin))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { name, line, spelled: None, .. } => write!(f, "{name}:{line}"),
            Origin::File { name, line, spelled: Some(spelled), .. } => write!(f, "{name}:{line} ({spelled})"),
            Origin::Variable(name) => write!(f, "${name}"),
            Origin::Flag(name) => f.write_str(name),
        }
    }
}

/// Puts the layers together: a flag beats the environment, that the file, and that the default.
///
/// Errors: all mistakes of all layers; those of the file first, in its order.
pub fn load(sources: &Sources<'_>) -> Result<Loaded, Vec<ConfigError>> {
    // Most commands are run like that, and the catalogue of all keys takes a while.
    if sources.set_nothing() {
        return Ok(Loaded::default());
    }
    load_with(sources, catalogue())
}

pub(super) fn load_with(sources: &Sources<'_>, catalogue: &Key) -> Result<Loaded, Vec<ConfigError>> {
    let mut stack = Stack::on_defaults(catalogue);
    if let Some(file) = sources.file {
        stack.add_file(file);
    }
    if let Some(environment) = sources.environment {
        stack.add_environment(environment);
    }
    for flag in sources.flags {
        stack.add_flag(flag);
    }
    stack.finish(sources.file)
}

struct Stack<'a> {
    catalogue: &'a Key,
    values: Value,
    origins: Origins,
    notes: Vec<String>,
    errors: Vec<ConfigError>,
    /// Mistakes that there are besides.
    n_untold: usize,
    /// Where the parts of the file's values stand.
    places: BTreeMap<String, At>,
    text: &'a str,
}

impl<'a> Stack<'a> {
    fn on_defaults(catalogue: &'a Key) -> Stack<'a> {
        Stack {
            catalogue,
            values: serde_json::to_value(Config::default()).expect("the default configuration is plain JSON"),
            origins: Origins::default(),
            notes: Vec::new(),
            errors: Vec::new(),
            n_untold: 0,
            places: BTreeMap::new(),
            text: "",
        }
    }

    fn add_file(&mut self, file: File<'a>) {
        let text = match text_of(file.bytes) {
            Ok(text) => text,
            Err(problem) => {
                let place =
                    Place::File { name: shown_name(file.name), line: problem.at.line, column: problem.at.column };
                self.errors.push(ConfigError::at_place(place, problem));
                return;
            }
        };
        self.text = text;
        let mut problems = Vec::new();
        let mut root = tree::read(text, &mut problems);
        if let Some(root) = &mut root {
            prometheus::translate(root);
        }
        let compat::Translated { notes, problems: contradictions, spelled } =
            root.as_mut().map(compat::translate).unwrap_or_default();
        self.notes.extend(notes);
        problems.extend(contradictions);
        let decoded = root.map(|root| decode_file(&root, self.catalogue)).unwrap_or_default();
        problems.extend(decoded.problems);
        // Cut before each gets its line: a flood of mistakes must not take long to tell.
        problems.sort_by_key(|problem| problem.at);
        self.n_untold += problems.len().saturating_sub(TOLD_AT_MOST);
        let told = problems.into_iter().take(TOLD_AT_MOST);
        self.errors.extend(told.map(|problem| {
            let text = if may_be_secret(&problem.key, self.catalogue) { "" } else { text };
            ConfigError::in_file(problem, file.name, text)
        }));
        self.places = decoded.places;
        for setting in decoded.settings {
            let At { line, column, .. } = setting.at;
            let spelled = spelled.get(&setting.path).cloned();
            self.set(setting, Origin::File { name: shown_name(file.name), line, column, spelled });
        }
    }

    fn add_environment(&mut self, environment: &BTreeMap<String, String>) {
        let keys: BTreeMap<String, &Key> =
            self.catalogue.leaves().into_iter().filter_map(|key| Some((key.variable()?, key))).collect();
        for (name, value) in environment.iter().filter(|(name, _)| name.starts_with("ALIGNWATCH_")) {
            match keys.get(name) {
                // Set to nothing is how people take a variable away.
                Some(_) if value.is_empty() => {}
                Some(key) => self.add_text(key, value, &Place::Variable(name.clone()), Origin::Variable(name.clone())),
                None => self.notes.extend(misspelled(name, keys.keys())),
            }
        }
    }

    fn add_flag(&mut self, flag: &Flag<'_>) {
        let key = self.catalogue.find(flag.key).expect("a flag names a key that exists");
        self.add_text(key, flag.value, &Place::Flag(flag.name.to_owned()), Origin::Flag(flag.name.to_owned()));
    }

    fn add_text(&mut self, key: &Key, value: &str, place: &Place, origin: Origin) {
        let mut problems = Vec::new();
        let decoded = match node_of(value, &key.shape, &mut problems) {
            Some(node) => decode_value(&node, key, self.catalogue),
            None => Decoded::default(),
        };
        problems.extend(decoded.problems);
        self.errors.extend(problems.into_iter().map(|problem| ConfigError::at_place(place.clone(), problem)));
        for setting in decoded.settings {
            self.set(setting, origin.clone());
        }
    }

    fn set(&mut self, setting: Setting, origin: Origin) {
        self.origins.set.insert(setting.path.clone(), origin);
        put(&mut self.values, &setting.path, setting.value);
    }

    fn finish(mut self, file: Option<File<'_>>) -> Result<Loaded, Vec<ConfigError>> {
        let config: Config = serde_json::from_value(std::mem::take(&mut self.values))
            .expect("values that the catalogue accepts are those of the types");
        let problems = rules::mistakes(&config);
        self.n_untold += problems.len().saturating_sub(TOLD_AT_MOST);
        for problem in problems.into_iter().take(TOLD_AT_MOST) {
            self.add_rule_problem(problem, file);
        }
        if self.errors.is_empty() {
            return Ok(Loaded { config, origins: self.origins, notes: self.notes });
        }
        Err(in_order(self.errors, self.n_untold))
    }

    /// A mistake between values: told where the value stands that came last.
    fn add_rule_problem(&mut self, problem: rules::Mistake, file: Option<File<'_>>) {
        let leaf = self.catalogue.find(&problem.path).map_or("", |key| key.path.split("[]").next().unwrap_or_default());
        let rules::Mistake { path, problem, fix, also_at } = problem;
        let other_line = also_at.and_then(|path| self.places.get(&path)).map(|at| at.line);
        let problem = match other_line {
            Some(line) => format!("{problem} (line {line})"),
            None => problem,
        };
        let at = self.places.get(&path).copied().unwrap_or_default();
        let problem = Problem { at, key: path, problem, fix };
        let error = match (self.origins.of(leaf), file) {
            (Origin::Variable(name), _) => ConfigError::at_place(Place::Variable(name), problem),
            (Origin::Flag(name), _) => ConfigError::at_place(Place::Flag(name), problem),
            (_, Some(file)) => {
                let text = if may_be_secret(&problem.key, self.catalogue) { "" } else { self.text };
                ConfigError::in_file(problem, file.name, text)
            }
            (_, None) => ConfigError::at_place(Place::Variable("ALIGNWATCH_*".to_owned()), problem),
        };
        self.errors.push(error);
    }
}

/// May the line of a mistake hold a secret that should not stand there? Among the channels each line may: a misspelled key
/// or a key that stands there twice has no shape to tell by.
fn may_be_secret(key: &str, catalogue: &Key) -> bool {
    let is_channel = key == "channels" || key.starts_with("channels.") || key.starts_with("channels[");
    is_channel || catalogue.find(key).is_some_and(|key| key.shape.is_secret())
}

/// The text of a file, or why it is none.
fn text_of(bytes: &[u8]) -> Result<&str, Problem> {
    if bytes.len() as u64 > FILE_AT_MOST_BYTES {
        let problem = format!("the file is larger than {}", super::size_text(FILE_AT_MOST_BYTES));
        return Err(Problem::of_the_file(At::default(), problem, "is it the right one?"));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
        let at = At { line: line as u32, column: column as u32, width: 1 };
        Problem::of_the_file(at, "a byte here is not UTF-8", "save the file as UTF-8")
    })
}

/// The text of a variable or flag as a part of a file: as it stands, except for a list in brackets.
fn node_of(text: &str, shape: &Shape, problems: &mut Vec<Problem>) -> Option<Node> {
    let one = |text: &str| {
        let scalar = Scalar { text: text.to_owned(), is_quoted: false };
        let content = if text.is_empty() { Content::Nothing } else { Content::Scalar(scalar) };
        Node { at: At::default(), content }
    };
    match shape {
        Shape::List { .. } if text.trim_start().starts_with('[') => tree::read(text, problems),
        Shape::List { .. } => Some(Node { at: At::default(), content: Content::List(vec![one(text)]) }),
        _ => Some(one(text)),
    }
}

/// A note about a variable that looks like one of ours and is none.
///
/// It is no error: container platforms set such names by themselves (`ALIGNWATCH_PORT`).
fn misspelled<'k>(name: &str, known: impl Iterator<Item = &'k String>) -> Option<String> {
    if OTHER_VARIABLES.contains(&name) || name.len() > 100 {
        return None;
    }
    let distance_of = |known: &'k String| (strsim::damerau_levenshtein(name, known), known);
    let (distance, nearest) = known.map(distance_of).min()?;
    let shown = tree::for_message(name);
    (distance <= 2).then(|| format!("the environment variable {shown} sets nothing; did you mean {nearest}?"))
}

/// Sets the value at a path of names.
fn put(values: &mut Value, path: &str, value: Value) {
    let mut place = values;
    for name in path.split('.') {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = &mut place[name];
    }
    *place = value;
}

/// The mistakes of the file by line, then the others; each once, and not too many.
fn in_order(mut errors: Vec<ConfigError>, n_untold: usize) -> Vec<ConfigError> {
    errors.sort_by(|a, b| a.place.cmp(&b.place));
    errors.dedup();
    let n_untold = n_untold + errors.len().saturating_sub(TOLD_AT_MOST);
    errors.truncate(TOLD_AT_MOST);
    if let (1.., Some(last)) = (n_untold, errors.last()) {
        let place = match &last.place {
            Place::File { name, .. } => Place::File { name: name.clone(), line: 0, column: 0 },
            other => other.clone(),
        };
        let problem = Problem::of_the_file(At::default(), format!("{n_untold} more mistakes"), "mend these first");
        errors.push(ConfigError::at_place(place, problem));
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Span;

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn file(bytes: &[u8]) -> Option<File<'_>> {
        Some(File { name: "a.yaml", bytes })
    }

    fn told(sources: &Sources<'_>) -> Vec<String> {
        load(sources).expect_err("mistakes").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_nobody_sets_is_what_the_catalogue_says() {
        let environment = variables(&[("ALIGNWATCH_CONFIG", "/x"), ("HOME", "/h")]);
        let sources = Sources { environment: Some(&environment), ..Sources::default() };
        assert!(sources.set_nothing());
        let [quick, whole] =
            [load(&sources), load_with(&sources, catalogue())].map(|loaded| loaded.expect("no mistakes"));
        assert_eq!((quick.config, quick.origins, quick.notes), (whole.config, whole.origins, whole.notes));
        assert!(!Sources { environment: Some(&variables(&[("ALIGNWATCH_BASE", "x")])), ..sources }.set_nothing());
    }

    #[test]
    fn a_flag_beats_the_environment_that_the_file_and_that_the_default() {
        let text = b"inspect:\n  jobs: 2\n  git_deadline: 5s\n  merge_deadline: 6s\ndata_dir: /file\n";
        let environment = variables(&[
            ("ALIGNWATCH_INSPECT_GIT_DEADLINE", "7s"),
            ("ALIGNWATCH_DATA_DIR", "/variable"),
            ("ALIGNWATCH_BASES", "[main, origin/dev]"),
        ]);
        let flags = [Flag { name: "--data-dir", key: "data_dir", value: "/flag: 1" }];
        let sources = Sources { file: file(text), environment: Some(&environment), flags: &flags };
        let Loaded { config, origins, notes } = load(&sources).expect("no mistakes");
        assert_eq!(config.inspect.jobs, Some(2));
        assert_eq!(config.inspect.git_deadline, Span(7));
        assert_eq!(config.inspect.merge_deadline, Span(6));
        assert_eq!(config.data_dir.as_deref(), Some("/flag: 1"));
        assert_eq!(config.bases, ["main", "origin/dev"]);
        let origin = |path| origins.of(path).to_string();
        assert_eq!(origin("inspect.jobs"), "a.yaml:2");
        assert_eq!(origin("inspect.git_deadline"), "$ALIGNWATCH_INSPECT_GIT_DEADLINE");
        assert_eq!(origin("data_dir"), "--data-dir");
        assert_eq!(origin("inspect.output_limit"), "default");
        assert_eq!(notes, Vec::<String>::new());
    }

    #[test]
    fn the_value_of_a_variable_is_text_as_it_stands() {
        let environment = variables(&[("ALIGNWATCH_BASES", "NO"), ("ALIGNWATCH_DATA_DIR", "/a: b # c")]);
        let loaded = load(&Sources { environment: Some(&environment), ..Sources::default() }).expect("no mistakes");
        assert_eq!(loaded.config.bases, ["NO"]);
        assert_eq!(loaded.config.data_dir.as_deref(), Some("/a: b # c"));
    }

    #[test]
    fn variables_of_others_do_no_harm_and_near_misses_are_noted() {
        let environment = variables(&[
            ("ALIGNWATCH_PORT_8750_TCP_ADDR", "10.0.0.1"),
            ("ALIGNWATCH_SERVICE_HOST", "10.0.0.1"),
            ("ALIGNWATCH_CONFIG", "/x"),
            ("ALIGNWATCH_INSPECT_JOBS", ""),
            ("ALIGNWATCH_INSPECT_JOB", "2"),
            ("OTHER_BASES", "x"),
        ]);
        let loaded = load(&Sources { environment: Some(&environment), ..Sources::default() }).expect("no mistakes");
        assert_eq!(loaded.config, Config::default());
        assert_eq!(
            loaded.notes,
            ["the environment variable ALIGNWATCH_INSPECT_JOB sets nothing; did you mean ALIGNWATCH_INSPECT_JOBS?"]
        );
    }

    #[test]
    fn mistakes_of_all_layers_are_told_together() {
        let environment = variables(&[("ALIGNWATCH_INSPECT_JOBS", "many"), ("ALIGNWATCH_BASES", "[a, a")]);
        let flags = [Flag { name: "--data-dir", key: "data_dir", value: "here" }];
        let sources = Sources { file: file(b"base: [x]\n"), environment: Some(&environment), flags: &flags };
        insta::assert_snapshot!(told(&sources).join("\n"), @r"
        a.yaml:1:1: there is no key `base` at the top level (did you mean `bases`?)
        environment variable ALIGNWATCH_BASES: `[` is opened and not closed (close the list: `[main, develop]`)
        environment variable ALIGNWATCH_INSPECT_JOBS: inspect.jobs: `many` is not a whole number (write it like `2`)
        --data-dir: data_dir: `here` would depend on the folder that alignwatch is started in (write the whole path, like `/var/lib/alignwatch`)
        ");
    }

    #[test]
    fn values_of_different_layers_must_go_together_as_well() {
        let environment = variables(&[("ALIGNWATCH_CHECKS_SKIP", "stale")]);
        let sources =
            Sources { file: file(b"checks: {only: [stale]}"), environment: Some(&environment), ..Sources::default() };
        insta::assert_snapshot!(told(&sources).join("\n"), @"environment variable ALIGNWATCH_CHECKS_SKIP: checks.skip[0]: `stale` is listed in `checks.only`, too (take it out of one of the lists)");
    }

    #[test]
    fn what_is_no_text_or_too_much_is_told_with_its_place() {
        let told_of = |bytes: &[u8]| told(&Sources { file: file(bytes), ..Sources::default() }).join("\n");
        insta::assert_snapshot!(told_of(b"bases: [main]\n# gr\xfcn\n"), @"a.yaml:2:5: a byte here is not UTF-8 (save the file as UTF-8)");
        let large = vec![b'#'; FILE_AT_MOST_BYTES as usize + 1];
        insta::assert_snapshot!(told_of(&large), @"a.yaml: the file is larger than 1 MiB (is it the right one?)");
        let largest = &large[1..];
        assert!(load(&Sources { file: file(largest), ..Sources::default() }).is_ok());
    }

    #[test]
    fn a_flood_of_mistakes_is_cut() {
        let text: String = (0..5_000).map(|number| format!("x{number}: 1\n")).collect();
        let told = told(&Sources { file: file(text.as_bytes()), ..Sources::default() });
        assert_eq!(told.len(), TOLD_AT_MOST + 1);
        assert_eq!(told[TOLD_AT_MOST], "a.yaml: 4900 more mistakes (mend these first)");
    }
}
