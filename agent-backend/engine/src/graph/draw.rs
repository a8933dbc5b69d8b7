//! A graph as text that other programs draw.

use shared::id::StageId;

use super::{Graph, Join, Lanes, OnFailure, Presence, Stage, Work};

/// For Mermaid (`flowchart`).
pub fn mermaid(graph: &Graph) -> String {
    let mut pen = Pen::default();
    pen.line(0, "flowchart TD");
    pen.list(&graph.stages, 1, &Mermaid);
    for edge in std::mem::take(&mut pen.edges) {
        let arrow = if edge.dotted { "-.->" } else { "-->" };
        let label = match &edge.label {
            Some(label) => format!("|{}|", quoted(label)),
            None => String::new(),
        };
        pen.line(
            1,
            &format!("{} {arrow}{label} {}", node(&edge.from), node(&edge.to)),
        );
    }
    pen.text
}

/// For Graphviz (`dot`).
pub fn dot(graph: &Graph) -> String {
    let mut pen = Pen::default();
    pen.line(0, &format!("digraph {} {{", quoted(&graph.name)));
    pen.line(1, "compound=true; node [shape=box];");
    pen.list(&graph.stages, 1, &Dot);
    for edge in std::mem::take(&mut pen.edges) {
        let mut attributes = Vec::new();
        if edge.dotted {
            attributes.push("style=dotted".to_owned());
        }
        if let Some(label) = &edge.label {
            attributes.push(format!("label={}", quoted(label)));
        }
        let attributes = if attributes.is_empty() {
            String::new()
        } else {
            format!(" [{}]", attributes.join(", "))
        };
        pen.line(
            1,
            &format!("{} -> {}{attributes};", quoted(&edge.from), quoted(&edge.to)),
        );
    }
    pen.line(0, "}");
    pen.text
}

/// What differs between the languages.
trait Style {
    fn stage(&self, id: &str, label: &str) -> String;
    fn open(&self, id: &str, label: &str) -> String;
    fn close(&self) -> &'static str;
}

struct Mermaid;

impl Style for Mermaid {
    fn stage(&self, id: &str, label: &str) -> String {
        format!("{}[{}]", node(id), quoted(label))
    }

    fn open(&self, id: &str, label: &str) -> String {
        format!("subgraph {}[{}]", node(id), quoted(label))
    }

    fn close(&self) -> &'static str {
        "end"
    }
}

struct Dot;

impl Style for Dot {
    fn stage(&self, id: &str, label: &str) -> String {
        format!("{} [label={}];", quoted(id), quoted(label))
    }

    fn open(&self, id: &str, label: &str) -> String {
        format!(
            "subgraph {} {{ label={};",
            quoted(&format!("cluster_{id}")),
            quoted(label)
        )
    }

    fn close(&self) -> &'static str {
        "}"
    }
}

#[derive(Default)]
struct Pen {
    text: String,
    edges: Vec<Edge>,
}

struct Edge {
    from: String,
    to: String,
    label: Option<String>,
    dotted: bool,
}

impl Pen {
    fn line(&mut self, depth: usize, text: &str) {
        self.text.push_str(&"  ".repeat(depth));
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn edge(&mut self, from: &StageId, to: &StageId, label: Option<&str>, dotted: bool) {
        self.edges.push(Edge {
            from: from.to_string(),
            to: to.to_string(),
            label: label.map(str::to_owned),
            dotted,
        });
    }

    fn list(&mut self, stages: &[Stage], depth: usize, style: &impl Style) {
        for (index, stage) in stages.iter().enumerate() {
            self.stage(stage, depth, style);
            if let Some(next) = stages.get(index + 1) {
                self.edge(&stage.id, &next.id, None, false);
            }
            let back = [
                (&stage.retry_from, "failed"),
                (&stage.on_modify, "modify"),
                (&stage.fall_back, "fall back"),
            ];
            for (target, label) in back {
                if let Some(target) = target {
                    self.edge(&stage.id, target, Some(label), true);
                }
            }
        }
    }

    fn stage(&mut self, stage: &Stage, depth: usize, style: &impl Style) {
        self.line(depth, &style.stage(stage.id.as_str(), &label(stage)));
        let Some(group) = stage.group() else { return };
        let lanes: Vec<(String, String, &[Stage])> = match &group.lanes {
            Lanes::Branches(branches) => branches
                .iter()
                .map(|branch| {
                    let label = match &branch.workflow {
                        Some(workflow) => format!("workflow {workflow}"),
                        None => branch.id.to_string(),
                    };
                    (branch.id.to_string(), label, branch.stages.as_slice())
                })
                .collect(),
            Lanes::Each { list, stages, .. } => {
                let id = format!("{}.each", stage.id);
                vec![(id, format!("each of {}", list.as_str()), stages.as_slice())]
            }
        };
        for (id, label, stages) in lanes {
            self.line(depth, &style.open(&id, &label));
            self.list(stages, depth + 1, style);
            self.line(depth, style.close());
            if let Some(first) = stages.first() {
                self.edge(&stage.id, &first.id, None, true);
            }
        }
    }
}

fn label(stage: &Stage) -> String {
    let mut label = stage.id.to_string();
    match &stage.work {
        Work::Kind(kind) if kind.as_str() == stage.id.as_str() => {}
        Work::Kind(kind) => label.push_str(&format!(" ({})", kind.as_str())),
        Work::Group(group) => {
            let join = match group.join {
                Join::All => "join all",
                Join::Any => "join any",
                Join::Settled => "join settled",
            };
            label.push_str(&format!(" ({join})"));
        }
    }
    if stage.presence == Presence::Optional {
        label.push_str(", optional");
    }
    if let Some(when) = &stage.when {
        label.push_str(&format!(", when {when}"));
    }
    if stage.retry.actions().contains(&Some(OnFailure::Ask)) {
        label.push_str(", asks on failure");
    }
    label
}

fn node(id: &str) -> String {
    // `end` alone is a word of the language.
    format!("s_{}", id.replace(['.', '-', ':'], "_"))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "'"))
}
