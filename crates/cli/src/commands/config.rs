//! `alignwatch config`

use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::{Path, PathBuf},
};

use alignwatch_model::{
    checks,
    config::{self, ConfigError, Key, Loaded, Origin, Place, Shape, inline},
    quote,
};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Global;
use crate::{
    Exit,
    configuring::{self, Configured, FILE_NAME, Unconfigured},
    failure::Failure,
    output::{Format, escape, layout, style::Tone},
    surroundings,
};

/// Check, show and explain the configuration
///
/// None is needed. It is read from --config FILE, else $ALIGNWATCH_CONFIG, else
/// alignwatch/alignwatch.yaml in $XDG_CONFIG_HOME or ~/.config. A file inside of a
/// repository is never read unless it is named, so that a repository cannot change
/// how it is judged. An environment variable beats the file, and a flag the variable.
#[derive(Args, Debug)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Examples:
  alignwatch config init                    write a commented alignwatch.yaml to start from
  alignwatch config check alignwatch.yaml   is it right? every mistake with its line
  alignwatch --config alignwatch.yaml config show
  alignwatch config explain budget.age      what a key means, and its value now
  alignwatch config schema > alignwatch.schema.json"
)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    asked: Asked,
}

#[derive(Debug, Subcommand)]
enum Asked {
    /// Say whether the configuration is right; exit code 2 when it is not
    Check {
        /// The file [default: the one that would be used]
        file: Option<PathBuf>,
    },
    /// Print the configuration in force, and where each value comes from
    ///
    /// The answer is YAML that means the same when it is used as a file.
    Show,
    /// Print the JSON Schema, for completion in editors and other tools
    Schema,
    /// Write a commented file to start from; never over one that is there
    Init {
        /// Where to
        #[arg(default_value = FILE_NAME)]
        file: PathBuf,
        /// Print it and write nothing
        #[arg(long)]
        print: bool,
    },
    /// Tell what a key means: unit, range, default, reason, and its value now
    Explain {
        /// The key, such as budget.age [default: list all]
        key: Option<String>,
    },
}

const FORMS: [Format; 2] = [Format::Human, Format::Json];

/// Does what is asked and prints the answer.
pub(crate) fn run(global: &Global, args: &ConfigArgs) -> Result<Exit, Failure> {
    match &args.asked {
        Asked::Check { file } => check(global, file.as_deref()),
        Asked::Show => show(global),
        Asked::Schema => print(&escape::json(&config::schema(checks::ALL))),
        Asked::Init { print: true, .. } => print(&config::starter_file()),
        Asked::Init { file, .. } => init(global, file),
        Asked::Explain { key } => explain(global, key.as_deref()),
    }
}

fn print(answer: &str) -> Result<Exit, Failure> {
    surroundings::answer(answer.as_bytes())?;
    Ok(Exit::Fine)
}

fn check(global: &Global, file: Option<&Path>) -> Result<Exit, Failure> {
    let form = global.form("config check", &FORMS)?;
    let looked = match file {
        Some(file) => configuring::look_in(global, file),
        None => configuring::look(global),
    };
    match (looked, form) {
        (Ok(configured), Format::Json) => print(&escape::json(&json!({
            "schema": "alignwatch.config-check/1",
            "file": file_json(&configured),
            "is_fine": true,
            "n_keys_set": configured.loaded.origins.set_keys().count(),
            "notes": configured.loaded.notes.iter().cloned().chain(ahead(&configured)).collect::<Vec<_>>(),
            "errors": [],
        }))),
        (Ok(configured), _) => print(&fine(&configured)),
        (Err(Unconfigured::Mistaken(mistakes)), Format::Json) => {
            print(&mistakes_json(&mistakes))?;
            Ok(Exit::Usage)
        }
        (Err(unconfigured), _) => Err(unconfigured.into()),
    }
}

/// What is said of a configuration without mistakes.
fn fine(configured: &Configured) -> String {
    let origins: Vec<_> = configured.loaded.origins.set_keys().map(|(_, origin)| origin).collect();
    let n_of = |wanted: fn(&Origin) -> bool| origins.iter().filter(|origin| wanted(origin)).count();
    let n_variables = n_of(|origin| matches!(origin, Origin::Variable(_)));
    let n_flags = n_of(|origin| matches!(origin, Origin::Flag(_)));
    let mut told = format!("fine: {} set", layout::count(origins.len(), "key"));
    match &configured.file {
        Some(file) => told.push_str(&format!(" with `{}`", escape::terminal(&file.display().to_string()))),
        None => told.push_str(", no configuration file"),
    }
    if n_variables > 0 {
        told.push_str(&format!(", {n_variables} of them by the environment"));
    }
    if n_flags > 0 {
        told.push_str(&format!(", {n_flags} by flags"));
    }
    told.push('\n');
    for note in configured.loaded.notes.iter().chain(&ahead(configured)) {
        told.push_str(&format!("note: {}\n", escape::terminal(note)));
    }
    if let (None, Some(usual)) = (&configured.file, configuring::usual_file()) {
        let usual = usual.display().to_string();
        told.push_str(&format!("looked for `{}`; --config names another\n", escape::terminal(&usual)));
    }
    told
}

