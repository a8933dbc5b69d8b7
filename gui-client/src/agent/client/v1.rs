//! Version 1 of the protocol, by its authors' library.
//!
//! Two rules of that library shape this: nothing that waits for the agent or the
//! person may do so in a handler, because the next message is not read meanwhile;
//! and no error may leave a spawned task, because it would end the connection.

use std::{io, path::PathBuf, pin::Pin, time::Duration};

use agent_client_protocol::{
    Agent, Client, Error as Refusal, ErrorCode, Lines, is_incoming_transport_closed, on_receive_notification,
    on_receive_request,
    v1::{ConnectionTo, Responder, schema},
};
use futures::{Sink, stream::BoxStream};
use tokio::{sync::mpsc, time::timeout};

use super::{
    convert,
    host::{Asked, Host},
    setup,
};
use crate::{
    Error,
    agent::{
        event::{Ability, AgentInfo, Answer, Ask, Call, Command, Event, Page, SessionId, Set},
        reach::Place,
        update::{SettingKey, Update},
    },
};

/// Time an agent may take to say hello: some load for long, on a busy machine.
const HELLO_TIMEOUT: Duration = Duration::from_secs(120);
/// Longest reason of a refusal that is shown, in characters.
const REASON_CHARS_MAX: usize = 600;

/// Lines to an agent, and from it.
pub(super) type Both = (
    Pin<Box<dyn Sink<String, Error = io::Error> + Send>>,
    BoxStream<'static, io::Result<String>>,
);

