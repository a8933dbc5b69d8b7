//! Finds the code that the model should see.

use std::path::PathBuf;

use engine::{
    Output, State,
    artifact::{Context, ContextItem, RetrievalMode, Search},
    blob::Blob,
    event::NoticeLevel,
};
use retrieval::{
    Item, Mode, pack,
    queries::{Merged, SubQuery},
};

use super::{Desk, Done, folders, questions};
use crate::{config::Agentic, error::Error, runtime::services::Services};

/// Files that a notice names.
const NAMED_MAX: usize = 5;

pub(super) async fn run(services: &Services, state: &State, desk: &Desk) -> Result<Done, Error> {
    let workspace = super::open(state).await?;
    for notice in workspace.notices() {
        desk.notify(notice.level, notice.code, notice.message).await;
    }
    match state.task.choices.search {
        Search::On => {}
        Search::Off => return Ok(nothing()),
    }
    let (queries, adaptation) = questions::of_request(services, state, desk).await;
    let root = PathBuf::from(&state.task.workspace);
    let folders = folders::search(services, state, desk, &queries).await;
    services.indexing.settle(&root).await?;
    let mut found = services
        .search
        .retrieve_all(&root, &queries, &adaptation.boosts)
        .await?;
    found.parts = folders::join(found.parts, folders);
    for notice in &found.notices {
        desk.notify(NoticeLevel::Warning, Some(notice.code), notice.message.clone())
            .await;
    }
    let items: Vec<Item> = found.parts.iter().map(|part| part.item.clone()).collect();
    let packed = pack::pack(&items, services.search.context_tokens());
    let text = Blob::new(packed.text.into_bytes());
    let items = packed.items.into_iter().map(|item| ContextItem {
        found_by: found_by(&queries, &found.parts, &item),
        path: item.path,
        start_line: item.start_line,
        end_line: item.end_line,
        symbol: item.symbol,
        score: item.score,
    });
    let context = Context {
        mode: match found.mode {
            Mode::Hybrid => RetrievalMode::Hybrid,
            Mode::Keyword => RetrievalMode::Keyword,
            Mode::LocalKeyword => RetrievalMode::LocalKeyword,
        },
        items: items.collect(),
        packed: text.id(),
        tokens: u64::try_from(packed.tokens).unwrap_or(u64::MAX),
    };
    Ok((Output::Context(context), vec![text]))
}

/// What is found where nothing is searched.
fn nothing() -> Done {
    let empty = Blob::new(Vec::new());
    let context = Context {
        mode: RetrievalMode::Off,
        items: Vec::new(),
        packed: empty.id(),
        tokens: 0,
    };
    (Output::Context(context), vec![empty])
}

/// Code that the last failure is about.
#[derive(Debug, Default)]
pub(super) struct Refined {
    /// Packed pieces; none of them is in the context of the workflow.
    pub packed: String,
    /// Files that the model must see whole.
    pub keep: Vec<String>,
}

/// Searches again for what the last failure named, before code is written anew.
/// What cannot be found is not missed: the attempt goes on without it.
pub(super) async fn refine(services: &Services, state: &State, desk: &Desk) -> Refined {
    match (services.retrieval.agentic, state.task.choices.search) {
        (Agentic::Off, _) | (_, Search::Off) => return Refined::default(),
        (Agentic::Auto | Agentic::Rules, Search::On) => {}
    }
    let (findings, adaptation) = questions::of_failure(state);
    if adaptation.queries.is_empty() && adaptation.keep.is_empty() {
        return Refined::default();
    }
    let keep = match known(state, adaptation.keep.clone()).await {
        Ok(keep) => keep,
        Err(error) => {
            tracing::warn!(code = %error.code, %error, "the files of a failure cannot be listed");
            Vec::new()
        }
    };
    let root = PathBuf::from(&state.task.workspace);
    let queries = adaptation.queries;
    let found = if queries.is_empty() {
        Vec::new()
    } else {
        match services
            .search
            .retrieve_all(&root, &queries, &adaptation.boosts)
            .await
        {
            Ok(found) => found.parts.into_iter().map(|part| part.item).collect(),
            Err(error) => {
                desk.notify(NoticeLevel::Warning, Some(error.code), error.message)
                    .await;
                Vec::new()
            }
        }
    };
    let fresh: Vec<Item> = found
        .into_iter()
        .filter(|item| !is_shown(state, item, &keep))
        .collect();
    // Half of it: what was found for the request stays.
    let packed = pack::pack(&fresh, services.search.context_tokens() / 2);
    let mut files: Vec<&str> = keep.iter().map(String::as_str).collect();
    for item in &packed.items {
        if !files.contains(&item.path.as_str()) {
            files.push(&item.path);
        }
    }
    if !files.is_empty() {
        let more = files.len().saturating_sub(NAMED_MAX);
        let mut list = files.into_iter().take(NAMED_MAX).collect::<Vec<_>>().join(", ");
        if more > 0 {
            list.push_str(&format!(" and {more} more"));
        }
        let message = format!(
            "searched again after the failure ({}): {list}",
            questions::told(&findings)
        );
        desk.notify(NoticeLevel::Info, None, message).await;
    }
    Refined {
        packed: packed.text,
        keep,
    }
}

/// Whether the piece is in front of the model anyway.
fn is_shown(state: &State, item: &Item, keep: &[String]) -> bool {
    let packed = state.context.iter().flat_map(|context| &context.items);
    keep.contains(&item.path)
        || packed
            .filter(|known| known.path == item.path)
            .any(|known| known.start_line <= item.start_line && item.end_line <= known.end_line)
}

/// The files of the workspace that a failure's paths mean.
async fn known(state: &State, named: Vec<String>) -> Result<Vec<String>, Error> {
    if named.is_empty() {
        return Ok(named);
    }
    let root = PathBuf::from(&state.task.workspace);
    super::blocking(move || {
        let all = retrieval::walk::paths(&root, retrieval::walk::FILES_MAX, |_| true);
        Ok(retrieval::adaptive::resolve(&named, &all))
    })
    .await
}

/// The questions that found what was packed, where there were several. What is
/// packed of a part may be less than the part.
fn found_by(queries: &[SubQuery], parts: &[Merged], packed: &Item) -> Vec<String> {
    if queries.len() < 2 {
        return Vec::new();
    }
    let holds = |part: &&Merged| {
        part.item.path == packed.path
            && part.item.start_line <= packed.start_line
            && packed.end_line <= part.item.end_line
    };
    let numbers = parts.iter().find(holds).map(|part| part.found_by.as_slice());
    let asked = numbers.into_iter().flatten();
    asked
        .filter_map(|number| queries.get(*number))
        .map(|query| query.text.clone())
        .collect()
}
