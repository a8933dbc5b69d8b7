//! The rules that hold for every graph.

use std::collections::{HashMap, HashSet};

use shared::id::StageId;

use super::{
    At, DefaultAnswer, Graph, Group, Lanes, OnFailure, Presence, Problem, Retry, Stage, StageKind, Work,
};
use crate::limits::{
    ATTEMPTS_MAX, BACKOFF_MS_MAX, DEADLINE_MS_MAX, LANES_MAX, PARALLEL_MAX, ROLE_CHARS_MAX, STAGES_MAX,
    TIMEOUT_MS_MAX,
};

/// Where things stand in the file.
#[derive(Debug, Default)]
pub(super) struct Places {
    pub root: At,
    pub name: At,
    /// Every stage and branch in the order of the file; a name may be there
    /// twice, which is a problem.
    ids: Vec<(StageId, At)>,
    keys: HashMap<(StageId, &'static str), At>,
}

impl Places {
    pub fn begin(&mut self, id: &StageId, at: At) {
        self.ids.push((id.clone(), at));
    }

    pub fn put(&mut self, id: &StageId, key: &'static str, at: At) {
        self.keys.entry((id.clone(), key)).or_insert(at);
    }

    fn of(&self, id: &StageId, key: &'static str) -> At {
        let named = self.keys.get(&(id.clone(), key)).copied();
        named
            .or_else(|| self.ids.iter().find(|(known, _)| known == id).map(|(_, at)| *at))
            .unwrap_or(self.root)
    }
}

/// What is wrong with the graph.
pub(super) fn problems(graph: &Graph, places: &Places) -> Vec<Problem> {
    let mut check = Check {
        places,
        problems: Vec::new(),
    };
    let count = graph.all().len();
    if count == 0 || count > STAGES_MAX {
        let message = format!("the workflow has {count} stages");
        check.add(places.root, message, format!("1 to {STAGES_MAX} are possible"));
    }
    let mut seen = HashSet::new();
    for (id, at) in &places.ids {
        if !seen.insert(id) {
            check.add(
                *at,
                format!("the name `{id}` is there twice"),
                "give every stage and branch its own",
            );
        }
    }
    check.list(&graph.stages, &Scope::default());
    check.problems
}

/// What is known where a list of stages begins.
#[derive(Debug, Clone, Default)]
struct Scope {
    /// Kinds that have run before.
    before: HashSet<StageKind>,
    /// Whether the list belongs to a lane.
    lane: bool,
    /// Whether it is, however far up, the lane of a loop.
    each: bool,
}

struct Check<'a> {
    places: &'a Places,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn add(&mut self, at: At, message: impl Into<String>, advice: impl Into<String>) {
        self.problems.push(Problem {
            at,
            message: message.into(),
            advice: advice.into(),
        });
    }

    fn stage(&mut self, stage: &Stage, key: &'static str, message: &str, advice: impl Into<String>) {
        let at = self.places.of(&stage.id, key);
        self.add(at, format!("stage `{}`: {message}", stage.id), advice);
    }

    fn list(&mut self, stages: &[Stage], scope: &Scope) -> HashSet<StageKind> {
        let mut before = scope.before.clone();
        // A review that is certain to be asked after the code was written.
        let mut reviewed = false;
        for (index, stage) in stages.iter().enumerate() {
            let (earlier, later) = (&stages[..index], &stages[index + 1..]);
            self.targets(stage, earlier, later);
            self.bounds(stage);
            self.models(stage);
            self.kind(stage, &before, scope, reviewed);
            self.failures(stage, scope);
            self.condition(stage, earlier, scope, &before);
            match &stage.work {
                Work::Kind(kind) => {
                    let certain = stage.when.is_none() && before.contains(&StageKind::CodeGeneration);
                    reviewed |= *kind == StageKind::Review && certain;
                    before.insert(*kind);
                }
                Work::Group(group) => {
                    let made = self.group(stage, group, &before, scope);
                    before.extend(made);
                }
            }
        }
        before
    }

    fn targets(&mut self, stage: &Stage, earlier: &[Stage], later: &[Stage]) {
        let backward = [("retry_from", &stage.retry_from), ("on_modify", &stage.on_modify)];
        for (key, target) in backward {
            let Some(target) = target else { continue };
            if !earlier.iter().any(|stage| stage.id == *target) {
                let message = format!("{key} names `{target}`, which is no earlier stage of the same list");
                self.stage(stage, key, &message, name_one(earlier));
            }
        }
        if let Some(target) = &stage.fall_back
            && !later.iter().any(|stage| stage.id == *target)
        {
            let message = format!("fall_back names `{target}`, which is no later stage of the same list");
            self.stage(stage, "fall_back", &message, name_one(later));
        }
        if stage.retry_from.is_some() && !stage.is(StageKind::Checks) {
            let message = "retry_from is for checks alone";
            self.stage(
                stage,
                "retry_from",
                message,
                "remove it; attempts_max and retry say how often a stage is tried",
            );
        }
        if stage.on_modify.is_some() && !stage.is(StageKind::Review) {
            self.stage(stage, "on_modify", "on_modify is for reviews alone", "remove it");
        }
        if stage.is(StageKind::Review) && stage.on_modify.is_none() {
            let message = "a review needs on_modify";
            self.stage(
                stage,
                "kind",
                message,
                "name the stage that makes the next proposal, for example a planning stage",
            );
        }
    }

    fn models(&mut self, stage: &Stage) {
        let advice = "remove it; it is for retrieval, planning, code_generation and test_generation";
        if stage.role.is_some() && !stage.asks_models() {
            self.stage(stage, "role", "role is for stages that ask a model", advice);
        }
        if stage.cache && !stage.asks_models() {
            self.stage(stage, "cache", "cache is for stages that ask a model", advice);
        }
        let is_named = |role: &String| {
            !role.is_empty()
                && role.len() <= ROLE_CHARS_MAX
                && role
                    .chars()
                    .all(|it| it.is_ascii_alphanumeric() || matches!(it, '_' | '-'))
        };
        if stage.role.as_ref().is_some_and(|role| !is_named(role)) {
            let message = format!("a role has 1 to {ROLE_CHARS_MAX} characters from A-Z a-z 0-9 _ -");
            self.stage(
                stage,
                "role",
                &message,
                "write the name of a role of the configuration",
            );
        }
    }

    fn bounds(&mut self, stage: &Stage) {
        if !(1..=ATTEMPTS_MAX).contains(&stage.attempts_max) {
            let message = format!("attempts_max must be 1 to {ATTEMPTS_MAX}");
            self.stage(stage, "attempts_max", &message, "write a number in that range");
        }
        if stage.run_attempts_max.is_some() && !stage.is(StageKind::Checks) {
            self.stage(
                stage,
                "run_attempts_max",
                "only checks have run_attempts_max",
                "remove it; attempts_max says how often this stage is tried",
            );
        }
        if stage
            .run_attempts_max
            .is_some_and(|max| !(1..=ATTEMPTS_MAX).contains(&max))
        {
            let message = format!("run_attempts_max must be 1 to {ATTEMPTS_MAX}");
            self.stage(
                stage,
                "run_attempts_max",
                &message,
                "write a number in that range",
            );
        }
        if stage.timeout_ms.is_some_and(|ms| ms == 0 || ms > TIMEOUT_MS_MAX) {
            self.stage(
                stage,
                "timeout",
                "timeout must be 1ms to 7d",
                "write a time in that range",
            );
        }
        if stage.timeout_ms.is_some() && (stage.is(StageKind::Review) || stage.is(StageKind::Apply)) {
            let advice = "use `deadline` for a question; what is being written is not interrupted";
            self.stage(stage, "timeout", "a review or an apply has no timeout", advice);
        }
        if stage
            .deadline
            .is_some_and(|deadline| deadline.after_ms == 0 || deadline.after_ms > DEADLINE_MS_MAX)
        {
            self.stage(
                stage,
                "deadline",
                "deadline must be 1ms to 90d",
                "write a time in that range",
            );
        }
        let backoff = stage.retry.backoff;
        if backoff.first_ms > backoff.max_ms || backoff.max_ms > BACKOFF_MS_MAX {
            let message = "the first wait must not be longer than the longest, which is at most 1h";
            self.stage(stage, "backoff", message, "correct `first` and `max`");
        }
    }

    fn kind(&mut self, stage: &Stage, before: &HashSet<StageKind>, scope: &Scope, reviewed: bool) {
        let optional = stage.presence == Presence::Optional;
        if optional && !before.contains(&StageKind::Planning) {
            let message = "it is optional, but no planning stage before it can decide";
            self.stage(
                stage,
                "optional",
                message,
                "put a planning stage before it, or remove `optional`",
            );
        }
        let Some(kind) = stage.kind() else { return };
        if optional && !matches!(kind, StageKind::TestGeneration | StageKind::Checks) {
            let message = format!("a stage of kind `{}` cannot be optional", kind.as_str());
            self.stage(stage, "optional", &message, "remove `optional`");
        }
        let has = |kind: StageKind| before.contains(&kind);
        let missing = match kind {
            StageKind::Retrieval | StageKind::Planning => None,
            StageKind::CodeGeneration => (!has(StageKind::Retrieval)).then_some(StageKind::Retrieval),
            StageKind::TestGeneration | StageKind::Checks => {
                (!has(StageKind::CodeGeneration)).then_some(StageKind::CodeGeneration)
            }
            StageKind::Review => {
                let shown = has(StageKind::CodeGeneration) || has(StageKind::Planning);
                (!shown).then_some(StageKind::CodeGeneration)
            }
            StageKind::Apply => (!reviewed).then_some(StageKind::Review),
            // No definition can name it.
            StageKind::Revert => None,
        };
        if let Some(missing) = missing {
            let message = format!("it needs a stage of kind `{}` before it", missing.as_str());
            let advice = match kind {
                StageKind::Apply => {
                    "put a review after the code generation, without `when`, so that nothing is written unseen"
                }
                StageKind::Retrieval
                | StageKind::Planning
                | StageKind::CodeGeneration
                | StageKind::TestGeneration
                | StageKind::Checks
                | StageKind::Review
                | StageKind::Revert => "add one, or move this stage behind it",
            };
            self.stage(stage, "kind", &message, advice);
        }
        if scope.lane && matches!(kind, StageKind::Review | StageKind::Apply) {
            let message = format!(
                "a stage of kind `{}` cannot be in a branch, loop or sub-workflow",
                kind.as_str()
            );
            self.stage(stage, "kind", &message, "move it behind the group");
        }
    }

    fn failures(&mut self, stage: &Stage, scope: &Scope) {
        let uses = |action| stage.retry.actions().contains(&Some(action));
        let asks = uses(OnFailure::Ask);
        if uses(OnFailure::FallBack) && stage.fall_back.is_none() {
            let message = "`retry` falls back, but nothing says to what";
            self.stage(
                stage,
                "retry",
                message,
                "add `fall_back:` with the name of a later stage",
            );
        }
        if stage.fall_back.is_some() && !uses(OnFailure::FallBack) {
            let message = "nothing ever falls back to `fall_back`";
            self.stage(
                stage,
                "fall_back",
                message,
                "add `exhausted: fall_back` to `retry`",
            );
        }
        if stage.is(StageKind::Review) && stage.retry != Retry::default() {
            self.stage(stage, "retry", "a review does not fail", "remove `retry`");
        }
        if scope.lane && asks {
            let message = "nobody can be asked within a branch, loop or sub-workflow";
            self.stage(stage, "retry", message, "use `ask` at the group instead");
        }
        let Some(deadline) = stage.deadline else { return };
        if !asks && !stage.is(StageKind::Review) {
            self.stage(
                stage,
                "deadline",
                "it never asks, so it has no deadline",
                "use `timeout` for work",
            );
        }
        if deadline.default == DefaultAnswer::Accept && !stage.is(StageKind::Review) {
            let message = "a failure cannot be accepted by default";
            self.stage(stage, "default", message, "write `default: reject`, or remove it");
        }
    }

    fn condition(&mut self, stage: &Stage, earlier: &[Stage], scope: &Scope, before: &HashSet<StageKind>) {
        let Some(when) = &stage.when else { return };
        if stage.is(StageKind::Review) && before.contains(&StageKind::CodeGeneration) {
            let message = "a review of code is never left out";
            self.stage(stage, "when", message, "remove `when`");
        }
        for asked in when.stages() {
            if !earlier.iter().any(|stage| stage.id == *asked) {
                let message =
                    format!("the condition asks about `{asked}`, which is no earlier stage of the same list");
                self.stage(stage, "when", &message, name_one(earlier));
            }
        }
        if when.asks_for_item() && !scope.each {
            let message = "there is an `item` only in the stages of a `for_each`";
            self.stage(stage, "when", message, "ask for something else");
        }
    }

    fn group(
        &mut self,
        stage: &Stage,
        group: &Group,
        before: &HashSet<StageKind>,
        scope: &Scope,
    ) -> HashSet<StageKind> {
        if group.parallel_max == 0
            || usize::try_from(group.parallel_max).map_or(true, |max| max > PARALLEL_MAX)
        {
            let message = format!("parallel_max must be 1 to {PARALLEL_MAX}");
            self.stage(stage, "parallel_max", &message, "write a number in that range");
        }
        let too_many = |count: usize| !(1..=LANES_MAX).contains(&count);
        let each = match &group.lanes {
            Lanes::Branches(branches) => {
                if too_many(branches.len()) {
                    let message = format!("it has {} branches", branches.len());
                    self.stage(stage, "kind", &message, format!("1 to {LANES_MAX} are possible"));
                }
                false
            }
            Lanes::Each { items_max, .. } => {
                if too_many(usize::try_from(*items_max).unwrap_or(usize::MAX)) {
                    let message = format!("items_max must be 1 to {LANES_MAX}");
                    self.stage(stage, "items_max", &message, "write a number in that range");
                }
                if scope.each {
                    let message = "a loop cannot be in the stages of another one";
                    self.stage(stage, "kind", message, "put them behind each other");
                }
                true
            }
        };
        let inner = Scope {
            before: before.clone(),
            lane: true,
            each: scope.each || each,
        };
        let mut made = HashSet::new();
        for list in group.lanes.lists() {
            if list.is_empty() {
                self.stage(
                    stage,
                    "kind",
                    "a part of it has no stages",
                    "give every branch and loop at least one",
                );
            }
            made.extend(self.list(list, &inner));
        }
        made
    }
}

fn name_one(stages: &[Stage]) -> String {
    let names: Vec<&str> = stages.iter().map(|stage| stage.id.as_str()).collect();
    if names.is_empty() {
        "remove it: there is none".to_owned()
    } else {
        format!("use one of: {}", names.join(", "))
    }
}
