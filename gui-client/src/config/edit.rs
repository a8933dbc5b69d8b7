//! Changes settings in the text of `gui_config.yaml` and leaves the rest as it
//! is: comments, order, blank lines. The file is one level of scalars, so a key
//! is a line.

use std::{io, path::Path};

use shared::files::{folder_of, write_atomically};

use super::{Config, ThemeChoice};
use crate::Error;

/// A setting and what it is to be.
type Change = (Key, Option<String>);

/// A setting that the window lets be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Backend,
    Token,
    CaFile,
    Workspace,
    Theme,
    FontSize,
    Notifications,
}

impl Key {
    const ALL: [Self; 7] = [
        Self::Backend,
        Self::Token,
        Self::CaFile,
        Self::Workspace,
        Self::Theme,
        Self::FontSize,
        Self::Notifications,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Backend => "backend",
            Self::Token => "token",
            Self::CaFile => "ca_file",
            Self::Workspace => "workspace",
            Self::Theme => "theme",
            Self::FontSize => "font_size",
            Self::Notifications => "notifications",
        }
    }

    /// As it is written; none is `null`.
    fn of(self, config: &Config) -> Option<String> {
        match self {
            Self::Backend => Some(quoted(&config.backend)),
            Self::Token => config.token.as_ref().map(|token| quoted(token.expose())),
            Self::CaFile => config
                .ca_file
                .as_ref()
                .map(|path| quoted(&path.display().to_string())),
            Self::Workspace => config.workspace.as_deref().map(quoted),
            Self::Theme => Some(
                match config.theme {
                    ThemeChoice::Dark => "dark",
                    ThemeChoice::Light => "light",
                }
                .to_owned(),
            ),
            Self::FontSize => Some(config.font_size.to_string()),
            Self::Notifications => Some(config.notifications.to_string()),
        }
    }

    /// Takes the value of another configuration over.
    fn copy(self, from: &Config, to: &mut Config) {
        match self {
            Self::Backend => to.backend.clone_from(&from.backend),
            Self::Token => to.token.clone_from(&from.token),
            Self::CaFile => to.ca_file.clone_from(&from.ca_file),
            Self::Workspace => to.workspace.clone_from(&from.workspace),
            Self::Theme => to.theme = from.theme,
            Self::FontSize => to.font_size = from.font_size,
            Self::Notifications => to.notifications = from.notifications,
        }
    }
}

/// Writes what differs between `shown` and `wanted` into a file, which comes
/// into being where there is none.
///
/// # Errors
/// E1703 if the file cannot be read or written, or is written in a way in which
/// a key is no line: then nothing is changed.
pub fn save(path: &Path, shown: &Config, wanted: &Config) -> Result<(), Error> {
    let refuse = |reason: String| Error::Config(format!("{} is left as it is: {reason}", path.display()));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(refuse(error.to_string())),
    };
    let parse = |text: &str| {
        let parsed = serde_saphyr::from_str::<Option<Config>>(text);
        parsed.map(Option::unwrap_or_default)
    };
    let changed = Key::ALL.into_iter().filter(|key| key.of(shown) != key.of(wanted));
    let mut expected = parse(&text).map_err(|error| refuse(error.to_string()))?;
    let mut changes = Vec::new();
    for key in changed {
        key.copy(wanted, &mut expected);
        changes.push((key, key.of(wanted)));
    }
    let new = edited(&text, &changes);
    // What will be read must be what was wanted, and nothing else must change.
    if !parse(&new).is_ok_and(|read| read == expected) {
        return Err(refuse(
            "it is not written one setting a line; change it by hand".to_owned(),
        ));
    }
    write(path, &new).map_err(|error| refuse(error.to_string()))
}

/// The text with the changes made.
fn edited(text: &str, changes: &[Change]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (key, value) in changes {
        let (key, value) = (key.name(), value.as_deref().unwrap_or("null"));
        let of_key = |line: &&mut String| {
            let rest = line.strip_prefix(key);
            rest.is_some_and(|rest| rest.trim_start().starts_with(':'))
        };
        match lines.iter_mut().find(of_key) {
            Some(line) => {
                let comment = comment(line);
                *line = format!("{key}: {value}{comment}");
            }
            None => lines.push(format!("{key}: {value}")),
        }
    }
    lines.join("\n") + "\n"
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    // A link stays one, and what it leads to is changed.
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    // There may be a token in it: a new one is its owner's alone.
    std::fs::create_dir_all(folder_of(&path))?;
    write_atomically(&path, text.as_bytes())
}

