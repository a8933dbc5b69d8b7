//! Finds the rule that fits a request.

use std::{path::Path, sync::Arc};

use regex::Regex;

use super::{Endpoint, FormatMatch, Match, Respond, Rule, Scope, Script};
use crate::{replay::Exchange, wire::Message};

/// A request as rules look at it.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    pub(crate) endpoint: Endpoint,
    pub(crate) path: &'a str,
    pub(crate) streamed: bool,
    /// Canonical name.
    pub(crate) model: &'a str,
    pub(crate) messages: &'a [Message],
    pub(crate) has_format: bool,
}

/// Whether a request counts for `nth`. One that a seed spoils does not: the
/// client asks again, and is to get the same answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counting {
    Counts,
    Passes,
}

/// The rule that fits.
#[derive(Debug)]
pub(crate) struct Selected {
    pub(crate) rule: String,
    pub(crate) respond: Respond,
    pub(crate) exchange: Option<Arc<Exchange>>,
}

/// A script that is ready to answer; counts how often each rule fitted.
#[derive(Debug)]
pub(crate) struct Compiled {
    rules: Vec<CompiledRule>,
}

#[derive(Debug)]
struct CompiledRule {
    label: String,
    rule: Rule,
    regex: Option<Regex>,
    exchange: Option<Arc<Exchange>>,
    fitted: u64,
}

impl Compiled {
    /// Reads the exchanges, from `dir` if their paths are not absolute. Fails
    /// with a sentence that names the rule.
    pub(crate) fn new(script: &Script, dir: &Path) -> Result<Self, String> {
        let rules = script.rules.iter().enumerate().map(|(index, rule)| {
            let label = rule.name.clone().unwrap_or_else(|| format!("rule {}", index + 1));
            let regex = rule.matches.regex.as_deref().map(Regex::new).transpose();
            let regex = regex.map_err(|error| format!("{label}: {error}"))?;
            let respond = &rule.respond;
            let answers = [
                respond.text.is_some(),
                respond.json.is_some(),
                respond.error.is_some(),
                respond.raw.is_some(),
                respond.refusal.is_some(),
                respond.replay.is_some(),
            ];
            if answers.iter().filter(|given| **given).count() > 1 {
                return Err(format!(
                    "{label}: give one of text, json, error, raw, refusal and replay"
                ));
            }
            let exchange = respond
                .replay
                .as_ref()
                .map(|file| Exchange::load(&dir.join(file)));
            let exchange = exchange
                .transpose()
                .map_err(|error| format!("{label}: {error}"))?;
            Ok(CompiledRule {
                label,
                rule: rule.clone(),
                regex,
                exchange: exchange.map(Arc::new),
                fitted: 0,
            })
        });
        Ok(Self {
            rules: rules.collect::<Result<_, String>>()?,
        })
    }

    /// The first rule that fits. Endpoints that do not generate are only
    /// answered by rules that name them.
    pub(crate) fn select(&mut self, question: &Question<'_>, counting: Counting) -> Option<Selected> {
        for compiled in &mut self.rules {
            let Some(groups) = fits(&compiled.rule.matches, compiled.regex.as_ref(), question) else {
                continue;
            };
            let fitted = compiled.fitted + 1;
            match counting {
                Counting::Counts => compiled.fitted = fitted,
                Counting::Passes => {}
            }
            if compiled.rule.matches.nth.is_some_and(|nth| nth != fitted) {
                continue;
            }
            let mut respond = compiled.rule.respond.clone();
            if respond.expand {
                respond.text = respond.text.map(|text| expand(text, &groups));
            }
            return Some(Selected {
                rule: compiled.label.clone(),
                respond,
                exchange: compiled.exchange.clone(),
            });
        }
        None
    }
}

/// Named groups of the expression.
type Groups = Vec<(String, String)>;

fn fits(matches: &Match, regex: Option<&Regex>, question: &Question<'_>) -> Option<Groups> {
    let endpoint = match matches.endpoint {
        Some(endpoint) => endpoint == question.endpoint,
        None => question.endpoint.generates(),
    };
    let model = matches
        .model
        .as_ref()
        .is_none_or(|model| canonical(model) == question.model);
    let format = matches
        .format
        .is_none_or(|format| question.has_format == (format == FormatMatch::Present));
    let path = matches.path.as_ref().is_none_or(|path| path == question.path);
    let streamed = matches
        .streamed
        .is_none_or(|streamed| streamed == question.streamed);
    if !(endpoint && path && streamed && model && format) {
        return None;
    }
    let text = text(matches.scope, question.messages);
    if !matches.contains.iter().all(|part| text.contains(part))
        || matches.lacks.iter().any(|part| text.contains(part))
    {
        return None;
    }
    let Some(regex) = regex else {
        return Some(Groups::new());
    };
    let captures = regex.captures(&text)?;
    let groups = regex.capture_names().flatten().map(|name| {
        let value = captures.name(name).map_or("", |group| group.as_str());
        (name.to_owned(), value.to_owned())
    });
    Some(groups.collect())
}

