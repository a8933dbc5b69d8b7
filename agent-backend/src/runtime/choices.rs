//! What may be chosen for a workflow, over whichever edge it comes: a model that
//! there is, and further folders that are there. It must never know a wire
//! format; what a field is called is the edge's to say.

use std::path::{Path, PathBuf};

use engine::artifact::Choices;
use shared::error::Code;

use super::{Missing, Runtime};
use crate::{error::Error, providers};

/// The choice of a model that leaves each role its own.
pub(crate) const CONFIGURED: &str = "configured";

/// Further folders of one workflow.
const FOLDERS_MAX: usize = 16;

/// Characters of a wrong name that are repeated.
const SHOWN_CHARS_MAX: usize = 80;

/// Further folders as they are kept: whole paths without what means nothing, each
/// once. Whether they are there is not asked: see [`is_there`].
pub(crate) fn folders<P: AsRef<Path>>(named: &[P]) -> Result<Vec<String>, Error> {
    if named.len() > FOLDERS_MAX {
        return Err(refuse(format!(
            "{} further folders are named; {FOLDERS_MAX} are allowed: name fewer",
            named.len()
        )));
    }
    let mut folders: Vec<String> = Vec::new();
    for one in named {
        let folder = plain(one.as_ref(), "the further folder")?;
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    Ok(folders)
}

/// Refuses a folder that is not there: nothing would be found in it, and nobody
/// would know why. Asks the disk.
pub(crate) fn is_there(folder: &str) -> Result<(), Error> {
    if Path::new(folder).is_dir() {
        return Ok(());
    }
    Err(refuse(format!(
        "the further folder `{folder}` is not a directory: make it, or leave it out"
    )))
}

/// A whole path as text, without what means nothing, such as a slash at the end.
/// `what` is named where it is refused.
pub(crate) fn plain(path: &Path, what: &str) -> Result<String, Error> {
    if !path.is_absolute() {
        return Err(refuse(format!(
            "{what} `{}` is not an absolute path: send the whole path",
            path.display()
        )));
    }
    let plain: PathBuf = path.components().collect();
    let text = plain.into_os_string().into_string();
    text.map_err(|_| refuse(format!("{what} is not UTF-8")))
}

/// Refuses a model that is not among those that are known, as `PROVIDER/MODEL`.
pub(crate) fn is_known(model: &str, known: &[&str]) -> Result<(), Error> {
    if known.contains(&model) {
        return Ok(());
    }
    let shown: String = model.chars().take(SHOWN_CHARS_MAX).collect();
    Err(refuse(format!(
        "there is no model `{shown}`; there is: {CONFIGURED}, {}",
        known.join(", ")
    )))
}

fn refuse(message: String) -> Error {
    Error::user(Code::InvalidRequest, message)
}

impl Runtime {
    /// Refuses what cannot be had here and now.
    pub(super) async fn check_choices(&self, choices: &Choices, missing: Missing) -> Result<(), Error> {
        if let Some(model) = &choices.model {
            let used = self.services().models.used();
            let used: Vec<String> = used
                .iter()
                .map(|link| providers::qualified(link.identity()))
                .collect();
            is_known(model, &used.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        let folders = match missing {
            Missing::Refused => choices.folders.clone(),
            Missing::Said => return Ok(()),
        };
        let looked = tokio::task::spawn_blocking(move || folders.iter().try_for_each(|one| is_there(one)));
        looked.await.map_err(|error| Error::internal(error.to_string()))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told<T>(result: Result<T, Error>) -> Result<T, String> {
        result.map_err(|error| error.message)
    }

    #[test]
    fn folders_are_kept_by_their_plain_path_and_once() {
        let check = |named: &[&str], expect: Result<&[&str], &str>| {
            let expect = expect
                .map(|paths| paths.iter().map(|path| (*path).to_owned()).collect())
                .map_err(str::to_owned);
            assert_eq!(told(folders(named)), expect, "{named:?}");
        };
        check(&[], Ok(&[]));
        check(&["/w/a/", "/w//a/.", "/w/b"], Ok(&["/w/a", "/w/b"]));
        check(
            &["/w", "a"],
            Err("the further folder `a` is not an absolute path: send the whole path"),
        );
        check(
            &["/w"; 17],
            Err("17 further folders are named; 16 are allowed: name fewer"),
        );
        check(&["/w"; 16], Ok(&["/w"]));
    }

    #[test]
    fn only_a_directory_is_searched() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        std::fs::write(&file, "").unwrap();
        let check = |path: &Path, is_ok: bool| {
            let path = path.to_str().unwrap();
            let refused = format!("the further folder `{path}` is not a directory: make it, or leave it out");
            let expect = if is_ok { Ok(()) } else { Err(refused) };
            assert_eq!(told(is_there(path)), expect);
        };
        check(home.path(), true);
        check(&file, false);
        check(&home.path().join("none"), false);
    }

    #[test]
    fn a_model_is_named_with_its_provider() {
        let check = |model: &str, expect: Result<(), &str>| {
            let got = told(is_known(model, &["ollama/m:7b", "groq/m"]));
            assert_eq!(got, expect.map_err(str::to_owned), "{model}");
        };
        check("groq/m", Ok(()));
        check(
            "m",
            Err("there is no model `m`; there is: configured, ollama/m:7b, groq/m"),
        );
        let shown = format!(
            "there is no model `{}`; there is: configured, ollama/m:7b, groq/m",
            "x".repeat(80)
        );
        check(&"x".repeat(100), Err(&shown));
    }
}
