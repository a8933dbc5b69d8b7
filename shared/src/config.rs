//! Configuration: defaults, then a YAML file, then `AGENTIC_IDE_…` variables,
//! each later one winning. Unknown keys are refused by the structs themselves
//! (`deny_unknown_fields`), so that a misspelt key is never silently ignored.

use std::{
    io,
    path::{Path, PathBuf},
};

use figment::{
    Figment, Provider as _,
    providers::{Env, Serialized},
};
use serde::{Serialize, de::DeserializeOwned};

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file was named by the person but cannot be read.
    #[error("cannot read the configuration file {path}: {source}")]
    Read {
        /// The file that was named.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not YAML; the message names line and column.
    #[error("{path} is not valid YAML: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Line, column and reason.
        message: String,
    },
    /// A value in the file has the wrong type or a key is unknown; the message
    /// names line and column.
    #[error("{path} cannot be used: {message}")]
    InFile {
        /// The file.
        path: PathBuf,
        /// Line, column and reason.
        message: String,
    },
    /// A variable is no setting.
    #[error("the variable {name} is no setting{}", nearest.as_ref().map_or(String::new(), |nearest| format!("; did you mean {nearest}?")))]
    Variable {
        /// As it is called.
        name: String,
        /// What may have been meant.
        nearest: Option<String>,
    },
    /// A variable does not parse, or belongs to no key.
    #[error("the configuration cannot be used: {0}")]
    Value(Box<figment::Error>),
}

/// Where a configuration file was looked for.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// The person named it: it must exist.
    Named(&'a Path),
    /// The usual place: it may be missing.
    Usual(&'a Path),
}

/// How the names of variables that set a key begin (`AGENTIC_IDE_OLLAMA__URL`
/// sets `ollama.url` after `AGENTIC_IDE_`).
#[derive(Debug, Clone, Copy)]
pub enum Prefix<'a> {
    /// Other programs' variables begin so, too: what is no key is theirs.
    Shared(&'a str),
    /// Only this program's begin so: what is no key is a mistake.
    Own {
        /// The beginning.
        prefix: &'a str,
        /// What the program reads beside the keys, as variables behind the prefix.
        beside: &'a [&'a str],
    },
}

/// How alike a name and the one that was meant are at least, from 0 to 1
/// (Jaro and Winkler).
const LIKENESS_MIN: f64 = 0.8;

/// Loads `T`: its defaults, the file, then variables that begin with `prefix`.
///
/// # Errors
/// The first thing that is wrong.
pub fn load<T: Serialize + DeserializeOwned + Default>(
    source: Source<'_>,
    prefix: Prefix<'_>,
) -> Result<T, Error> {
    let (path, must_exist) = match source {
        Source::Named(path) => (path, true),
        Source::Usual(path) => (path, false),
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !must_exist => String::new(),
        Err(source) => {
            return Err(Error::Read {
                path: path.to_owned(),
                source,
            });
        }
    };
    let figment = merged::<T>(path, &text)?;
    let known = figment.data().map_err(|error| Error::Value(Box::new(error)))?;
    let known: Vec<String> = known.values().flat_map(|dict| dict.keys().cloned()).collect();
    let prefix = match prefix {
        Prefix::Shared(prefix) => prefix,
        Prefix::Own { prefix, beside } => {
            let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
            refuse_unknown(names, prefix, &known, beside)?;
            prefix
        }
    };
    // Variables that are not keys of `T` belong to somebody else (the log
    // filter, for one) and must not be refused as unknown keys.
    let env = Env::prefixed(prefix)
        .filter(move |key| known.contains(&first(key.as_str())))
        .split("__");
    figment
        .merge(env)
        .extract()
        .map_err(|error| blame::<T>(path, &text, error))
}

/// The key that a variable sets, or is part of; `name` is without the prefix.
fn first(name: &str) -> String {
    name.split("__").next().unwrap_or_default().to_ascii_lowercase()
}

fn refuse_unknown(
    names: impl Iterator<Item = String>,
    prefix: &str,
    keys: &[String],
    beside: &[&str],
) -> Result<(), Error> {
    let is_known = |name: &str| keys.contains(&first(name)) || beside.contains(&name);
    for name in names {
        let Some(rest) = name.strip_prefix(prefix).filter(|rest| !is_known(rest)) else {
            continue;
        };
        let likeness = |known: &str| strsim::jaro_winkler(&rest.to_ascii_uppercase(), known);
        let nearest = keys
            .iter()
            .map(|key| key.to_ascii_uppercase())
            .chain(beside.iter().map(|name| (*name).to_owned()))
            .map(|known| (likeness(&known), known))
            .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
            .max_by(|(one, _), (other, _)| one.total_cmp(other))
            .map(|(_, known)| format!("{prefix}{known}"));
        return Err(Error::Variable { name, nearest });
    }
    Ok(())
}

