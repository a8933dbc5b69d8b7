//! A form that an agent wants filled in (`elicitation/create`): its fields, what
//! a person has written into them so far, and what is wrong with that.

use std::collections::BTreeMap;

use super::update::{Choice, Switch};

/// A form.
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    /// What it is called.
    pub title: Option<String>,
    /// Its fields, those that must be filled in first.
    pub fields: Vec<Field>,
}

/// A field of a form.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// What the agent calls it.
    pub name: String,
    /// What a person reads.
    pub title: String,
    /// What it means.
    pub description: Option<String>,
    /// Whether it must be filled in.
    pub need: Need,
    /// What it takes.
    pub kind: FieldKind,
    /// What stands in it at first.
    pub initial: Option<Value>,
}

/// Whether a field must be filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// It must.
    Required,
    /// It may stay empty.
    Optional,
}

/// What a field takes.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldKind {
    /// Text of so many characters.
    Text {
        /// At least.
        chars_min: usize,
        /// At most.
        chars_max: usize,
    },
    /// A number in this range.
    Number {
        /// At least.
        least: f64,
        /// At most.
        most: f64,
    },
    /// A whole number in this range.
    Integer {
        /// At least.
        least: i64,
        /// At most.
        most: i64,
    },
    /// Yes or no.
    Switch,
    /// One of several.
    One(Vec<Choice>),
    /// So many of several.
    Many {
        /// What there is.
        choices: Vec<Choice>,
        /// At least.
        least: usize,
        /// At most.
        most: usize,
    },
    /// Something that the window does not know.
    Unknown,
}

/// What stands in a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Text, one of several included.
    Text(String),
    /// A number.
    Number(f64),
    /// A whole number.
    Integer(i64),
    /// Yes or no.
    Switch(Switch),
    /// Several.
    Many(Vec<String>),
}

/// What a person has filled in.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Draft {
    /// As it was written, by the name of the field.
    pub values: BTreeMap<String, Written>,
}

/// What was written into a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// Into a line.
    Line(String),
    /// Yes or no.
    Switch(Switch),
    /// Chosen out of several.
    Chosen(Vec<String>),
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The field.
    pub name: String,
    /// For a person.
    pub what: String,
}

impl Draft {
    /// A draft with what stands in the form at first.
    pub fn new(form: &Form) -> Self {
        let written = |field: &Field| {
            Some(match field.initial.as_ref()? {
                Value::Text(text) => match field.kind {
                    FieldKind::One(_) => Written::Chosen(vec![text.clone()]),
                    FieldKind::Text { .. }
                    | FieldKind::Number { .. }
                    | FieldKind::Integer { .. }
                    | FieldKind::Switch
                    | FieldKind::Many { .. }
                    | FieldKind::Unknown => Written::Line(text.clone()),
                },
                Value::Number(number) => Written::Line(number.to_string()),
                Value::Integer(number) => Written::Line(number.to_string()),
                Value::Switch(switch) => Written::Switch(*switch),
                Value::Many(values) => Written::Chosen(values.clone()),
            })
        };
        let fields = form.fields.iter();
        let values = fields.filter_map(|field| Some((field.name.clone(), written(field)?)));
        Self {
            values: values.collect(),
        }
    }

    /// What stands in a line.
    pub fn line(&self, name: &str) -> &str {
        match self.values.get(name) {
            Some(Written::Line(line)) => line,
            Some(Written::Switch(_) | Written::Chosen(_)) | None => "",
        }
    }

    /// Whether `value` is chosen.
    pub fn has(&self, name: &str, value: &str) -> bool {
        match self.values.get(name) {
            Some(Written::Chosen(chosen)) => chosen.iter().any(|other| other == value),
            Some(Written::Line(_) | Written::Switch(_)) | None => false,
        }
    }

    /// Yes or no, where that was said.
    pub fn switch(&self, name: &str) -> Option<Switch> {
        match self.values.get(name) {
            Some(Written::Switch(switch)) => Some(*switch),
            Some(Written::Line(_) | Written::Chosen(_)) | None => None,
        }
    }

    /// Writes into a line.
    pub fn write(&mut self, name: &str, line: String) {
        self.values.insert(name.to_owned(), Written::Line(line));
    }

    /// Says yes or no.
    pub fn turn(&mut self, name: &str, switch: Switch) {
        self.values.insert(name.to_owned(), Written::Switch(switch));
    }

