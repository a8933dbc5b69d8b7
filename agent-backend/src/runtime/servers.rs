//! Which servers of tools a workflow has: our own, those of the configuration,
//! those that its repository brings, and those of the client that asked for it.
//!
//! What a client brings is in memory alone, for it may hold secrets: whoever
//! comes back brings it again.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use engine::State;
use mcp::{BuiltIn, Options, Server, Toolbox};
use shared::{error::Code, id::WorkflowId};

use super::worker::blocking;
use crate::{
    config::{self, Config},
    error::Error,
    toolboxes::Policy,
    trials::Trials,
};

/// Workflows whose clients' servers are remembered; the oldest go first.
const WORKFLOWS_MAX: usize = 500;

/// The servers of every workflow.
#[derive(Debug)]
pub struct Servers {
    /// Our own and those of the configuration.
    configured: Vec<Server>,
    /// What holds for the others.
    policy: Policy,
    rounds_max: u32,
    unlisted: mcp::Unlisted,
    brought: Mutex<VecDeque<(WorkflowId, Vec<Server>)>>,
}

impl Servers {
    /// As it is configured. Nothing is started.
    ///
    /// # Errors
    /// E1014 for a server that cannot be meant.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let of_others = config::mcp_servers(&config.mcp_servers)
            .map_err(|reason| Error::user(Code::ConfigInvalid, reason))?;
        let own = config.mcp.built_in.then_some(BuiltIn::ALL.map(Server::built_in));
        Ok(Self {
            configured: own.into_iter().flatten().chain(of_others).collect(),
            policy: Policy::new(config),
            rounds_max: config.mcp.rounds_max,
            unlisted: config.mcp.unlisted.into(),
            brought: Mutex::default(),
        })
    }

    /// Answers of a model in a row that may be calls.
    pub(super) fn rounds_max(&self) -> u32 {
        self.rounds_max
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
    ///
    /// # Errors
    /// A bug alone: what is wrong with a server is told by the toolbox.
    pub(super) async fn open(&self, state: &State, trials: &Arc<Trials>) -> Result<Option<Toolbox>, Error> {
        if self.rounds_max == 0 {
            return Ok(None);
        }
        let workspace = PathBuf::from(&state.task.workspace);
        let policy = self.policy.clone();
        let read = move || Ok((policy.of_repository(&workspace), workspace));
        let (of_repository, workspace) = blocking(read).await?;
        let of_client = self.of_client(&state.workflow).into_iter();
        let servers: Vec<Server> = self
            .configured
            .iter()
            .cloned()
            .chain(of_repository.servers)
            .chain(of_client.map(|server| self.policy.allow(server)))
            .collect();
        if servers.is_empty() && of_repository.problems.is_empty() {
            return Ok(None);
        }
        let options = Options {
            problems: of_repository.problems,
            trying: Some(trials.clone()),
            unlisted: self.unlisted,
            ..Options::default()
        };
        Ok(Some(Toolbox::open(&workspace, servers, &options).await))
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
