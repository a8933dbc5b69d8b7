//! A workflow's events as session updates.

mod question;

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use agent_client_protocol::v1::schema::{
    ContentBlock, ContentChunk, Diff, ImageContent, Meta, Notice, NoticeSeverity, Plan, PlanEntry,
    PlanEntryPriority, PlanEntryStatus, SessionUpdate, TextContent, ToolCall, ToolCallContent,
    ToolCallLocation, ToolCallStatus, ToolCallUpdate, ToolCallUpdateFields, ToolKind,
};
use engine::{
    Event, Graph, Outcome, StageKind,
    artifact::{CallEnding, CheckReport, CheckStatus, Decision, Estimate, Failure, ImageFormat, ModelCall},
    event::{self, Ending, Help, NoticeLevel, Streamed},
    ports::Journal,
};
use serde_json::json;
use shared::id::{StageId, WorkflowId};

use super::{
    called::Called,
    client::{Abilities, Notices},
    streaming::VENDOR,
    terminal::{self, Ended, Opener, Own, Terminals},
    usage::Usage,
};
use crate::{error::Error, images, present};

/// What is said of a file beside its texts, where these do not tell.
const CHANGE: &str = "change";
const DELETE: &str = "delete";

/// Maps the events of one workflow, in order.
pub(super) struct Updates<'a> {
    abilities: Abilities,
    usage: &'a mut Usage,
    journal: Arc<dyn Journal>,
    cwd: PathBuf,
    workflow: WorkflowId,
    opener: Opener,
    iteration: u32,
    kinds: Vec<(StageId, StageKind)>,
    call: String,
    /// Calls of stages that run side by side, in parts of the workflow.
    calls: HashMap<StageId, String>,
    /// Where it is shown what calls print.
    terminals: HashMap<String, Shown>,
    steps: Vec<String>,
    diffs: Vec<ToolCallContent>,
    checks: Vec<CheckReport>,
    /// The last stage that failed.
    failure: Option<Failure>,
    tools: Called,
}

/// Where it is shown what a call prints.
enum Shown {
    /// In a terminal that the client draws.
    Drawn,
    /// In one of its own.
    Own(Own),
    /// In none.
    Nowhere,
}

impl<'a> Updates<'a> {
    /// For a workflow from its first event on; `opener` is for this one.
    pub(super) fn new(
        journal: Arc<dyn Journal>,
        graph: &Graph,
        opener: Opener,
        usage: &'a mut Usage,
    ) -> Self {
        let kinds = graph
            .all()
            .into_iter()
            .filter_map(|stage| Some((stage.id.clone(), stage.kind()?)))
            .collect();
        Self {
            abilities: opener.client.abilities(),
            usage,
            journal,
            cwd: opener.cwd.clone(),
            workflow: opener.workflow.clone(),
            opener,
            iteration: 1,
            kinds,
            call: String::new(),
            calls: HashMap::new(),
            terminals: HashMap::new(),
            steps: Vec::new(),
            diffs: Vec::new(),
            checks: Vec::new(),
            failure: None,
            tools: Called::default(),
        }
    }