/// What will be in each other's way, and rules of tasks that are none.
fn ahead(configured: &Configured) -> Vec<String> {
    super::window::notes(&configured.loaded.config, surroundings::now())
}

fn mistakes_json(mistakes: &[ConfigError]) -> String {
    let of_mistake = |mistake: &ConfigError| {
        let (file, line, column) = match &mistake.place {
            Place::File { name, line, column } => (Some(name), Some(*line), Some(*column)),
            Place::Variable(_) | Place::Flag(_) => (None, None, None),
        };
        let known = |number: Option<u32>| number.filter(|&number| number > 0);
        json!({
            "place": mistake.place.to_string(), "file": file, "line": known(line), "column": known(column),
            "key": mistake.key, "problem": mistake.problem, "fix": mistake.fix,
        })
    };
    let errors: Vec<Value> = mistakes.iter().map(of_mistake).collect();
    escape::json(&json!({ "schema": "alignwatch.config-check/1", "is_fine": false, "errors": errors }))
}

fn show(global: &Global) -> Result<Exit, Failure> {
    let form = global.form("config show", &FORMS)?;
    let configured = configuring::look(global)?;
    if form == Format::Json {
        let keys: Vec<Value> =
            config::catalogue().leaves().into_iter().map(|key| setting_json(&configured.loaded, key)).collect();
        let document = json!({ "schema": "alignwatch.config/1", "file": file_json(&configured), "keys": keys });
        return print(&escape::json(&document));
    }
    let file = match &configured.file {
        Some(file) => format!("`{}`", escape::terminal(&file.display().to_string())),
        None => "no file".to_owned(),
    };
    print(&format!("# The configuration in force, with {file}.\n{}", config::effective_file(&configured.loaded)))
}

fn file_json(configured: &Configured) -> Value {
    configured.file.as_ref().map_or(Value::Null, |file| Value::from(file.display().to_string()))
}

fn setting_json(loaded: &Loaded, key: &Key) -> Value {
    json!({
        "key": key.path,
        "value": loaded.config.value_of(key),
        "default": key.default,
        "origin": origin_json(&loaded.origins.of(&key.path)),
    })
}

fn origin_json(origin: &Origin) -> Value {
    match origin {
        Origin::Default => json!({ "kind": "default" }),
        Origin::File { name, line, column, spelled } => {
            json!({ "kind": "file", "file": name, "line": line, "column": column, "spelled": spelled })
        }
        Origin::Variable(name) => json!({ "kind": "variable", "variable": name }),
        Origin::Flag(name) => json!({ "kind": "flag", "flag": name }),
    }
}

fn init(global: &Global, file: &Path) -> Result<Exit, Failure> {
    let shown = file.display();
    // Opened only when it is not there, so that nothing can come between looking and writing.
    let opened = OpenOptions::new().write(true).create_new(true).open(file);
    match opened.and_then(|mut opened| opened.write_all(config::starter_file().as_bytes())) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let failure = Failure::could_not(format!("cannot write `{shown}`: it is there already"));
            return Err(failure.hint("`alignwatch config init --print` prints the starter file"));
        }
        Err(error) => return Err(Failure::could_not(format!("cannot write `{shown}`: {error}"))),
        Ok(()) => {}
    }
    if !global.quiet {
        surroundings::talk(&told_after_init(file));
    }
    Ok(Exit::Fine)
}

fn told_after_init(file: &Path) -> String {
    let shown = escape::terminal(&file.display().to_string()).into_owned();
    let word = quote::shell_word(file.as_os_str().as_encoded_bytes());
    let always = match configuring::usual_file() {
        Some(usual) if usual == file => "it is read by every command from now on".to_owned(),
        Some(usual) => format!(
            "use it with `alignwatch --config {word} check`, or move it to `{}`",
            escape::terminal(&usual.display().to_string())
        ),
        None => format!("use it with `alignwatch --config {word} check`"),
    };
    format!("wrote `{shown}`: all keys with their defaults, as comments\nhint: {always}\n")
}

fn explain(global: &Global, asked: Option<&str>) -> Result<Exit, Failure> {
    let form = global.form("config explain", &FORMS)?;
    let configured = configuring::look(global)?;
    let Some(asked) = asked else { return list_keys(global, form, &configured.loaded) };
    let key = find(asked)?;
    print(&match form {
        Format::Json => escape::json(&key_json(&configured.loaded, key, "alignwatch.config-key/1")),
        _ => explained(global, &configured.loaded, key),
    })
}

