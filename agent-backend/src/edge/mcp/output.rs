//! What the tools answer: structured, as their schemas show it, and as text for
//! clients that show no more than that.

use std::collections::BTreeMap;
use std::path::Path;

use retrieval::{
    Item, Retrieved,
    browse::{self, Places},
    pack,
    references::Found,
    related,
};
use schemars::JsonSchema;
use serde::Serialize;
use shared::wire::CodeAnswer;

use crate::error::Error;

/// An answer in both shapes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub text: String,
    pub structured: serde_json::Value,
}

impl Answer {
    pub(super) fn new(text: String, structured: &impl Serialize) -> Result<Self, Error> {
        let structured =
            serde_json::to_value(structured).map_err(|error| Error::internal(error.to_string()))?;
        Ok(Self { text, structured })
    }
}

impl From<CodeAnswer> for Answer {
    fn from(answer: CodeAnswer) -> Self {
        let CodeAnswer { text, structured } = answer;
        Self { text, structured }
    }
}

impl From<Answer> for CodeAnswer {
    fn from(answer: Answer) -> Self {
        let Answer { text, structured } = answer;
        Self { text, structured }
    }
}

/// A piece of a file.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Piece {
    /// Path relative to the workspace.
    path: String,
    /// First line, from 1.
    start_line: u32,
    /// Last line, included.
    end_line: u32,
    /// The definition it belongs to.
    symbol: Option<String>,
    /// Higher is better, within one answer.
    score: f64,
    /// The lines; credentials are replaced.
    text: String,
}

impl From<Item> for Piece {
    fn from(item: Item) -> Self {
        Self {
            path: item.path,
            start_line: item.start_line,
            end_line: item.end_line,
            symbol: item.symbol,
            score: item.score,
            text: item.text,
        }
    }
}

/// Answer of `search_code`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Code {
    /// The workspace that was searched.
    root: String,
    /// What was searched: `hybrid` (words, history and meaning), `keyword` or
    /// `local_keyword` (words and history).
    mode: String,
    /// Pieces of code, best first; no two overlap.
    items: Vec<Piece>,
    /// Estimated tokens of the code.
    tokens: usize,
    /// What a reader should know.
    notes: Vec<String>,
}

/// The answer to a search, within `tokens`.
pub(super) fn code(
    root: &Path,
    found: &Retrieved,
    tokens: usize,
    mut notes: Vec<String>,
) -> Result<Answer, Error> {
    let packed = pack::pack(&found.ranked, tokens);
    if packed.items.is_empty() {
        notes.insert(0, "nothing was found".to_owned());
    }
    notes.extend(found.notices.iter().map(|notice| notice.message.clone()));
    let text = with_notes(packed.text, &notes);
    let answer = Code {
        root: root.display().to_string(),
        mode: found.mode.as_str().to_owned(),
        items: packed.items.into_iter().map(Piece::from).collect(),
        tokens: packed.tokens,
        notes,
    };
    Answer::new(text, &answer)
}

/// A definition.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Definition {
    /// Path relative to the workspace.
    path: String,
    /// Line of the name, from 1.
    line: u32,
    /// First line with comments and decorators.
    start_line: u32,
    /// Last line, included.
    end_line: u32,
    /// What is defined: `function`, `method`, `class`, `struct`, `constant` …
    kind: String,
    /// Its name, qualified by what is around it in the file.
    symbol: String,
    /// The line of the name.
    signature: String,
    /// As much of its code as the budget holds.
    code: Option<String>,
}

/// Answer of `find_definition`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Definitions {
    /// The workspace that was searched.
    root: String,
    /// The definitions, best first.
    definitions: Vec<Definition>,
    /// All that there are, also those left out here.
    total: usize,
    /// Whether every file was looked at.
    complete: bool,
    /// What a reader should know.
    notes: Vec<String>,
}