    /// What the client is told of `event`.
    pub(super) async fn of(&mut self, event: &Event) -> Result<Vec<SessionUpdate>, Error> {
        Ok(match event {
            Event::StageStarted { stage, attempt } => self.started(stage, *attempt).into_iter().collect(),
            Event::Streamed(streamed) => self.streamed(streamed).await.into_iter().collect(),
            Event::ContextRetrieved(context) => {
                let location = |item: &engine::artifact::ContextItem| {
                    ToolCallLocation::new(self.cwd.join(&item.path)).line(item.start_line)
                };
                let fields = ToolCallUpdateFields::new()
                    .locations(context.items.iter().map(location).collect::<Vec<_>>());
                vec![self.update(fields)]
            }
            Event::Planned(plan) => {
                self.steps.clone_from(&plan.steps);
                vec![
                    self.plan(&PlanEntryStatus::Pending),
                    say(&format!("{}\n{}", plan.summary, likely(&plan.estimates))),
                ]
            }
            Event::Proposed(proposal) => {
                self.checks.clear();
                let files = present::files(self.journal.as_ref(), &proposal.files).await?;
                let diff = |file: shared::wire::FileDiff| {
                    let path = self.cwd.join(&file.path);
                    ToolCallContent::Diff(diff(path, file.old_text, file.new_text))
                };
                self.diffs = files.into_iter().map(diff).collect();
                vec![self.update(ToolCallUpdateFields::new().content(self.diffs.clone()))]
            }
            Event::Checked(report) => {
                match self.checks.iter_mut().find(|known| known.name == report.name) {
                    Some(known) => *known = report.clone(),
                    None => self.checks.push(report.clone()),
                }
                let mut content = self.drawn();
                content.extend(self.checks.iter().map(evidence));
                vec![self.update(ToolCallUpdateFields::new().content(content))]
            }
            Event::Rechecked { problems, .. } => {
                vec![think(&format!("{}.\n", present::rechecked(problems)))]
            }
            Event::StageFinished { attempt, ending, .. } if *attempt > 0 => {
                let mut told = self.tools.given_up();
                told.extend(self.finished(ending));
                told
            }
            Event::AttemptDiscarded { reason, .. } => {
                vec![say(&format!(
                    "\n\n_{reason}: what was written so far is dropped._\n\n"
                ))]
            }
            Event::AttemptResumed { tokens, .. } => vec![goes_on(*tokens)],
            Event::IterationStarted { iteration } => {
                self.iteration = *iteration;
                Vec::new()
            }
            Event::Applied(applied) => {
                let done = self.plan(&PlanEntryStatus::Completed);
                let text = match (&applied.commit, &applied.branch) {
                    (Some(commit), Some(branch)) => format!("\n\nCommitted {commit} on {branch}."),
                    (Some(commit), None) => format!("\n\nCommitted {commit} (detached HEAD)."),
                    (None, _) => format!(
                        "\n\nWrote {} file(s); there is no repository to commit to.",
                        applied.paths.len()
                    ),
                };
                vec![done, say(&text)]
            }
            Event::Resumed => vec![think("The backend was restarted; the workflow goes on.\n")],
            Event::Noticed(notice) => vec![self.noticed(notice)],
            Event::ModelCalled { call, .. } => self.called(call),
            Event::ToolCalled { call, .. } => {
                vec![self.tools.told(self.journal.as_ref(), &self.call, call).await?]
            }
            Event::Remarked { text } | Event::Decided(Decision::Modify { feedback: text }) => {
                vec![heard(text)]
            }
            Event::Finished(Outcome::Failed(failure)) => {
                vec![say(&format!(
                    "\n\nFailed ({}): {}",
                    failure.code, failure.message
                ))]
            }
            Event::Finished(Outcome::Rejected) => vec![say("\n\nRejected; nothing was changed.")],
            Event::RetryScheduled { stage, delay_ms, .. } => {
                let seconds = delay_ms / 1_000;
                vec![think(&format!("`{stage}` is tried again in {seconds} s.\n"))]
            }
            Event::DeadlinePassed { .. } => vec![say("\n\nNobody answered in time.")],
            Event::LanesPlanned { lanes, .. } => vec![think(&format!("{} parts.\n", lanes.len()))],
            Event::Lane { event, .. } => self.part(event.innermost()).await,
            Event::LaneJoined {
                lane,
                ending: Ending::Failed(failure),
                ..
            } => {
                vec![think(&format!(
                    "Warning: part `{lane}` failed: {}\n",
                    failure.message
                ))]
            }
            // The stage begins again with the answer, as another call.
            Event::HelpRequested {
                question: Help::Unisolated,
                ..
            } => vec![self.ended()],
            Event::HelpRequested {
                question: Help::Tool(call),
                ..
            } => {
                let ended = self.ended();
                vec![ended, self.tools.wanted(&self.call, call)]
            }
            Event::Submitted { .. }
            | Event::LaneStarted { .. }
            | Event::LaneJoined { .. }
            | Event::HelpRequested {
                question: Help::Failure,
                ..
            }
            | Event::Forked { .. }
            | Event::Continued { .. }
            | Event::StageFinished { .. }
            | Event::DecisionRequested
            | Event::Decided(Decision::Accept(_) | Decision::Reject { .. })
            | Event::ApplyIntended(_)
            | Event::Finished(Outcome::Completed | Outcome::Cancelled) => Vec::new(),
        })
    }

