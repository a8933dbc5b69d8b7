use super::*;
use crate::report::Item;

/// Kind, subject and place of each finding.
#[track_caller]
fn check(code: Code, message: &str, expect: &[&str]) {
    let got: Vec<String> = diagnose(code, message)
        .into_iter()
        .map(|finding| {
            let place = match (finding.path, finding.line) {
                (Some(path), Some(line)) => format!(" @{path}:{line}"),
                (Some(path), None) => format!(" @{path}"),
                (None, _) => String::new(),
            };
            format!("{} {}{place}", finding.kind.as_str(), finding.subject)
        })
        .collect();
    assert_eq!(got, expect, "{message}");
}

#[test]
fn imports_that_lead_nowhere() {
    let traceback = "Traceback (most recent call last):\n  File \"shop/app.py\", line 3, in <module>\n    from shop.money import round_cents\nModuleNotFoundError: No module named 'shop.money'";
    check(
        Code::ChecksFailed,
        traceback,
        &["unresolved_import shop.money @shop/app.py:3"],
    );
    check(
        Code::ChecksFailed,
        "ImportError: cannot import name 'round_cents' from 'shop.money' (/w/shop/money.py)",
        &["unresolved_import shop.money.round_cents"],
    );
    check(
        Code::ChecksFailed,
        "error[E0432]: unresolved import `crate::store::Memory`\n --> src/app.rs:3:5\n",
        &["unresolved_import crate::store::Memory @src/app.rs:3"],
    );
    check(
        Code::ChecksFailed,
        "src/a.ts(3,5): error TS2307: Cannot find module './b' or its types.",
        &["unresolved_import ./b @src/a.ts:3"],
    );
    check(
        Code::ChecksFailed,
        "a.c:1:10: fatal error: list.h: No such file or directory",
        &["unresolved_import list.h @a.c:1"],
    );
    check(
        Code::ChecksFailed,
        "A.java:1: error: package shop.till does not exist",
        &["unresolved_import shop.till @A.java:1"],
    );
}

#[test]
fn names_members_and_types() {
    check(
        Code::ChecksFailed,
        "NameError: name 'total' is not defined",
        &["undefined_name total"],
    );
    check(
        Code::ChecksFailed,
        "ReferenceError: total is not defined",
        &["undefined_name total"],
    );
    check(
        Code::ChecksFailed,
        "./a.go:4:2: undefined: total",
        &["undefined_name total @./a.go:4"],
    );
    check(
        Code::ChecksFailed,
        "error[E0425]: cannot find function `total` in this scope\n  --> src/a.rs:9:1",
        &["undefined_name total @src/a.rs:9"],
    );
    check(
        Code::ChecksFailed,
        "AttributeError: module 'shop.money' has no attribute 'total'",
        &["no_such_member shop.money total"],
    );
    check(
        Code::ChecksFailed,
        "error TS2339: Property 'total' does not exist on type 'Orders'.",
        &["no_such_member Orders total"],
    );
    check(
        Code::ChecksFailed,
        "TypeError: total() missing 1 required positional argument: 'day'",
        &["wrong_type total() missing 1 required positional argument: 'day'"],
    );
}

#[test]
fn syntax_keeps_the_file() {
    let check_adapted = |message: &str, path: &str| {
        let adaptation = adapt(&diagnose(Code::ChecksFailed, message));
        assert_eq!(
            (adaptation.keep, adaptation.queries),
            (vec![path.to_owned()], vec![]),
            "{message}"
        );
    };
    check_adapted("syntax: a.py:2: `)` is missing near `def f(:`", "a.py");
    check_adapted("python-compile: shop/a.py:2: '[' was never closed", "shop/a.py");
    check_adapted(
        "  File \"/tmp/w/a.py\", line 2\n    x = [1\nSyntaxError: '[' was never closed",
        "/tmp/w/a.py",
    );
}