/// The key with this path or, where only one has it, this name.
fn find(asked: &str) -> Result<&'static Key, Failure> {
    let catalogue = config::catalogue();
    if let Some(key) = catalogue.find(asked) {
        return Ok(key);
    }
    let namesakes: Vec<&Key> = catalogue.descendants().into_iter().filter(|key| key.name == asked).collect();
    let paths = |keys: &[&Key]| keys.iter().map(|key| format!("`{}`", key.path)).collect::<Vec<_>>().join(" or ");
    match namesakes[..] {
        [key] => Ok(key),
        [] => Err(Failure::usage(format!("there is no key `{asked}`")).hint(match config::nearest_key(asked) {
            Some(key) => format!("did you mean `{}`?", key.path),
            None => "`alignwatch config explain` lists all keys".to_owned(),
        })),
        ref several => Err(Failure::usage(format!("several keys are called `{asked}`"))
            .hint(format!("did you mean {}?", paths(several)))),
    }
}

fn list_keys(global: &Global, form: Format, loaded: &Loaded) -> Result<Exit, Failure> {
    let keys = config::catalogue().descendants();
    if form == Format::Json {
        let keys: Vec<Value> = keys.into_iter().map(|key| key_json(loaded, key, "")).collect();
        return print(&escape::json(&json!({ "schema": "alignwatch.config-keys/1", "keys": keys })));
    }
    let screen = surroundings::screen(global);
    let keys: Vec<&Key> = keys.into_iter().filter(|key| !key.is_section()).collect();
    let widest = keys.iter().map(|key| key.path.len()).max().unwrap_or(0);
    let mut text = String::new();
    for key in keys {
        let room = screen.width.saturating_sub(widest + 2);
        let path = screen.paint(Tone::Title, &layout::pad(&key.path, widest));
        text.push_str(&format!("{path}  {}\n", layout::cut(&screen, &key.doc.meaning, room)));
    }
    print(&text)
}

fn key_json(loaded: &Loaded, key: &Key, schema: &str) -> Value {
    let doc = &key.doc;
    let mut document = json!({
        "key": key.path, "is_section": key.is_section(), "meaning": doc.meaning,
    });
    let facts = json!({
        "value": if is_of_items(key) { Value::Null } else { loaded.config.value_of(key) },
        "origin": origin_json(&loaded.origins.of(&key.path)),
        "unit": doc.unit, "range": doc.range, "default": key.default, "default_words": doc.default,
        "reason": doc.reason, "example": doc.example, "variable": key.variable(),
    });
    if let (Some(document), Value::Object(facts), false) = (document.as_object_mut(), facts, key.is_section()) {
        document.extend(facts);
    }
    if !schema.is_empty() {
        document["schema"] = Value::from(schema);
    }
    document
}

/// Keys of items have no single value.
fn is_of_items(key: &Key) -> bool {
    key.path.contains("[]")
}

fn explained(global: &Global, loaded: &Loaded, key: &Key) -> String {
    let screen = surroundings::screen(global);
    let title = screen.paint(Tone::Title, &key.path);
    let meaning = layout::wrap(&key.doc.meaning, screen.width).join("\n");
    if key.is_section() {
        let lines: Vec<_> = key.descendants().iter().map(|key| format!("  {}\n", key.path)).collect();
        return format!("{title}\n{meaning}\n\nKeys:\n{}", lines.concat());
    }
    let mut text = String::new();
    if is_of_items(key) {
        text.push_str(&format!("{title}\n"));
    } else {
        let value = screen.paint(Tone::Command, &escape::terminal(&inline(&loaded.config.value_of(key))));
        let origin = loaded.origins.of(&key.path).to_string();
        text.push_str(&format!("{title}: {value}   ({})\n", escape::terminal(&origin)));
    }
    text.push_str(&format!("{meaning}\n\n"));
    for (label, words) in labels(key) {
        let label = screen.paint(Tone::Faint, &layout::pad(label, 10));
        let lines = layout::wrap(&words, screen.width.saturating_sub(12).max(20));
        text.push_str(&format!("  {label}{}\n", lines.join(&format!("\n{}", " ".repeat(12)))));
    }
    text
}

fn labels(key: &Key) -> Vec<(&'static str, String)> {
    let doc = &key.doc;
    let mut labels = vec![
        ("unit", doc.unit.clone()),
        ("range", doc.range.clone()),
        ("default", doc.default.clone()),
        ("reason", doc.reason.clone()),
        ("example", format!("{}: {}", key.name, doc.example)),
    ];
    if let Shape::Words(words) = &key.shape {
        labels.extend(words.iter().map(|word| ("", format!("{}: {}", word.word, word.meaning))));
    }
    labels.extend(key.variable().map(|variable| ("variable", variable)));
    labels
}
