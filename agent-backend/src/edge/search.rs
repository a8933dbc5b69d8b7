//! The code search over REST: a question, and the tools of the MCP server, both
//! answered from the indexes that this backend keeps.

use std::path::Path;

use axum::{
    Json, Router,
    extract::{Path as Named, State},
    routing::post,
};
use retrieval::{
    Filter, Reach, Request,
    corpus::{class::Class, rank::Detail},
    language::Language,
};
use shared::{
    error::Code,
    wire::{CodeAnswer, CodeRequest, SearchAnswer, SearchIndex, SearchRequest},
};

use super::{mcp, rest};
use crate::{config::Retrieval, error::Error, present, runtime::Runtime};

/// Results of one answer.
const RESULTS_MAX: usize = 1_000;

pub(super) fn routes() -> Router<Runtime> {
    Router::new()
        .route("/api/search", post(search))
        .route("/api/code/{tool}", post(code))
}

async fn search(State(runtime): State<Runtime>, body: rest::Body) -> Result<Json<SearchAnswer>, Error> {
    let asked: SearchRequest = rest::parse(body)?;
    let services = runtime.services();
    let request = request(&asked, &services.retrieval)?;
    let root = Path::new(&asked.workspace);
    services.indexing.settle(root).await?;
    let found = Box::pin(services.search.search(root, &request)).await?;
    Ok(Json(present::search(found, SearchIndex::Backend)))
}

async fn code(
    State(runtime): State<Runtime>,
    Named(tool): Named<String>,
    body: rest::Body,
) -> Result<Json<CodeAnswer>, Error> {
    let call: CodeRequest = rest::parse(body)?;
    mcp::answer(&runtime, &tool, call).await.map(Json)
}

/// The request as the search wants it. Refuses what makes no sense.
pub(crate) fn request(asked: &SearchRequest, config: &Retrieval) -> Result<Request, Error> {
    let refuse = |message: String| Error::user(Code::InvalidRequest, message);
    let mut profile = config.named(asked.profile.as_ref().unwrap_or(&config.profile))?;
    if asked.query.trim().is_empty() {
        return Err(Error::user(Code::QueryEmpty, "there is nothing to search for"));
    }
    if let Some(top) = asked.top {
        if !(1..=RESULTS_MAX).contains(&top) {
            return Err(refuse(format!("`top` is {top}; it must be 1 to {RESULTS_MAX}")));
        }
        profile.top = profile.top.max(top);
    }
    let language = |name: &String| {
        Language::parse(name).ok_or_else(|| refuse(format!("`{name}` is not the name of a language")))
    };
    let class =
        |name: &String| Class::parse(name).ok_or_else(|| refuse(format!("`{name}` is not a class of files")));
    let languages: Result<Vec<Language>, Error> = asked.languages.iter().map(language).collect();
    let without: Result<Vec<Class>, Error> = asked.without.iter().map(class).collect();
    Ok(Request {
        profile,
        filter: Filter {
            without: without?,
            languages: languages?,
            globs: asked.paths.clone(),
            bytes_max: asked.max_size,
        },
        top: asked.top,
        detail: if asked.explain {
            Detail::Ranks
        } else {
            Detail::Values
        },
        reach: if asked.local {
            Reach::ThisProcess
        } else {
            Reach::Everything
        },
        ..Request::new(&asked.query)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused() {
        let check = |asked: SearchRequest, expect: Option<&str>| {
            let got = request(&asked, &Retrieval::default());
            let got = got.err().map(|error| error.code.as_str());
            assert_eq!(got, expect, "{asked:?}");
        };
        let asked = SearchRequest {
            query: "sessions".to_owned(),
            ..SearchRequest::default()
        };
        let with = |change: &dyn Fn(&mut SearchRequest)| {
            let mut asked = asked.clone();
            change(&mut asked);
            asked
        };
        check(asked.clone(), None);
        check(with(&|asked| asked.query = " \n".to_owned()), Some("E1006"));
        check(with(&|asked| asked.top = Some(0)), Some("E1001"));
        check(with(&|asked| asked.top = Some(1_001)), Some("E1001"));
        check(
            with(&|asked| asked.languages = vec!["klingon".to_owned()]),
            Some("E1001"),
        );
        check(
            with(&|asked| asked.without = vec!["poems".to_owned()]),
            Some("E1001"),
        );
        check(
            with(&|asked| asked.profile = Some("none".to_owned())),
            Some("E1014"),
        );
    }
}
