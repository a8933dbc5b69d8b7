use super::*;
use std::sync::Arc;

use crate::corpus::class::Class;
use crate::filter::Filter;
use crate::store::MemoryStore;
use crate::testing::{Repository, workspace, write};
use crate::{Models, Options, Reach, Request, Service, Session, Stores};

const FILES: &[(&str, &str)] = &[
    (
        "shop/orders.py",
        "from shop.money import round_cents\n\n\nclass Orders:\n    def total_of_day(self, day):\n        return round_cents(day)\n",
    ),
    (
        "shop/money.py",
        "# Money.\ndef round_cents(value):\n    return round(value, 2)\n",
    ),
    (
        "shop/app.py",
        "from shop.orders import Orders\n\napp = Orders().total_of_day(1)\n",
    ),
    (
        "tests/test_orders.py",
        "from shop.orders import Orders\n\n\ndef test_total():\n    assert Orders().total_of_day(1) == 1\n",
    ),
    ("docs/notes.md", "round_cents is exact.\n"),
    (".env", "TOKEN=round_cents\n"),
    ("deploy/server.pem", "round_cents\n"),
];

fn every_file() -> Matcher {
    Filter::default().matcher().unwrap()
}

fn never() -> bool {
    false
}

fn service() -> Service {
    let store = Arc::new(MemoryStore::default());
    let stores = Stores {
        hybrid: store.clone(),
        files: store.clone(),
        keyword: store,
    };
    Service::over(Options::default(), Models::default(), stores)
}

async fn open(dir: &Path) -> Session {
    service().open(dir).await.unwrap()
}

fn lines(places: &Places) -> Vec<String> {
    let line = |found: &Found| {
        format!(
            "{}:{} {}",
            found.path,
            found.place.line,
            found.place.role.as_str()
        )
    };
    places.found.iter().map(line).collect()
}

#[tokio::test]
async fn names_are_found_where_they_are_and_secrets_stay_out() {
    let dir = workspace(FILES);
    let session = open(dir.path()).await;
    let shop = session.view();
    let wanted = Wanted::parse("round_cents").unwrap();
    let check = |how: How, filter: &Matcher, expect: &[&str]| {
        let places = shop.references(&wanted, how, filter, 50, &never);
        assert_eq!(lines(&places), expect);
        assert_eq!((places.total, places.complete), (expect.len(), true));
    };
    let code = [
        "shop/money.py:2 definition",
        "shop/orders.py:1 import",
        "shop/orders.py:6 call",
    ];
    let all = [&code[..], &["docs/notes.md:1 text"]].concat();
    check(How::Syntax, &every_file(), &all);
    check(How::Text, &every_file(), &all);
    let python = Filter {
        languages: vec![Language::Python],
        without: vec![Class::Test],
        ..Filter::default()
    };
    let python = python.matcher().unwrap();
    check(How::Syntax, &python, &code);

    let found = shop.definitions(
        &Wanted::parse("Orders.total_of_day").unwrap(),
        &every_file(),
        5,
        &never,
    );
    assert_eq!(lines(&found), ["shop/orders.py:5 definition"]);
    let items = shop.definition_items(&found.found);
    let texts: Vec<(u32, u32, &str)> = items
        .iter()
        .map(|item| (item.start_line, item.end_line, item.text.as_str()))
        .collect();
    let body = "    def total_of_day(self, day):\n        return round_cents(day)";
    assert_eq!(texts, [(5, 6, body)]);
}

#[tokio::test]
async fn what_is_asked_to_stop_says_that_it_is_not_complete() {
    let dir = workspace(FILES);
    let session = open(dir.path()).await;
    let shop = session.view();
    let wanted = Wanted::parse("round_cents").unwrap();
    let places = shop.references(&wanted, How::Syntax, &every_file(), 50, &|| true);
    assert_eq!(places, Places::default());
    let places = shop.references(&wanted, How::Syntax, &every_file(), 1, &never);
    assert_eq!((places.found.len(), places.total, places.complete), (1, 4, true));
}

#[tokio::test]
async fn a_look_sees_the_files_and_a_question_makes_the_index() {
    let dir = workspace(FILES);
    let service = service();
    let check = |session: &Session, files: usize, indexed: usize| {
        let status = session.view().status();
        assert_eq!(
            (status.files, status.indexed_files, status.commits),
            (files, indexed, 0)
        );
        assert_eq!(status.skipped[&SkipReason::Secret], 2);
    };
    check(&service.look(dir.path()).await.unwrap(), 5, 0);
    let request = Request {
        filter: Filter {
            globs: vec!["shop/**".to_owned()],
            ..Filter::default()
        },
        reach: Reach::ThisProcess,
        ..Request::new("total of a day")
    };
    let found = service.search(dir.path(), &request).await.unwrap();
    let mut paths = found.ranked.iter().map(|item| &item.path);
    assert!(
        !found.ranked.is_empty() && paths.all(|path| path.starts_with("shop/")),
        "{found:?}"
    );
    write(dir.path(), "shop/refund.py", "def refund_customer():\n    pass\n");
    let session = service.look(dir.path()).await.unwrap();
    check(&session, 6, 6);
    let shop = session.view();
    assert!(shop.has("shop/refund.py") && !shop.has(".env") && !shop.has("deploy/server.pem"));
}

#[tokio::test]
async fn related_files_say_why() {
    let repository = Repository::new();
    repository.commit("Shop", &FILES[..2], 1);
    repository.commit("App", &FILES[2..5], 2);
    for day in 3..6 {
        let text = format!("{}# {day}\n", FILES[1].1);
        let notes = format!("{}{day}\n", FILES[4].1);
        repository.commit(
            "Rounding",
            &[("shop/money.py", &text), ("docs/notes.md", &notes)],
            day,
        );
    }
    let session = open(repository.root()).await;
    let shop = session.view();
    let check = |path: &str, expect: &[(&str, &[&str])]| {
        let related = shop.related(path, &every_file(), 10, &never);
        let got: Vec<(String, Vec<&str>)> = related
            .iter()
            .map(|related| {
                let all = related.reasons.iter().map(Reason::as_str);
                let mut all: Vec<&str> = all.filter(|reason| *reason != "similar").collect();
                all.sort_unstable();
                (related.path.clone(), all)
            })
            .filter(|(_, reasons)| !reasons.is_empty())
            .collect();
        let expect: Vec<(String, Vec<&str>)> = expect
            .iter()
            .map(|(path, why)| ((*path).to_owned(), why.to_vec()))
            .collect();
        assert_eq!(got, expect, "{path}");
    };
    check(
        "shop/money.py",
        &[
            ("shop/orders.py", &["history", "imports", "uses"]),
            ("docs/notes.md", &["history"]),
        ],
    );
    check(
        "tests/test_orders.py",
        &[
            ("shop/orders.py", &["defines", "imported", "test"]),
            ("shop/app.py", &["history"]),
            ("docs/notes.md", &["history"]),
        ],
    );
    assert_eq!(shop.related(".env", &every_file(), 10, &never), []);
    assert_eq!(shop.related("absent.py", &every_file(), 10, &never), []);
}
