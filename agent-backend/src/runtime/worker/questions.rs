//! What is asked of the code search: the request, what the model or the rules
//! add to it, and what the last attempt's failure is about.

use std::time::Duration;

use engine::{State, event::NoticeLevel};
use retrieval::{
    adaptive::{self, Adaptation, Boost, Boosted, FailureKind, Finding},
    queries::{self, Origin, SubQuery},
};
use shared::error::{Class, Code};

use super::{Desk, ask, stream};
use crate::{config::Agentic, error::Error, runtime::services::Services};

/// Questions that are named in one notice.
const NAMED_MAX: usize = 6;
/// Characters of each.
const NAMED_CHARS_MAX: usize = 80;

/// The questions of a retrieval stage.
pub(super) async fn of_request(
    services: &Services,
    state: &State,
    desk: &Desk,
) -> (Vec<SubQuery>, Adaptation) {
    let request = &state.task.query;
    let (mut questions, adaptation) = match services.retrieval.agentic {
        Agentic::Off => (queries::with_model(request, &[]), Adaptation::default()),
        Agentic::Rules => (queries::by_rule(request), of_failure(state).1),
        Agentic::Auto => {
            let questions = match by_model(services, state, desk).await {
                Ok(texts) => queries::with_model(request, &texts),
                Err(error) => {
                    tracing::info!(code = %error.code, %error, "the model put no questions");
                    let message = format!("{error}; the search uses the request and the rules");
                    desk.notify(NoticeLevel::Warning, Some(error.code), message).await;
                    queries::by_rule(request)
                }
            };
            (questions, of_failure(state).1)
        }
    };
    // What failed is more certain than what a model or rule thinks of.
    let files = adaptation.boosts.iter().filter_map(by_name);
    let failed: Vec<SubQuery> = adaptation.queries.iter().cloned().chain(files).collect();
    questions.splice(1..1, failed);
    let questions = queries::distinct(questions);
    if questions.len() > 1 {
        desk.notify(
            NoticeLevel::Info,
            None,
            format!("also searched for {}", named(&questions)),
        )
        .await;
    }
    (questions, adaptation)
}

/// A file that a failure names is found by its name.
fn by_name(boost: &Boost) -> Option<SubQuery> {
    match &boost.of {
        Boosted::Path(path) => Some(SubQuery {
            text: path.clone(),
            origin: Origin::Failure(boost.because),
        }),
        Boosted::Module(_) | Boosted::SubjectOf(_) => None,
    }
}

/// What the last failure is about, and what to do about it; nothing if there is
/// none.
pub(super) fn of_failure(state: &State) -> (Vec<Finding>, Adaptation) {
    let Some(failure) = state.failures.last() else {
        return Default::default();
    };
    let findings = adaptive::diagnose(failure.code, &failure.message);
    let adaptation = adaptive::adapt(&findings);
    (findings, adaptation)
}

/// The findings in a few words.
pub(super) fn told(findings: &[Finding]) -> String {
    let tell = |finding: &Finding| {
        let place = finding.path.as_deref().unwrap_or_default();
        let what = match finding.kind {
            // Their message is long, and said already.
            FailureKind::SyntaxError | FailureKind::WrongType | FailureKind::Other => place,
            FailureKind::UnresolvedImport
            | FailureKind::UndefinedName
            | FailureKind::NoSuchMember
            | FailureKind::FailingTest
            | FailureKind::EditMismatch
            | FailureKind::MissingFile
            | FailureKind::Unusable => {
                if finding.subject.is_empty() {
                    place
                } else {
                    &finding.subject
                }
            }
        };
        format!("{} {what}", finding.kind.as_str().replace('_', " "))
            .trim_end()
            .to_owned()
    };
    findings.iter().map(tell).collect::<Vec<_>>().join(", ")
}

fn named(questions: &[SubQuery]) -> String {
    let others = questions
        .iter()
        .filter(|question| question.origin != Origin::Request);
    let name = |question: &SubQuery| {
        let short: String = question.text.chars().take(NAMED_CHARS_MAX).collect();
        format!("`{short}` ({})", question.origin.as_str())
    };
    others.take(NAMED_MAX).map(name).collect::<Vec<_>>().join(", ")
}

/// What the model wants to be searched for.
async fn by_model(services: &Services, state: &State, desk: &Desk) -> Result<Vec<String>, Error> {
    let wait = Duration::from_millis(services.retrieval.agentic_wait_ms);
    match tokio::time::timeout(wait, ask(services, state, desk)).await {
        Ok(answer) => Ok(agents::queries::parse(&answer?)?),
        Err(_elapsed) => Err(Error {
            class: Class::Transient,
            code: Code::ModelTimeout,
            message: format!("the model put no questions within {} ms", wait.as_millis()),
        }),
    }
}

/// The model's answer. It is no text of the workflow's: nobody reads along.
async fn ask(services: &Services, state: &State, desk: &Desk) -> Result<String, Error> {
    let remarks = state.remarks_told();
    let reply = ask::aside(services, state, desk, |window| {
        let prompt = agents::queries::prompt(
            &state.task.query,
            &state.feedback,
            &remarks,
            &state.failures,
            window.prompt_tokens_max,
        );
        let mut request = stream::request(services, prompt);
        request.format = Some(agents::queries::schema());
        request.temperature = Some(0.0);
        request.tokens_max = Some(agents::queries::ANSWER_TOKENS_MAX);
        request
    })
    .await?;
    Ok(reply.text)
}