    /// Chooses `value`, or takes it back.
    pub fn choose(&mut self, field: &Field, value: &str) {
        let chosen = match self.values.remove(&field.name) {
            Some(Written::Chosen(chosen)) => chosen,
            Some(Written::Line(_) | Written::Switch(_)) | None => Vec::new(),
        };
        let had = chosen.iter().any(|other| other == value);
        let mut chosen: Vec<String> = match &field.kind {
            FieldKind::Many { .. } => chosen.into_iter().filter(|other| other != value).collect(),
            FieldKind::Text { .. }
            | FieldKind::Number { .. }
            | FieldKind::Integer { .. }
            | FieldKind::Switch
            | FieldKind::One(_)
            | FieldKind::Unknown => Vec::new(),
        };
        if !had {
            chosen.push(value.to_owned());
        }
        self.values.insert(field.name.clone(), Written::Chosen(chosen));
    }

    /// What is sent, or everything that is wrong.
    ///
    /// # Errors
    /// One problem for each field that cannot be sent as it is.
    pub fn filled(&self, form: &Form) -> Result<BTreeMap<String, Value>, Vec<Problem>> {
        let mut values = BTreeMap::new();
        let mut problems = Vec::new();
        for field in &form.fields {
            match self.value(field) {
                Ok(Some(value)) => {
                    values.insert(field.name.clone(), value);
                }
                Ok(None) if field.need == Need::Required => {
                    problems.push(field.problem("must be filled in"));
                }
                Ok(None) => {}
                Err(what) => problems.push(field.problem(&what)),
            }
        }
        if problems.is_empty() {
            Ok(values)
        } else {
            Err(problems)
        }
    }

    fn value(&self, field: &Field) -> Result<Option<Value>, String> {
        let line = self.line(&field.name).trim();
        match &field.kind {
            FieldKind::Text { chars_min, chars_max } => {
                if line.is_empty() {
                    return Ok(None);
                }
                let chars = line.chars().count();
                if chars < *chars_min {
                    return Err(format!("needs at least {chars_min} characters"));
                }
                if chars > *chars_max {
                    return Err(format!("takes at most {chars_max} characters"));
                }
                Ok(Some(Value::Text(line.to_owned())))
            }
            FieldKind::Number { .. } | FieldKind::Integer { .. } if line.is_empty() => Ok(None),
            FieldKind::Number { least, most } => match line.parse::<f64>() {
                Ok(number) if (*least..=*most).contains(&number) => Ok(Some(Value::Number(number))),
                Ok(_) => Err(format!("must be {least} to {most}")),
                Err(_) => Err("must be a number".to_owned()),
            },
            FieldKind::Integer { least, most } => match line.parse::<i64>() {
                Ok(number) if (*least..=*most).contains(&number) => Ok(Some(Value::Integer(number))),
                Ok(_) => Err(format!("must be {least} to {most}")),
                Err(_) => Err("must be a whole number".to_owned()),
            },
            FieldKind::Switch => Ok(self.switch(&field.name).map(Value::Switch)),
            FieldKind::One(choices) => Ok(self.chosen(field, choices).into_iter().next().map(Value::Text)),
            FieldKind::Many { choices, least, most } => {
                let chosen = self.chosen(field, choices);
                if chosen.is_empty() && field.need == Need::Optional {
                    return Ok(None);
                }
                if chosen.len() < *least {
                    return Err(format!("needs at least {least}"));
                }
                if chosen.len() > *most {
                    return Err(format!("takes at most {most}"));
                }
                Ok((!chosen.is_empty()).then_some(Value::Many(chosen)))
            }
            FieldKind::Unknown if field.need == Need::Required => {
                Err("is of a kind that this window does not know".to_owned())
            }
            FieldKind::Unknown => Ok(None),
        }
    }

    /// What is chosen, in the order of the form.
    fn chosen(&self, field: &Field, choices: &[Choice]) -> Vec<String> {
        let chosen = choices
            .iter()
            .filter(|choice| self.has(&field.name, &choice.value));
        chosen.map(|choice| choice.value.clone()).collect()
    }
}

