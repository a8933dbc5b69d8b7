//! Against a hub of our own on this machine.

use std::{
    io::{BufRead as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use serde_json::json;

use super::*;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const WEIGHTS: &str = "numbers, many of them";

/// A hub with one model.
#[derive(Default)]
struct Served {
    /// What the hub says that the weights' SHA-256 is, if not the right one.
    sha256: Option<String>,
    /// Each file that was asked for, and from where on.
    asked: Mutex<Vec<String>>,
}

impl Served {
    fn listing(&self) -> String {
        let right = hex::encode(Sha256::digest(WEIGHTS));
        let sha256 = self.sha256.clone().unwrap_or(right);
        let listing = json!({"sha": COMMIT, "siblings": [
            {"rfilename": "config.json", "size": 2},
            {"rfilename": "tokenizer.json", "size": 2},
            {"rfilename": "README.md", "size": 9},
            {"rfilename": "model.safetensors", "size": 21, "lfs": {"sha256": sha256, "size": WEIGHTS.len()}},
        ]});
        listing.to_string()
    }

    /// The answer to a request for `path`, from the byte `from` on.
    fn answer(&self, path: &str, from: usize) -> (&'static str, String) {
        if path == "/api/models/o/m/revision/main?blobs=true" {
            return ("200 OK", self.listing());
        }
        let Some(file) = path.strip_prefix(&format!("/o/m/resolve/{COMMIT}/")) else {
            return ("404 Not Found", String::new());
        };
        self.asked.lock().unwrap().push(format!("{file} from {from}"));
        let text = if file == "model.safetensors" {
            WEIGHTS
        } else {
            "{}"
        };
        ("206 Partial Content", text[from..].to_owned())
    }

    fn serve(&self, mut stream: &TcpStream) -> Option<()> {
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        let request = lines.next()?;
        let range = lines
            .take_while(|line| !line.is_empty())
            .find_map(|line| line.strip_prefix("range: bytes=").map(str::to_owned));
        let from = range.and_then(|range| range.trim_end_matches('-').parse().ok());
        let (status, body) = self.answer(request.split(' ').nth(1)?, from.unwrap_or(0));
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
        stream.write_all(format!("{head}{body}").as_bytes()).ok()
    }
}

/// Serves until the test ends.
fn serve(served: Arc<Served>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that has gone wants no answer.
            let _gone = served.serve(&stream);
        }
    });
    format!("http://{address}")
}

fn hub(folder: &Path, endpoint: &str, offline: bool) -> Hub {
    let (endpoint, offline) = (endpoint.to_owned(), offline.then(|| "1".to_owned()));
    Hub::new(folder.to_owned(), move |name| match name {
        "HF_ENDPOINT" => Some(endpoint.clone()),
        "HF_HUB_OFFLINE" => offline.clone(),
        _ => None,
    })
}

fn options(name: &str) -> Options {
    Options {
        runtime: Runtime::Native,
        ..Options::new(Model::Hub(name.to_owned()))
    }
}

fn fetch(hub: &Hub, name: &str) -> Result<(), String> {
    let fetched = hub.fetch(name, &options(name), &Places::default());
    fetched.map_err(|error| error.to_string())
}

#[test]
fn what_a_runtime_needs_is_fetched_once_and_gone_on_with() {
    let served = Arc::new(Served::default());
    let url = serve(Arc::clone(&served));
    let dir = tempfile::tempdir().unwrap();
    let hub = hub(dir.path(), &url, false);
    let model = dir.path().join("models--o--m");
    let snapshot = model.join("snapshots").join(COMMIT);
    // An earlier attempt ended here.
    std::fs::create_dir_all(&snapshot).unwrap();
    std::fs::write(snapshot.join("model.safetensors.part"), &WEIGHTS[..7]).unwrap();
    assert_eq!(fetch(&hub, "o/m"), Ok(()));
    let asked = std::mem::take(&mut *served.asked.lock().unwrap());
    assert_eq!(
        asked,
        [
            "config.json from 0",
            "tokenizer.json from 0",
            "model.safetensors from 7"
        ]
    );
    let weights = std::fs::read_to_string(snapshot.join("model.safetensors")).unwrap();
    let head = std::fs::read_to_string(model.join("refs/main")).unwrap();
    assert_eq!((weights.as_str(), head.as_str()), (WEIGHTS, COMMIT));
    // What is there is not asked for again.
    assert_eq!(fetch(&hub, "o/m"), Ok(()));
    assert_eq!(*served.asked.lock().unwrap(), Vec::<String>::new());
    // And it is where the models are looked for.
    let loads = Mutex::new(0);
    let loaded = hub.load(&options("o/m"), &hub.places(Places::default()), || {
        *loads.lock().unwrap() += 1;
        Ok(())
    });
    assert_eq!((loaded, *loads.lock().unwrap()), (Ok(()), 1));
}

#[test]
fn what_is_not_what_the_hub_has_is_not_taken() {
    let served = Arc::new(Served {
        sha256: Some("00".repeat(32)),
        ..Served::default()
    });
    let url = serve(served);
    let dir = tempfile::tempdir().unwrap();
    let problem = fetch(&hub(dir.path(), &url, false), "o/m").unwrap_err();
    assert!(problem.contains("its SHA-256 is another"), "{problem}");
    let model = dir.path().join("models--o--m");
    assert!(!model.join("refs/main").exists());
    assert!(
        !model
            .join("snapshots")
            .join(COMMIT)
            .join("model.safetensors.part")
            .exists()
    );
}

#[test]
fn what_cannot_be_fetched_says_what_to_do() {
    let url = serve(Arc::default());
    let dir = tempfile::tempdir().unwrap();
    let check = |endpoint: &str, offline: bool, name: &str, expect: &[&str]| {
        let problem = fetch(&hub(dir.path(), endpoint, offline), name).unwrap_err();
        for part in expect {
            assert!(problem.contains(part), "{problem}");
        }
    };
    let folder = dir.path().display().to_string();
    check(
        "http://127.0.0.1:1",
        false,
        "o/m",
        &["cannot reach http://127.0.0.1:1", &folder],
    );
    check(&url, true, "o/m", &["HF_HUB_OFFLINE", &folder]);
    check(&url, false, "o/other", &["no such model", "404"]);
    check(&url, false, "../../etc", &["not a name on the hub"]);
    check(&url, false, "o/m@../x", &["not a name on the hub"]);
}
