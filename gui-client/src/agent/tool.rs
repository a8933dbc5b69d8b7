//! Calls of tools: what an agent does, as far as it says so.

use std::path::{Path, PathBuf};

use shared::wire::{ChangeKind, FileDiff};

use super::session::clean;
use crate::model::{
    diff::{FileView, Row},
    selection::Selection,
};

/// Longest text of a tool call that is kept, in bytes; the beginning stays.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Longest text of which a diff is made, in bytes, both sides together.
const DIFF_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A call of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    /// The agent's id of it.
    pub id: String,
    /// What is done, for a person.
    pub title: String,
    /// What sort of thing that is.
    pub kind: ToolKind,
    /// How far it is.
    pub status: ToolStatus,
    /// What it brought.
    pub content: Vec<ToolContent>,
    /// The files that it is about.
    pub locations: Vec<Location>,
    /// What the tool was given, as JSON.
    pub input: Option<String>,
}

/// What changed of a call; what is left out stays as it was.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ToolPatch {
    /// The agent's id of the call.
    pub id: String,
    /// A new title.
    pub title: Option<String>,
    /// Another sort.
    pub kind: Option<ToolKind>,
    /// How far it is now.
    pub status: Option<ToolStatus>,
    /// What it brought, whole.
    pub content: Option<Vec<ToolContent>>,
    /// The files that it is about, whole.
    pub locations: Option<Vec<Location>>,
    /// What the tool was given, as JSON.
    pub input: Option<String>,
}

/// What sort of thing a tool does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolKind {
    /// Reads.
    Read,
    /// Changes files.
    Edit,
    /// Deletes.
    Delete,
    /// Moves or renames.
    Move,
    /// Searches.
    Search,
    /// Runs a program.
    Execute,
    /// Thinks.
    Think,
    /// Gets something from the network.
    Fetch,
    /// Switches the mode of the session.
    SwitchMode,
    /// Anything else.
    Other,
}

impl ToolKind {
    /// For a person.
    pub fn label(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Edit => "Edit",
            Self::Delete => "Delete",
            Self::Move => "Move",
            Self::Search => "Search",
            Self::Execute => "Run",
            Self::Think => "Think",
            Self::Fetch => "Fetch",
            Self::SwitchMode => "Mode",
            Self::Other => "Tool",
        }
    }
}

/// How far a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolStatus {
    /// It has not begun, or waits for a permission.
    Pending,
    /// It runs.
    Running,
    /// It is done.
    Completed,
    /// It went wrong.
    Failed,
    /// The turn was stopped before it was done.
    Stopped,
}

impl ToolStatus {
    /// Whether something may still come of it.
    pub fn is_open(self) -> bool {
        match self {
            Self::Pending | Self::Running => true,
            Self::Completed | Self::Failed | Self::Stopped => false,
        }
    }
}

/// What a call brought.
#[derive(Debug, Clone, PartialEq)]
pub enum ToolContent {
    /// Text.
    Text(String),
    /// A file before and after.
    Diff(Box<FileChange>),
    /// Something that the window cannot show, named.
    Other(String),
}

impl ToolContent {
    /// Text, bounded.
    pub fn text(text: &str) -> Self {
        Self::Text(bounded(text))
    }
}

/// A file before and after.
#[derive(Debug, Clone, PartialEq)]
pub struct FileChange {
    /// The whole path, as the agent named it.
    pub path: PathBuf,
    /// The new text.
    pub new: String,
    /// The rows that are shown.
    pub view: FileView,
    /// What of them is allowed: always all.
    pub selection: Selection,
}

impl FileChange {
    /// A file that is changed, or made where there was none. The path is shown
    /// relative to `folder`, if it lies there.
    pub fn new(path: PathBuf, old: Option<String>, new: String, folder: &Path) -> Self {
        let too_long = old.as_ref().map_or(0, String::len) + new.len() > DIFF_BYTES_MAX;
        let shown = if too_long {
            "This change is too long to be shown.".to_owned()
        } else {
            new.clone()
        };
        let mut view = FileView::new(&FileDiff {
            path: path.strip_prefix(folder).unwrap_or(&path).display().to_string(),
            change: if old.is_some() {
                ChangeKind::Edit
            } else {
                ChangeKind::Create
            },
            old_text: old.filter(|_| !too_long),
            new_text: Some(shown),
            lines_added: 0,
            lines_removed: 0,
            hunks: Vec::new(),
        });
        let lines = |side: fn(&Row) -> bool| {
            let count = view.rows.iter().filter(|row| row.changed && side(row)).count();
            u32::try_from(count).unwrap_or(u32::MAX)
        };
        let (added, removed) = (lines(|row| row.right.is_some()), lines(|row| row.left.is_some()));
        (view.added, view.removed) = (added, removed);
        Self {
            path,
            new,
            view,
            selection: Selection::default(),
        }
    }
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The whole path.
    pub path: PathBuf,
    /// From 1.
    pub line: Option<u32>,
}

impl ToolCall {
    /// A call of which nothing is known but its id.
    fn new(id: String) -> Self {
        Self {
            id,
            title: String::new(),
            kind: ToolKind::Other,
            status: ToolStatus::Pending,
            content: Vec::new(),
            locations: Vec::new(),
            input: None,
        }
    }

    /// The call that `patch` begins.
    pub fn begun(patch: ToolPatch) -> Self {
        let mut call = Self::new(patch.id.clone());
        call.take(patch);
        call
    }

    /// Takes what changed.
    pub fn take(&mut self, patch: ToolPatch) {
        let ToolPatch {
            id: _,
            title,
            kind,
            status,
            content,
            locations,
            input,
        } = patch;
        if let Some(title) = title {
            self.title = bounded(&title);
        }
        self.kind = kind.unwrap_or(self.kind);
        self.status = status.unwrap_or(self.status);
        if let Some(content) = content {
            self.content = content;
        }
        if let Some(locations) = locations {
            self.locations = locations;
        }
        if let Some(input) = input {
            self.input = Some(bounded(&input));
        }
    }

    /// The files that it changes, or would.
    pub fn changes(&self) -> impl Iterator<Item = &FileChange> {
        self.content.iter().filter_map(|content| match content {
            ToolContent::Diff(change) => Some(&**change),
            ToolContent::Text(_) | ToolContent::Other(_) => None,
        })
    }
}

/// The beginning of a text that may be endless.
fn bounded(text: &str) -> String {
    if text.len() <= TEXT_BYTES_MAX {
        return clean(text).into_owned();
    }
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    format!("{}\n… (shortened)", clean(&text[..end]))
}
