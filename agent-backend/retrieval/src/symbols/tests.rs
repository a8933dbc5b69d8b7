use super::*;

/// Role, line and what is defined or around, of each place.
#[track_caller]
fn check(path: &str, text: &str, name: &str, expect: &[&str]) {
    let places = places(Language::of(path), text, name).unwrap();
    let got: Vec<String> = places
        .iter()
        .map(|place| match &place.definition {
            Some(found) => format!(
                "{} {} {} {}-{}",
                place.line,
                found.kind.as_str(),
                found.symbol,
                found.start_line,
                found.end_line
            ),
            None => format!(
                "{} {} in {}",
                place.line,
                place.role.as_str(),
                place.within.as_deref().unwrap_or("-")
            ),
        })
        .collect();
    assert_eq!(got, expect, "{path} {name}");
}

const PYTHON: &str = "\
from shop.orders import total  # total
LIMIT = 3


class Orders:
    \"\"\"total\"\"\"
    rate = 2

    # Adds up.
    @cached
    def total(self, total=None):
        return f\"{total} total\" + self.total(LIMIT)


def main():
    total = Orders().total
    return total(LIMIT), Orders.rate
";

#[test]
fn python() {
    check(
        "a.py",
        PYTHON,
        "total",
        &[
            "1 import in -",
            "11 method Orders.total 9-12",
            "11 use in Orders.total",
            "12 use in Orders.total",
            "12 call in Orders.total",
            "16 use in main",
            "16 use in main",
            "17 call in main",
        ],
    );
    check(
        "a.py",
        PYTHON,
        "LIMIT",
        &["2 variable LIMIT 2-2", "12 use in Orders.total", "17 use in main"],
    );
    check(
        "a.py",
        PYTHON,
        "rate",
        &["7 field Orders.rate 7-7", "17 use in main"],
    );
    check(
        "a.py",
        PYTHON,
        "Orders",
        &["5 class Orders 5-12", "16 call in main", "17 use in main"],
    );
}

#[test]
fn rust() {
    let text = "\
use crate::store::Store;

/// A store of `Store`.
#[derive(Debug)]
pub struct Memory {
    size: usize,
}

const SIZE: usize = 1;

impl Store for Memory {
    fn open(size: usize) -> Self {
        let open = \"open\"; // open
        Self { size }.open::<u8>(SIZE)
    }
}

trait Store {
    fn open(size: usize) -> Self;
}
enum Mode { Memory }
macro_rules! open { () => {} }
fn main() { open!(); Memory::open(SIZE); }
";
    check(
        "a.rs",
        text,
        "open",
        &[
            "12 method Memory::open 12-15",
            "13 use in Memory::open",
            "14 call in Memory::open",
            "19 method Store::open 19-19",
            "22 macro open 22-22",
            "23 call in main",
            "23 call in main",
        ],
    );
    check(
        "a.rs",
        text,
        "SIZE",
        &["9 constant SIZE 9-9", "14 use in Memory::open", "23 use in main"],
    );
    check(
        "a.rs",
        text,
        "Memory",
        &[
            "5 struct Memory 3-7",
            "11 use in Memory",
            "21 variant Mode::Memory 21-21",
            "23 use in main",
        ],
    );
    check(
        "a.rs",
        text,
        "Store",
        &["1 import in -", "11 use in Memory", "18 trait Store 18-20"],
    );
}

#[test]
fn scripts() {
    let text = "\
import { load } from './load';
/** Loads. */
export const load2 = async () => load('load');
export interface Shape { load: number; area(): number }
class Circle { load = 1; area() { return this.load; } }
enum Mode { Fast }
new Circle().area();
";
    check(
        "a.ts",
        text,
        "load",
        &[
            "1 import in -",
            "3 call in load2",
            "4 field Shape.load 4-4",
            "5 field Circle.load 5-5",
            "5 use in Circle.area",
        ],
    );
    check("a.ts", text, "load2", &["3 function load2 2-3"]);
    check(
        "a.ts",
        text,
        "area",
        &[
            "4 method Shape.area 4-4",
            "5 method Circle.area 5-5",
            "7 call in -",
        ],
    );
    check("a.ts", text, "Fast", &["6 variant Mode.Fast 6-6"]);
    check("a.ts", text, "Circle", &["5 class Circle 5-5", "7 call in -"]);
}