/// The defaults and the file. What the file says is read as what it is for:
/// `off` is a word where words are chosen from, and a boolean where it is one or
/// the other. A file that variables have to complete is read without that.
fn merged<T: Serialize + DeserializeOwned + Default>(path: &Path, text: &str) -> Result<Figment, Error> {
    let figment = Figment::from(Serialized::defaults(T::default()));
    if let Ok(Some(whole)) = serde_saphyr::from_str::<Option<T>>(text) {
        return Ok(figment.merge(Serialized::defaults(whole)));
    }
    Ok(figment.merge(Serialized::defaults(parse(path, text)?)))
}

/// Values that were merged do not know where they stood; the file alone, read
/// once more, says so if the fault is in it.
fn blame<T: DeserializeOwned>(path: &Path, text: &str, error: figment::Error) -> Error {
    match serde_saphyr::from_str::<Option<T>>(text) {
        Err(inside) => Error::InFile {
            path: path.to_owned(),
            message: inside.to_string(),
        },
        Ok(_) => Error::Value(Box::new(error)),
    }
}

fn parse(path: &Path, text: &str) -> Result<serde_json::Value, Error> {
    let value: Option<serde_json::Value> = serde_saphyr::from_str(text).map_err(|error| Error::Syntax {
        path: path.to_owned(),
        message: error.to_string(),
    })?;
    // A file of comments alone is as good as none.
    Ok(value
        .filter(|value| !value.is_null())
        .unwrap_or_else(|| serde_json::json!({})))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Sample {
        port: u16,
        name: String,
        mode: Mode,
        modes: BTreeMap<String, Mode>,
        verbose: bool,
    }

    #[derive(Debug, Default, PartialEq, Serialize, serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Mode {
        #[default]
        Auto,
        On,
        Off,
    }

    fn check(text: &str, expect: Result<Sample, &str>) {
        let path = Path::new("sample.yaml");
        let value = merged::<Sample>(path, text).and_then(|figment| {
            figment
                .extract::<Sample>()
                .map_err(|error| blame::<Sample>(path, text, error))
        });
        match (value, expect) {
            (Ok(value), Ok(expect)) => assert_eq!(value, expect),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (value, expect) => panic!("{value:?} is not {expect:?}"),
        }
    }

    #[test]
    fn variables() {
        let check = |name: &str, expect: Result<(), &str>| {
            let keys = ["http_port".to_owned(), "host".to_owned(), "tls".to_owned()];
            let names = [name.to_owned()].into_iter();
            let judged = refuse_unknown(names, "P_", &keys, &["CONFIG"]).map_err(|error| error.to_string());
            assert_eq!(judged, expect.map_err(str::to_owned), "{name}");
        };
        check("P_HTTP_PORT", Ok(()));
        check("P_http_port", Ok(()));
        check("P_TLS__CERT", Ok(()));
        check("P_CONFIG", Ok(()));
        check("HTTP_PROT", Ok(()));
        check(
            "P_HTTP_PROT",
            Err("the variable P_HTTP_PROT is no setting; did you mean P_HTTP_PORT?"),
        );
        check(
            "P_CONFG",
            Err("the variable P_CONFG is no setting; did you mean P_CONFIG?"),
        );
        check("P_XYZ", Err("the variable P_XYZ is no setting"));
    }

    #[test]
    fn files() {
        check("", Ok(Sample::default()));
        check("# nothing set\n", Ok(Sample::default()));
        check(
            "port: 7\n",
            Ok(Sample {
                port: 7,
                ..Sample::default()
            }),
        );
        check("prot: 7\n", Err("sample.yaml cannot be used: "));
        check("prot: 7\n", Err("prot"));
        check("name: a\nport: [\n", Err("not valid YAML"));
        check("name: a\nport: [\n", Err("line 2 column 7"));
        check("name: a\nport: many\n", Err("line 2 column 7"));
    }

    #[test]
    fn words_that_yaml_has_for_booleans() {
        let sample = |mode, verbose| Sample {
            mode,
            verbose,
            ..Sample::default()
        };
        check("mode: off\n", Ok(sample(Mode::Off, false)));
        check("mode: on\nverbose: on\n", Ok(sample(Mode::On, true)));
        check("mode: \"off\"\nverbose: true\n", Ok(sample(Mode::Off, true)));
        check("mode: auto\nverbose: no\n", Ok(sample(Mode::Auto, false)));
        check(
            "modes: { a: off }\nname: on\n",
            Ok(Sample {
                name: "on".to_owned(),
                modes: BTreeMap::from([("a".to_owned(), Mode::Off)]),
                ..Sample::default()
            }),
        );
        check("mode: no\n", Err("line 1 column 7"));
        check("verbose: auto\n", Err("line 1 column 10"));
    }
}
