//! What a formatter makes of a text.

use ::tools::{
    checks::{self, Formatter},
    limits::{CHECK_TIMEOUT, FILE_BYTES_MAX},
};
use sandbox::Stop;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use shared::error::Code;

use super::{Described, Refusal, Surroundings, arguments, schema};

pub(super) const TOOLS: &[Described] = &[Described {
    name: "format",
    title: "Format a text",
    description: "Formats a whole text as the project's own formatter (black, ruff, autopep8, rustfmt, gofmt, \
                  prettier) would format the file at `path`, and returns the text. The file need not exist, and is \
                  not written.",
    schema: schema::<Format>,
    run: format,
}];

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Format {
    /// The file that the text is for, relative to the workspace.
    path: String,
    /// The whole text; what the file has by default.
    text: Option<String>,
    /// `black`, `ruff`, `autopep8`, `rustfmt`, `gofmt` or `prettier`; by default
    /// the one that the project uses.
    formatter: Option<String>,
}

fn format(surroundings: &Surroundings, given: Value, _stop: &Stop) -> Result<String, Refusal> {
    let Format {
        path,
        text,
        formatter,
    } = arguments(given)?;
    let refuse = |message: String| Refusal::new(Code::InvalidRequest, message);
    let formatter = match formatter {
        None => None,
        Some(name) => {
            let known =
                Formatter::parse(&name).ok_or_else(|| refuse(format!("no formatter `{name}` is known")))?;
            Some(known)
        }
    };
    let workspace = surroundings.workspace()?;
    let path = workspace.resolve(&path)?;
    let path = path.relative();
    let text = match text {
        Some(text) => text,
        None => match workspace.read_text(path)? {
            Some(file) => file.text,
            None => return Err(refuse(format!("there is no file {path}; give a `text`"))),
        },
    };
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(refuse(format!("the text has more than {FILE_BYTES_MAX} bytes")));
    }
    let formatted = checks::format(workspace.root(), path, &text, formatter, CHECK_TIMEOUT);
    formatted.map(|formatted| formatted.text).map_err(refuse)
}