    /// What the client is told of an event in a part that runs beside others:
    /// its own tool calls, and never what is shown of the whole.
    async fn part(&mut self, event: &Event) -> Vec<SessionUpdate> {
        match event {
            Event::StageStarted { stage, attempt } => {
                let whole = std::mem::take(&mut self.call);
                let started = self.started(stage, *attempt);
                let call = std::mem::replace(&mut self.call, whole);
                self.calls.insert(stage.clone(), call);
                started.into_iter().collect()
            }
            Event::StageFinished { stage, ending, .. } => match self.calls.remove(stage) {
                Some(call) => {
                    let whole = std::mem::replace(&mut self.call, call);
                    let finished = self.finished(ending);
                    self.call = whole;
                    finished
                }
                None => Vec::new(),
            },
            Event::Streamed(streamed) => self.streamed(streamed).await.into_iter().collect(),
            Event::AttemptDiscarded { reason, .. } => vec![think(&format!("{reason}\n"))],
            Event::AttemptResumed { tokens, .. } => vec![goes_on(*tokens)],
            Event::RetryScheduled { stage, .. } => vec![think(&format!("`{stage}` is tried again.\n"))],
            Event::ModelCalled { call, .. } => self.called(call),
            Event::Submitted { .. }
            | Event::ContextRetrieved(_)
            | Event::Planned(_)
            | Event::Proposed(_)
            | Event::Checked(_)
            | Event::Rechecked { .. }
            | Event::DecisionRequested
            | Event::Decided(_)
            | Event::IterationStarted { .. }
            | Event::ApplyIntended(_)
            | Event::Applied(_)
            | Event::Resumed
            | Event::Noticed(_)
            | Event::ToolCalled { .. }
            | Event::Remarked { .. }
            | Event::HelpRequested { .. }
            | Event::DeadlinePassed { .. }
            | Event::LanesPlanned { .. }
            | Event::LaneStarted { .. }
            | Event::Lane { .. }
            | Event::LaneJoined { .. }
            | Event::Forked { .. }
            | Event::Continued { .. }
            | Event::Finished(_) => Vec::new(),
        }
    }

    fn kind(&self, stage: &StageId) -> Option<StageKind> {
        self.kinds
            .iter()
            .find(|(id, _)| id.as_str() == engine::graph::plain(stage))
            .map(|(_, kind)| *kind)
    }

    fn started(&mut self, stage: &StageId, attempt: u32) -> Option<SessionUpdate> {
        let kind = self.kind(stage)?;
        self.call = format!("{}:{stage}:{}.{attempt}", self.workflow, self.iteration);
        let (title, tool) = match kind {
            StageKind::Retrieval => ("Find relevant code", ToolKind::Search),
            StageKind::Planning => ("Plan", ToolKind::Think),
            StageKind::CodeGeneration => ("Write code", ToolKind::Edit),
            StageKind::TestGeneration => ("Write tests", ToolKind::Edit),
            StageKind::Checks => ("Check", ToolKind::Execute),
            StageKind::Review => ("Review", ToolKind::Edit),
            StageKind::Apply => ("Apply and commit", ToolKind::Execute),
            StageKind::Revert => ("Take back the commit", ToolKind::Edit),
        };
        let mut call = ToolCall::new(self.call.clone(), title)
            .kind(tool)
            .status(ToolCallStatus::InProgress);
        if kind == StageKind::Review {
            call = call.status(ToolCallStatus::Pending).content(self.diffs.clone());
        }
        if kind == StageKind::Checks && self.abilities.terminals == Terminals::Drawn {
            self.terminals.insert(self.call.clone(), Shown::Drawn);
            call = call.content(self.drawn()).meta(terminal::begins(&self.call));
        }
        Some(SessionUpdate::ToolCall(call))
    }

