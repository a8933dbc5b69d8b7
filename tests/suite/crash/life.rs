//! One workflow from the request to the commit, whoever dies on the way.

use std::{
    collections::BTreeMap,
    fs,
    process::{Child, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    vector_database::Database,
    world::{PATIENCE, SCRIPT, World, is_end, program, until},
};

/// Files of the workspace beside those that the answer writes.
const FILES: usize = 12;

/// Tokens a second, where programs die at random moments.
const RATE: &str = "60";

/// What lives share: starting a vector database for each would take most of
/// the time.
pub struct Place {
    /// Owns the database's folder.
    _world: World,
    database: Database,
}

impl Place {
    pub async fn new() -> Self {
        let world = World::prepared(&script()).await;
        let database = Database::start(&world).await;
        Self {
            _world: world,
            database,
        }
    }
}

fn script() -> String {
    SCRIPT.replace(
        "models:",
        "models:\n  - name: nomic-embed-text\n    kind: embedding",
    )
}

/// Who dies at random moments, and how often.
#[derive(Debug, Clone, Copy, Default)]
pub struct Deaths {
    pub seed: u64,
    pub backend: u32,
    pub database: u32,
    pub model: u32,
}

/// Numbers that look random and repeat (SplitMix64).
#[derive(Debug, Clone, Copy)]
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

/// How a life ended: all that must not depend on who died.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    commits: usize,
    tree: String,
    status: String,
    litter: Vec<String>,
    /// Every result, in order: each once.
    results: Vec<Value>,
    stages: BTreeMap<String, String>,
}

impl End {
    /// What does not depend on whether the database was there.
    pub fn without_search(mut self) -> Self {
        self.results.retain(|result| result["type"] != "retrieval_result");
        self
    }
}

/// A model server as a program.
struct Model {
    child: Child,
    port: u16,
}

/// A workflow and those who work on it.
pub struct Life {
    pub world: World,
    pub died: u32,
    pub database_died: u32,
    pub model_died: u32,
    own: Option<(Database, Model)>,
}

impl Life {
    /// One that uses the database of all, and a model server within the test.
    pub async fn new(place: &Place) -> Self {
        let mut world = World::prepared(&script()).await;
        for number in 0..FILES {
            let text = format!("def part_{number}():\n    return {number}\n");
            world.write(&format!("lib/part_{number}.py"), &text);
        }
        world.use_qdrant(&place.database.url);
        Self {
            world,
            died: 0,
            database_died: 0,
            model_died: 0,
            own: None,
        }
    }

    /// One with programs of its own, which can be killed.
    pub async fn own(place: &Place) -> Self {
        let mut life = Self::new(place).await;
        fs::write(life.world.path("script.yaml"), script()).unwrap();
        let database = Database::start(&life.world).await;
        let model = Model::start(&life.world, 0).await;
        life.world.use_qdrant(&database.url);
        life.world.use_ollama(&format!("http://127.0.0.1:{}", model.port));
        life.own = Some((database, model));
        life
    }

    /// Runs the workflow to its end. `variables` are those of the backend's
    /// first start.
    pub async fn lead(&mut self, variables: &[(&str, &str)], mut deaths: Deaths) -> End {
        let mut random = Rng(deaths.seed);
        let mut listens = self.world.try_start(variables).await;
        let leading = async {
            loop {
                if !listens || self.world.has_ended() {
                    self.died += 1;
                    listens = self.world.try_start(&[]).await;
                    continue;
                }
                let next = deaths.backend + deaths.database + deaths.model;
                let moment = Duration::from_millis(20 + random.next() % 400);
                let step = step(&self.world);
                tokio::select! {
                    outcome = step => match outcome {
                        Some(events) => return events,
                        // Somebody is dying; the next look finds who.
                        None => tokio::time::sleep(Duration::from_millis(5)).await,
                    },
                    () = tokio::time::sleep(moment), if next > 0 => {
                        listens = self.strike(&mut deaths, &mut random).await;
                    }
                }
            }
        };
        let events = tokio::time::timeout(2 * PATIENCE, leading).await;
        let Ok(events) = events else {
            panic!("it does not end; the backend says:\n{}", self.world.log());
        };
        self.end(&events).await
    }

    /// Kills one of those who still have to die; whether the backend listens.
    async fn strike(&mut self, deaths: &mut Deaths, random: &mut Rng) -> bool {
        let all = u64::from(deaths.backend + deaths.database + deaths.model);
        let lot = u32::try_from(random.next() % all).unwrap();
        if lot < deaths.backend {
            deaths.backend -= 1;
            self.world.kill();
            self.died += 1;
            return self.world.try_start(&[]).await;
        }
        let Some((database, model)) = &mut self.own else {
            return true;
        };
        if lot < deaths.backend + deaths.database {
            deaths.database -= 1;
            self.database_died += 1;
            database.restart(&self.world).await;
        } else {
            deaths.model -= 1;
            self.model_died += 1;
            model.child.kill().unwrap();
            model.child.wait().unwrap();
            *model = Model::start(&self.world, model.port).await;
        }
        true
    }