#[test]
fn go_and_java() {
    let text = "package a\n\n// Server serves.\ntype Server struct{ addr string }\n\nfunc (s *Server) Start(addr string) {\n\ts.Start(s.addr)\n}\n";
    check(
        "a.go",
        text,
        "Start",
        &["6 method Server.Start 6-8", "7 call in Server.Start"],
    );
    check(
        "a.go",
        text,
        "Server",
        &["4 struct Server 3-4", "6 use in Server.Start"],
    );
    check(
        "a.go",
        text,
        "addr",
        &[
            "4 field Server.addr 4-4",
            "6 use in Server.Start",
            "7 use in Server.Start",
        ],
    );
    let text = "import a.Till;\nclass Shop {\n  int rate = 1;\n  Till till() { return new Till(rate); }\n}\n";
    check(
        "A.java",
        text,
        "Till",
        &["1 import in -", "4 use in Shop.till", "4 call in Shop.till"],
    );
    check(
        "A.java",
        text,
        "rate",
        &["3 field Shop.rate 3-3", "4 use in Shop.till"],
    );
}

#[test]
fn c_and_cpp() {
    let text = "#define MAX 3\nint count(int);\nstatic struct list *head = 0;\nint *count(int n) { return count(n + MAX); }\ntypedef struct node { int n; } node_t;\n";
    check(
        "a.c",
        text,
        "count",
        &["2 function count 2-2", "4 function count 4-4", "4 call in count"],
    );
    check("a.c", text, "MAX", &["1 constant MAX 1-1", "4 use in count"]);
    check("a.c", text, "head", &["3 variable head 3-3"]);
    check("a.c", text, "node_t", &["5 type node_t 5-5"]);
    let text = "namespace n {\nclass A { void go(); };\n}\nvoid n::A::go() { go(); }\n";
    check(
        "a.cpp",
        text,
        "go",
        &[
            "2 method n::A::go 2-2",
            "4 function n::A::go 4-4",
            "4 call in n::A::go",
        ],
    );
}

#[test]
fn text_is_found_as_whole_words() {
    let check = |text: &str, name: &str, expect: &[(u32, u32)]| {
        let got: Vec<(u32, u32)> = places_in_text(text, name)
            .iter()
            .map(|place| (place.line, place.column))
            .collect();
        assert_eq!(got, expect, "{text:?} {name}");
    };
    check("run it\n# rerun run_ run.", "run", &[(1, 1), (2, 14)]);
    check("ä run", "run", &[(1, 4)]);
    check("run", "", &[]);
    assert_eq!(places(Language::Markdown, "run", "run"), None);
    assert_eq!(shown(&format!("  {}", "ä".repeat(400))).chars().count(), 121);
}

#[test]
fn names_are_taken_apart() {
    let check = |symbol: &str, expect: Option<(&str, &[&str])>| {
        let got = Wanted::parse(symbol);
        let expect = expect.map(|(name, qualifiers)| Wanted {
            name: name.into(),
            qualifiers: qualifiers.iter().map(|part| (*part).to_owned()).collect(),
        });
        assert_eq!(got, expect, "{symbol}");
    };
    check("total", Some(("total", &[])));
    check(" Orders.total() ", Some(("total", &["Orders"])));
    check("a::B<T>", Some(("B", &["a"])));
    check("vec!", Some(("vec", &[])));
    check("$el", Some(("$el", &[])));
    check("größe", Some(("größe", &[])));
    check("", None);
    check("()", None);
    check("a-b", None);
    check("how is it done?", None);
    check(&"a".repeat(NAME_BYTES_MAX + 1), None);
}

#[test]
fn qualifiers_are_types_modules_or_files() {
    let check = |wanted: &str, path: &str, symbol: &str, expect: bool| {
        assert_eq!(
            Wanted::parse(wanted).unwrap().means(path, symbol),
            expect,
            "{wanted} {path} {symbol}"
        );
    };
    check("total", "a/b.py", "Orders.total", true);
    check("Orders.total", "a/b.py", "Orders.total", true);
    check("orders.total", "a/orders.py", "total", true);
    check("a.orders.total", "x/a/orders.py", "total", true);
    check("self.total", "a/b.py", "Orders.total", true);
    check("Bills.total", "a/b.py", "Orders.total", false);
    check("total.total", "a/b.py", "total", false);
}
