//! The tree of a definition to its graph.

use shared::id::StageId;

use super::{
    Library,
    fields::{Fields, Milliseconds, scalar},
    tree::{self, Node, Value},
};
use crate::{
    graph::{
        At, Backoff, Branch, Deadline, DefaultAnswer, Expr, Graph, Group, Join, Lanes, List, OnFailure,
        Presence, Problem, Retry, Stage, StageKind, Work, check::Places,
    },
    limits::{GROUP_DEPTH_MAX, ITEMS_DEFAULT, PARALLEL_DEFAULT},
};

pub(super) struct Reader<'a> {
    library: &'a Library,
    pub problems: Vec<Problem>,
    pub places: Places,
    /// Texts of the sub-workflows, in the order they are used.
    pub used: Vec<&'a str>,
    /// Names of the sub-workflows that are being read, outermost first, each
    /// with the place that uses it.
    within: Vec<(String, At)>,
    /// What the ids of a sub-workflow begin with.
    prefix: String,
}

impl<'a> Reader<'a> {
    pub fn new(library: &'a Library) -> Self {
        Self {
            library,
            problems: Vec::new(),
            places: Places::default(),
            used: Vec::new(),
            within: Vec::new(),
            prefix: String::new(),
        }
    }

    fn problem(&mut self, at: At, message: impl Into<String>, advice: impl Into<String>) {
        // What is wrong in a sub-workflow is shown where it is used.
        let (at, within) = match self.within.first() {
            Some((name, outer)) => (*outer, format!("in workflow `{name}`, line {}: ", at.line)),
            None => (at, String::new()),
        };
        self.problems.push(Problem {
            at,
            message: format!("{within}{}", message.into()),
            advice: advice.into(),
        });
    }

    /// The place to show for something at `at`.
    fn place(&self, at: At) -> At {
        self.within.first().map_or(at, |(_, outer)| *outer)
    }

    pub fn graph(&mut self, root: &Node) -> Option<Graph> {
        let what = "a definition";
        let mut fields = Fields::of(root, what, &mut self.problems)?;
        self.places.root = self.place(root.at);
        let name = fields.need("name", what, &mut self.problems);
        let name = name.and_then(|node| {
            self.places.name = self.place(node.at);
            scalar::<String>(node, "name", &mut self.problems)
        });
        let version = fields.need("version", what, &mut self.problems);
        let version = version.and_then(|node| scalar::<u32>(node, "version", &mut self.problems));
        if let Some(node) = fields.get("description") {
            scalar::<String>(node, "description", &mut self.problems);
        }
        let stages = fields.need("stages", what, &mut self.problems);
        let stages = stages.map(|node| self.stages(node, 0)).unwrap_or_default();
        fields.finish(what, &mut self.problems);
        Some(Graph {
            name: name.unwrap_or_default(),
            version: version.unwrap_or_default(),
            source: None,
            stages,
        })
    }

