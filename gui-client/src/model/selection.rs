//! What a person takes of a proposal: all of it until they say otherwise, hunk
//! by hunk, file by file, or a text of their own in place of the proposed one.
//!
//! It knows paths and indexes only, so that it can be kept on the disk and be
//! taken up again.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use shared::wire::HunkChoice;

use super::diff::FileView;

/// What is taken of a proposal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// Files of which not everything is taken.
    #[serde(default)]
    parts: BTreeMap<String, Part>,
    /// A person's own texts of files.
    #[serde(default)]
    texts: BTreeMap<String, String>,
}

/// What is taken of a file that is not taken as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    /// Nothing.
    Nothing,
    /// These hunks: some, never all.
    Hunks(BTreeSet<usize>),
}

/// How much of a file is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Everything.
    All,
    /// Some hunks.
    Some,
    /// Nothing.
    Nothing,
    /// The person's own text.
    Own,
}

impl Selection {
    /// How much of a file is taken.
    pub fn taken(&self, path: &str) -> Taken {
        match self.parts.get(path) {
            Some(Part::Nothing) => Taken::Nothing,
            _ if self.texts.contains_key(path) => Taken::Own,
            Some(Part::Hunks(_)) => Taken::Some,
            None => Taken::All,
        }
    }

    /// Whether a hunk is taken.
    pub fn takes(&self, path: &str, hunk: usize) -> bool {
        match self.parts.get(path) {
            None => true,
            Some(Part::Nothing) => false,
            Some(Part::Hunks(taken)) => taken.contains(&hunk),
        }
    }

    /// The person's own text of a file.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// Files with a text of the person's own.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Takes a hunk that was left out, and the other way round. A text of the
    /// person's own has none.
    pub fn toggle_hunk(&mut self, file: &FileView, hunk: usize) {
        let count = file.hunks.len();
        if hunk >= count || self.texts.contains_key(&file.path) {
            return;
        }
        let mut taken: BTreeSet<usize> = (0..count).filter(|hunk| self.takes(&file.path, *hunk)).collect();
        if !taken.remove(&hunk) {
            taken.insert(hunk);
        }
        let part = match taken.len() {
            0 => Some(Part::Nothing),
            some if some == count => None,
            _ => Some(Part::Hunks(taken)),
        };
        match part {
            Some(part) => self.parts.insert(file.path.clone(), part),
            None => self.parts.remove(&file.path),
        };
    }

    /// Leaves a file out; takes all of it where nothing or a part was taken.
    pub fn toggle_file(&mut self, file: &FileView) {
        if self.parts.remove(&file.path).is_none() {
            self.parts.insert(file.path.clone(), Part::Nothing);
        }
    }

    /// Takes the person's own text of a file; the proposed one where it is the same.
    pub fn write(&mut self, file: &FileView, text: String) {
        self.parts.remove(&file.path);
        if file.editable().as_deref() == Some(&text) {
            self.texts.remove(&file.path);
        } else {
            self.texts.insert(file.path.clone(), text);
        }
    }

    /// Takes a file as it was proposed.
    pub fn revert(&mut self, path: &str) {
        self.parts.remove(path);
        self.texts.remove(path);
    }

    /// Hunks of a file that are taken, and all of them. A file whose hunks cannot
    /// be told apart is one.
    pub fn count(&self, file: &FileView) -> (usize, usize) {
        let all = file.hunks.len().max(1);
        let taken = match self.parts.get(&file.path) {
            None => all,
            Some(Part::Nothing) => 0,
            Some(Part::Hunks(taken)) => taken.len(),
        };
        (taken, all)
    }

    /// The same of all files.
    pub fn count_all(&self, files: &[FileView]) -> (usize, usize) {
        files.iter().fold((0, 0), |(taken, all), file| {
            let (more, of) = self.count(file);
            (taken + more, all + of)
        })
    }

    /// What to send with an `accept`: nothing where everything is taken as proposed.
    pub fn choices(&self, files: &[FileView]) -> Option<Vec<HunkChoice>> {
        if self.parts.is_empty() && self.texts.is_empty() {
            return None;
        }
        let whole = |file: &FileView, hunks: Option<Vec<u32>>, text: Option<String>| HunkChoice {
            path: file.path.clone(),
            hunks,
            text,
        };
        let choice = |file: &FileView| {
            let text = self.texts.get(&file.path).cloned();
            match self.parts.get(&file.path) {
                Some(Part::Nothing) => None,
                None => Some(whole(file, None, text)),
                Some(Part::Hunks(taken)) => {
                    let hunks = taken.iter().filter_map(|hunk| u32::try_from(*hunk).ok());
                    Some(whole(file, Some(hunks.collect()), None))
                }
            }
        };
        Some(files.iter().filter_map(choice).collect())
    }

    /// What of this fits to these files; the rest was about others.
    #[must_use]
    pub fn fitting(mut self, files: &[FileView]) -> Self {
        let file = |path: &str| files.iter().find(|file| file.path == path);
        self.texts
            .retain(|path, _| file(path).is_some_and(|file| file.is_editable));
        self.parts.retain(|path, part| {
            file(path).is_some_and(|file| match part {
                Part::Nothing => true,
                Part::Hunks(taken) => {
                    let known = taken.last().is_some_and(|last| *last < file.hunks.len());
                    known && taken.len() < file.hunks.len()
                }
            })
        });
        self
    }
}
