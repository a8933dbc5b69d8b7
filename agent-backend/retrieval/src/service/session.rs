//! One workspace, brought up to date, and the stages of a search in it: what
//! the profile says, in order, each by its one implementation.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use shared::error::Code;
use tokio::time::Instant;

use super::degrade::{self, Call};
use super::{Inner, Kept};
use crate::browse::View;
use crate::corpus::class::Class;
use crate::corpus::rank::{Detail, Ranking};
use crate::corpus::signals::Values;
use crate::dedup::{self, Candidate};
use crate::error::Error;
use crate::explain::{Explanation, Reranked};
use crate::filter::Filter;
use crate::identity::WorkspaceId;
use crate::index;
use crate::local::{Local, Reading};
use crate::pack::{self, Estimate, TokenCounter};
use crate::profile::{Profile, Rerank};
use crate::report::{Item, Mode, Notice, Reranking, Retrieved, Stage, StageTime};
use crate::rerank;
use crate::search::{Near, Question};
use crate::walk::Scan;

/// A question and how it is to be answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The question.
    pub query: String,
    /// The stages.
    pub profile: Profile,
    /// The files.
    pub filter: Filter,
    /// Results wanted, if not as many as the profile keeps.
    pub top: Option<usize>,
    /// Whether each result says why it is where it is.
    pub detail: Detail,
    /// How far to go for an answer.
    pub reach: Reach,
}

/// How far to go for an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reach {
    /// To the embedding model and the vector database.
    #[default]
    Everything,
    /// Not beyond this process.
    ThisProcess,
}

impl Request {
    /// A question by the best profile, of all files.
    pub fn new(query: &str) -> Self {
        Self {
            query: query.to_owned(),
            profile: Profile::best(),
            filter: Filter::default(),
            top: None,
            detail: Detail::Values,
            reach: Reach::Everything,
        }
    }
}

/// See the module. The index does not change while one lives.
pub struct Session {
    inner: Arc<Inner>,
    kept: Arc<Kept>,
    /// Shared with work off the async threads, which goes on when nobody waits
    /// for it any more.
    local: Arc<Reading>,
    root: PathBuf,
    scan: Arc<Scan>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

/// How large an index is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Files in it.
    pub files: usize,
    /// Parts of them.
    pub parts: usize,
    /// Text, bytes.
    pub bytes: u64,
    /// Commits known.
    pub commits: usize,
}

/// Notes how long each stage takes.
struct Clock {
    last: Instant,
    times: Vec<StageTime>,
}

impl Clock {
    fn done(&mut self, stage: Stage) {
        let now = Instant::now();
        let us = u64::try_from((now - self.last).as_micros()).unwrap_or(u64::MAX);
        self.times.push(StageTime { stage, us });
        self.last = now;
    }
}

impl Session {
    pub(super) fn new(
        inner: Arc<Inner>,
        kept: Arc<Kept>,
        local: Reading,
        root: PathBuf,
        scan: Arc<Scan>,
    ) -> Self {
        Self {
            inner,
            kept,
            local: Arc::new(local),
            root,
            scan,
        }
    }

