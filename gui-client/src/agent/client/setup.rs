//! What both sides say they can do, what may be chosen in a session, and forms.

use std::collections::BTreeMap;

use agent_client_protocol::{schema::ProtocolVersion, v1::schema};

use crate::agent::{
    event::{Ability, AgentInfo, Set, SignIn, SignInBy},
    form::{Field, FieldKind, Form, Need, Value},
    reach::Place,
    update::{Choice, Setting, SettingKey, SettingValue, Switch},
};

/// Fields of a form, and choices of one, that are shown.
const FORM_MAX: usize = 200;

/// What the window says of itself: files only to an agent that works on this
/// machine's, and no terminals, because it has none.
pub(super) fn hello(place: Place) -> schema::InitializeRequest {
    let files = place == Place::Here;
    let settings = schema::SessionConfigOptionsCapabilities::new()
        .boolean(schema::BooleanConfigOptionCapabilities::new());
    let session = schema::ClientSessionCapabilities::new()
        .config_options(settings)
        .notices(schema::NoticeCapabilities::new())
        .compaction(schema::CompactionCapabilities::new());
    let elicitation = schema::ElicitationCapabilities::new()
        .form(schema::ElicitationFormCapabilities::new())
        .url(schema::ElicitationUrlCapabilities::new());
    let capabilities = schema::ClientCapabilities::new()
        .fs(schema::FileSystemCapabilities::new()
            .read_text_file(files)
            .write_text_file(files))
        .terminal(false)
        .session(session)
        .elicitation(elicitation);
    let us = schema::Implementation::new("agentic-ide-gui", env!("CARGO_PKG_VERSION"))
        .title("Agentic IDE".to_owned());
    schema::InitializeRequest::new(ProtocolVersion::V1)
        .client_capabilities(capabilities)
        .client_info(us)
}

/// What the agent says of itself.
pub(super) fn info(response: schema::InitializeResponse) -> AgentInfo {
    let can = response.agent_capabilities;
    let abilities = [
        (Ability::Load, can.load_session),
        (Ability::Resume, can.session_capabilities.resume.is_some()),
        (Ability::List, can.session_capabilities.list.is_some()),
        (Ability::EmbeddedContext, can.prompt_capabilities.embedded_context),
        (Ability::Image, can.prompt_capabilities.image),
        (Ability::Audio, can.prompt_capabilities.audio),
        (Ability::SignOut, can.auth.logout.is_some()),
    ];
    let abilities = abilities.into_iter().filter(|(_, has)| *has);
    let info = response.agent_info;
    AgentInfo {
        name: info
            .as_ref()
            .map(|info| info.title.clone().unwrap_or_else(|| info.name.clone())),
        version: info.map(|info| info.version),
        abilities: abilities.map(|(ability, _)| ability).collect(),
        sign_ins: response.auth_methods.iter().map(sign_in).collect(),
    }
}

/// What may be chosen. An agent that has options says its modes in them.
pub(super) fn settings(
    modes: Option<schema::SessionModeState>,
    config: Option<Vec<schema::SessionConfigOption>>,
) -> Vec<Setting> {
    let options = options(config.unwrap_or_default());
    if !options.is_empty() {
        return options;
    }
    modes.into_iter().map(mode).collect()
}

/// The configuration options of a session.
pub(super) fn options(options: Vec<schema::SessionConfigOption>) -> Vec<Setting> {
    options.into_iter().filter_map(option).collect()
}

/// What a setting shall be.
pub(super) fn set(set: Set) -> schema::SessionConfigOptionValue {
    match set {
        Set::Choice(value) => schema::SessionConfigOptionValue::value_id(value),
        Set::Switch(switch) => schema::SessionConfigOptionValue::boolean(switch == Switch::On),
    }
}