impl Field {
    fn problem(&self, what: &str) -> Problem {
        Problem {
            name: self.name.clone(),
            what: format!("{} {what}", self.title),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, need: Need, kind: FieldKind) -> Field {
        Field {
            name: name.to_owned(),
            title: name.to_uppercase(),
            description: None,
            need,
            kind,
            initial: None,
        }
    }

    fn choices(values: &[&str]) -> Vec<Choice> {
        let choice = |value: &&str| Choice {
            value: (*value).to_owned(),
            name: value.to_uppercase(),
        };
        values.iter().map(choice).collect()
    }

    fn form(kind: FieldKind) -> Form {
        Form {
            title: None,
            fields: vec![field("f", Need::Required, kind)],
        }
    }

    fn check(kind: FieldKind, written: Option<Written>, expect: Result<Value, &str>) {
        let mut draft = Draft::default();
        draft
            .values
            .extend(written.map(|written| ("f".to_owned(), written)));
        let got = draft.filled(&form(kind));
        let expect = expect
            .map(|value| BTreeMap::from([("f".to_owned(), value)]))
            .map_err(|what| {
                vec![Problem {
                    name: "f".to_owned(),
                    what: what.to_owned(),
                }]
            });
        assert_eq!(got, expect, "{draft:?}");
    }

    #[test]
    fn what_is_written_is_sent_or_refused() {
        let line = |text: &str| Some(Written::Line(text.to_owned()));
        let chosen = |values: &[&str]| {
            Some(Written::Chosen(
                values.iter().map(|value| (*value).to_owned()).collect(),
            ))
        };
        let text = || FieldKind::Text {
            chars_min: 2,
            chars_max: 4,
        };
        check(text(), line(" öl "), Ok(Value::Text("öl".to_owned())));
        check(text(), line("a"), Err("F needs at least 2 characters"));
        check(text(), line("abcde"), Err("F takes at most 4 characters"));
        check(text(), line("  "), Err("F must be filled in"));
        check(text(), None, Err("F must be filled in"));
        let number = || FieldKind::Number {
            least: 0.5,
            most: 2.0,
        };
        check(number(), line("1.5"), Ok(Value::Number(1.5)));
        check(number(), line("3"), Err("F must be 0.5 to 2"));
        check(number(), line("NaN"), Err("F must be 0.5 to 2"));
        check(number(), line("x"), Err("F must be a number"));
        let integer = || FieldKind::Integer { least: 1, most: 9 };
        check(integer(), line("9"), Ok(Value::Integer(9)));
        check(integer(), line("1.5"), Err("F must be a whole number"));
        check(integer(), line("10"), Err("F must be 1 to 9"));
        let switch = Some(Written::Switch(Switch::Off));
        check(FieldKind::Switch, switch, Ok(Value::Switch(Switch::Off)));
        check(FieldKind::Switch, None, Err("F must be filled in"));
        let one = || FieldKind::One(choices(&["a", "b"]));
        check(one(), chosen(&["b"]), Ok(Value::Text("b".to_owned())));
        check(one(), chosen(&["c"]), Err("F must be filled in"));
        let many = || FieldKind::Many {
            choices: choices(&["a", "b", "c"]),
            least: 1,
            most: 2,
        };
        check(
            many(),
            chosen(&["b", "a"]),
            Ok(Value::Many(vec!["a".to_owned(), "b".to_owned()])),
        );
        check(many(), chosen(&["a", "b", "c"]), Err("F takes at most 2"));
        check(many(), chosen(&[]), Err("F needs at least 1"));
        let unknown = "F is of a kind that this window does not know";
        check(FieldKind::Unknown, line("x"), Err(unknown));
    }

    #[test]
    fn what_may_stay_empty_is_left_out() {
        let kinds = [
            FieldKind::Text {
                chars_min: 1,
                chars_max: 2,
            },
            FieldKind::Integer { least: 0, most: 1 },
            FieldKind::Switch,
            FieldKind::One(choices(&["a"])),
            FieldKind::Many {
                choices: choices(&["a"]),
                least: 1,
                most: 1,
            },
            FieldKind::Unknown,
        ];
        for kind in kinds {
            let form = Form {
                title: None,
                fields: vec![field("f", Need::Optional, kind)],
            };
            assert_eq!(Draft::new(&form).filled(&form), Ok(BTreeMap::new()));
        }
    }

    #[test]
    fn a_choice_is_taken_back_and_only_several_add_up() {
        let (one, many) = (
            field("f", Need::Optional, FieldKind::One(choices(&["a", "b"]))),
            field(
                "f",
                Need::Optional,
                FieldKind::Many {
                    choices: choices(&["a", "b"]),
                    least: 0,
                    most: 2,
                },
            ),
        );
        let check = |field: &Field, chosen: &[&str], expect: &[&str]| {
            let mut draft = Draft::default();
            chosen.iter().for_each(|value| draft.choose(field, value));
            let has = |value: &&&str| draft.has("f", value);
            assert_eq!(["a", "b"].iter().filter(has).copied().collect::<Vec<_>>(), expect);
        };
        check(&one, &["a", "b"], &["b"]);
        check(&one, &["a", "a"], &[]);
        check(&many, &["a", "b"], &["a", "b"]);
        check(&many, &["a", "b", "a"], &["b"]);
    }
}