    async fn streamed(&mut self, streamed: &Streamed) -> Option<SessionUpdate> {
        if streamed.delta.is_empty() {
            return None;
        }
        let kind = self.kind(&streamed.stage);
        if matches!(kind, Some(StageKind::CodeGeneration | StageKind::TestGeneration)) {
            return Some(say(&streamed.delta));
        }
        let call = self.calls.get(&streamed.stage).unwrap_or(&self.call).clone();
        let prints = kind == Some(StageKind::Checks) && self.abilities.terminals == Terminals::Own;
        let begins = prints && !self.terminals.contains_key(&call);
        if begins {
            let opened = Box::pin(self.opener.open(&streamed.stage)).await;
            self.terminals
                .insert(call.clone(), opened.map_or(Shown::Nowhere, Shown::Own));
        }
        match self.terminals.get_mut(&call) {
            Some(Shown::Drawn) => Some(terminal::prints(&call, &streamed.delta)),
            Some(Shown::Own(own)) => {
                own.print(&streamed.delta).await;
                let content = own.content().filter(|_| begins)?;
                let fields = ToolCallUpdateFields::new().content(vec![content]);
                Some(SessionUpdate::ToolCallUpdate(ToolCallUpdate::new(call, fields)))
            }
            Some(Shown::Nowhere) | None => Some(think(&streamed.delta)),
        }
    }

    /// The terminal of the call, if it has one.
    fn drawn(&self) -> Vec<ToolCallContent> {
        let content = match self.terminals.get(&self.call) {
            Some(Shown::Drawn) => Some(terminal::content(&self.call)),
            Some(Shown::Own(own)) => own.content(),
            Some(Shown::Nowhere) | None => None,
        };
        content.into_iter().collect()
    }

    fn finished(&mut self, ending: &Ending) -> Vec<SessionUpdate> {
        let mut content = self.drawn();
        let fields = ToolCallUpdateFields::new();
        let (fields, ended) = match ending {
            Ending::Succeeded => (fields.status(ToolCallStatus::Completed), Ended::Well),
            Ending::Skipped { reason } => {
                content.push(ToolCallContent::from(text(reason)));
                let fields = fields.status(ToolCallStatus::Failed).content(content);
                (fields, Ended::Badly)
            }
            Ending::Failed(failure) => {
                self.failure = Some(failure.clone());
                content.push(why(failure));
                let fields = fields.status(ToolCallStatus::Failed).content(content);
                (fields, Ended::Badly)
            }
        };
        let mut update = ToolCallUpdate::new(self.call.clone(), fields);
        match self.terminals.remove(&self.call) {
            Some(Shown::Drawn) => update = update.meta(terminal::ends(&self.call, ended)),
            Some(Shown::Own(own)) => match ending {
                // It was stopped: its terminal is killed.
                Ending::Skipped { .. } => drop(own),
                Ending::Succeeded | Ending::Failed(_) => own.end(ended),
            },
            Some(Shown::Nowhere) | None => {}
        }
        vec![SessionUpdate::ToolCallUpdate(update)]
    }

    /// What a call took, and that it did not go as it should.
    fn called(&mut self, call: &ModelCall) -> Vec<SessionUpdate> {
        let mut told: Vec<SessionUpdate> = self.usage.note(call).into_iter().collect();
        match &call.ending {
            CallEnding::Failed { .. } => told.push(think(&format!("Warning: {}\n", present::call(call)))),
            CallEnding::Answered { .. } | CallEnding::FromCache => {}
        }
        told
    }

