//! Which model answers: Ollama's if it runs and has it, a scripted one if not.

use std::{env, path::Path, process::Command, time::Duration};

use serde_json::Value;

use crate::{cargo::Profile, crew::Crew, http, paths::Paths, say};

/// The backend's default models.
const MODEL: &str = "mistral:7b-instruct-v0.3-q4_K_M";
const EMBED_MODEL: &str = "nomic-embed-text";
/// Where Ollama listens if nobody says otherwise.
const OLLAMA: &str = "http://127.0.0.1:11434";
/// Rate of the scripted answers: that of a small model on a good machine.
const TOKENS_PER_SECOND: &str = "60";
/// Time the scripted model has to listen.
const START_WAIT: Duration = Duration::from_secs(30);

/// A model server.
#[derive(Debug)]
pub struct Model {
    /// Its base URL.
    pub url: String,
    /// The model that plans and writes.
    pub name: String,
    /// Whether its answers are prepared, so that asking twice costs nothing.
    pub is_scripted: bool,
}

/// Looks for Ollama; starts the scripted model if it is not there or lacks the
/// model.
pub fn choose(crew: &mut Crew, paths: &Paths, dir: &Path) -> anyhow::Result<Model> {
    let url = ollama_url(env::var("OLLAMA_HOST").ok().as_deref());
    let name = env::var("AGENTIC_IDE_OLLAMA__MODEL").unwrap_or_else(|_| MODEL.to_owned());
    match find(&url, &name) {
        Ok(version) => {
            say::note(&format!("Ollama {version} at {url}, model {name}"));
            return Ok(Model {
                url,
                name,
                is_scripted: false,
            });
        }
        Err(reason) => say::note(&format!(
            "{reason}\nso a scripted model answers: real streaming, prepared text"
        )),
    }
    let port_file = dir.join("scripted-ollama.port");
    let mut command = Command::new(paths.binary(Profile::Debug.folder(), "scripted-ollama"));
    command.args(["--port", "0", "--tokens-per-second", TOKENS_PER_SECOND]);
    if name != MODEL {
        // The script names the default models.
        command.args(["--model", &name]);
    }
    command.arg("--port-file").arg(&port_file);
    command
        .arg("--script")
        .arg(paths.root.join("tests/fixtures/demo-script.yaml"));
    let program = crew.start("scripted-ollama", &mut command)?;
    let port = program.wait_until("listening", START_WAIT, || super::programs::read_port(&port_file))?;
    Ok(Model {
        url: format!("http://127.0.0.1:{port}"),
        name,
        is_scripted: true,
    })
}

/// The version of the Ollama that can be used, or why there is none.
fn find(url: &str, model: &str) -> Result<String, String> {
    let answer =
        http::get_json(url, "/api/version").map_err(|_| format!("Ollama does not answer at {url}"))?;
    let version = answer["version"]
        .as_str()
        .ok_or_else(|| format!("{url} does not answer like Ollama"))?;
    let tags = http::get_json(url, "/api/tags").map_err(|error| error.to_string())?;
    if !has_model(&tags, model) {
        return Err(format!(
            "Ollama runs at {url} but has no {model}; to use it: ollama pull {model}"
        ));
    }
    if !has_model(&tags, EMBED_MODEL) {
        say::note(&format!(
            "no {EMBED_MODEL}: the search is by keyword alone; ollama pull {EMBED_MODEL}"
        ));
    }
    Ok(version.to_owned())
}

fn has_model(tags: &Value, model: &str) -> bool {
    let full = |name: &str| {
        if name.contains(':') {
            name.to_owned()
        } else {
            format!("{name}:latest")
        }
    };
    let models = tags["models"].as_array().map(Vec::as_slice).unwrap_or_default();
    models
        .iter()
        .filter_map(|entry| entry["name"].as_str())
        .any(|name| full(name) == full(model))
}

/// `OLLAMA_HOST` as Ollama reads it: host, port or URL, each of which may be
/// missing. `0.0.0.0` is an address to listen on, not one to call.
fn ollama_url(host: Option<&str>) -> String {
    let Some(host) = host.map(str::trim).filter(|host| !host.is_empty()) else {
        return OLLAMA.to_owned();
    };
    let rest = host.strip_prefix("http://").unwrap_or(host).trim_end_matches('/');
    if rest.starts_with("https://") {
        return rest.to_owned();
    }
    let (name, port) = rest.rsplit_once(':').unwrap_or((rest, "11434"));
    let name = if matches!(name, "" | "0.0.0.0") {
        "127.0.0.1"
    } else {
        name
    };
    format!("http://{name}:{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_ollama() {
        fn check(host: Option<&str>, expect: &str) {
            assert_eq!(ollama_url(host), expect);
        }
        check(None, OLLAMA);
        check(Some(" "), OLLAMA);
        check(Some("0.0.0.0"), OLLAMA);
        check(Some("0.0.0.0:8080"), "http://127.0.0.1:8080");
        check(Some(":8080"), "http://127.0.0.1:8080");
        check(Some("box"), "http://box:11434");
        check(Some("http://box:1/"), "http://box:1");
        check(Some("https://box"), "https://box");
    }

    #[test]
    fn models() {
        let tags = serde_json::json!({"models": [{"name": "a:7b"}, {"name": "b:latest"}]});
        let has = |name| has_model(&tags, name);
        assert_eq!(
            [has("a:7b"), has("a"), has("b"), has("b:latest")],
            [true, false, true, true]
        );
        assert!(!has_model(&Value::Null, "a"));
    }
}