/// Speaks until either side goes; why, where that was no farewell.
pub(super) async fn speak(
    (outgoing, incoming): Both,
    place: Place,
    commands: mpsc::UnboundedReceiver<Command>,
    events: mpsc::Sender<Event>,
) -> Result<(), String> {
    let host = Host::new(events);
    let [updates, permissions, elicitations, reads, writes, own] = std::array::from_fn(|_| host.clone());
    let spoken = Client
        .v1()
        .name("agentic-ide-gui")
        .on_receive_notification(
            async move |said: schema::SessionNotification, _cx: ConnectionTo<Agent>| {
                let session = SessionId(said.session_id.to_string());
                let folder = updates.folder(&session).unwrap_or_default();
                if let Some(update) = convert::update(said.update, &folder) {
                    updates.tell(Event::Updated(session, update)).await;
                }
                Ok(())
            },
            on_receive_notification!(),
        )
        .on_receive_request(
            async move |wanted: schema::RequestPermissionRequest, responder, cx: ConnectionTo<Agent>| {
                let session = SessionId(wanted.session_id.to_string());
                let folder = permissions.folder(&session).unwrap_or_default();
                let ask = Ask::Permission {
                    call: convert::patch(wanted.tool_call, &folder),
                    options: wanted.options.into_iter().map(convert::permission).collect(),
                };
                let asked = permissions.ask(Some(session), ask).await;
                let host = permissions.clone();
                cx.spawn(permit(host, asked, responder))
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |wanted: schema::CreateElicitationRequest, responder, cx: ConnectionTo<Agent>| {
                let Some((session, ask)) = elicitation(wanted) else {
                    return responder.respond_with_error(Refusal::invalid_params());
                };
                let asked = elicitations.ask(session, ask).await;
                let host = elicitations.clone();
                cx.spawn(elicit(host, asked, responder))
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |wanted: schema::ReadTextFileRequest, responder, cx: ConnectionTo<Agent>| {
                if place == Place::Elsewhere {
                    return responder.respond_with_error(Refusal::method_not_found());
                }
                cx.spawn(read(reads.clone(), wanted, responder))
            },
            on_receive_request!(),
        )
        .on_receive_request(
            async move |wanted: schema::WriteTextFileRequest, responder, cx: ConnectionTo<Agent>| {
                if place == Place::Elsewhere {
                    return responder.respond_with_error(Refusal::method_not_found());
                }
                cx.spawn(write(writes.clone(), wanted, responder))
            },
            on_receive_request!(),
        )
        .connect_with(
            Lines::new(outgoing, incoming),
            async move |cx: ConnectionTo<Agent>| converse(&cx, &own, place, commands).await,
        )
        .await;
    spoken.map_err(|refusal| reason(&refusal))
}

/// Says hello, then does what the window wants until either side goes.
async fn converse(
    cx: &ConnectionTo<Agent>,
    host: &Host,
    place: Place,
    mut commands: mpsc::UnboundedReceiver<Command>,
) -> Result<(), Refusal> {
    let hello = timeout(HELLO_TIMEOUT, cx.send_request(setup::hello(place)).block_task());
    let failed = |why: &str| Refusal::new(ErrorCode::INTERNAL_ERROR, why.to_owned());
    let response = match hello.await {
        Ok(Err(refusal)) if is_incoming_transport_closed(&refusal) => return Ok(()),
        Ok(response) => response?,
        Err(_) => return Err(failed("it did not say hello in two minutes")),
    };
    // The library has refused any other version.
    let info = setup::info(response);
    host.tell(Event::Connected(info.clone())).await;
    loop {
        tokio::select! {
            () = cx.incoming_closed() => return Ok(()),
            command = commands.recv() => match command {
                Some(command) => act(cx, host, &info, command).await?,
                None => return Ok(()),
            },
        }
    }
}

/// Does one thing. Answers come later, in their place among the updates.
async fn act(
    cx: &ConnectionTo<Agent>,
    host: &Host,
    info: &AgentInfo,
    command: Command,
) -> Result<(), Refusal> {
    let host = host.clone();
    match command {
        Command::SignIn(method) => cx
            .prepare_request(schema::AuthenticateRequest::new(method))
            .on_receiving_result(async move |result| {
                host.tell_of(Call::SignIn, result.map(|_| Event::SignedIn)).await;
                Ok(())
            }),
        Command::SignOut => cx
            .prepare_request(schema::LogoutRequest::new())
            .on_receiving_result(async move |result| {
                host.tell_of(Call::SignOut, result.map(|_| Event::SignedOut))
                    .await;
                Ok(())
            }),
        Command::Begin(folder) => cx
            .prepare_request(schema::NewSessionRequest::new(folder.clone()))
            .on_receiving_result(async move |result| {
                let opened = result.map(|new| {
                    let session = SessionId(new.session_id.to_string());
                    host.settle(&session, &folder);
                    opened(session, folder, new.modes, new.config_options)
                });
                host.tell_of(Call::Session, opened).await;
                Ok(())
            }),
        Command::GoOn(session, folder) => {
            host.settle(&session, &folder);
            host.tell(Event::Replaying(session.clone(), folder.clone())).await;
            if info.can(Ability::Load) {
                cx.prepare_request(schema::LoadSessionRequest::new(session.0.clone(), folder.clone()))
                    .on_receiving_result(async move |result| {
                        let result =
                            result.map(|loaded| opened(session, folder, loaded.modes, loaded.config_options));
                        host.tell_of(Call::Session, result).await;
                        Ok(())
                    })
            } else {
                cx.prepare_request(schema::ResumeSessionRequest::new(
                    session.0.clone(),
                    folder.clone(),
                ))
                .on_receiving_result(async move |result| {
                    let result =
                        result.map(|resumed| opened(session, folder, resumed.modes, resumed.config_options));
                    host.tell_of(Call::Session, result).await;
                    Ok(())
                })
            }
        }
        Command::List(cursor) => {
            let page = if cursor.is_some() {
                Page::Later
            } else {
                Page::First
            };
            cx.prepare_request(schema::ListSessionsRequest::new().cursor(cursor))
                .on_receiving_result(async move |result| {
                    let listed = result.map(|list| Event::Listed {
                        page,
                        sessions: list.sessions.into_iter().map(convert::listed).collect(),
                        next: list.next_cursor,
                    });
                    host.tell_of(Call::List, listed).await;
                    Ok(())
                })
        }
        Command::Prompt(session, text) => cx
            .prepare_request(schema::PromptRequest::new(session.0.clone(), vec![text.into()]))
            .on_receiving_result(async move |result| {
                let ended = result.map(|ended| convert::stop(ended.stop_reason));
                let ended = ended.map_err(|refusal| error(&refusal));
                host.tell(Event::Ended(session, ended)).await;
                Ok(())
            }),
        Command::Stop(session) => cx.send_notification(schema::CancelNotification::new(session.0)),
        Command::Set(session, SettingKey::Option(option), value) => cx
            .prepare_request(schema::SetSessionConfigOptionRequest::new(
                session.0.clone(),
                option,
                setup::set(value),
            ))
            .on_receiving_result(async move |result| {
                let settings = result.map(|set| Update::Settings(setup::options(set.config_options)));
                let updated = settings.map(|settings| Event::Updated(session, settings));
                host.tell_of(Call::Set, updated).await;
                Ok(())
            }),
        Command::Set(session, SettingKey::Mode, value) => {
            let Set::Choice(mode) = value else {
                return Ok(());
            };
            cx.prepare_request(schema::SetSessionModeRequest::new(
                session.0.clone(),
                mode.clone(),
            ))
            .on_receiving_result(async move |result| {
                let updated = result.map(|_| Event::Updated(session, Update::Mode(mode)));
                host.tell_of(Call::Set, updated).await;
                Ok(())
            })
        }
        Command::Answer(question, answer) => {
            host.answer(question, answer);
            Ok(())
        }
    }
}

fn opened(
    session: SessionId,
    folder: PathBuf,
    modes: Option<schema::SessionModeState>,
    options: Option<Vec<schema::SessionConfigOption>>,
) -> Event {
    Event::Opened {
        session,
        folder,
        settings: setup::settings(modes, options),
    }
}

impl Host {
    async fn tell_of(&self, call: Call, result: Result<Event, Refusal>) {
        match result {
            Ok(event) => self.tell(event).await,
            // That the agent is gone is told once, at the end.
            Err(refusal) if is_incoming_transport_closed(&refusal) => {}
            Err(refusal) => self.tell(Event::Refused(call, error(&refusal))).await,
        }
    }
}

/// The question of an elicitation, and its session.
fn elicitation(wanted: schema::CreateElicitationRequest) -> Option<(Option<SessionId>, Ask)> {
    let session = match wanted.scope() {
        schema::ElicitationScope::Session(scope) => Some(SessionId(scope.session_id.to_string())),
        schema::ElicitationScope::Request(_) | _ => None,
    };
    let message = wanted.message;
    let ask = match wanted.mode {
        schema::ElicitationMode::Form(form) => Ask::Form {
            message,
            form: setup::form(form.requested_schema),
        },
        schema::ElicitationMode::Url(url) => Ask::Link {
            message,
            url: url.url,
        },
        schema::ElicitationMode::Other(_) | _ => return None,
    };
    Some((session, ask))
}

/// Waits for the person or for the agent to want it no more.
async fn answer(
    host: &Host,
    mut asked: Asked,
    cancellation: agent_client_protocol::RequestCancellation,
) -> Answer {
    tokio::select! {
        answer = asked.answer() => answer,
        () = cancellation.cancelled() => {
            host.withdraw(asked.id).await;
            Answer::Cancelled
        }
    }
}

async fn permit(
    host: Host,
    asked: Asked,
    responder: Responder<schema::RequestPermissionResponse>,
) -> Result<(), Refusal> {
    let outcome = match answer(&host, asked, responder.cancellation()).await {
        Answer::Option(option) => {
            schema::RequestPermissionOutcome::Selected(schema::SelectedPermissionOutcome::new(option))
        }
        Answer::Allow | Answer::Refuse | Answer::Form(_) | Answer::Cancelled => {
            schema::RequestPermissionOutcome::Cancelled
        }
    };
    // It has gone meanwhile: nobody waits.
    let _gone = responder.respond(schema::RequestPermissionResponse::new(outcome));
    Ok(())
}

async fn elicit(
    host: Host,
    asked: Asked,
    responder: Responder<schema::CreateElicitationResponse>,
) -> Result<(), Refusal> {
    let action = match answer(&host, asked, responder.cancellation()).await {
        Answer::Form(values) => {
            let content = schema::ElicitationAcceptAction::new().content(setup::filled(values));
            schema::ElicitationAction::Accept(content)
        }
        Answer::Allow => schema::ElicitationAction::Accept(schema::ElicitationAcceptAction::new()),
        Answer::Refuse => schema::ElicitationAction::Decline,
        Answer::Option(_) | Answer::Cancelled => schema::ElicitationAction::Cancel,
    };
    let _gone = responder.respond(schema::CreateElicitationResponse::new(action));
    Ok(())
}

async fn read(
    host: Host,
    wanted: schema::ReadTextFileRequest,
    responder: Responder<schema::ReadTextFileResponse>,
) -> Result<(), Refusal> {
    let session = SessionId(wanted.session_id.to_string());
    let shown = wanted.path.display().to_string();
    let text = host
        .read(&session, wanted.path, (wanted.line, wanted.limit))
        .await;
    let _gone = match text {
        Ok(Some(text)) => responder.respond(schema::ReadTextFileResponse::new(text)),
        Ok(None) => responder.respond_with_error(schema::Error::resource_not_found(Some(shown)).into()),
        Err(error) => responder.respond_with_error(refused(&error)),
    };
    Ok(())
}

async fn write(
    host: Host,
    wanted: schema::WriteTextFileRequest,
    responder: Responder<schema::WriteTextFileResponse>,
) -> Result<(), Refusal> {
    let session = SessionId(wanted.session_id.to_string());
    let cancellation = responder.cancellation();
    let written = async {
        let change = host
            .change(&session, wanted.path.clone(), wanted.content.clone())
            .await?;
        let ask = Ask::Write(Box::new(change));
        let asked = host.ask(Some(session.clone()), ask).await;
        match answer(&host, asked, cancellation).await {
            Answer::Allow => host
                .write(&session, wanted.path, wanted.content)
                .await
                .map(|()| true),
            Answer::Option(_) | Answer::Refuse | Answer::Form(_) | Answer::Cancelled => Ok(false),
        }
    };
    let _gone = match written.await {
        Ok(true) => responder.respond(schema::WriteTextFileResponse::new()),
        Ok(false) => responder.respond_with_error(Refusal::new(
            ErrorCode::REQUEST_CANCELLED,
            "the person did not allow it".to_owned(),
        )),
        Err(error) => responder.respond_with_error(refused(&error)),
    };
    Ok(())
}

/// What the agent is told of an error of ours.
fn refused(error: &Error) -> Refusal {
    Refusal::new(ErrorCode::INVALID_PARAMS, error.to_string())
}

/// What the person is told of an error of the agent's.
fn error(refusal: &Refusal) -> Error {
    let message = reason(refusal);
    if refusal.code == ErrorCode::AUTH_REQUIRED {
        return Error::SignInNeeded(message);
    }
    Error::AgentRefused {
        code: refusal.code.value(),
        message,
    }
}

/// The message, and what its data says in words.
fn reason(refusal: &Refusal) -> String {
    let said = |data: &serde_json::Value| {
        let words = ["details", "message", "reason"].into_iter();
        let inside = words
            .filter_map(|key| data.get(key))
            .find_map(serde_json::Value::as_str);
        data.as_str().or(inside).map(str::to_owned)
    };
    let mut message = refusal.message.clone();
    if let Some(said) = refusal.data.as_ref().and_then(said)
        && !message.contains(&said)
    {
        message = format!("{message}: {said}");
    }
    message.chars().take(REASON_CHARS_MAX).collect()
}