    fn noticed(&self, notice: &event::Notice) -> SessionUpdate {
        let (mark, severity) = match notice.level {
            NoticeLevel::Info => ("Note", NoticeSeverity::Info),
            NoticeLevel::Warning => ("Warning", NoticeSeverity::Warning),
        };
        match self.abilities.notices {
            Notices::Thoughts => think(&format!("{mark}: {}\n", notice.message)),
            Notices::Notices => SessionUpdate::Notice(Notice::new(severity, notice.message.clone())),
        }
    }

    fn plan(&self, status: &PlanEntryStatus) -> SessionUpdate {
        let entry = |step: &String| PlanEntry::new(step.clone(), PlanEntryPriority::Medium, status.clone());
        SessionUpdate::Plan(Plan::new(self.steps.iter().map(entry).collect()))
    }

    /// What the stage was is over, without a word about how.
    fn ended(&self) -> SessionUpdate {
        self.update(ToolCallUpdateFields::new().status(ToolCallStatus::Completed))
    }

    fn update(&self, fields: ToolCallUpdateFields) -> SessionUpdate {
        SessionUpdate::ToolCallUpdate(ToolCallUpdate::new(self.call.clone(), fields))
    }
}

/// A changed file. One that is deleted says so, because its text is as that of one
/// that is emptied.
pub(super) fn diff(path: PathBuf, old: Option<String>, new: Option<String>) -> Diff {
    let deleted = new.is_none();
    let diff = Diff::new(path, new.unwrap_or_default()).old_text(old);
    if deleted {
        diff.meta(Meta::from_iter([(VENDOR.to_owned(), json!({ CHANGE: DELETE }))]))
    } else {
        diff
    }
}

/// Whether a changed file is deleted.
pub(super) fn is_deleted(diff: &Diff) -> bool {
    let vendor = diff.meta.as_ref().and_then(|meta| meta.get(VENDOR));
    vendor.and_then(|vendor| vendor.get(CHANGE)) == Some(&json!(DELETE))
}

/// Words of the person.
pub(super) fn heard(words: &str) -> SessionUpdate {
    SessionUpdate::UserMessageChunk(ContentChunk::new(text(words)))
}

/// A picture of the person.
pub(super) fn seen(format: ImageFormat, bytes: &[u8]) -> SessionUpdate {
    let image = ImageContent::new(images::base64(bytes), format.media_type());
    SessionUpdate::UserMessageChunk(ContentChunk::new(ContentBlock::Image(image)))
}

/// Words of the agent.
pub(super) fn say(words: &str) -> SessionUpdate {
    SessionUpdate::AgentMessageChunk(ContentChunk::new(text(words)))
}

fn goes_on(tokens: u64) -> SessionUpdate {
    think(&format!("The model goes on after {tokens} tokens.\n"))
}

/// What stages are likely to take, as far as that is known.
fn likely(estimates: &[Estimate]) -> String {
    let known = estimates
        .iter()
        .filter(|estimate| estimate.tokens.is_some() || estimate.duration_ms.is_some());
    let lines: String = known
        .map(|estimate| format!("- {}\n", present::estimate(estimate)))
        .collect();
    if lines.is_empty() {
        return lines;
    }
    format!("\nLikely, by earlier workflows:\n{lines}")
}

fn think(words: &str) -> SessionUpdate {
    SessionUpdate::AgentThoughtChunk(ContentChunk::new(text(words)))
}

fn text(words: &str) -> ContentBlock {
    ContentBlock::Text(TextContent::new(words))
}

fn why(failure: &Failure) -> ToolCallContent {
    ToolCallContent::from(text(&format!("{}: {}", failure.code, failure.message)))
}

fn evidence(report: &CheckReport) -> ToolCallContent {
    let mark = match report.status {
        CheckStatus::Passed => "passed",
        CheckStatus::Failed => "FAILED",
        CheckStatus::Skipped => "skipped",
    };
    ToolCallContent::from(text(
        format!("{}: {mark} {}", report.name, report.output).trim_end(),
    ))
}