/// A text as YAML: plain where that is clear, else quoted.
fn quoted(value: &str) -> String {
    let clear = |first: char| first.is_ascii_alphabetic() || first == '/';
    let plain = |c: char| c.is_ascii_alphanumeric() || "/_.-:".contains(c);
    let words = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let is_word = words.contains(&value.to_ascii_lowercase().as_str());
    if value.starts_with(clear) && value.chars().all(plain) && !is_word && !value.ends_with(':') {
        value.to_owned()
    } else {
        // JSON's strings are YAML's.
        serde_json::Value::from(value).to_string()
    }
}

/// The comment behind a value, with the blanks before it.
fn comment(line: &str) -> &str {
    let value = line.find(':').map_or(line.len(), |colon| colon + 1);
    let rest = &line[value..];
    let begin = rest.len() - rest.trim_start().len();
    let quoted = match rest[begin..].chars().next() {
        Some(quote @ ('"' | '\'')) => rest[begin + 1..]
            .find(quote)
            .map_or(rest.len(), |end| begin + 1 + end + 1),
        Some(_) | None => 0,
    };
    let Some(hash) = rest[quoted..].find(" #").map(|at| quoted + at) else {
        return "";
    };
    let blanks = rest[..hash].len() - rest[..hash].trim_end().len();
    &rest[hash - blanks..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Token;

    /// What becomes of a file when `change` is made to what it says.
    #[track_caller]
    fn check(text: Option<&str>, change: impl FnOnce(&mut Config), expect: Result<&str, &str>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/gui_config.yaml");
        let mut shown = Config::default();
        if let Some(text) = text {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            if let Ok(Some(config)) = serde_saphyr::from_str(text) {
                shown = config;
            }
        }
        let mut wanted = shown.clone();
        change(&mut wanted);
        let saved = save(&path, &shown, &wanted);
        let after = std::fs::read_to_string(&path).unwrap_or_default();
        match (saved, expect) {
            (Ok(()), Ok(expect)) => assert_eq!(after, expect),
            (Err(error), Err(part)) => {
                assert!(error.to_string().contains(part), "{error}");
                assert_eq!(after, text.unwrap_or_default());
            }
            (got, expect) => panic!("{got:?} is not {expect:?}: {after}"),
        }
    }

    fn light(config: &mut Config) {
        config.theme = ThemeChoice::Light;
    }

    #[test]
    fn comments_order_and_blank_lines_stay() {
        check(None, light, Ok("theme: light\n"));
        check(
            Some("# mine\n\nbackend: http://a:1   # home\ntheme : dark # at night\nfont_size: 14\n"),
            |config| {
                light(config);
                config.font_size = 12;
                config.token = Some(Token::from("a#b \"c\""));
            },
            Ok(
                "# mine\n\nbackend: http://a:1   # home\ntheme: light # at night\nfont_size: 12\n\
                 token: \"a#b \\\"c\\\"\"\n",
            ),
        );
        check(
            Some("token: 'a # b'  # secret\n"),
            |config| config.token = None,
            Ok("token: null  # secret\n"),
        );
        check(
            Some("workspace: x"),
            |config| config.workspace = Some("yes".to_owned()),
            Ok("workspace: \"yes\"\n"),
        );
        check(
            Some("backend: http://a:1\n"),
            |config| config.backend = "https://host:8443".to_owned(),
            Ok("backend: https://host:8443\n"),
        );
        check(Some("# nothing\n"), light, Ok("# nothing\ntheme: light\n"));
    }

    #[test]
    fn what_cannot_be_changed_is_left() {
        check(Some("{ theme: dark }\n"), light, Err("change it by hand"));
        check(Some("theme: [\n"), light, Err("is left as it is"));
        check(
            Some("workspace: >\n  /a\n"),
            |config| config.workspace = Some("/b".to_owned()),
            Err("change it by hand"),
        );
    }
}
