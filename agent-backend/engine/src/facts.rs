//! What conditions can ask a state.

use crate::{
    artifact::{CheckStatus, RetrievalMode},
    graph::{
        expr::{Facts, List, Number, Text},
        plain,
    },
    state::State,
};

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

impl Facts for State {
    fn number(&self, number: Number) -> u64 {
        let checks = |status| {
            count(
                self.checks
                    .iter()
                    .filter(|report| report.status == status)
                    .count(),
            )
        };
        let lines = |of: fn(&crate::artifact::FileChange) -> u32| {
            let files = self.proposal.iter().flat_map(|proposal| &proposal.files);
            files.map(|file| u64::from(of(file))).sum()
        };
        match number {
            Number::Iteration => u64::from(self.iteration),
            Number::PlanFiles => count(self.list(List::PlanFiles).len()),
            Number::PlanSteps => count(self.list(List::PlanSteps).len()),
            Number::PlanModules => count(self.list(List::PlanModules).len()),
            Number::ContextItems => self
                .context
                .as_ref()
                .map_or(0, |context| count(context.items.len())),
            Number::ContextTokens => self.context.as_ref().map_or(0, |context| context.tokens),
            Number::ProposalFiles => count(self.list(List::ProposalFiles).len()),
            Number::LinesAdded => lines(|file| file.lines_added),
            Number::LinesRemoved => lines(|file| file.lines_removed),
            Number::ChecksPassed => checks(CheckStatus::Passed),
            Number::ChecksFailed => checks(CheckStatus::Failed),
            Number::Failures => count(self.failures.len()),
            Number::Feedback => count(self.feedback.len()),
        }
    }

    fn text(&self, text: &Text) -> String {
        match text {
            Text::Query => self.task.query.clone(),
            Text::PlanSummary => self
                .plan
                .as_ref()
                .map(|plan| plan.summary.clone())
                .unwrap_or_default(),
            Text::ContextMode => match self.context.as_ref().map(|context| context.mode) {
                Some(RetrievalMode::Hybrid) => "hybrid".to_owned(),
                Some(RetrievalMode::Keyword) => "keyword".to_owned(),
                Some(RetrievalMode::LocalKeyword) => "local_keyword".to_owned(),
                Some(RetrievalMode::Off) => "off".to_owned(),
                None => String::new(),
            },
            Text::Item => self
                .lane
                .as_ref()
                .and_then(|lane| lane.item.clone())
                .unwrap_or_default(),
            Text::Stage(stage) => {
                // In a loop the ids of the list have the item's number.
                let found = self
                    .stages
                    .iter()
                    .find(|record| plain(&record.stage) == stage.as_str());
                found
                    .map(|record| record.status.as_str().to_owned())
                    .unwrap_or_default()
            }
        }
    }

    fn list(&self, list: List) -> Vec<String> {
        let planned = self.plan.as_ref();
        match list {
            List::PlanFiles => planned.map(|plan| plan.files.clone()).unwrap_or_default(),
            List::PlanSteps => planned.map(|plan| plan.steps.clone()).unwrap_or_default(),
            List::PlanModules => {
                let files = planned.map_or(&[][..], |plan| &plan.files);
                unique(files.iter().map(|file| folder(file)))
            }
            List::ContextFiles => {
                let items = self.context.as_ref().map_or(&[][..], |context| &context.items);
                unique(items.iter().map(|item| item.path.as_str()))
            }
            List::ProposalFiles => {
                let files = self.proposal.as_ref().map_or(&[][..], |proposal| &proposal.files);
                files.iter().map(|file| file.path.clone()).collect()
            }
        }
    }
}

/// The folder of a file; `.` for one at the top.
fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or(".", |(folder, _)| folder)
}

fn unique<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for text in texts {
        if !found.iter().any(|known| known == text) {
            found.push(text.to_owned());
        }
    }
    found
}
