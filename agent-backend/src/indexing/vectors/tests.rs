use std::sync::Mutex;

use super::*;

/// Answers with the length of the text, and counts.
#[derive(Default)]
struct Counting {
    asked: Mutex<Vec<String>>,
    model: String,
}

#[async_trait]
impl Embedder for Counting {
    fn identity(&self) -> Identity {
        Identity {
            model: self.model.clone(),
            dimension: 2,
        }
    }

    async fn embed_documents(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        let vectors = texts.iter().map(|text| vector(text)).collect();
        self.asked.lock().unwrap().extend(texts);
        Ok(vectors)
    }

    async fn embed_queries(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Failure> {
        self.embed_documents(texts).await
    }
}

#[expect(clippy::cast_precision_loss, reason = "a short text")]
fn vector(text: &str) -> Vec<f32> {
    vec![text.len() as f32, 0.1]
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

/// Embeds the texts with a new embedder of `model`; what the model was asked.
async fn asked(vectors: Option<&Vectors>, model: &str, list: &[&str]) -> Vec<String> {
    let counting = Arc::new(Counting {
        model: model.to_owned(),
        ..Counting::default()
    });
    let embedder = Vectors::before(vectors, counting.clone(), None);
    let got = embedder.embed_documents(texts(list)).await.unwrap();
    let expect: Vec<Vec<f32>> = list.iter().map(|text| vector(text)).collect();
    assert_eq!(got, expect);
    std::mem::take(&mut *counting.asked.lock().unwrap())
}

#[tokio::test]
async fn what_was_made_once_is_not_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/vectors.sqlite");
    let vectors = Vectors::open(&path).unwrap();
    let check = async |vectors: &Vectors, model: &str, list: &[&str], expect: &[&str]| {
        assert_eq!(asked(Some(vectors), model, list).await, texts(expect));
    };
    check(&vectors, "m", &["a", "bb"], &["a", "bb"]).await;
    check(&vectors, "m", &["ccc", "a", "bb"], &["ccc"]).await;
    check(&vectors, "m", &["bb"], &[]).await;
    check(&vectors, "other", &["a"], &["a"]).await;
    // Another process.
    let again = Vectors::open(&path).unwrap();
    check(&again, "m", &["a", "ccc", "new"], &["new"]).await;
    assert_eq!(asked(None, "m", &["a"]).await, texts(&["a"]));
}

#[tokio::test]
async fn what_a_workspace_alone_has_used_goes_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let vectors = Vectors::open(&dir.path().join("vectors.sqlite")).unwrap();
    let counting = Arc::new(Counting::default());
    let embedder = Vectors::before(Some(&vectors), counting.clone(), None);
    let check = async |owner: &str, list: &[&str], expect: &[&str]| {
        let own = embedder.of_workspace(&WorkspaceId::parse(owner)).unwrap();
        own.embed_documents(texts(list)).await.unwrap();
        let asked = std::mem::take(&mut *counting.asked.lock().unwrap());
        assert_eq!(asked, texts(expect), "{owner}");
    };
    check("one", &["alone", "shared"], &["alone", "shared"]).await;
    check("two", &["shared", "other"], &["other"]).await;
    vectors.forget(&WorkspaceId::parse("one")).await;
    check("two", &["alone", "shared", "other"], &["alone"]).await;
    vectors.forget(&WorkspaceId::parse("two")).await;
    check("one", &["alone", "shared"], &["alone", "shared"]).await;
}

#[tokio::test]
async fn a_file_that_cannot_be_used_costs_nothing_but_time() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vectors.sqlite");
    std::fs::write(
        &path,
        "not a database, and long enough to be taken for none at all",
    )
    .unwrap();
    assert!(Vectors::open(&path).is_none());
    let path = dir.path().join("other.sqlite");
    let vectors = Vectors::open(&path).unwrap();
    lock(&vectors.connection)
        .execute_batch("DROP TABLE vectors")
        .unwrap();
    assert_eq!(asked(Some(&vectors), "m", &["a"]).await, texts(&["a"]));
}

#[tokio::test]
async fn it_does_not_grow_without_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut vectors = Vectors::open(&dir.path().join("vectors.sqlite")).unwrap();
    vectors.bytes_max = 64 << 10;
    let list: Vec<String> = (0..4_000).map(|number| format!("text {number}")).collect();
    for list in list.chunks(100) {
        let list: Vec<&str> = list.iter().map(String::as_str).collect();
        asked(Some(&vectors), "m", &list).await;
    }
    let connection = lock(&vectors.connection);
    let pragma = |name: &str| -> u64 {
        connection
            .query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
            .unwrap()
    };
    let used = (pragma("page_count") - pragma("freelist_count")) * pragma("page_size");
    assert!(used <= 2 * vectors.bytes_max, "{used}");
}

#[tokio::test(start_paused = true)]
async fn the_model_is_asked_when_nobody_else_asks() {
    let quiet = Quiet::default();
    let counting = Arc::new(Counting::default());
    let embedder = Vectors::before(None, counting.clone(), Some(quiet.clone()));
    let question = quiet.ask();
    let working = tokio::spawn(async move { embedder.embed_documents(texts(&["a"])).await });
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(counting.asked.lock().unwrap().len(), 0);
    drop(question);
    working.await.unwrap().unwrap();
    assert_eq!(counting.asked.lock().unwrap().len(), 1);
}
