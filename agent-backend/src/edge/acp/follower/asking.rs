//! Puts a question of a workflow to the client, and gives its answer on.

use agent_client_protocol::v1::schema::ToolCallUpdate;
use engine::{
    Recorded,
    artifact::{Decision, Selection},
};
use shared::{error::Code, id::WorkflowId};

use super::{
    super::{
        client::{Answer, Question, State, Stop},
        settings::{Review, Settings},
        updates,
    },
    Following, Waits,
};
use crate::{
    error::Error,
    runtime::{Decided, Scope, Update, Watch},
};

/// What is said when a question waits for words.
const WORDS: &str = "What should be changed? Your next message is the feedback.";

/// The same, where a planner has asked.
const WORDS_OF_AN_ANSWER: &str = "Your next message is the answer.";

/// What a form is headed with.
const WORDS_OF_A_FORM: &str = "What should be changed?";

impl Following {
    /// Asks the client until something happens; what that was.
    pub(super) async fn ask(
        &self,
        watch: &mut Watch,
        workflow: &WorkflowId,
        asked: &Recorded,
        (question, call): (Question, ToolCallUpdate),
    ) -> Result<Option<Update>, Error> {
        let mut rounds = self.session.rounds();
        loop {
            let round = *rounds.borrow_and_update();
            self.place
                .send_modify(|place| (place.waits, place.round) = (Waits::Nothing, round));
            let waits = tokio::select! {
                biased;
                // A question that is not waited for any more is withdrawn.
                next = watch.next() => return next,
                Ok(()) = rounds.changed() => continue,
                waits = self.put(workflow, asked, question, call.clone()) => waits,
            };
            self.client.state(match waits {
                Waits::Nothing => State::Running,
                Waits::Words => State::Idle(Stop::Ended),
                Waits::Others => State::Idle(Stop::Cancelled),
            });
            self.place.send_modify(|place| place.waits = waits);
            tokio::select! {
                biased;
                next = watch.next() => return next,
                Ok(()) = rounds.changed() => {}
            }
        }
    }

    /// Puts a question to the client and gives its answer on. Whoever stops the
    /// turn does not answer, unless the answer was there before.
    async fn put(
        &self,
        workflow: &WorkflowId,
        asked: &Recorded,
        question: Question,
        call: ToolCallUpdate,
    ) -> Waits {
        let stopped = self.session.stopped(self.me);
        tokio::select! {
            biased;
            waits = self.put_on(workflow, asked, question, call) => waits,
            () = stopped => Waits::Others,
        }
    }

    async fn put_on(
        &self,
        workflow: &WorkflowId,
        asked: &Recorded,
        question: Question,
        call: ToolCallUpdate,
    ) -> Waits {
        self.ready.cancelled().await;
        let here = Some((workflow.clone(), asked.seq));
        let (mut parked, mut settings) = (self.session.parked(), self.session.settings());
        let by_itself = async {
            let chosen = settings.wait_for(|settings| settings.review != Review::Ask).await;
            match chosen.map(|settings| settings.review) {
                Ok(Review::Accept) => Answer::Accept,
                Ok(Review::Reject | Review::Ask) => Answer::Reject,
                Err(_) => std::future::pending().await,
            }
        };
        let heading = match question {
            Question::Unclear => call.fields.title.clone(),
            Question::Review | Question::Help | Question::Unisolated | Question::Tool => None,
        };
        let asks = async {
            self.client.state(State::Asks);
            // What a planner wants to know is asked for by a form, where there are any.
            let words = match &heading {
                Some(heading) => self.client.words(heading).await,
                None => None,
            };
            match words {
                Some(words) => Some((Answer::Modify, Some(words))),
                None => self.client.ask(call, question).await.map(|answer| (answer, None)),
            }
        };
        let answer = tokio::select! {
            biased;
            _ = parked.wait_for(|parked| *parked == here) => {
                self.client.tell(updates::say(words_of(question)));
                return Waits::Words;
            }
            answer = by_itself, if question == Question::Review => Some((answer, None)),
            answer = asks => answer,
        };
        let Some((answer, mut words)) = answer else {
            return Waits::Others;
        };
        match answer {
            Answer::Accept => self.decide(workflow, Decision::Accept(Selection::All)).await,
            Answer::Reject => self.decide(workflow, Decision::Reject { feedback: None }).await,
            Answer::Always if question.is_about_leave() => {
                self.for_good(workflow, Decision::Accept(Selection::All)).await
            }
            Answer::Never if question.is_about_leave() => {
                self.for_good(workflow, Decision::Reject { feedback: None }).await
            }
            // Whoever follows the session answers then.
            Answer::Always => self.always(workflow, Review::Accept).await,
            Answer::Never => self.always(workflow, Review::Reject).await,
            Answer::Modify => {
                if words.is_none() {
                    words = self
                        .client
                        .words(heading.as_deref().unwrap_or(WORDS_OF_A_FORM))
                        .await;
                }
                let Some(feedback) = words else {
                    self.session.park((workflow.clone(), asked.seq));
                    self.client.tell(updates::say(words_of(question)));
                    return Waits::Words;
                };
                if !self.client.hears_itself() {
                    self.said.add(&feedback);
                }
                self.decide(workflow, Decision::Modify { feedback }).await
            }
        }
    }

    /// Answers this question and all that follow in the session.
    async fn always(&self, workflow: &WorkflowId, review: Review) -> Waits {
        let settings = Settings {
            review,
            ..self.session.settings().borrow().clone()
        };
        if let Err(error) = self.session.choose(&self.runtime, settings).await {
            tracing::warn!(%error, code = %error.code, session = %self.session.id, "the choice holds only this time");
        }
        let decision = match review {
            Review::Accept | Review::Ask => Decision::Accept(Selection::All),
            Review::Reject => Decision::Reject { feedback: None },
        };
        self.decide(workflow, decision).await
    }

    /// Answers for this workspace from now on.
    async fn for_good(&self, workflow: &WorkflowId, decision: Decision) -> Waits {
        let decided = Decided {
            scope: Scope::Workspace,
            ..decision.into()
        };
        self.decide(workflow, decided).await
    }

    /// Somebody else's answer that came first stands.
    async fn decide(&self, workflow: &WorkflowId, decided: impl Into<Decided>) -> Waits {
        match self.runtime.decide(workflow, None, decided).await {
            Ok(()) => Waits::Nothing,
            Err(error) if error.code == Code::DecisionNotPending => Waits::Nothing,
            Err(error) => {
                let words = format!("\n\nThis was not decided ({}): {error}", error.code);
                self.client.tell(updates::say(&words));
                Waits::Others
            }
        }
    }
}

fn words_of(question: Question) -> &'static str {
    match question {
        Question::Review | Question::Help | Question::Unisolated | Question::Tool => WORDS,
        Question::Unclear => WORDS_OF_AN_ANSWER,
    }
}
