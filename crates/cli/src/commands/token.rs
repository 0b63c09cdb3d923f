//! `alignwatch token`

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use alignwatch_model::{
    Timestamp,
    access::{KeptToken, Scope, TOKENS_FILE, Tokens},
};
use clap::{Args, Subcommand, builder::PossibleValuesParser};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::Global;
use crate::{
    Exit, configuring,
    failure::Failure,
    output::{Format, escape},
    surroundings,
};

/// Make and take back tokens for those who ask the daemon from other machines
///
/// Only a daemon that answers on other addresses than this machine's own (`serve.address`) asks
/// for tokens. A token is shown once; what is kept is its SHA-256. The daemon sees a change at once.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  alignwatch token add prometheus --scope read
  alignwatch token add ci --scope report      may report runs, and reads nothing
  alignwatch token list
  alignwatch token remove ci")]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a token, and show it once
    Add {
        /// What it is for
        name: String,
        /// What it allows
        #[arg(long, value_name = "SCOPE", value_parser = PossibleValuesParser::new(Scope::ALL.map(Scope::word)))]
        scope: String,
    },
    /// Show names and scopes
    List,
    /// Take a token back
    Remove {
        /// Its name
        name: String,
    },
}

/// Random bytes of a token. Source: OWASP ASVS 5.0 asks for 128 bits at least.
const TOKEN_BYTES: usize = 32;

/// Makes, shows or takes back.
pub(crate) fn run(global: &Global, asked: &TokenArgs) -> Result<Exit, Failure> {
    let form = global.form("token", &[Format::Human, Format::Json])?;
    let config = configuring::configure(global)?;
    let data_dir = configuring::data_dir(&config)
        .ok_or_else(|| Failure::could_not("cannot keep tokens: there is no data directory"))?;
    let path = data_dir.join(TOKENS_FILE);
    let text = match &asked.what {
        What::Add { name, scope } => add(&data_dir, &path, name, scope, form)?,
        What::List => list(&read(&path)?, form),
        What::Remove { name } => remove(&data_dir, &path, name)?,
    };
    surroundings::answer(text.as_bytes())?;
    Ok(Exit::Fine)
}

fn add(data_dir: &Path, path: &Path, name: &str, scope: &str, form: Format) -> Result<String, Failure> {
    let mut tokens = read(path)?;
    if tokens.tokens.iter().any(|token| token.name == name) {
        return Err(Failure::usage(format!("there is a token `{name}` already"))
            .hint(format!("alignwatch token remove {name} takes it back")));
    }
    let scope = Scope::ALL.into_iter().find(|known| known.word() == scope).unwrap_or(Scope::Read);
    let token = fresh().map_err(|error| Failure::could_not(format!("cannot make a token: {error}")))?;
    let sha256 = hex(&Sha256::digest(token.as_bytes()));
    tokens.tokens.push(KeptToken { name: name.to_owned(), scope, sha256, made_at: surroundings::now().0 });
    write(data_dir, path, &tokens)?;
    Ok(match form {
        Format::Json => escape::json(&json!({
            "schema": "alignwatch.token/1", "name": name, "scope": scope.word(), "token": token,
        })),
        _ => format!("{token}\n"),
    })
}

fn list(tokens: &Tokens, form: Format) -> String {
    if form == Format::Json {
        let shown = |token: &KeptToken| json!({"name": token.name, "scope": token.scope.word(), "made_at": Timestamp(token.made_at)});
        let tokens: Vec<_> = tokens.tokens.iter().map(shown).collect();
        return escape::json(&json!({"schema": "alignwatch.tokens/1", "tokens": tokens}));
    }
    if tokens.tokens.is_empty() {
        return "there are no tokens\n".to_owned();
    }
    let line = |token: &KeptToken| {
        let name = escape::terminal(&token.name).into_owned();
        format!("{:<8} {name}, made {}\n", token.scope.word(), Timestamp(token.made_at))
    };
    tokens.tokens.iter().map(line).collect()
}

fn remove(data_dir: &Path, path: &Path, name: &str) -> Result<String, Failure> {
    let mut tokens = read(path)?;
    let n_before = tokens.tokens.len();
    tokens.tokens.retain(|token| token.name != name);
    if tokens.tokens.len() == n_before {
        return Err(
            Failure::could_not(format!("there is no token `{name}`")).hint("`alignwatch token list` shows them")
        );
    }
    write(data_dir, path, &tokens)?;
    Ok(format!("the token `{}` opens nothing any more\n", escape::terminal(name)))
}

fn read(path: &Path) -> Result<Tokens, Failure> {
    let failed =
        |error: &dyn std::fmt::Display| Failure::could_not(format!("cannot read `{}`: {error}", path.display()));
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| failed(&error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Tokens::default()),
        Err(error) => Err(failed(&error)),
    }
}

/// Another file takes the place of the one that is there, readable by this user alone.
fn write(data_dir: &Path, path: &Path, tokens: &Tokens) -> Result<(), Failure> {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".draft");
    let draft = PathBuf::from(draft);
    let written = || -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(data_dir)?;
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&draft)?;
        file.write_all(&serde_json::to_vec_pretty(tokens)?)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    written().map_err(|error| Failure::could_not(format!("cannot write `{}`: {error}", path.display())))
}

fn fresh() -> io::Result<String> {
    let mut bytes = [0; TOKEN_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(format!("awt_{}", hex(&bytes)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
