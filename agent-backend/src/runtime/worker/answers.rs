//! Answers that are known already. A stage whose definition says `cache` takes
//! the answer to the very same question from the disk; every other one asks.

use std::{
    path::{Path, PathBuf},
    thread,
};

use engine::event::{GenerationTotal, Origin};
use models::{ChatRequest, Identity};
use serde::{Deserialize, Serialize};

use super::draft;

/// Bytes of answers that are kept; the oldest ones go first, at a start.
const BYTES_MAX: u64 = 256 << 20;

/// Answers on the disk.
#[derive(Debug, Clone)]
pub struct Answers {
    dir: PathBuf,
}

/// A question: everything that an answer depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key(String);

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    pub text: String,
    pub prompt_tokens: u64,
    pub generated_tokens: u64,
}

impl Key {
    /// The key of a question.
    pub fn new(who: &Identity, request: &ChatRequest) -> Self {
        let Origin { model, request } = draft::origin(who, request);
        let Identity {
            provider,
            context_tokens,
            ..
        } = who;
        Self(format!(
            "{provider} {model} {context_tokens} {}",
            request.to_hex()
        ))
    }
}

impl Answers {
    /// Those in this folder of the data folder. What is beyond the limit is
    /// deleted; a folder that cannot be read holds nothing.
    pub fn open(data_dir: &Path) -> Self {
        let dir = data_dir.join("answers");
        let old = dir.clone();
        // It reads the whole index: a start does not wait for that.
        thread::spawn(move || prune(&old, BYTES_MAX));
        Self { dir }
    }

    /// The answer to this question, if it is known.
    pub(super) async fn find(&self, key: &Key) -> Option<Known> {
        let bytes = match cacache::read(&self.dir, &key.0).await {
            Ok(bytes) => bytes,
            Err(cacache::Error::EntryNotFound(..)) => return None,
            Err(error) => {
                // A damaged one is asked for again, and replaced.
                tracing::warn!(%error, "a kept answer cannot be read");
                return None;
            }
        };
        serde_json::from_slice(&bytes).ok()
    }

    /// Keeps an answer. One that cannot be kept is asked for again.
    pub(super) async fn keep(&self, key: &Key, text: &str, total: GenerationTotal) {
        let known = Known {
            text: text.to_owned(),
            prompt_tokens: total.prompt_tokens,
            generated_tokens: total.generated_tokens,
        };
        let written = match serde_json::to_vec(&known) {
            Ok(bytes) => cacache::write(&self.dir, &key.0, bytes).await,
            Err(_unprintable) => return,
        };
        if let Err(error) = written {
            tracing::warn!(%error, "an answer cannot be kept");
        }
    }
}

/// Deletes the oldest answers until the rest fits.
fn prune(dir: &Path, bytes_max: u64) {
    if !dir.exists() {
        return;
    }
    let mut entries: Vec<cacache::Metadata> = cacache::list_sync(dir).filter_map(Result::ok).collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.time));
    let mut bytes = 0;
    for entry in entries {
        bytes += entry.size as u64;
        if bytes > bytes_max {
            let removed = cacache::RemoveOpts::new()
                .remove_fully(true)
                .remove_sync(dir, &entry.key);
            if let Err(error) = removed {
                tracing::warn!(%error, "an old answer cannot be deleted");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use models::{Image, Message, Role, Thinking};
    use serde_json::json;

    use super::*;

    fn who() -> Identity {
        Identity {
            provider: "local".to_owned(),
            model: "m".to_owned(),
            context_tokens: 8192,
        }
    }

    fn request() -> ChatRequest {
        ChatRequest {
            system: "s".to_owned(),
            messages: vec![Message::user("q")],
            ..ChatRequest::default()
        }
    }

    #[test]
    fn the_key_is_of_everything_that_is_asked() {
        let first = Key::new(&who(), &request());
        assert_eq!(first, Key::new(&who(), &request()));
        let change = |edit: fn(&mut ChatRequest, &mut Identity)| {
            let (mut request, mut who) = (request(), who());
            edit(&mut request, &mut who);
            assert_ne!(first, Key::new(&who, &request), "{request:?} {who:?}");
        };
        change(|request, _| request.system.push('x'));
        change(|request, _| request.messages.push(Message::assistant("q")));
        change(|request, _| request.messages[0].role = Role::Assistant);
        change(|request, _| {
            request.messages[0].images.push(Image {
                media_type: "image/png".to_owned(),
                bytes: b"png".to_vec().into(),
            });
        });
        change(|request, _| request.format = Some(json!({})));
        change(|request, _| request.temperature = Some(0.0));
        change(|request, _| request.tokens_max = Some(1));
        change(|request, _| request.seed = Some(1));
        change(|request, _| request.thinking = Thinking::Off);
        change(|_, who| who.model.push('x'));
        change(|_, who| who.provider.push('x'));
    }

    #[tokio::test]
    async fn what_is_kept_is_found_and_the_oldest_goes_first() {
        let dir = tempfile::tempdir().unwrap();
        let answers = Answers::open(dir.path());
        let key = |name: &str| Key(name.to_owned());
        let total = GenerationTotal {
            duration_ms: 1,
            prompt_tokens: 2,
            generated_tokens: 3,
            cut: false,
        };
        assert_eq!(answers.find(&key("a")).await, None);
        answers.keep(&key("a"), "first", total).await;
        // The index keeps milliseconds.
        while answers.find(&key("b")).await.is_none() {
            answers.keep(&key("b"), "second", total).await;
        }
        let known = |text: &str| Known {
            text: text.to_owned(),
            prompt_tokens: 2,
            generated_tokens: 3,
        };
        assert_eq!(answers.find(&key("a")).await, Some(known("first")));
        assert_eq!(
            Answers::open(dir.path()).find(&key("a")).await,
            Some(known("first"))
        );
        prune(&answers.dir, 80);
        let left = cacache::list_sync(&answers.dir).filter_map(Result::ok).count();
        assert_eq!(left, 1);
        prune(&answers.dir, 0);
        assert_eq!(answers.find(&key("b")).await, None);
    }

    #[tokio::test]
    async fn a_damaged_answer_is_no_answer() {
        let dir = tempfile::tempdir().unwrap();
        let answers = Answers::open(dir.path());
        cacache::write(&answers.dir, "a", b"{").await.unwrap();
        assert_eq!(answers.find(&Key("a".to_owned())).await, None);
    }
}
