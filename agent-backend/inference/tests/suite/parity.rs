//! The same numbers as the reference, whichever runtime computes them.

use inference::{Embedded, Embedder, Reranker, Runtime, Scored};
use serde_json::json;
use tempfile::tempdir;

use crate::environment::{environment, minilm, nowhere, options, python, run};

/// Least likeness of a vector and its reference.
const COSINE_MIN: f64 = 0.999_9;

/// Most that a score may be off.
const SCORE_ERROR_MAX: f64 = 1e-4;

fn texts() -> Vec<String> {
    let long = "fn window(index: usize) -> Option<&'static str> { None }\n".repeat(60);
    let mut texts = [
        "hello world",
        "",
        "pub async fn retrieve(&self, root: &Path, query: &str) -> Result<Retrieved, Error>",
        "Überprüfung der Größe — naïve café",
        "検索の品質を測る",
        "a",
        "class UserRepository:\n    def find_by_email(self, email):\n        return self.session.query(User).first()",
        "🦀 \u{0} \u{fffd} <|endoftext|> [MASK] [SEP]",
        "0x7fff_ffff == i32::MAX as u32 && !matches!(kind, Kind::Other | Kind::None)",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push(long);
    texts
}

fn least_likeness(vectors: &[Vec<f32>], reference: &[Vec<f64>]) -> f64 {
    assert_eq!(vectors.len(), reference.len());
    let pairs = vectors.iter().zip(reference).map(|(ours, theirs)| {
        assert_eq!(ours.len(), theirs.len());
        let dot = |left: &dyn Fn(usize) -> f64, right: &dyn Fn(usize) -> f64| -> f64 {
            (0..ours.len()).map(|at| left(at) * right(at)).sum()
        };
        let (a, b) = (|at: usize| f64::from(ours[at]), |at: usize| theirs[at]);
        dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
    });
    pairs.fold(f64::INFINITY, f64::min)
}

#[tokio::test]
async fn a_real_model_gives_the_vectors_of_the_reference() {
    if environment().is_none() {
        return;
    }
    let folder = minilm();
    let (texts, model) = (texts(), folder.to_str().unwrap());
    let by_the_book: Vec<Vec<f64>> = python("reference.py", &["embed", model], &json!(texts));
    let file = format!("{model}/onnx/model.onnx");
    let by_onnxruntime: Vec<Vec<f64>> = python("reference.py", &["onnx", model, &file], &json!(texts));
    let mut identities = Vec::new();
    for runtime in [Runtime::Native, Runtime::Onnx] {
        let embedder = Embedder::load(&options(&folder, runtime), &nowhere()).unwrap();
        let Embedded { vectors, truncated } = embedder.embed(texts.clone()).await.unwrap();
        for reference in [&by_the_book, &by_onnxruntime] {
            let least = least_likeness(&vectors, reference);
            assert!(least > COSINE_MIN, "{runtime}: {least}");
        }
        // The last text is longer than the 256 tokens of the model, and alone.
        assert_eq!(truncated, 1, "{runtime}");
        let info = embedder.info();
        assert_eq!(
            (info.dimension, info.tokens_max, info.runtime),
            (384, 256, runtime)
        );
        identities.push(info.identity.clone());
    }
    assert_eq!(identities[0], identities[1]);
    assert!(
        identities[0].starts_with("all-MiniLM-L6-v2#mean-unit-256-"),
        "{identities:?}"
    );
}

#[tokio::test]
async fn a_reranker_gives_the_scores_of_the_reference() {
    if environment().is_none() {
        return;
    }
    let dir = tempdir().unwrap();
    let model = dir.path().to_str().unwrap();
    run("reference.py", &["tiny", model, "bert"], &json!(null));
    run(
        "graph.py",
        &[model, &format!("{model}/onnx/model.onnx")],
        &json!(null),
    );
    let query = "w1 w2 w3 unknown";
    let texts: Vec<String> = (0..11)
        .map(|text| {
            (0..text * 5)
                .map(|word| format!("w{} ", (word * 7 + text) % 60))
                .collect()
        })
        .collect();
    let question = json!({ "query": query, "texts": texts });
    let reference: Vec<f64> = python("reference.py", &["score", model], &question);
    for runtime in [Runtime::Native, Runtime::Onnx] {
        let reranker = Reranker::load(&options(dir.path(), runtime), &nowhere());
        let reranker = reranker.unwrap_or_else(|error| panic!("{runtime}: {error}"));
        let Scored { scores, truncated } = reranker.score(query, texts.clone()).await.unwrap();
        assert_eq!(scores.len(), reference.len());
        for (ours, theirs) in scores.iter().zip(&reference) {
            let off = (f64::from(*ours) - theirs).abs();
            assert!(off < SCORE_ERROR_MAX, "{runtime}: {scores:?} {reference:?}");
        }
        // Question, candidate and three special tokens in a window of 40.
        assert_eq!(truncated, 4, "{runtime}");
    }
}

#[tokio::test]
async fn rotary_positions_and_gates_are_those_of_the_reference() {
    if environment().is_none() {
        return;
    }
    let dir = tempdir().unwrap();
    let model = dir.path().to_str().unwrap();
    run("reference.py", &["tiny", model, "nomic"], &json!(null));
    let texts: Vec<String> = (0..9)
        .map(|text| {
            (0..text * 4)
                .map(|word| format!("w{} ", (word * 11 + text) % 60))
                .collect()
        })
        .collect();
    let reference: Vec<Vec<f64>> = python("reference.py", &["embed", model], &json!(texts));
    let embedder = Embedder::load(&options(dir.path(), Runtime::Native), &nowhere()).unwrap();
    let vectors = embedder.embed(texts).await.unwrap().vectors;
    let least = least_likeness(&vectors, &reference);
    assert!(least > 0.999_999, "{least}");
}
