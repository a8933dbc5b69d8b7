//! The runtime's metrics: every name in one place.

use std::time::Duration;

use agents::failure::Kind;
use engine::{
    Ending, Event, Outcome, Recorded,
    artifact::{CallEnding, ModelCall},
};
use metrics::{counter, gauge, histogram};

/// A workflow has begun.
pub(super) fn workflow_started() {
    counter!("agentic_ide_workflows_started_total").increment(1);
}

/// So many workflows are unfinished.
pub(super) fn workflows_active(count: usize) {
    #[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
    gauge!("agentic_ide_workflows_active").set(count as f64);
}

/// A client got an event while so many later ones waited for it.
pub(super) fn client_behind(events: usize) {
    #[expect(clippy::cast_precision_loss, reason = "a count far below 2^52")]
    histogram!("agentic_ide_client_behind_events").record(events as f64);
}

/// A workflow was set aside.
pub(super) fn set_aside() {
    counter!("agentic_ide_workflows_set_aside_total").increment(1);
}

/// Events are durable; `waited` is the time the journal took.
pub(super) fn appended(events: &[Recorded], waited: Duration) {
    histogram!("agentic_ide_journal_append_seconds").record(waited.as_secs_f64());
    for recorded in events {
        match recorded.event.innermost() {
            Event::Streamed(streamed) => {
                if let Some(total) = streamed.total {
                    counter!("agentic_ide_tokens_generated_total").increment(total.generated_tokens);
                    counter!("agentic_ide_tokens_prompt_total").increment(total.prompt_tokens);
                }
            }
            Event::StageFinished {
                stage,
                attempt,
                ending,
                duration_ms,
            } if *attempt > 0 => {
                let outcome = match ending {
                    Ending::Succeeded => "succeeded",
                    Ending::Skipped { .. } => "skipped",
                    Ending::Failed(_) => "failed",
                };
                let seconds = Duration::from_millis(*duration_ms).as_secs_f64();
                histogram!("agentic_ide_stage_seconds", "stage" => stage.to_string(), "outcome" => outcome)
                    .record(seconds);
            }
            // The end of a lane is none of the workflow.
            Event::Finished(outcome) if recorded.event.is_last() => {
                let outcome = match outcome {
                    Outcome::Completed => "completed",
                    Outcome::Rejected => "rejected",
                    Outcome::Cancelled => "cancelled",
                    Outcome::Failed(_) => "failed",
                };
                counter!("agentic_ide_workflows_finished_total", "outcome" => outcome).increment(1);
            }
            Event::ModelCalled { call, .. } => called(call),
            Event::ToolCalled { call, .. } => {
                let of = [
                    ("server", call.server.clone()),
                    ("failed", call.is_error.to_string()),
                ];
                counter!("agentic_ide_tool_calls_total", &of).increment(1);
            }
            Event::Resumed => counter!("agentic_ide_workflows_resumed_total").increment(1),
            Event::Submitted { .. }
            | Event::StageStarted { .. }
            | Event::ContextRetrieved(_)
            | Event::Planned(_)
            | Event::Proposed(_)
            | Event::Checked(_)
            | Event::Rechecked { .. }
            | Event::StageFinished { .. }
            | Event::AttemptDiscarded { .. }
            | Event::AttemptResumed { .. }
            | Event::DecisionRequested
            | Event::Decided(_)
            | Event::IterationStarted { .. }
            | Event::ApplyIntended(_)
            | Event::Applied(_)
            | Event::Noticed(_)
            | Event::Remarked { .. }
            | Event::RetryScheduled { .. }
            | Event::HelpRequested { .. }
            | Event::DeadlinePassed { .. }
            | Event::LanesPlanned { .. }
            | Event::LaneStarted { .. }
            | Event::Lane { .. }
            | Event::LaneJoined { .. }
            | Event::Forked { .. }
            | Event::Continued { .. }
            | Event::Finished(_) => {}
        }
    }
}

/// What is wrong with an answer of a model.
pub(super) fn noticed(kinds: &[Kind]) {
    for kind in kinds {
        counter!("agentic_ide_model_answers_noticed_total", "kind" => kind.as_str()).increment(1);
    }
}

fn called(call: &ModelCall) {
    let ending = match &call.ending {
        CallEnding::Answered { .. } => "answered",
        CallEnding::FromCache => "from_cache",
        CallEnding::Failed { .. } => "failed",
    };
    let of = [("provider", call.provider.clone()), ("model", call.model.clone())];
    let [provider, model] = of.clone();
    let ended = [provider, model, ("ending", ending.to_owned())];
    counter!("agentic_ide_model_calls_total", &ended).increment(1);
    let seconds = Duration::from_millis(call.duration_ms).as_secs_f64();
    histogram!("agentic_ide_model_call_seconds", &ended).record(seconds);
    counter!("agentic_ide_model_prompt_tokens_total", &ended).increment(call.prompt_tokens);
    counter!("agentic_ide_model_generated_tokens_total", &ended).increment(call.generated_tokens);
    if let Some(first) = call.first_token_ms {
        let seconds = Duration::from_millis(first).as_secs_f64();
        histogram!("agentic_ide_model_first_token_seconds", &of).record(seconds);
    }
    if let Some(cost) = call.cost_microdollars {
        counter!("agentic_ide_model_cost_microdollars_total", &of).increment(cost);
    }
}