/// The answer about definitions; `items` holds their code.
pub(super) fn definitions(
    root: &Path,
    symbol: &str,
    places: Places,
    items: &[Item],
    tokens: usize,
    mut notes: Vec<String>,
) -> Result<Answer, Error> {
    let packed = pack::pack(items, tokens);
    let mut text = packed.text;
    let mut list = Vec::new();
    if places.found.is_empty() {
        notes.insert(
            0,
            format!("no definition of `{symbol}` was found; find_references with `how: text` lists where it is mentioned"),
        );
    }
    for found in places.found {
        let Some(definition) = found.place.definition else {
            continue;
        };
        let code = packed.items.iter().find(|item| {
            let here = item.path == found.path && item.start_line <= found.place.line;
            here && found.place.line <= item.end_line
        });
        if code.is_none() {
            text.push_str(&format!(
                "{}:{} {} {}: {}\n",
                found.path,
                found.place.line,
                definition.kind.as_str(),
                definition.symbol,
                found.place.text
            ));
        }
        list.push(Definition {
            path: found.path,
            line: found.place.line,
            start_line: definition.start_line,
            end_line: definition.end_line,
            kind: definition.kind.as_str().to_owned(),
            symbol: definition.symbol,
            signature: found.place.text,
            code: code.map(|item| item.text.clone()),
        });
    }
    left_out(&mut notes, list.len(), places.total, places.complete);
    let text = with_notes(text, &notes);
    let answer = Definitions {
        root: root.display().to_string(),
        definitions: list,
        total: places.total,
        complete: places.complete,
        notes,
    };
    Answer::new(text, &answer)
}

/// A place where a name is used.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Reference {
    /// Path relative to the workspace.
    path: String,
    /// Line, from 1.
    line: u32,
    /// Column in bytes, from 1.
    column: u32,
    /// What it does there: `definition`, `import`, `call`, `use`; `text` in
    /// strings, comments and files without a grammar.
    role: String,
    /// The definition around it.
    within: Option<String>,
    /// The line.
    text: String,
}

/// Answer of `find_references`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct References {
    /// The workspace that was searched.
    root: String,
    /// The places: definitions first, then code, then tests and text.
    references: Vec<Reference>,
    /// All that there are, also those left out here.
    total: usize,
    /// Whether every file was looked at.
    complete: bool,
    /// What a reader should know.
    notes: Vec<String>,
}

/// The answer about references, within `tokens`.
pub(super) fn references(
    root: &Path,
    symbol: &str,
    places: Places,
    tokens: usize,
    mut notes: Vec<String>,
) -> Result<Answer, Error> {
    let mut text = String::new();
    let mut list = Vec::new();
    if places.found.is_empty() {
        notes.insert(0, format!("`{symbol}` was not found"));
    }
    for Found { path, place } in places.found {
        let within = place
            .within
            .as_deref()
            .map(|within| format!(" in {within}"))
            .unwrap_or_default();
        let line = format!(
            "{path}:{}: {}{within}: {}\n",
            place.line,
            place.role.as_str(),
            place.text
        );
        if pack::tokens(&text) + pack::tokens(&line) > tokens {
            break;
        }
        text.push_str(&line);
        list.push(Reference {
            path,
            line: place.line,
            column: place.column,
            role: place.role.as_str().to_owned(),
            within: place.within,
            text: place.text,
        });
    }
    left_out(&mut notes, list.len(), places.total, places.complete);
    let text = with_notes(text, &notes);
    let answer = References {
        root: root.display().to_string(),
        references: list,
        total: places.total,
        complete: places.complete,
        notes,
    };
    Answer::new(text, &answer)
}

/// Why a file is related.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Reason {
    /// `history`, `imported`, `imports`, `defines`, `uses`, `test` or `similar`.
    kind: String,
    /// In words.
    text: String,
}

/// A related file.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RelatedFile {
    /// Path relative to the workspace.
    path: String,
    /// Higher is closer, within one answer.
    score: f32,
    /// Why, strongest first.
    reasons: Vec<Reason>,
}

/// Answer of `related_files`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Related {
    /// The workspace that was searched.
    root: String,
    /// The file that was asked about.
    path: String,
    /// The files, closest first.
    files: Vec<RelatedFile>,
    /// What a reader should know.
    notes: Vec<String>,
}