/// A form, its fields in the order in which a person should go through them.
pub(super) fn form(wanted: schema::ElicitationSchema) -> Form {
    let required = wanted.required.unwrap_or_default();
    let fields = wanted.properties.into_iter().take(FORM_MAX);
    let mut fields: Vec<Field> = fields
        .map(|(name, property)| {
            let need = if required.contains(&name) {
                Need::Required
            } else {
                Need::Optional
            };
            field(name, need, property)
        })
        .collect();
    fields.sort_by_key(|field| field.need);
    Form {
        title: wanted.title,
        fields,
    }
}

/// What was filled in.
pub(super) fn filled(values: BTreeMap<String, Value>) -> BTreeMap<String, schema::ElicitationContentValue> {
    let value = |value| match value {
        Value::Text(text) => schema::ElicitationContentValue::String(text),
        Value::Number(number) => schema::ElicitationContentValue::Number(number),
        Value::Integer(number) => schema::ElicitationContentValue::Integer(number),
        Value::Switch(switch) => schema::ElicitationContentValue::Boolean(switch == Switch::On),
        Value::Many(values) => schema::ElicitationContentValue::StringArray(values),
    };
    values
        .into_iter()
        .map(|(name, written)| (name, value(written)))
        .collect()
}

fn sign_in(method: &schema::AuthMethod) -> SignIn {
    let by = match method {
        schema::AuthMethod::Terminal(terminal) => SignInBy::Terminal(Some(terminal.args.join(" "))),
        schema::AuthMethod::Agent(_) | _ => older_terminal(method.meta()).unwrap_or(SignInBy::Agent),
    };
    SignIn {
        id: method.id().to_string(),
        name: method.name().to_owned(),
        description: method.description().map(str::to_owned),
        by,
    }
}

/// How agents said before there was a type for it that a person signs in in a
/// terminal.
fn older_terminal(meta: Option<&schema::Meta>) -> Option<SignInBy> {
    let meta = meta?;
    let command = |value: &serde_json::Value| {
        let command = value.get("command")?.as_str()?;
        let args = value.get("args").and_then(serde_json::Value::as_array);
        let args = args.into_iter().flatten().filter_map(serde_json::Value::as_str);
        Some(std::iter::once(command).chain(args).collect::<Vec<_>>().join(" "))
    };
    if let Some(terminal) = meta.get("terminal-auth") {
        return Some(SignInBy::Terminal(command(terminal)));
    }
    let terminal = meta.get("type").and_then(serde_json::Value::as_str) == Some("terminal");
    terminal.then_some(SignInBy::Terminal(None))
}

fn mode(modes: schema::SessionModeState) -> Setting {
    let choice = |mode: schema::SessionMode| Choice {
        value: mode.id.to_string(),
        name: mode.name,
    };
    Setting {
        key: SettingKey::Mode,
        name: "Mode".to_owned(),
        description: None,
        value: SettingValue::Select {
            current: modes.current_mode_id.to_string(),
            choices: modes
                .available_modes
                .into_iter()
                .take(FORM_MAX)
                .map(choice)
                .collect(),
        },
    }
}

fn option(option: schema::SessionConfigOption) -> Option<Setting> {
    let value = match option.kind {
        schema::SessionConfigKind::Select(select) => SettingValue::Select {
            current: select.current_value.to_string(),
            choices: choices(select.options),
        },
        schema::SessionConfigKind::Boolean(boolean) => SettingValue::Switch(if boolean.current_value {
            Switch::On
        } else {
            Switch::Off
        }),
        _ => return None,
    };
    Some(Setting {
        key: SettingKey::Option(option.id.to_string()),
        name: option.name,
        description: option.description,
        value,
    })
}

