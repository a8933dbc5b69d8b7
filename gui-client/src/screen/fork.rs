//! Beginning anew from a stage: which one the keyboard is on, and from which
//! event a new workflow would go on.

use shared::id::{Seq, StageId};

use super::review::Toward;
use crate::model::{Phase, Stage, Workflow};

/// Where somebody is among the stages.
#[derive(Debug, Default)]
pub struct Fork {
    cursor: Option<StageId>,
}

/// What happens here.
#[derive(Debug, Clone)]
pub enum Message {
    /// The keyboard goes to the next stage, or the one before.
    Step(Toward),
    /// A new workflow is to go on from the stage that the keyboard is on.
    Press,
    /// A new workflow is to go on from this stage.
    From(StageId),
}

impl Fork {
    /// Reacts; the event that the new workflow goes on from.
    pub fn update(&mut self, message: Message, workflow: &Workflow) -> Option<Seq> {
        let stage = match message {
            Message::Step(toward) => {
                self.step(toward, workflow);
                return None;
            }
            Message::Press => self.cursor.clone()?,
            Message::From(stage) => stage,
        };
        self.cursor = None;
        let mut all = stages(workflow);
        all.find(|other| other.id == stage)?.began
    }

    /// Whether the keyboard is on this stage.
    pub fn is_on(&self, stage: &StageId) -> bool {
        self.cursor.as_ref() == Some(stage)
    }

    fn step(&mut self, toward: Toward, workflow: &Workflow) {
        let all: Vec<&StageId> = stages(workflow).map(|stage| &stage.id).collect();
        let at = all.iter().position(|id| self.is_on(id));
        let next = toward.step(at, all.len());
        self.cursor = next.and_then(|next| all.get(next)).map(|id| (*id).clone());
    }
}

/// The stages from which a new workflow can go on, while this one does nothing
/// by itself.
pub fn stages(workflow: &Workflow) -> impl Iterator<Item = &Stage> {
    let is_at_rest = match workflow.phase {
        Phase::Submitted | Phase::Running | Phase::Decided(_) => false,
        Phase::Review { .. }
        | Phase::Completed(_)
        | Phase::Rejected
        | Phase::Cancelled
        | Phase::Failed { .. } => true,
    };
    let stages = workflow.stages.iter();
    stages.filter(move |stage| is_at_rest && stage.began.is_some())
}
