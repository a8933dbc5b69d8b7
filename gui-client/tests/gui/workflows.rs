//! The list of workflows, and beginning anew from a stage of one.

use gui_client::{
    Error,
    app::{Message, Options, Pane},
    model::Phase,
    screen::{
        review::Toward,
        workflows::{self, Event, Place, Workflows, search_id},
    },
    shortcut::Shortcut,
};
use iced_test::runtime::task;
use shared::{
    id::{CorrelationId, Seq, WorkflowId},
    wire::{WorkflowPage, WorkflowState, WorkflowSummary},
};

use crate::support::{Driver, proposed, run};

fn summary(number: u64, query: &str) -> WorkflowSummary {
    WorkflowSummary {
        workflow_id: WorkflowId::new(format!("w{number}")),
        correlation_id: CorrelationId::new(format!("c{number}")),
        workflow_type: "feature_implementation".to_owned(),
        user_query: query.to_owned(),
        workspace: "/shop".to_owned(),
        state: WorkflowState::Completed,
        head: Seq(9),
        created_at: number,
        updated_at: number,
    }
}

fn page(workflows: Vec<WorkflowSummary>, next_cursor: Option<&str>) -> Box<WorkflowPage> {
    Box::new(WorkflowPage {
        workflows,
        next_cursor: next_cursor.map(str::to_owned),
    })
}

/// What comes of a message.
fn told(screen: &mut Workflows, message: workflows::Message) -> Option<Event> {
    screen.update(message).1
}

fn list(cursor: Option<&str>, generation: u32) -> Option<Event> {
    Some(Event::List {
        cursor: cursor.map(str::to_owned),
        generation,
    })
}

fn found(screen: &Workflows) -> Vec<&str> {
    screen
        .found()
        .map(|workflow| workflow.user_query.as_str())
        .collect()
}

#[test]
fn a_search_goes_on_to_older_pages_until_they_end() {
    let mut screen = Workflows::default();
    assert_eq!(told(&mut screen, workflows::Message::Refresh), list(None, 1));
    let newest = page(
        vec![summary(3, "Add a cache"), summary(2, "Export orders")],
        Some("w2"),
    );
    assert_eq!(told(&mut screen, workflows::Message::Listed(1, Ok(newest))), None);
    assert_eq!(found(&screen), ["Add a cache", "Export orders"]);
    let words = workflows::Message::Words("orders SHOP".to_owned());
    assert_eq!(told(&mut screen, words), list(Some("w2"), 2));
    let older = page(vec![summary(1, "List orders")], None);
    assert_eq!(told(&mut screen, workflows::Message::Listed(2, Ok(older))), None);
    assert_eq!(found(&screen), ["Export orders", "List orders"]);
    let state = workflows::Message::Words("completed cache".to_owned());
    assert_eq!(told(&mut screen, state), None);
    assert_eq!(found(&screen), ["Add a cache"]);
}

#[test]
fn an_answer_to_an_older_question_changes_nothing() {
    let mut screen = Workflows::default();
    told(&mut screen, workflows::Message::Refresh);
    told(&mut screen, workflows::Message::Refresh);
    let late = page(vec![summary(1, "Late")], None);
    assert_eq!(told(&mut screen, workflows::Message::Listed(1, Ok(late))), None);
    assert!(found(&screen).is_empty() && screen.is_asking());
    let error = Error::Unexpected("no list".to_owned());
    told(&mut screen, workflows::Message::Listed(2, Err(error.clone())));
    assert!(!screen.is_asking());
    assert_eq!(screen.error, Some(error));
}

#[test]
fn the_keyboard_goes_along_what_is_found() {
    let mut screen = Workflows::default();
    told(&mut screen, workflows::Message::Refresh);
    let both = page(vec![summary(2, "Two"), summary(1, "One")], None);
    told(&mut screen, workflows::Message::Listed(1, Ok(both)));
    assert_eq!(told(&mut screen, workflows::Message::Press), None);
    for toward in [
        Toward::Next,
        Toward::Next,
        Toward::Next,
        Toward::Previous,
        Toward::Next,
    ] {
        told(&mut screen, workflows::Message::Step(toward));
    }
    assert_eq!(
        told(&mut screen, workflows::Message::Press),
        Some(Event::Open(summary(1, "One")))
    );
}

