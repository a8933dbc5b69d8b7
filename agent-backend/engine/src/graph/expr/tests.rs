use super::*;

struct World;

impl Facts for World {
    fn number(&self, number: Number) -> u64 {
        match number {
            Number::PlanFiles => 3,
            Number::Iteration => 1,
            Number::PlanSteps
            | Number::PlanModules
            | Number::ContextItems
            | Number::ContextTokens
            | Number::ProposalFiles
            | Number::LinesAdded
            | Number::LinesRemoved
            | Number::ChecksPassed
            | Number::ChecksFailed
            | Number::Failures
            | Number::Feedback => 0,
        }
    }

    fn text(&self, text: &Text) -> String {
        match text {
            Text::Query => "add login".to_owned(),
            Text::Item => "src/auth".to_owned(),
            Text::Stage(stage) => format!("{stage}!"),
            Text::PlanSummary | Text::ContextMode => String::new(),
        }
    }

    fn list(&self, list: List) -> Vec<String> {
        match list {
            List::PlanFiles => vec!["a.py".to_owned(), "docs/b.md".to_owned()],
            List::PlanSteps | List::PlanModules | List::ContextFiles | List::ProposalFiles => Vec::new(),
        }
    }
}

fn check(source: &str, expect: bool) {
    assert_eq!(Expr::parse(source).unwrap().holds(&World), expect, "{source}");
}

fn refuse(source: &str, offset: usize, part: &str) {
    let error = Expr::parse(source).unwrap_err();
    assert_eq!(error.offset, offset, "{source}: {error}");
    assert!(error.message.contains(part), "{source}: {error}");
}

#[test]
fn conditions_hold_or_not() {
    check("true", true);
    check("not true", false);
    check("plan.files.count > 2", true);
    check("plan.files.count >= 3 and plan.files.count <= 3", true);
    check("plan.files.count != 3 or iteration == 1", true);
    check("false and false or true", true);
    check("false and (false or true)", false);
    check("not (iteration < 1)", true);
    check("query == 'add login'", true);
    check("query != \"add login\"", false);
    check("item == \"src/auth\"", true);
    check("stage.checks == \"checks!\"", true);
    check("any(plan.files, \"*.md\")", true);
    check("all(plan.files, \"*.md\")", false);
    check("all(plan.steps, \"x\")", true);
    check("any(plan.steps, \"*\")", false);
    check("matches(query, \"*login*\")", true);
    check("3 > 2", true);
}

#[test]
fn patterns() {
    let check = |pattern: &str, text: &str, expect: bool| {
        assert_eq!(matches(pattern, text), expect, "{pattern} {text}");
    };
    check("", "", true);
    check("*", "", true);
    check("", "a", false);
    check("a?c", "abc", true);
    check("a?c", "ac", false);
    check("*b*d", "abcbd", true);
    check("*b*d", "abcdc", false);
    check("**", "ä🦀", true);
    check("?", "🦀", true);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    refuse("", 0, "a value was expected");
    refuse("plan.files.count", 16, "a comparison was expected");
    refuse("plan.files.count > ", 19, "a value was expected");
    refuse("plan.files > 2", 0, "is a list");
    refuse("plan.fils.count > 2", 0, "is not known");
    refuse("iteration == \"1\"", 13, "like with like");
    refuse("query < \"b\"", 0, "no order");
    refuse("true == true", 0, "not compared");
    refuse("iteration > 1 iteration", 14, "`and`, `or` or the end");
    refuse("any(plan.file, \"*\")", 4, "a list was expected");
    refuse("any(plan.files, x)", 16, "a pattern in quotes");
    refuse("matches(iteration, \"1\")", 8, "needs a text");
    refuse("(true", 5, "`)` was expected");
    refuse("query == \"open", 9, "no closing");
    refuse("iteration + 1 > 2", 10, "means nothing");
    refuse("iteration > 99999999999999999999", 12, "too large");
    refuse(&"not ".repeat(40), 32 * 4, "nested deeper");
    refuse(&"x".repeat(1_001), 0, "1001 bytes");
}

#[test]
fn a_condition_says_what_it_asks_about() {
    let expr = Expr::parse("stage.a == \"failed\" or (stage.b != \"failed\" and item == \"x\")").unwrap();
    assert_eq!(expr.stages(), [&StageId::new("a"), &StageId::new("b")]);
    assert!(expr.asks_for_item());
    assert!(!Expr::parse("iteration > 1").unwrap().asks_for_item());
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(source in "[a-z.()<>=!\"' ,0-9*]{0,60}") {
        if let Ok(expr) = Expr::parse(&source) {
            let _ = expr.holds(&World);
        }
    }
}