#[test]
fn tests_lead_to_what_they_test() {
    check(
        Code::ChecksFailed,
        "FAILED tests/test_orders.py::Orders::test_total - AssertionError: 1 != 2",
        &["failing_test test_total @tests/test_orders.py"],
    );
    check(
        Code::ChecksFailed,
        "FAIL: test_total (tests.test_orders.Orders.test_total)",
        &["failing_test test_total @tests/test_orders.py"],
    );
    check(
        Code::ChecksFailed,
        "test store::opens ... FAILED",
        &["failing_test store::opens"],
    );
    check(
        Code::ChecksFailed,
        "FAIL src/a.test.ts",
        &["failing_test src/a.test.ts @src/a.test.ts"],
    );
    let adaptation = adapt(&diagnose(
        Code::ChecksFailed,
        "FAILED tests/test_orders.py::test_total",
    ));
    let fits = |path: &str| adaptation.boosts.iter().any(|boost| boost.of.fits(path));
    assert!(fits("shop/orders.py") && fits("tests/test_orders.py") && !fits("shop/customers.py"));
}

#[test]
fn answers_that_say_nothing_about_code() {
    for code in [
        Code::AnswerEmpty,
        Code::AnswerTruncated,
        Code::ModelTimeout,
        Code::NoChange,
    ] {
        check(code, "shop/a.py: No module named 'b'", &["unusable_answer "]);
        assert_eq!(adapt(&diagnose(code, "x")), Adaptation::default());
    }
    let mismatch = "the edit of `shop/a.py` does not apply: block 1: not found";
    check(Code::EditDoesNotApply, mismatch, &["edit_mismatch  @shop/a.py"]);
    assert_eq!(
        adapt(&diagnose(Code::EditDoesNotApply, mismatch)).keep,
        ["shop/a.py"]
    );
    check(
        Code::ChecksFailed,
        "\nsecrets: a key was found",
        &["other secrets: a key was found"],
    );
    check(Code::ChecksFailed, "", &["other "]);
}

#[test]
fn long_messages_are_read_from_both_ends() {
    let noise = "x\n".repeat(40_000);
    let message =
        format!("NameError: name 'first' is not defined\n{noise}NameError: name 'last' is not defined");
    check(
        Code::ChecksFailed,
        &message,
        &["undefined_name first", "undefined_name last"],
    );
    let many: String = (0..50)
        .map(|n| format!("NameError: name 'n{n}' is not defined\n"))
        .collect();
    assert_eq!(diagnose(Code::ChecksFailed, &many).len(), FINDINGS_MAX);
}

#[test]
fn modules_and_their_files() {
    let check = |module: &str, path: &str, expect: bool| {
        assert_eq!(is_of_module(path, module), expect, "{module} {path}")
    };
    check("shop.money", "shop/money.py", true);
    check("shop.money", "src/shop/money.py", true);
    check("shop.money.round_cents", "shop/money.py", true);
    check("shop.money", "billing/money.py", false);
    check("money", "shop/money.py", true);
    check("shop", "shop/__init__.py", true);
    check("crate::store::Memory", "src/store.rs", true);
    check("crate::store", "src/store/mod.rs", true);
    check("./b", "src/b.ts", true);
    check("shop.money", "shop/orders.py", false);
    check("", "shop/orders.py", false);
}

#[test]
fn boosted_files_come_first_and_named_ones_are_found() {
    let item = |path: &str, score: f64| Merged {
        item: Item {
            path: path.into(),
            start_line: 1,
            end_line: 1,
            score,
            ..Item::default()
        },
        found_by: vec![0],
    };
    let mut merged = vec![item("a.py", 2.0), item("shop/money.py", 1.0), item("b.py", 0.5)];
    let adaptation = adapt(&diagnose(Code::ChecksFailed, "No module named 'shop.money'"));
    boost(&mut merged, &adaptation.boosts);
    let order: Vec<(&str, f64)> = merged
        .iter()
        .map(|one| (one.item.path.as_str(), one.item.score))
        .collect();
    assert_eq!(order, [("shop/money.py", 3.0), ("a.py", 2.0), ("b.py", 0.5)]);
    let files = ["a.py", "b.py", "shop/a.py", "shop/b.py", "shop/deep/c.py"];
    let named = ["/tmp/w/shop/b.py", "./a.py", "d.py", "/x/shop/b.py", "c.py"].map(str::to_owned);
    assert_eq!(
        resolve(&named, &files.map(str::to_owned)),
        ["shop/b.py", "a.py", "shop/deep/c.py"]
    );
}
