//! What is wrong with a provider before it is used, found without generating
//! anything, and, on request, whether something on the way holds answers back.

use std::{fmt, time::Duration};

use futures::StreamExt as _;
use shared::error::{Class, Code};
use tokio::time::Instant;

use crate::{ChatRequest, Chunk, Error, Health, Message, Provider};

/// Names of models that a finding lists.
const NAMES_MAX: usize = 8;

/// Pieces of an answer that show whether it streams.
const PIECES_MIN: usize = 3;

/// A first piece that comes sooner shows nothing: all may well have been
/// written at once.
const FIRST_PIECE_MIN: Duration = Duration::from_millis(200);

/// In an answer that streams, the pieces take more than this part of the time
/// that the first one took.
const SPREAD_PART: u32 = 10;

/// Tokens of the answer by which streaming is judged.
const SAMPLE_TOKENS: u32 = 64;

/// Whether a provider can be used with what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// No call will succeed.
    Broken,
    /// Calls succeed, and something will be worse than it need be.
    Warning,
}

/// Something wrong with a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether it can be used all the same.
    pub weight: Weight,
    /// What a caller may do about it.
    pub class: Class,
    /// The page that explains it.
    pub code: Code,
    /// What is wrong and what to do, for a person.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.text)
    }
}

impl From<&Error> for Finding {
    fn from(error: &Error) -> Self {
        Self {
            weight: Weight::Broken,
            class: error.class(),
            code: error.code(),
            text: error.to_string(),
        }
    }
}

impl Finding {
    pub(crate) fn broken(code: Code, text: String) -> Self {
        Self {
            weight: Weight::Broken,
            class: Class::User,
            code,
            text,
        }
    }

    pub(crate) fn warning(code: Code, text: String) -> Self {
        Self {
            weight: Weight::Warning,
            ..Self::broken(code, text)
        }
    }
}

/// What the health of a provider shows.
pub(crate) fn by_health(health: &Result<Health, Error>) -> Vec<Finding> {
    match health {
        Err(error) => vec![error.into()],
        Ok(health) if !health.model_available => {
            vec![Finding::broken(
                Code::ModelNotPulled,
                format!(
                    "the server has no model {}{}",
                    health.model,
                    named(&health.models)
                ),
            )]
        }
        Ok(_) => Vec::new(),
    }
}

/// The models there are, to find a misspelt one.
pub(crate) fn named(models: &[String]) -> String {
    if models.is_empty() {
        return "; it lists none".to_owned();
    }
    let more = if models.len() > NAMES_MAX { " …" } else { "" };
    let names: Vec<&str> = models.iter().take(NAMES_MAX).map(String::as_str).collect();
    format!("; it has {}{more}", names.join(", "))
}

/// A context that is smaller than what was configured as `option`.
pub(crate) fn too_small(option: &str, configured: u32, told: Option<u64>) -> Option<Finding> {
    let told = told.filter(|told| *told < u64::from(configured))?;
    Some(Finding::broken(
        Code::ContextTruncated,
        format!(
            "`{option}` is {configured}, and the server says that the model has {told}: set `{option}` to {told} or less"
        ),
    ))
}

/// Asks for a short answer and looks at when its pieces come. It costs some
/// tokens, so it is done on request alone. `None` if the answer streams, or is
/// too short or too fast to tell.
pub async fn buffering(provider: &dyn Provider) -> Option<Finding> {
    let request = ChatRequest {
        messages: vec![Message::user("Count from 1 to 30, separated by commas.")],
        tokens_max: Some(SAMPLE_TOKENS),
        temperature: Some(0.0),
        ..ChatRequest::default()
    };
    let begin = Instant::now();
    let mut stream = match provider.chat(request).await {
        Ok(stream) => stream,
        Err(error) => return Some((&error).into()),
    };
    let (mut first, mut last, mut pieces) = (None, Duration::ZERO, 0);
    while let Some(chunk) = stream.next().await {
        match chunk {
            Ok(Chunk::Token { .. }) => {
                last = begin.elapsed();
                first.get_or_insert(last);
                pieces += 1;
            }
            Ok(Chunk::ToolCall(_) | Chunk::Done(_)) => {}
            Err(error) => return Some((&error).into()),
        }
    }
    is_held_back(first?, last, pieces).then(|| {
        Finding::warning(
            Code::AnswersHeldBack,
            format!(
                "all {pieces} pieces of an answer came at once after {} ms: a proxy holds them back until the end; \
                 turn its buffering off (nginx: `proxy_buffering off`)",
                first.unwrap_or_default().as_millis()
            ),
        )
    })
}

/// Whether pieces that came from `first` to `last` were held back.
fn is_held_back(first: Duration, last: Duration, pieces: usize) -> bool {
    pieces >= PIECES_MIN && first >= FIRST_PIECE_MIN && last.saturating_sub(first) * SPREAD_PART < first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_are_held_back() {
        fn check(first_ms: u64, last_ms: u64, pieces: usize, expect: bool) {
            let ms = Duration::from_millis;
            assert_eq!(
                is_held_back(ms(first_ms), ms(last_ms), pieces),
                expect,
                "{first_ms} {last_ms} {pieces}"
            );
        }
        check(1000, 1001, 30, true);
        check(1000, 1001, 3, true);
        check(1000, 1001, 2, false);
        check(1000, 1150, 30, false);
        // A cached answer, or a fast model.
        check(150, 151, 30, false);
        check(300, 340, 30, false);
    }

    #[test]
    fn a_context_that_is_too_small() {
        let told = |told| too_small("num_ctx", 8192, told).map(|finding| finding.to_string());
        let expect = "E1407: `num_ctx` is 8192, and the server says that the model has 4096: set `num_ctx` to 4096 or less";
        assert_eq!(told(Some(4096)), Some(expect.to_owned()));
        assert_eq!((told(Some(8192)), told(None)), (None, None));
    }

    #[test]
    fn names_of_models() {
        let names = |count: usize| (0..count).map(|at| at.to_string()).collect::<Vec<_>>();
        assert_eq!(named(&[]), "; it lists none");
        assert_eq!(named(&names(2)), "; it has 0, 1");
        assert_eq!(named(&names(9)), "; it has 0, 1, 2, 3, 4, 5, 6, 7 …");
    }
}