    /// The canonical path of the workspace.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Its files and what is known of them.
    pub fn view(&self) -> View<'_> {
        View {
            root: &self.root,
            scan: &self.scan,
            local: &self.local,
        }
    }

    /// How large the index in this process is.
    pub fn size(&self) -> Size {
        let local = &self.local;
        Size {
            files: local.corpus.files(),
            parts: local.corpus.parts(),
            bytes: self.scan.bytes,
            commits: local.history.commits(),
        }
    }

    /// Answers a question. Degrades with a notice each time; an error only if
    /// the request makes no sense.
    pub async fn search(&self, request: &Request) -> Result<Retrieved, Error> {
        request.profile.check()?;
        let matcher = request.filter.matcher()?;
        let mut clock = Clock {
            last: Instant::now(),
            times: Vec::new(),
        };
        let question = Question::new(&request.query);
        let mut notices = Vec::new();
        if question.text.is_empty() {
            notices.push(Notice {
                code: Code::QueryEmpty,
                message: "there is nothing to search for".to_owned(),
            });
            return Ok(nothing(notices));
        }
        let (mode, near) = self.near(request, &question, &mut notices).await;
        clock.done(Stage::Near);
        let near = Arc::new(near);
        let asked = (
            request.clone(),
            question.clone(),
            Arc::clone(&near),
            self.root.clone(),
        );
        let ranking = self
            .with_local(move |local| {
                let (request, question, near, root) = asked;
                let mut accept = |path: &str| matcher.accepts(&root, path);
                local
                    .corpus
                    .rank(&question, &near, &request.profile, request.detail, &mut accept)
            })
            .await?;
        clock.done(Stage::Rank);
        let (ranking, candidates) = self.read(request, ranking, &near).await?;
        clock.done(Stage::Read);
        let (candidates, reranking) = self.rerank(request, &question, candidates, &mut notices).await;
        clock.done(Stage::Rerank);
        let mut ranked = match &request.profile.dedup {
            Some(options) => without_duplicates(candidates, options),
            None => candidates.into_iter().map(|candidate| candidate.item).collect(),
        };
        ranked.truncate(request.top.unwrap_or(request.profile.top));
        let counter: &dyn TokenCounter = match &self.inner.models.tokens {
            Some(counter) => &**counter,
            None => &Estimate,
        };
        let packed = pack::pack_counted(&ranked, self.inner.options.context_tokens, counter);
        clock.done(Stage::Pack);
        Ok(Retrieved {
            mode,
            notices,
            items: packed.items,
            ranked,
            files: ranking.files.into_iter().map(|file| file.path).collect(),
            reranking,
            times: clock.times,
            packed: packed.text,
            tokens: packed.tokens,
        })
    }

    /// The signals of every file for a question, for measurements.
    pub async fn signals(&self, request: &Request) -> Vec<(String, Class, Values)> {
        let question = Question::new(&request.query);
        let (_, near) = self.near(request, &question, &mut Vec::new()).await;
        self.local.corpus.signals(&question, &near)
    }

    async fn near(&self, request: &Request, question: &Question, notices: &mut Vec<Notice>) -> (Mode, Near) {
        let call = Call {
            inner: &self.inner,
            kept: &self.kept,
            local: &self.local,
            workspace: WorkspaceId::of(&self.root),
            root: &self.root,
            scan: &self.scan,
            question,
            request,
        };
        degrade::near(&call, notices).await
    }

    /// Works with the index off the async threads.
    async fn with_local<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Local) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let local = Arc::clone(&self.local);
        index::blocking(move || work(&local)).await
    }

    /// The text of the parts, with their vectors where the database gave them
    /// and, if it was asked, with the reasons for their place.
    async fn read(
        &self,
        request: &Request,
        ranking: Ranking,
        near: &Arc<Near>,
    ) -> Result<(Ranking, Vec<Candidate>), Error> {
        let root: Arc<Path> = self.root.as_path().into();
        let (request, near) = (request.clone(), Arc::clone(near));
        self.with_local(move |local| {
            let items = local.corpus.items(&root, &ranking.parts);
            let explain = |item: &Item| match request.detail {
                Detail::Values => None,
                Detail::Ranks => explanation(&request.profile, &ranking, item),
            };
            let candidates = items.into_iter().map(|item| Candidate {
                vector: vector(&near, &item),
                item: Item {
                    explanation: explain(&item).map(Box::new),
                    ..item
                },
            });
            let candidates = candidates.collect();
            (ranking, candidates)
        })
        .await
    }

    async fn rerank(
        &self,
        request: &Request,
        question: &Question,
        candidates: Vec<Candidate>,
        notices: &mut Vec<Notice>,
    ) -> (Vec<Candidate>, Reranking) {
        let (options, reranker) = match (
            &request.profile.rerank,
            &self.inner.models.reranker,
            request.reach,
        ) {
            (None, _, _) => return (candidates, Reranking::Off),
            (Some(options), Some(reranker), Reach::Everything) => (options, reranker),
            (Some(_), _, _) => {
                notices.push(Notice {
                    code: Code::RerankFailed,
                    message: "there is no reranking model; the results are in the order of the first phase"
                        .to_owned(),
                });
                return (candidates, Reranking::NoModel);
            }
        };
        let texts: Vec<String> = candidates
            .iter()
            .map(|candidate| text_of(&candidate.item))
            .collect();
        let said = rerank::score(&**reranker, &self.inner.pace, options, &question.text, &texts).await;
        if let Some(failure) = said.failure {
            notices.push(Notice {
                code: failure.code,
                message: format!("{failure}; not every result was reranked"),
            });
        }
        let reranking = Reranking::Done {
            reranked: said.scores.len(),
            candidates: candidates.len(),
        };
        (reordered(candidates, &said.scores, options), reranking)
    }
}

