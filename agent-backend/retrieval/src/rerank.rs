//! Reranking: a model reads the question and a candidate together, which is
//! slower and sometimes better than comparing vectors.
//!
//! Owns the port to such a model and how many candidates it is sent: as many as
//! fit into the time, judged by what the pairs before them cost.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use shared::error::{Class, Code};
use tokio::time::{Instant, timeout_at};

use crate::embed::Failure;
use crate::profile::Rerank;

/// Scores candidates against a question. Time-outs are the implementation's
/// business; how many candidates are sent is decided here.
#[async_trait]
pub trait Reranker: Send + Sync {
    /// The model's name, for explanations.
    fn identity(&self) -> String;
    /// One finite score per text, in order; higher is better, comparable within
    /// one answer. A text is a function's signature and documentation, then as
    /// much of its body as fits; the implementation cuts it to its window.
    async fn score(&self, query: &str, texts: Vec<String>) -> Result<Vec<f32>, Failure>;
}

/// Pairs sent while nothing is known of their cost.
const PROBE: usize = 2;
/// Pairs sent at once: little is lost if the last request takes too long.
const BATCH: usize = 8;
/// Share of the new measurement in what is remembered.
const NEW_SHARE: f64 = 0.5;
/// Bytes of a candidate that are sent; models of this kind read some 500 tokens.
const TEXT_BYTES_MAX: usize = 2_000;

/// What a pair costs, remembered between questions.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    seconds: Mutex<Option<f64>>,
}

impl Pace {
    fn fits(&self, left: Duration) -> usize {
        match *self.seconds.lock().unwrap_or_else(PoisonError::into_inner) {
            None => PROBE,
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a count of pairs, saturating"
            )]
            Some(seconds) => (left.as_secs_f64() / seconds.max(1e-6)) as usize,
        }
    }

    fn took(&self, time: Duration, pairs: usize) {
        #[expect(clippy::cast_precision_loss, reason = "a few pairs")]
        let new = time.as_secs_f64() / pairs.max(1) as f64;
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        *seconds = Some(seconds.map_or(new, |old| NEW_SHARE * new + (1.0 - NEW_SHARE) * old));
    }

    /// Not even one pair fits: forgets some of it, so that one bad measurement
    /// does not end the reranking for good.
    fn doubts(&self) {
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        *seconds = seconds.map(|seconds| seconds / 2.0);
    }
}

/// What a model said.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Scores {
    /// Of the first candidates, as many as there was time for.
    pub scores: Vec<f32>,
    /// Why there are no more, if the model failed.
    pub failure: Option<Failure>,
}

/// Scores the first of `texts`, best first, within the options' time.
pub(crate) async fn score(
    reranker: &dyn Reranker,
    pace: &Pace,
    options: &Rerank,
    query: &str,
    texts: &[String],
) -> Scores {
    let deadline = Instant::now() + Duration::from_millis(options.budget_ms);
    let texts = &texts[..texts.len().min(options.pairs)];
    let mut done = Scores::default();
    while done.scores.len() < texts.len() {
        let rest = &texts[done.scores.len()..];
        let fits = pace.fits(deadline.saturating_duration_since(Instant::now()));
        let batch: Vec<String> = rest.iter().take(fits.min(BATCH)).map(|text| head(text)).collect();
        if batch.is_empty() {
            if done.scores.is_empty() {
                pace.doubts();
            }
            break;
        }
        let (started, count) = (Instant::now(), batch.len());
        let answer = timeout_at(deadline, reranker.score(query, batch)).await;
        pace.took(started.elapsed(), count);
        match answer {
            Ok(Ok(scores)) if scores.len() == count && scores.iter().all(|score| score.is_finite()) => {
                done.scores.extend(scores);
            }
            Ok(Ok(_)) => {
                done.failure = Some(malformed(reranker));
                break;
            }
            Ok(Err(failure)) => {
                done.failure = Some(failure);
                break;
            }
            // The time is over.
            Err(_) => break,
        }
    }
    done
}

/// The new order of candidates, as places in the old one, with a score for each
/// that falls along it. `before` holds the old scores, best first; `scores`
/// those of the model for the first of them.
pub(crate) fn order(before: &[f64], scores: &[f32], weight: f32) -> Vec<(usize, f64)> {
    let reranked = scores.len().min(before.len());
    let old = shares(&before[..reranked]);
    let new: Vec<f64> = scores.iter().map(|score| f64::from(*score)).collect();
    let new = shares(&new[..reranked]);
    let weight = f64::from(weight);
    let mut order: Vec<(usize, f64)> = old
        .iter()
        .zip(&new)
        .map(|(old, new)| 1.0 + weight * new + (1.0 - weight) * old)
        .enumerate()
        .collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    // What was not looked at stays behind, in its order: scores below 1.
    let rest = &before[reranked..];
    let top = rest.first().copied().unwrap_or(1.0).max(f64::MIN_POSITIVE);
    order.extend(
        rest.iter()
            .enumerate()
            .map(|(at, score)| (reranked + at, score / top)),
    );
    order
}