fn choices(options: schema::SessionConfigSelectOptions) -> Vec<Choice> {
    let choice = |group: Option<&str>, option: schema::SessionConfigSelectOption| Choice {
        value: option.value.to_string(),
        name: match group {
            Some(group) => format!("{group}: {}", option.name),
            None => option.name,
        },
    };
    let all: Vec<Choice> = match options {
        schema::SessionConfigSelectOptions::Ungrouped(options) => {
            options.into_iter().map(|option| choice(None, option)).collect()
        }
        schema::SessionConfigSelectOptions::Grouped(groups) => groups
            .into_iter()
            .flat_map(|group| {
                let name = group.name;
                let options = group.options.into_iter();
                options
                    .map(move |option| choice(Some(&name), option))
                    .collect::<Vec<_>>()
            })
            .collect(),
        _ => Vec::new(),
    };
    all.into_iter().take(FORM_MAX).collect()
}

fn field(name: String, need: Need, property: schema::ElicitationPropertySchema) -> Field {
    let (title, description, kind, initial) = match property {
        schema::ElicitationPropertySchema::String(text) => {
            let initial = text.default.clone().map(Value::Text);
            (
                text.title.clone(),
                text.description.clone(),
                text_kind(text),
                initial,
            )
        }
        schema::ElicitationPropertySchema::Number(number) => {
            let kind = FieldKind::Number {
                least: number.minimum.unwrap_or(f64::MIN),
                most: number.maximum.unwrap_or(f64::MAX),
            };
            (
                number.title,
                number.description,
                kind,
                number.default.map(Value::Number),
            )
        }
        schema::ElicitationPropertySchema::Integer(number) => {
            let kind = FieldKind::Integer {
                least: number.minimum.unwrap_or(i64::MIN),
                most: number.maximum.unwrap_or(i64::MAX),
            };
            (
                number.title,
                number.description,
                kind,
                number.default.map(Value::Integer),
            )
        }
        schema::ElicitationPropertySchema::Boolean(switch) => {
            let initial = switch
                .default
                .map(|on| Value::Switch(if on { Switch::On } else { Switch::Off }));
            (switch.title, switch.description, FieldKind::Switch, initial)
        }
        schema::ElicitationPropertySchema::Array(many) => {
            let size = |items: Option<u64>| items.and_then(|items| usize::try_from(items).ok());
            let kind = match many_choices(many.items) {
                Some(choices) => FieldKind::Many {
                    choices,
                    least: size(many.min_items).unwrap_or(0),
                    most: size(many.max_items).unwrap_or(usize::MAX),
                },
                None => FieldKind::Unknown,
            };
            (many.title, many.description, kind, many.default.map(Value::Many))
        }
        schema::ElicitationPropertySchema::Other(_) | _ => (None, None, FieldKind::Unknown, None),
    };
    Field {
        title: title.unwrap_or_else(|| name.clone()),
        name,
        description,
        need,
        kind,
        initial,
    }
}

fn text_kind(text: schema::StringPropertySchema) -> FieldKind {
    if let Some(options) = text.one_of {
        return FieldKind::One(options.into_iter().take(FORM_MAX).map(titled).collect());
    }
    if let Some(values) = text.enum_values {
        return FieldKind::One(values.into_iter().take(FORM_MAX).map(plain).collect());
    }
    FieldKind::Text {
        chars_min: text.min_length.map_or(0, |chars| chars as usize),
        chars_max: text.max_length.map_or(usize::MAX, |chars| chars as usize),
    }
}

fn many_choices(items: schema::MultiSelectItems) -> Option<Vec<Choice>> {
    Some(match items {
        schema::MultiSelectItems::String(items) => {
            items.values.into_iter().take(FORM_MAX).map(plain).collect()
        }
        schema::MultiSelectItems::Titled(items) => {
            items.options.into_iter().take(FORM_MAX).map(titled).collect()
        }
        schema::MultiSelectItems::Other(_) | _ => return None,
    })
}

fn plain(value: String) -> Choice {
    Choice {
        name: value.clone(),
        value,
    }
}

fn titled(option: schema::EnumOption) -> Choice {
    Choice {
        value: option.value,
        name: option.title,
    }
}