fn text(scope: Scope, messages: &[Message]) -> String {
    let of_role = |role: &str| -> Vec<&str> {
        let messages = messages.iter().filter(|message| message.role == role);
        messages.map(|message| message.content.as_str()).collect()
    };
    match scope {
        Scope::LastUser => of_role("user").last().copied().unwrap_or_default().to_owned(),
        Scope::System => of_role("system").join("\n"),
        Scope::All => messages
            .iter()
            .map(|message| message.content.as_str())
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

fn expand(text: String, groups: &Groups) -> String {
    groups.iter().fold(text, |text, (name, value)| {
        text.replace(&format!("{{{{{name}}}}}"), value)
    })
}

/// The full name of a model as the server compares it.
pub(crate) fn canonical(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    let lower = name.to_ascii_lowercase();
    if last.contains(':') {
        lower
    } else {
        lower + ":latest"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = r#"
rules:
  - name: plan
    match: { format: json, model: Mistral }
    respond: { json: { steps: [] } }
  - match: { contains: [one, two], lacks: three }
    respond: { text: both }
  - match: { contains: again, nth: 2 }
    respond: { text: second }
  - match: { regex: 'open (?P<file>\S+)', in: all }
    respond: { text: "opened {{file}}", expand: true }
  - match: { streamed: true, path: /p, contains: four }
    respond: { text: streamed }
  - match: { path: /q, contains: four }
    respond: { text: elsewhere }
  - match: { endpoint: version }
    respond: { error: { status: 503, message: busy } }
  - match: { in: system, contains: fallback }
    respond: { text: rest }
"#;

    type Asked<'a> = (Endpoint, bool, &'a [(&'a str, &'a str)]);

    fn check(questions: &[Asked<'_>], expect: &[Option<(&str, Option<&str>)>]) {
        let mut compiled = Compiled::new(&Script::parse(SCRIPT).unwrap(), Path::new("")).unwrap();
        let found: Vec<_> = questions
            .iter()
            .map(|(endpoint, has_format, messages)| {
                let messages: Vec<Message> = messages
                    .iter()
                    .map(|(role, text)| Message {
                        role: (*role).to_owned(),
                        content: (*text).to_owned(),
                    })
                    .collect();
                let question = Question {
                    endpoint: *endpoint,
                    path: "/p",
                    streamed: *endpoint == Endpoint::Generate,
                    model: "mistral:latest",
                    messages: &messages,
                    has_format: *has_format,
                };
                compiled
                    .select(&question, Counting::Counts)
                    .map(|selected| (selected.rule, selected.respond.text))
            })
            .collect();
        let expect: Vec<_> = expect
            .iter()
            .map(|expect| expect.map(|(rule, text)| (rule.to_owned(), text.map(str::to_owned))))
            .collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn first_rule_that_fits() {
        use Endpoint::{Chat, Embed, Generate, Version};
        check(&[(Chat, true, &[("user", "x")])], &[Some(("plan", None))]);
        check(
            &[(Generate, false, &[("user", "two, one")])],
            &[Some(("rule 2", Some("both")))],
        );
        check(&[(Chat, false, &[("user", "one two three")])], &[None]);
        check(&[(Chat, false, &[("user", "one two"), ("user", "x")])], &[None]);
        check(
            &[
                (Chat, false, &[("user", "again")]),
                (Chat, false, &[("user", "again")]),
            ],
            &[None, Some(("rule 3", Some("second")))],
        );
        check(
            &[(Chat, false, &[("user", "open a/b.py now"), ("user", "x")])],
            &[Some(("rule 4", Some("opened a/b.py")))],
        );
        check(
            &[(Generate, false, &[("user", "four")])],
            &[Some(("rule 5", Some("streamed")))],
        );
        check(&[(Chat, false, &[("user", "four")])], &[None]);
        check(&[(Version, false, &[])], &[Some(("rule 7", None))]);
        check(&[(Embed, false, &[("user", "one two")])], &[None]);
        check(
            &[(Chat, false, &[("system", "fallback"), ("user", "x")])],
            &[Some(("rule 8", Some("rest")))],
        );
    }

    #[test]
    fn scripts_that_cannot_be_used() {
        fn check(yaml: &str, expect: &str) {
            let error = Script::parse(yaml)
                .and_then(|script| Compiled::new(&script, Path::new("")).map(drop))
                .unwrap_err();
            assert!(error.contains(expect), "{error}");
        }
        check("rules: [{ respond: { txt: a } }]", "txt");
        check(
            "rules: [{ match: { regex: '(' }, respond: { text: a } }]",
            "rule 1: regex parse error",
        );
        check(
            "rules: [{ respond: { replay: absent.yaml } }]",
            "rule 1: absent.yaml: ",
        );
        check(
            "rules: [{ respond: { text: a, json: 1 } }]",
            "give one of text, json, error, raw, refusal and replay",
        );
    }
}