/// Values from 0 for the least to 1 for the greatest.
fn shares(values: &[f64]) -> Vec<f64> {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let share = |value: &f64| {
        if most > least {
            (value - least) / (most - least)
        } else {
            1.0
        }
    };
    values.iter().map(share).collect()
}

fn head(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned()
}

fn malformed(reranker: &dyn Reranker) -> Failure {
    Failure {
        class: Class::Permanent,
        code: Code::RerankFailed,
        message: format!(
            "the reranking model `{}` gave an answer of the wrong shape",
            reranker.identity()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeReranker;

    const OPTIONS: Rerank = Rerank {
        budget_ms: 400,
        pairs: 30,
        weight: 1.0,
    };

    fn texts(count: usize) -> Vec<String> {
        (0..count).map(|n| "x".repeat(n)).collect()
    }

    async fn scored(reranker: &FakeReranker, pace: &Pace, count: usize) -> usize {
        let scores = score(reranker, pace, &OPTIONS, "q", &texts(count)).await;
        assert_eq!(scores.failure, None);
        scores.scores.len()
    }

    #[tokio::test(start_paused = true)]
    async fn as_many_are_reranked_as_fit() {
        let check = async |ms_per_pair: u64, candidates: usize, first: usize, then: usize| {
            let reranker = FakeReranker::taking(Duration::from_millis(ms_per_pair));
            let pace = Pace::default();
            let started = Instant::now();
            assert_eq!(
                scored(&reranker, &pace, candidates).await,
                first,
                "{ms_per_pair} ms"
            );
            assert_eq!(
                scored(&reranker, &pace, candidates).await,
                then,
                "{ms_per_pair} ms"
            );
            assert!(started.elapsed() <= Duration::from_millis(2 * OPTIONS.budget_ms));
        };
        check(0, 0, 0, 0).await;
        check(0, 12, 12, 12).await;
        // No more than the options' pairs.
        check(1, 50, 30, 30).await;
        check(21, 50, 19, 19).await;
        check(150, 50, 2, 2).await;
        // Not even two.
        check(1_000, 50, 0, 0).await;
    }

    #[tokio::test(start_paused = true)]
    async fn one_slow_answer_does_not_end_it_for_good() {
        let reranker = FakeReranker::taking(Duration::from_secs(5));
        let pace = Pace::default();
        assert_eq!(scored(&reranker, &pace, 10).await, 0);
        reranker.takes(Duration::from_millis(10));
        let mut questions = 0;
        while scored(&reranker, &pace, 10).await < 10 {
            questions += 1;
            assert!(questions < 10);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_model_that_fails_leaves_the_order_as_it_was() {
        let reranker = FakeReranker::taking(Duration::ZERO);
        reranker.fails();
        let scores = score(&reranker, &Pace::default(), &OPTIONS, "q", &texts(3)).await;
        assert_eq!(scores.scores.len(), 0);
        assert!(scores.failure.is_some());
        reranker.answers_nonsense();
        let scores = score(&reranker, &Pace::default(), &OPTIONS, "q", &texts(3)).await;
        assert_eq!(
            scores.failure.map(|failure| failure.code),
            Some(Code::RerankFailed)
        );
    }

    #[test]
    fn orders() {
        let check = |before: &[f64], scores: &[f32], weight: f32, expect: &[usize]| {
            let got = order(before, scores, weight);
            assert!(got.is_sorted_by(|a, b| a.1 >= b.1), "{got:?}");
            let places: Vec<usize> = got.iter().map(|(place, _)| *place).collect();
            assert_eq!(places, expect);
        };
        check(&[], &[], 1.0, &[]);
        check(&[3.0, 2.0, 1.0], &[], 1.0, &[0, 1, 2]);
        check(&[3.0, 2.0, 1.0], &[-9.0, -1.0, -5.0], 1.0, &[1, 2, 0]);
        // Only the first two were looked at.
        check(&[3.0, 2.0, 1.9, 0.0], &[0.0, 1.0], 1.0, &[1, 0, 2, 3]);
        // The old order counts as much.
        check(&[3.0, 2.9, 1.0], &[0.5, 1.0, 0.0], 0.5, &[1, 0, 2]);
        check(&[3.0, 2.0], &[0.0, 1.0], 0.0, &[0, 1]);
    }
}
