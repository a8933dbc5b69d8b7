//! A client that is an editor: it has files open, and answers what it is asked
//! about them meanwhile.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{Acp, wire::Transport};
use crate::world::World;

/// What it says of itself.
pub fn abilities() -> Value {
    json!({ "fs": { "readTextFile": true, "writeTextFile": true } })
}

/// How it answers what it is asked about files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As the protocol wants it.
    Right,
    /// Not at all.
    Silent,
    /// That it failed.
    Fails,
    /// With something else.
    Wrong,
}

/// An editor with what is in its buffers.
pub struct Editor {
    pub acp: Acp,
    pub buffers: BTreeMap<PathBuf, String>,
    pub manner: Manner,
    /// Paths that it was asked for.
    pub reads: Vec<PathBuf>,
    /// What it was given to save.
    pub writes: Vec<(PathBuf, String)>,
}

impl Editor {
    /// Over a transport.
    pub async fn over(transport: Transport, world: &World) -> Self {
        let acp = Acp::over_with(transport, world, abilities()).await;
        Self {
            acp,
            buffers: BTreeMap::new(),
            manner: Manner::Right,
            reads: Vec::new(),
            writes: Vec::new(),
        }
    }

    /// Opens a file and types, without saving.
    pub fn types(&mut self, path: PathBuf, text: &str) {
        self.buffers.insert(path, text.to_owned());
    }

    /// Reads up to the answer to `id`, or a request that is not about files.
    pub async fn until(&mut self, id: u64) -> Value {
        loop {
            let message = self.acp.until(id).await;
            let path = || PathBuf::from(message["params"]["path"].as_str().unwrap());
            let result = match message["method"].as_str() {
                Some("fs/read_text_file") => self.read(path()),
                Some("fs/write_text_file") => {
                    let text = message["params"]["content"].as_str().unwrap();
                    self.write(path(), text)
                }
                Some(_) | None => return message,
            };
            let mut answer = match self.manner {
                Manner::Silent => continue,
                Manner::Fails => json!({ "error": { "code": -32603, "message": "no" } }),
                Manner::Wrong => json!({ "result": { "content": 7 } }),
                Manner::Right => result,
            };
            answer["jsonrpc"] = json!("2.0");
            answer["id"] = message["id"].clone();
            self.acp.send(&answer).await;
        }
    }

    fn read(&mut self, path: PathBuf) -> Value {
        let text = self.buffers.get(&path).cloned();
        let text = text.or_else(|| fs::read_to_string(&path).ok());
        self.reads.push(path);
        match text {
            Some(text) => json!({ "result": { "content": text } }),
            None => json!({ "error": { "code": -32002, "message": "there is no such file" } }),
        }
    }

    fn write(&mut self, path: PathBuf, text: &str) -> Value {
        if self.manner == Manner::Right {
            fs::write(&path, text).unwrap();
            self.buffers.insert(path.clone(), text.to_owned());
        }
        self.writes.push((path, text.to_owned()));
        json!({ "result": {} })
    }

    /// What it shows of a file that it has open.
    pub fn shows(&self, path: &Path) -> &str {
        &self.buffers[path]
    }
}
