//! Code of further folders, which a person named beside the workspace: searched,
//! shown, and never written.

use std::{
    iter,
    path::{Path, PathBuf},
};

use engine::{State, event::NoticeLevel};
use retrieval::queries::{Merged, SubQuery};

use super::Desk;
use crate::{error::Error, runtime::services::Services};

/// Pieces of the workspace for each piece of another folder.
const OWN_FOR_EACH: usize = 2;

/// What each folder has, under absolute paths. One that cannot be searched is
/// said, and not missed.
pub(super) async fn search(
    services: &Services,
    state: &State,
    desk: &Desk,
    queries: &[SubQuery],
) -> Vec<Vec<Merged>> {
    let mut all = Vec::new();
    for folder in &state.task.choices.folders {
        match one(services, Path::new(folder), queries).await {
            Ok(parts) => all.push(outside(parts, Path::new(&state.task.workspace))),
            Err(error) => {
                let message = format!("the folder {folder} was not searched: {error}");
                desk.notify(NoticeLevel::Warning, Some(error.code), message).await;
            }
        }
    }
    all
}

async fn one(services: &Services, folder: &Path, queries: &[SubQuery]) -> Result<Vec<Merged>, Error> {
    services.indexing.settle(folder).await?;
    let found = services.search.retrieve_all(folder, queries, &[]).await?;
    Ok(found
        .parts
        .into_iter()
        .map(|mut part| {
            part.item.path = folder.join(&part.item.path).to_string_lossy().into_owned();
            part
        })
        .collect())
}

/// Without what is in the workspace, which is searched by itself.
fn outside(parts: Vec<Merged>, workspace: &Path) -> Vec<Merged> {
    let is_outside = |part: &Merged| !PathBuf::from(&part.item.path).starts_with(workspace);
    parts.into_iter().filter(is_outside).collect()
}

/// One list, best first. Scores of different folders cannot be compared: each
/// gives its best in turn, the workspace more.
pub(super) fn join(own: Vec<Merged>, folders: Vec<Vec<Merged>>) -> Vec<Merged> {
    let mut own = own.into_iter();
    let mut others: Vec<_> = folders.into_iter().map(Vec::into_iter).collect();
    let rounds = iter::from_fn(move || {
        let mut round: Vec<Merged> = own.by_ref().take(OWN_FOR_EACH).collect();
        round.extend(others.iter_mut().filter_map(Iterator::next));
        (!round.is_empty()).then_some(round)
    });
    rounds.flatten().collect()
}

#[cfg(test)]
mod tests {
    use retrieval::Item;

    use super::*;

    fn parts(paths: &str) -> Vec<Merged> {
        let part = |path: &str| Merged {
            item: Item {
                path: path.to_owned(),
                start_line: 1,
                end_line: 1,
                symbol: None,
                score: 1.0,
                text: String::new(),
                explanation: None,
            },
            found_by: vec![0],
        };
        paths.split_whitespace().map(part).collect()
    }

    fn names(parts: &[Merged]) -> String {
        let names: Vec<&str> = parts.iter().map(|part| part.item.path.as_str()).collect();
        names.join(" ")
    }

    #[test]
    fn the_workspace_comes_first_and_most() {
        let check = |own: &str, folders: &[&str], expect: &str| {
            let folders = folders.iter().map(|folder| parts(folder)).collect();
            assert_eq!(names(&join(parts(own), folders)), expect);
        };
        check("a b c", &[], "a b c");
        check("a b c d e", &["/x /y", "/z"], "a b /x /z c d /y e");
        check("", &["/x /y"], "/x /y");
        check("a", &["", "/x /y"], "a /x /y");
    }

    #[test]
    fn a_folder_around_the_workspace_gives_what_is_beside_it() {
        let got = outside(parts("/w/app/a.py /w/lib/b.py /w/apple.py"), Path::new("/w/app"));
        assert_eq!(names(&got), "/w/lib/b.py /w/apple.py");
    }
}