    /// What can be told after the end.
    async fn end(&mut self, events: &[Value]) -> End {
        let seqs: Vec<u64> = events
            .iter()
            .map(|event| event["seq"].as_u64().unwrap())
            .collect();
        assert_eq!(
            seqs,
            (1..=seqs.len() as u64).collect::<Vec<_>>(),
            "1..n without a gap"
        );
        let id = events[0]["workflow_id"].as_str().unwrap().to_owned();
        let path = format!("/api/workflow/{id}");
        let view = match self.world.try_get(&path).await {
            Some(view) => view,
            // It was to die after the last event, and has done so only now.
            None => {
                self.died += 1;
                self.world.restart().await;
                self.world.get(&path).await
            }
        };
        // The fold of what is on disk is what the process had in memory.
        self.world.restart().await;
        assert_eq!(self.world.get(&path).await, view);
        assert_eq!(self.world.to_end(&id).await, events, "nothing follows the end");
        let (_, view) = view;
        let list = self.world.get("/api/workflows").await.1;
        assert_eq!(
            list["workflows"].as_array().map(Vec::len),
            Some(1),
            "one request, one workflow: {list}"
        );

        let stages = view["stages"].as_array().unwrap().iter();
        let status = |stage: &Value| {
            let text = |key: &str| stage[key].as_str().unwrap().to_owned();
            (text("stage_id"), text("status"))
        };
        let litter = fs::read_dir(self.world.repo()).unwrap();
        let litter = litter.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut litter: Vec<String> = litter.filter(|name| name.starts_with(".agentic-ide")).collect();
        let locks = ["index.lock", "agentic-ide", "HEAD.lock"];
        litter.extend(
            locks
                .iter()
                .filter(|name| self.world.repo().join(".git").join(name).exists())
                .map(|name| (*name).to_owned()),
        );
        End {
            commits: self.world.commits(),
            tree: self.world.git(&["rev-parse", "HEAD^{tree}"]),
            status: self.world.git(&["status", "--porcelain"]),
            litter,
            results: events.iter().filter_map(result).collect(),
            stages: stages.map(status).collect(),
        }
    }
}

/// Brings the workflow on as far as nobody dies; all events after its end.
async fn step(world: &World) -> Option<Vec<Value>> {
    let (status, body) = world
        .try_post("/api/workflow/submit", &world.request("Add greetings"))
        .await?;
    assert_eq!(status, 202, "{body}");
    let id = body["workflow_id"].as_str().unwrap().to_owned();
    let asked = |event: &Value| event["type"] == "decision_needed" || is_end(event);
    let events = world.try_events(&id, 0, "full", asked).await?;
    match events.last() {
        Some(last) if is_end(last) => return Some(events),
        Some(last) if last["type"] == "decision_needed" => {}
        // Cut off without an error.
        Some(_) | None => return None,
    }
    let accept = json!({ "decision": "accept", "iteration": 1 });
    let path = format!("/api/workflow/{id}/decision");
    let (status, body) = world.try_post(&path, &accept).await?;
    // Answered before, by a backend that died before it could say so.
    assert!(matches!(status, 204 | 409), "{status} {body}");
    let events = world.try_events(&id, 0, "full", is_end).await?;
    events.last().is_some_and(is_end).then_some(events)
}

/// A result that a workflow records once.
fn result(event: &Value) -> Option<Value> {
    let keep: &[&str] = match event["type"].as_str()? {
        "retrieval_result" => &["mode", "items"],
        "plan" => &["summary", "steps", "stages"],
        "diff_ready" => &["iteration", "files"],
        // Its numbers are those of the calls that were made, and one that was killed
        // makes others: it goes on with its answer, or has all of it already.
        "check_result" if event["name"] == "context" => &["name"],
        "check_result" => &["name", "status", "output"],
        "decision_taken" => &["decision"],
        "applied" => &["branch", "paths"],
        "failed" => &["code", "message"],
        "workflow_state" => &["state", "iteration"],
        _ => return None,
    };
    let mut result = json!({ "type": event["type"] });
    for key in keep {
        result[*key] = event[*key].clone();
    }
    Some(result)
}

impl Model {
    async fn start(world: &World, port: u16) -> Self {
        let port_file = world.path("model-port");
        let _none = fs::remove_file(&port_file);
        let mut command = program("scripted-ollama");
        world
            .hermetic(&mut command)
            .args(["--tokens-per-second", RATE, "--port", &port.to_string()])
            .arg("--script")
            .arg(world.path("script.yaml"))
            .arg("--port-file")
            .arg(&port_file);
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let read = || fs::read_to_string(&port_file).ok()?.parse().ok();
        let port = until("the model server to listen", read).await;
        Self { child, port }
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // It may be gone already.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}