#[test]
fn what_has_changed_is_taken_in_around_what_is_read() {
    let mut screen = Workflows::default();
    told(&mut screen, workflows::Message::Refresh);
    let newest = page(vec![summary(3, "Three"), summary(2, "Two")], Some("w2"));
    told(&mut screen, workflows::Message::Listed(1, Ok(newest)));
    told(&mut screen, workflows::Message::More);
    told(
        &mut screen,
        workflows::Message::Listed(2, Ok(page(vec![summary(1, "One")], None))),
    );
    for _ in 0..3 {
        told(&mut screen, workflows::Message::Step(Toward::Next));
    }
    let moves = |screen: &mut Workflows, offset: f32, height: f32| {
        let placed = workflows::Message::Placed(Place { offset, height });
        task::into_stream(screen.update(placed).0).is_some()
    };
    assert!(!moves(&mut screen, 50.0, 300.0));

    assert_eq!(told(&mut screen, workflows::Message::Poll), list(None, 3));
    assert!(!screen.is_asking(), "nobody has asked");
    assert_eq!(told(&mut screen, workflows::Message::Poll), None);
    let running = WorkflowSummary {
        state: WorkflowState::Running,
        ..summary(3, "Three")
    };
    let newest = page(vec![summary(4, "Four"), running.clone()], Some("w3"));
    assert_eq!(told(&mut screen, workflows::Message::Listed(3, Ok(newest))), None);
    assert_eq!(found(&screen), ["Four", "Three", "Two", "One"]);
    assert_eq!(screen.found().nth(1), Some(&running));
    assert_eq!(
        told(&mut screen, workflows::Message::Press),
        Some(Event::Open(summary(1, "One")))
    );
    assert!(moves(&mut screen, 50.0, 400.0), "one more is above");
    assert!(!moves(&mut screen, 150.0, 400.0));

    // With too many new ones the older ones are behind the next page.
    told(&mut screen, workflows::Message::Poll);
    let newest = page(vec![summary(9, "Nine"), summary(8, "Eight")], Some("w8"));
    told(&mut screen, workflows::Message::Listed(4, Ok(newest)));
    assert_eq!(found(&screen), ["Nine", "Eight"]);
    assert_eq!(told(&mut screen, workflows::Message::More), list(Some("w8"), 5));
}

#[test]
fn the_list_is_searched_and_a_workflow_is_left_and_opened_again() {
    run(async {
        let mut driver = proposed().await;
        driver.click("Workflows").await;
        assert!(driver.sees("Lock accounts").await && driver.sees("Move sessions to Redis").await);
        driver.write(search_id(), "csv").await;
        assert!(driver.sees("Export orders as CSV, with a test").await);
        assert!(!driver.sees("Move sessions to Redis").await);
        driver.click("New request").await;
        assert!(driver.app.workflow.is_none());
        driver
            .send(Message::Workflows(workflows::Message::Words("lock".to_owned())))
            .await;
        driver.send(Message::Shortcut(Shortcut::NextAct)).await;
        driver.send(Message::Shortcut(Shortcut::Act)).await;
        driver.follow().await;
        let workflow = driver.app.workflow.as_ref().unwrap();
        assert!(matches!(workflow.phase, Phase::Review { .. }));
        assert_eq!(
            (workflow.query.as_str(), workflow.files.len(), driver.app.pane),
            ("Lock accounts", 3, Pane::Review)
        );
    });
}

#[test]
fn what_runs_is_cancelled_from_the_list() {
    run(async {
        let mut driver = Driver::connected(Options::default()).await;
        driver.propose().await;
        driver.send(Message::Shortcut(Shortcut::ShowWorkflows)).await;
        assert!(
            driver
                .sees("waits for your decision · just now · feature_implementation · /home/ada/shop")
                .await
        );
        let id = driver.app.workflow.as_ref().unwrap().id.clone();
        driver
            .send(Message::Workflows(workflows::Message::Cancel(id)))
            .await;
        let states: Vec<WorkflowState> = driver
            .app
            .workflows
            .found()
            .map(|workflow| workflow.state)
            .collect();
        assert_eq!(states[0], WorkflowState::Cancelled);
    });
}

#[test]
fn a_new_workflow_goes_on_from_a_stage() {
    run(async {
        let mut driver = proposed().await;
        let began = |driver: &Driver, id: &str| {
            let workflow = driver.app.workflow.as_ref().unwrap();
            let stage = workflow.stages.iter().find(|stage| stage.id.as_str() == id);
            stage.and_then(|stage| stage.began).unwrap()
        };
        let (first, second) = (began(&driver, "retrieval"), began(&driver, "planning"));
        driver.click("Fork").await;
        driver.follow().await;
        // Stages are at rest again, and the keyboard reaches them.
        driver.send(Message::Shortcut(Shortcut::NextAct)).await;
        driver.send(Message::Shortcut(Shortcut::NextAct)).await;
        driver.send(Message::Shortcut(Shortcut::Act)).await;
        assert_eq!(driver.fake.forks(), [first, second]);
        assert_eq!(driver.app.workflow.as_ref().unwrap().head, Seq::default());
    });
}