/// What a reranking model reads of a result: its name, then its code, which
/// begins with comments and signature.
fn text_of(item: &Item) -> String {
    match &item.symbol {
        Some(symbol) => format!("{symbol}\n{}", item.text),
        None => item.text.clone(),
    }
}

fn reordered(candidates: Vec<Candidate>, scores: &[f32], options: &Rerank) -> Vec<Candidate> {
    if scores.is_empty() {
        return candidates;
    }
    let before: Vec<f64> = candidates.iter().map(|candidate| candidate.item.score).collect();
    let by_model = rerank::order(&before, scores, 1.0);
    let mut taken: Vec<Option<Candidate>> = candidates.into_iter().map(Some).collect();
    let mut out = Vec::with_capacity(taken.len());
    for (place, score) in rerank::order(&before, scores, options.weight) {
        let Some(mut candidate) = taken.get_mut(place).and_then(Option::take) else {
            continue;
        };
        candidate.item.score = score;
        if let (Some(explanation), Some(own)) = (&mut candidate.item.explanation, scores.get(place)) {
            let rank = by_model.iter().position(|(other, _)| *other == place);
            explanation.rerank = Some(Reranked {
                score: *own,
                rank: rank.unwrap_or_default() + 1,
            });
        }
        out.push(candidate);
    }
    out
}

fn without_duplicates(candidates: Vec<Candidate>, options: &crate::profile::Dedup) -> Vec<Item> {
    let unique = dedup::unique(candidates, options).into_iter();
    unique
        .map(|(mut item, duplicates)| {
            if let Some(explanation) = &mut item.explanation {
                explanation.duplicates = duplicates;
            }
            item
        })
        .collect()
}

fn vector(near: &Near, item: &Item) -> Option<Vec<f32>> {
    let mut chunks = near.chunks.iter();
    let is_it =
        |record: &crate::store::Record| record.path == item.path && record.start_line == item.start_line;
    chunks.find(|hit| is_it(&hit.record))?.vector.clone()
}

fn explanation(profile: &Profile, ranking: &Ranking, item: &Item) -> Option<Explanation> {
    let files: HashMap<&str, usize> = ranking
        .files
        .iter()
        .enumerate()
        .map(|(at, file)| (file.path.as_str(), at))
        .collect();
    let file = *files.get(item.path.as_str())?;
    let mut parts = ranking.parts.iter();
    let part = parts.position(|part| part.path == item.path && part.start_line == item.start_line)?;
    Some(Explanation::new(
        profile,
        (file + 1, &ranking.files[file]),
        (part + 1, &ranking.parts[part]),
    ))
}

fn nothing(notices: Vec<Notice>) -> Retrieved {
    Retrieved {
        mode: Mode::LocalKeyword,
        notices,
        items: Vec::new(),
        ranked: Vec::new(),
        files: Vec::new(),
        reranking: Reranking::Off,
        times: Vec::new(),
        packed: String::new(),
        tokens: 0,
    }
}

#[cfg(test)]
mod tests;