/// The answer about related files.
pub(super) fn related(
    root: &Path,
    path: String,
    files: Vec<related::Related>,
    mut notes: Vec<String>,
) -> Result<Answer, Error> {
    if files.is_empty() {
        notes.insert(0, "no file is related".to_owned());
    }
    let mut text = String::new();
    for file in &files {
        let reasons: Vec<String> = file.reasons.iter().map(related::Reason::text).collect();
        text.push_str(&format!("{} — {}\n", file.path, reasons.join("; ")));
    }
    let files = files.into_iter().map(|file| RelatedFile {
        path: file.path,
        score: file.score,
        reasons: file
            .reasons
            .iter()
            .map(|reason| Reason {
                kind: reason.as_str().to_owned(),
                text: reason.text(),
            })
            .collect(),
    });
    let text = with_notes(text, &notes);
    let answer = Related {
        root: root.display().to_string(),
        path,
        files: files.collect(),
        notes,
    };
    Answer::new(text, &answer)
}

/// Who brings an index up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeptBy {
    /// The backend that runs on this machine.
    Backend,
    /// The process that serves the tools, with each question.
    ThisProcess,
}

/// Answer of `index_status`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Status {
    /// The workspace that this is about.
    root: String,
    /// Every workspace that can be asked about.
    roots: Vec<String>,
    /// `absent` before the first search, then `ready`.
    state: String,
    /// Whose index it is: `backend`, the running backend's, which follows the
    /// files, or `this process`, brought up to date with each question.
    kept_by: String,
    /// Files that belong in the index, as they are now.
    files: usize,
    /// Their text in bytes.
    bytes: u64,
    /// Files of each language.
    languages: BTreeMap<String, usize>,
    /// Files left out, by reason; what the ignore files name is not counted.
    skipped: BTreeMap<String, usize>,
    /// Files in the index; brought up to date with each search.
    indexed_files: usize,
    /// Pieces of code in the index.
    indexed_parts: usize,
    /// Commits that are known.
    commits: usize,
}

/// The answer about the index.
pub(super) fn status(
    root: &Path,
    roots: &[std::path::PathBuf],
    status: &browse::Status,
    kept_by: KeptBy,
) -> Result<Answer, Error> {
    let state = if status.indexed_files == 0 {
        "absent"
    } else {
        "ready"
    };
    let languages = status.languages.iter();
    let skipped = status.skipped.iter();
    let answer = Status {
        root: root.display().to_string(),
        roots: roots.iter().map(|root| root.display().to_string()).collect(),
        state: state.to_owned(),
        kept_by: match kept_by {
            KeptBy::Backend => "backend",
            KeptBy::ThisProcess => "this process",
        }
        .to_owned(),
        files: status.files,
        bytes: status.bytes,
        languages: languages
            .map(|(language, count)| (language.as_str().to_owned(), *count))
            .collect(),
        skipped: skipped
            .map(|(reason, count)| (reason.as_str().to_owned(), *count))
            .collect(),
        indexed_files: status.indexed_files,
        indexed_parts: status.indexed_parts,
        commits: status.commits,
    };
    let list = |map: &BTreeMap<String, usize>| {
        let words: Vec<String> = map
            .iter()
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        if words.is_empty() {
            "none".to_owned()
        } else {
            words.join(", ")
        }
    };
    let text = format!(
        "{}: {} files, {} bytes; index of {} {}: {} files, {} pieces, {} commits\nlanguages: {}\nleft out: {}\nworkspaces: {}\n",
        answer.root,
        answer.files,
        answer.bytes,
        answer.kept_by,
        answer.state,
        answer.indexed_files,
        answer.indexed_parts,
        answer.commits,
        list(&answer.languages),
        list(&answer.skipped),
        answer.roots.join(", "),
    );
    Answer::new(text, &answer)
}

fn left_out(notes: &mut Vec<String>, shown: usize, total: usize, complete: bool) {
    if shown < total {
        notes.push(format!(
            "{} of {total} are shown; narrow it by path or language",
            shown
        ));
    }
    if !complete {
        notes.push("there are more files than one call looks at; narrow it by path or language".to_owned());
    }
}

fn with_notes(mut text: String, notes: &[String]) -> String {
    for note in notes {
        text.push_str(&format!("({note})\n"));
    }
    text
}
