//! Which servers of tools a workflow has: our own, those of the configuration,
//! those that its repository brings, and those of the client that asked for it.
//!
//! What a client brings is in memory alone, for it may hold secrets: whoever
//! comes back brings it again.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use engine::State;
use mcp::{BuiltIn, Options, Server, Toolbox};
use shared::{error::Code, id::WorkflowId};

use crate::{
    config::{self, Config},
    error::Error,
    toolboxes,
    trials::Trials,
};

/// Workflows whose clients' servers are remembered; the oldest go first.
const WORKFLOWS_MAX: usize = 500;

/// The servers of every workflow.
#[derive(Debug)]
pub struct Servers {
    configured: Vec<Server>,
    config: Config,
    brought: Mutex<VecDeque<(WorkflowId, Vec<Server>)>>,
}

impl Servers {
    /// As it is configured. Nothing is started.
    ///
    /// # Errors
    /// E1014 for a server that cannot be meant.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let configured = config::mcp_servers(&config.mcp_servers)
            .map_err(|reason| Error::user(Code::ConfigInvalid, reason))?;
        Ok(Self {
            configured,
            config: config.clone(),
            brought: Mutex::default(),
        })
    }

    /// Answers of a model in a row that may be calls.
    pub(super) fn rounds_max(&self) -> u32 {
        self.config.mcp.rounds_max
    }

    /// A client's servers, for a workflow that it asked for.
    pub(crate) fn bring(&self, workflow: &WorkflowId, servers: Vec<Server>) {
        let mut brought = self.brought();
        brought.retain(|(known, _)| known != workflow);
        if servers.is_empty() {
            return;
        }
        if brought.len() >= WORKFLOWS_MAX {
            brought.pop_front();
        }
        brought.push_back((workflow.clone(), servers));
    }

    /// Connects to those of a workflow; none where there are none. Our own run
    /// programs as `trials` do.
    pub(super) async fn open(&self, state: &State, trials: &Arc<Trials>) -> Option<Toolbox> {
        if self.config.mcp.rounds_max == 0 {
            return None;
        }
        let workspace = Path::new(&state.task.workspace);
        let mut servers = Vec::new();
        if self.config.mcp.built_in {
            servers.extend(BuiltIn::ALL.map(Server::built_in));
        }
        servers.extend(self.configured.iter().cloned());
        let of_repository = toolboxes::of_repository(&self.config, workspace);
        servers.extend(of_repository.servers);
        let of_client = self.of_client(&state.workflow).into_iter();
        servers.extend(of_client.map(|server| toolboxes::allow(&self.config, server)));
        if servers.is_empty() && of_repository.problems.is_empty() {
            return None;
        }
        let options = Options {
            problems: of_repository.problems,
            trying: Some(trials.clone()),
            ..Options::default()
        };
        Some(Toolbox::open(workspace, servers, &options).await)
    }

    fn of_client(&self, workflow: &WorkflowId) -> Vec<Server> {
        let brought = self.brought();
        let of_workflow = brought.iter().find(|(known, _)| known == workflow);
        of_workflow
            .map(|(_, servers)| servers.clone())
            .unwrap_or_default()
    }

    fn brought(&self) -> MutexGuard<'_, VecDeque<(WorkflowId, Vec<Server>)>> {
        self.brought.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
