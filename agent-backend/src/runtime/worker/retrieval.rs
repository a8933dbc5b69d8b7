//! Finds the code that the model should see.

use std::path::PathBuf;

use engine::{
    Output, State,
    artifact::{Context, ContextItem, RetrievalMode},
    blob::Blob,
    event::NoticeLevel,
};
use retrieval::Mode;

use super::{Desk, Done};
use crate::{error::Error, runtime::services::Services};

pub(super) async fn run(services: &Services, state: &State, desk: &Desk) -> Result<Done, Error> {
    let workspace = super::open(state).await?;
    for notice in workspace.notices() {
        desk.notify(notice.level, notice.code, notice.message).await;
    }
    let root = PathBuf::from(&state.task.workspace);
    services.indexing.settle(&root).await?;
    let found = services.search.retrieve(&root, &state.task.query).await?;
    for notice in found.notices {
        desk.notify(NoticeLevel::Warning, Some(notice.code), notice.message)
            .await;
    }
    let packed = Blob::new(found.packed.into_bytes());
    let items = found.items.into_iter().map(|item| ContextItem {
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
        packed: packed.id(),
        tokens: u64::try_from(found.tokens).unwrap_or(u64::MAX),
    };
    Ok((Output::Context(context), vec![packed]))
}
