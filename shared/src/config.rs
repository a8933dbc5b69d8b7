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

/// Loads `T`: its defaults, the file, then variables that begin with `prefix`
/// (`AGENTIC_IDE_OLLAMA__URL` sets `ollama.url` for the prefix `AGENTIC_IDE_`).
pub fn load<T: Serialize + DeserializeOwned + Default>(source: Source<'_>, prefix: &str) -> Result<T, Error> {
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
    let figment = Figment::from(Serialized::defaults(T::default()));
    let figment = figment.merge(Serialized::defaults(parse(path, &text)?));
    // Variables that are not keys of `T` belong to somebody else (the log
    // filter, for one) and must not be refused as unknown keys.
    let known = figment.data().map_err(|error| Error::Value(Box::new(error)))?;
    let known: Vec<String> = known.values().flat_map(|dict| dict.keys().cloned()).collect();
    let env = Env::prefixed(prefix)
        .filter(move |key| {
            let first = key
                .as_str()
                .split("__")
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase();
            known.contains(&first)
        })
        .split("__");
    figment
        .merge(env)
        .extract()
        .map_err(|error| blame::<T>(path, &text, error))
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
    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Sample {
        port: u16,
        name: String,
    }

    fn check(text: &str, expect: Result<Sample, &str>) {
        let path = Path::new("sample.yaml");
        let value = parse(path, text).and_then(|value| {
            Figment::from(Serialized::defaults(Sample::default()))
                .merge(Serialized::defaults(value))
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
    fn files() {
        check("", Ok(Sample::default()));
        check("# nothing set\n", Ok(Sample::default()));
        check(
            "port: 7\n",
            Ok(Sample {
                port: 7,
                name: String::new(),
            }),
        );
        check("prot: 7\n", Err("sample.yaml cannot be used: "));
        check("prot: 7\n", Err("prot"));
        check("name: a\nport: [\n", Err("not valid YAML"));
        check("name: a\nport: [\n", Err("line 2 column 7"));
        check("name: a\nport: many\n", Err("line 2 column 7"));
    }
}