    fn list<'n>(&mut self, node: &'n Node, key: &str) -> &'n [Node] {
        match &node.value {
            Value::List(items) => items,
            Value::Scalar(_) | Value::Map(_) => {
                let message = format!("`{key}` is a list, not {}", node.what());
                self.problem(node.at, message, "begin each entry with `- `");
                &[]
            }
        }
    }

    fn stages(&mut self, node: &Node, depth: usize) -> Vec<Stage> {
        let items = self.list(node, "stages");
        items.iter().filter_map(|item| self.stage(item, depth)).collect()
    }

    fn id(&mut self, node: &Node, key: &'static str) -> Option<StageId> {
        let id: StageId = scalar(node, key, &mut self.problems)?;
        if self.prefix.is_empty() {
            return Some(id);
        }
        StageId::parse(&format!("{}.{id}", self.prefix)).ok()
    }

    fn target(&mut self, fields: &mut Fields<'_>, stage: &StageId, key: &'static str) -> Option<StageId> {
        let node = fields.get(key)?;
        self.places.put(stage, key, self.place(node.at));
        self.id(node, key)
    }

    fn one_of<T: Copy>(&mut self, node: &Node, key: &str, known: &[(&str, T)]) -> Option<T> {
        let found = match &node.value {
            Value::Scalar(text) => known.iter().find(|(name, _)| name == text),
            Value::List(_) | Value::Map(_) => None,
        };
        if found.is_none() {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            let message = format!("`{key}` cannot be {}", node.what());
            self.problem(node.at, message, format!("use one of: {}", names.join(", ")));
        }
        found.map(|(_, value)| *value)
    }

    fn stage(&mut self, node: &Node, depth: usize) -> Option<Stage> {
        let what = "a stage";
        let mut fields = Fields::of(node, what, &mut self.problems)?;
        let id_node = fields.need("id", what, &mut self.problems);
        let kind_node = fields.need("kind", what, &mut self.problems);
        let id = id_node.and_then(|node| self.id(node, "id"))?;
        self.places
            .begin(&id, self.place(id_node.map_or(node.at, |node| node.at)));
        let kind_node = kind_node?;
        self.places.put(&id, "kind", self.place(kind_node.at));
        let what = format!("the stage `{id}`");
        let work = self.work(&mut fields, kind_node, &id, depth, &what)?;
        let grouped = matches!(work, Work::Group(_));
        let mut stage = Stage::new(id.clone(), work);
        if grouped {
            stage.attempts_max = 1;
        }
        if let Some(node) = fields.get("optional") {
            self.places.put(&id, "optional", self.place(node.at));
            if scalar(node, "optional", &mut self.problems) == Some(true) {
                stage.presence = Presence::Optional;
            }
        }
        if let Some(node) = fields.get("when") {
            self.places.put(&id, "when", self.place(node.at));
            stage.when = self.condition(node);
        }
        if let Some(node) = fields.get("attempts_max") {
            self.places.put(&id, "attempts_max", self.place(node.at));
            if let Some(attempts) = scalar(node, "attempts_max", &mut self.problems) {
                stage.attempts_max = attempts;
            }
        }
        if let Some(node) = fields.get("run_attempts_max") {
            self.places.put(&id, "run_attempts_max", self.place(node.at));
            stage.run_attempts_max = scalar(node, "run_attempts_max", &mut self.problems);
        }
        if let Some(node) = fields.get("timeout") {
            stage.timeout_ms = self.time(node, &id, "timeout");
        }
        if let Some(node) = fields.get("retry") {
            self.places.put(&id, "retry", self.place(node.at));
            self.retry(node, &id, &mut stage.retry);
        }
        if let Some(node) = fields.get("role") {
            self.places.put(&id, "role", self.place(node.at));
            stage.role = scalar(node, "role", &mut self.problems);
        }
        if let Some(node) = fields.get("cache") {
            self.places.put(&id, "cache", self.place(node.at));
            stage.cache = scalar(node, "cache", &mut self.problems) == Some(true);
        }
        stage.fall_back = self.target(&mut fields, &id, "fall_back");
        stage.retry_from = self.target(&mut fields, &id, "retry_from");
        stage.on_modify = self.target(&mut fields, &id, "on_modify");
        stage.deadline = self.deadline(&mut fields, &id);
        fields.finish(&what, &mut self.problems);
        Some(stage)
    }

    fn time(&mut self, node: &Node, stage: &StageId, key: &'static str) -> Option<u64> {
        self.places.put(stage, key, self.place(node.at));
        scalar::<Milliseconds>(node, key, &mut self.problems).map(|Milliseconds(ms)| ms)
    }

    fn work(
        &mut self,
        fields: &mut Fields<'_>,
        node: &Node,
        id: &StageId,
        depth: usize,
        what: &str,
    ) -> Option<Work> {
        #[derive(Clone, Copy)]
        enum Kind {
            Plain(StageKind),
            Parallel,
            ForEach,
            Workflow,
        }
        let mut known: Vec<(&str, Kind)> = StageKind::ALL
            .iter()
            .map(|kind| (kind.as_str(), Kind::Plain(*kind)))
            .collect();
        known.extend([
            ("parallel", Kind::Parallel),
            ("for_each", Kind::ForEach),
            ("workflow", Kind::Workflow),
        ]);
        let kind = self.one_of(node, "kind", &known)?;
        if let Kind::Plain(kind) = kind {
            return Some(Work::Kind(kind));
        }
        if depth >= GROUP_DEPTH_MAX {
            let message = format!("{what} is nested deeper than {GROUP_DEPTH_MAX} groups");
            self.problem(node.at, message, "make it flatter");
            return None;
        }
        let lanes = match kind {
            Kind::Plain(_) => return None,
            Kind::Parallel => {
                let node = fields.need("branches", what, &mut self.problems)?;
                let branches = self.list(node, "branches");
                Lanes::Branches(
                    branches
                        .iter()
                        .filter_map(|branch| self.branch(branch, depth))
                        .collect(),
                )
            }
            Kind::ForEach => {
                let known: Vec<(&str, List)> = List::ALL.iter().map(|list| (list.as_str(), *list)).collect();
                let list = fields.need("list", what, &mut self.problems);
                let list = list.and_then(|node| self.one_of(node, "list", &known));
                let items_max = fields.get("items_max").and_then(|node| {
                    self.places.put(id, "items_max", self.place(node.at));
                    scalar(node, "items_max", &mut self.problems)
                });
                let stages = fields.need("stages", what, &mut self.problems)?;
                let stages = self.stages(stages, depth + 1);
                Lanes::Each {
                    // Named as a problem already; what follows need not be.
                    list: list.unwrap_or(List::PlanFiles),
                    items_max: items_max.unwrap_or(u32::try_from(ITEMS_DEFAULT).unwrap_or(u32::MAX)),
                    stages,
                }
            }
            Kind::Workflow => {
                let node = fields.need("workflow", what, &mut self.problems)?;
                let name: String = scalar(node, "workflow", &mut self.problems)?;
                Lanes::Branches(vec![self.sub_workflow(node, id, name, depth)?])
            }
        };
        let join = match fields.get("join") {
            Some(node) => self.one_of(
                node,
                "join",
                &[("all", Join::All), ("any", Join::Any), ("settled", Join::Settled)],
            ),
            None => None,
        };
        let parallel_max = fields.get("parallel_max").and_then(|node| {
            self.places.put(id, "parallel_max", self.place(node.at));
            scalar(node, "parallel_max", &mut self.problems)
        });
        Some(Work::Group(Group {
            lanes,
            join: join.unwrap_or(Join::All),
            parallel_max: parallel_max.unwrap_or(u32::try_from(PARALLEL_DEFAULT).unwrap_or(u32::MAX)),
        }))
    }

    fn branch(&mut self, node: &Node, depth: usize) -> Option<Branch> {
        let what = "a branch";
        let mut fields = Fields::of(node, what, &mut self.problems)?;
        let id_node = fields.need("id", what, &mut self.problems)?;
        let id = self.id(id_node, "id")?;
        self.places.begin(&id, self.place(id_node.at));
        let stages = fields.need("stages", what, &mut self.problems);
        let stages = stages
            .map(|node| self.stages(node, depth + 1))
            .unwrap_or_default();
        fields.finish(what, &mut self.problems);
        Some(Branch {
            id,
            workflow: None,
            stages,
        })
    }

    /// The stages of another definition, under names of their own.
    fn sub_workflow(&mut self, node: &Node, id: &StageId, name: String, depth: usize) -> Option<Branch> {
        if self.within.iter().any(|(outer, _)| *outer == name) {
            let message = format!("workflow `{name}` uses itself");
            self.problem(node.at, message, "take one of the uses out");
            return None;
        }
        let library = self.library;
        let Some(text) = library.get(&name) else {
            let known: Vec<&str> = library.keys().map(String::as_str).collect();
            let message = format!("there is no workflow `{name}`");
            self.problem(node.at, message, format!("use one of: {}", known.join(", ")));
            return None;
        };
        let root = match tree::parse(text) {
            Ok(root) => root,
            Err(problem) => {
                let message = format!("workflow `{name}` cannot be read: {problem}");
                self.problem(node.at, message, "put it right first");
                return None;
            }
        };
        self.used.push(text);
        self.within.push((name.clone(), self.place(node.at)));
        let outer = std::mem::replace(&mut self.prefix, id.to_string());
        let (root_place, name_place) = (self.places.root, self.places.name);
        let before = self.problems.len();
        let stages = match Fields::of(&root, "a definition", &mut self.problems) {
            Some(mut fields) => fields
                .get("stages")
                .map(|node| self.stages(node, depth + 1))
                .unwrap_or_default(),
            None => Vec::new(),
        };
        // Problems that a field found have the place in the other file.
        let place = self.place(node.at);
        for problem in &mut self.problems[before..] {
            if problem.at != place {
                problem.message = format!(
                    "in workflow `{name}`, line {}: {}",
                    problem.at.line, problem.message
                );
                problem.at = place;
            }
        }
        (self.places.root, self.places.name) = (root_place, name_place);
        self.prefix = outer;
        self.within.pop();
        let lane = StageId::parse(&format!("{id}.{name}")).ok()?;
        self.places.begin(&lane, self.place(node.at));
        Some(Branch {
            id: lane,
            workflow: Some(name),
            stages,
        })
    }

    fn condition(&mut self, node: &Node) -> Option<Expr> {
        let text: String = scalar(node, "when", &mut self.problems)?;
        match Expr::parse(&text) {
            Ok(condition) => Some(condition),
            Err(error) => {
                let mut at = node.at;
                at.column += error.offset;
                let message = format!("the condition cannot be used: {}", error.message);
                self.problem(at, message, "docs/workflows.md has the whole language");
                None
            }
        }
    }

    fn retry(&mut self, node: &Node, stage: &StageId, retry: &mut Retry) {
        const AFTER: [(&str, OnFailure); 4] = [
            ("retry", OnFailure::Retry),
            ("fall_back", OnFailure::FallBack),
            ("ask", OnFailure::Ask),
            ("fail", OnFailure::Fail),
        ];
        let what = "`retry`";
        let Some(mut fields) = Fields::of(node, what, &mut self.problems) else {
            return;
        };
        let Retry {
            transient,
            permanent,
            user,
            exhausted,
            backoff,
        } = retry;
        for (key, action) in [("transient", transient), ("permanent", permanent), ("user", user)] {
            if let Some(found) = fields.get(key).and_then(|node| self.one_of(node, key, &AFTER)) {
                *action = found;
            }
        }
        if let Some(node) = fields.get("exhausted") {
            *exhausted = self.one_of(node, "exhausted", &AFTER[1..]);
        }
        if let Some(node) = fields.get("backoff") {
            self.places.put(stage, "backoff", self.place(node.at));
            self.backoff(node, backoff);
        }
        fields.finish(what, &mut self.problems);
    }

    fn backoff(&mut self, node: &Node, backoff: &mut Backoff) {
        let what = "`backoff`";
        let Some(mut fields) = Fields::of(node, what, &mut self.problems) else {
            return;
        };
        for (key, value) in [("first", &mut backoff.first_ms), ("max", &mut backoff.max_ms)] {
            let read = fields
                .get(key)
                .and_then(|node| scalar(node, key, &mut self.problems));
            if let Some(Milliseconds(ms)) = read {
                *value = ms;
            }
        }
        if let Some(node) = fields.get("jitter_percent") {
            let read: Option<u32> = scalar(node, "jitter_percent", &mut self.problems);
            match read.map(u8::try_from) {
                Some(Ok(percent)) if percent <= 100 => backoff.jitter_percent = percent,
                Some(_) => self.problem(node.at, "`jitter_percent` is too large", "write 0 to 100"),
                None => {}
            }
        }
        fields.finish(what, &mut self.problems);
    }

    fn deadline(&mut self, fields: &mut Fields<'_>, stage: &StageId) -> Option<Deadline> {
        let after = fields
            .get("deadline")
            .map(|node| self.time(node, stage, "deadline"));
        let default = fields.get("default");
        if let Some(node) = default {
            self.places.put(stage, "default", self.place(node.at));
            if after.is_none() {
                let message = "`default` needs a `deadline`";
                self.problem(node.at, message, "add `deadline:`, for example `deadline: 24h`");
            }
        }
        let default = default.and_then(|node| {
            let known = [
                ("accept", DefaultAnswer::Accept),
                ("reject", DefaultAnswer::Reject),
            ];
            self.one_of(node, "default", &known)
        });
        Some(Deadline {
            after_ms: after??,
            default: default.unwrap_or(DefaultAnswer::Reject),
        })
    }
}
