use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

mod outlines;

fn definitions(language: Language, text: &str) -> Vec<syntax::Definition> {
    match syntax::definitions(language, text, &mut || true) {
        syntax::Outcome::Parsed(definitions) => definitions,
        syntax::Outcome::NoGrammar | syntax::Outcome::GivenUp => Vec::new(),
    }
}

/// One line per chunk: kind, symbol, lines.
fn outline(language: Language, text: &str) -> String {
    let chunks = chunk(language, text);
    let mut out = String::new();
    for Chunk {
        kind,
        symbol,
        start_line,
        end_line,
        ..
    } in &chunks.chunks
    {
        let symbol = symbol.as_deref().unwrap_or("-");
        writeln!(out, "{start_line}-{end_line} {} {symbol}", kind.as_str()).unwrap();
    }
    out
}

/// `text` starts with a line end, for the look of it; it is not part of the file.
#[track_caller]
fn check(language: Language, text: &str, expect: &str) {
    let text = text.strip_prefix('\n').unwrap_or(text);
    let expect: String = expect
        .trim()
        .lines()
        .map(|line| format!("{}\n", line.trim()))
        .collect();
    assert_eq!(chunk(language, text).cut, Cut::Syntax);
    assert_eq!(outline(language, text), expect);
    assert_eq!(
        definitions(language, text),
        syntax::definitions_of_whole(language, text)
    );
}

#[test]
fn python() {
    check(
        Language::Python,
        r#"
"""Users."""
import os

# Loads
# them.
def load(path):
    return os.open(path)  # here

@dataclass
class User:
    """A user."""
    name: str

    @property
    def title(self):
        def inner():
            pass
        return self.name

    async def save(self):
        pass

    kind = 1

if True:
    def later():
        pass

print("x")
"#,
        "1-2 block -
         4-7 function load
         9-12 class User
         14-18 method User.title
         20-21 method User.save
         23-23 class User
         25-25 block -
         26-27 function later
         29-29 block -",
    );
}

#[test]
fn rust() {
    check(
        Language::Rust,
        r#"
use std::fmt;

/// A pair.
#[derive(Debug)]
pub struct Pair<T> {
    a: T,
}

impl<T: Copy> Pair<T> {
    /// New.
    pub fn new(a: T) -> Self {
        Self { a }
    }

    const N: usize = 1;
}

impl fmt::Display for Pair<u8> {
    fn fmt(&self) {}
}

trait Shape {
    fn area(&self) -> f64;
}

macro_rules! m { () => {} }

enum E { A }

mod tests {
    #[test]
    fn works() {}
}
"#,
        "1-1 block -
         3-7 struct Pair
         9-13 method Pair::new
         15-16 impl Pair
         18-19 method Pair::fmt
         22-22 trait Shape
         23-23 method Shape::area
         26-26 macro m
         28-28 enum E
         30-32 function tests::works",
    );
}

#[test]
fn javascript() {
    check(
        Language::JavaScript,
        r#"
const fs = require("fs");

// Adds.
export function add(a, b) { return a + b; }

export const twice = (x) => x * 2;

class Store {
  size = 0;
  onChange = () => {};
  get(key) { return 1; }
}

exports.run = async function () {
  await 1;
};

function* gen() {}
"#,
        "1-1 block -
         3-4 function add
         6-6 function twice
         8-9 class Store
         10-10 method Store.onChange
         11-11 method Store.get
         14-16 function exports.run
         18-18 function gen",
    );
}

#[test]
fn typescript() {
    let text = r#"
import x from "x";

export interface User { name: string }

export type Id = string | number;

enum Colour { Red }

@Component({})
export abstract class View<T> {
  private a = 1;
  render(): void {}
}

namespace Tools {
  export function cut() {}
}

declare function outside(): void;
"#;
    let expect = "1-1 block -
         3-3 interface User
         5-5 type Id
         7-7 enum Colour
         9-11 class View
         12-12 method View.render
         15-16 function Tools.cut
         19-19 function outside";
    check(Language::TypeScript, text, expect);
    check(
        Language::Tsx,
        "export const App = () => <div>{x}</div>;\n\nexport default function Page() { return <App />; }\n",
        "1-1 function App
         3-3 function Page",
    );
}

#[test]
fn go() {
    check(
        Language::Go,
        r#"
package main

import "fmt"

// Server serves.
type Server struct {
	port int
}

type (
	Handler interface{ Serve() }
	Id      = string
)

// Run runs.
func (s *Server) Run() error { return nil }

func (l List[T]) Len() int { return 0 }

func main() {
	fmt.Println("x")
}
"#,
        "1-3 block -
         5-8 struct Server
         10-11 interface Handler
         12-12 type Id
         15-16 method Server.Run
         18-18 method List.Len
         20-22 function main",
    );
}

#[test]
fn java() {
    check(
        Language::Java,
        r#"
package a.b;

/** A user. */
@Entity
public class User extends Base {
    private String name;

    public User(String name) { this.name = name; }

    @Override
    public String toString() {
        return name;
    }

    enum Kind { A, B; int n() { return 1; } }
}

interface Shape { double area(); }

record Point(int x) {}
"#,
        "1-1 block -
         3-6 class User
         8-8 method User.User
         10-13 method User.toString
         15-15 method User.Kind.n
         18-18 method Shape.area
         20-20 class Point",
    );
}

#[test]
fn c() {
    let text = r#"
#ifndef A_H
#define A_H
#include <stdio.h>

/* A point. */
struct point { int x; };

typedef struct { int y; } pair_t;

enum colour { RED };

static int *find(const char *name, int (*compare)(int))
{
    return 0;
}

char *(*table(void))(int) { return 0; }

int declared(void);
#endif
"#;
    check(
        Language::C,
        text,
        "1-3 block -
         5-6 struct point
         8-8 type pair_t
         10-10 enum colour
         12-15 function find
         17-17 function table
         19-20 block -",
    );
}

#[test]
fn cpp() {
    let text = r#"
#include <vector>

namespace geo {

// A shape.
template <typename T>
class Shape : public Base {
 public:
  Shape() = default;
  virtual ~Shape() {}
  T area() const { return w_; }
  int &width();
 private:
  T w_;
};

int &Shape<int>::width() { return 1; }

struct Empty {};

bool operator==(const A &a, const A &b) { return true; }

}  // namespace geo

extern "C" {
int exported(void) { return 1; }
}
"#;
    let expect = "1-1 block -
         3-3 module geo
         5-8 class geo::Shape
         9-9 method geo::Shape::Shape
         10-10 method geo::Shape::~Shape
         11-11 method geo::Shape::area
         12-15 class geo::Shape
         17-17 function geo::Shape<int>::width
         19-19 struct geo::Empty
         21-21 function geo::operator==
         23-23 module geo
         25-25 block -
         26-26 function exported";
    check(Language::Cpp, text, expect);
    // A header in C++ is found out.
    check(Language::C, text, expect);
}

#[test]
fn broken_code_still_gives_what_is_whole() {
    check(
        Language::Python,
        "def a():\n    return 1\n\ndef b(:\n\ndef c():\n    return 3\n",
        "1-2 function a
         4-4 function b
         6-7 function c",
    );
}

#[test]
fn text_is_cut_at_blank_lines_once_it_is_long_enough() {
    let paragraph = format!("{}\n\n", ["word word word word"; 25].join("\n"));
    let text = paragraph.repeat(5);
    let got = chunk(Language::Markdown, &text);
    assert_eq!(got.cut, Cut::Lines);
    let lines: Vec<_> = got
        .chunks
        .iter()
        .map(|chunk| (chunk.start_line, chunk.end_line))
        .collect();
    assert_eq!(lines, [(1, 77), (79, 129)]);
}

#[test]
fn a_long_function_keeps_its_name_in_every_piece() {
    let text = format!("def long():\n{}", "    value = compute(value)\n".repeat(200));
    let got = chunk(Language::Python, &text);
    assert!(got.chunks.len() > 2);
    assert!(
        got.chunks
            .iter()
            .all(|chunk| chunk.symbol.as_deref() == Some("long"))
    );
    bounded(&text, &got);
}

#[test]
fn hostile_input_is_bounded() {
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(20_000), close.repeat(20_000));
    let one_line = "word ".repeat(100_000);
    let inputs = [
        (Language::C, deep("(", ")")),
        (Language::C, "int f() {".repeat(5_000)),
        (Language::Cpp, "a<".repeat(20_000)),
        (Language::Cpp, "namespace a {".repeat(5_000)),
        (Language::JavaScript, deep("[", "]")),
        (Language::JavaScript, "class A { f() {".repeat(5_000)),
        (Language::TypeScript, "(a:".repeat(20_000)),
        (Language::Tsx, "<a>".repeat(20_000)),
        (Language::Python, deep("(", "")),
        (
            Language::Python,
            (0..500).fold(String::new(), |text, n| text + &" ".repeat(n % 200) + "if x:\n"),
        ),
        (Language::Rust, deep("{", "}")),
        (Language::Go, "func f() {".repeat(5_000)),
        (Language::Java, "class A {".repeat(5_000)),
        (Language::Markdown, one_line),
    ];
    for (language, text) in inputs {
        bounded(&text, &chunk(language, &text));
    }
}

#[test]
fn a_parse_that_takes_too_long_is_given_up() {
    let text = "(a*b)".repeat(90_000);
    let got = chunk(Language::Cpp, &text);
    assert_eq!(got.cut, Cut::SyntaxGivenUp);
    bounded(&text, &got);
}

/// What holds for any input.
#[track_caller]
fn bounded(text: &str, got: &Chunks) {
    let lines: Vec<&str> = text.lines().collect();
    let mut covered = vec![false; lines.len()];
    let mut previous = (0, 0);
    for chunk in &got.chunks {
        assert!(chunk.text.len() <= CHUNK_BYTES_MAX);
        let (start, end) = (chunk.start_line, chunk.end_line);
        assert!(1 <= start && start <= end && usize::try_from(end).unwrap() <= lines.len());
        // In order; only the pieces of one long line share it.
        assert!(start > previous.1 || (start, end) == previous);
        let rows = usize::try_from(start).unwrap() - 1..usize::try_from(end).unwrap();
        if (start, end) != previous && chunk.text.len() <= CHUNK_BYTES_MAX && end > start {
            assert_eq!(chunk.text, lines[rows.clone()].join("\n"));
        }
        covered[rows].fill(true);
        previous = (start, end);
    }
    for (line, covered) in lines.iter().zip(covered) {
        assert!(
            covered || !line.chars().any(char::is_alphanumeric),
            "lost: {line}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_in_any_language_is_covered(
        language in prop::sample::select(Language::ALL),
        pieces in prop::collection::vec(
            prop::sample::select(&[
                "def f():\n", "class A:\n", "fn x() {\n", "}\n", "    pass\n", "\n", "impl T for U {", "func (a B) c() {",
                "export ", "const g = () => {", "namespace n {\n", "struct s {", "// note\n", "/*", "*/", "\"", "'", "#if X\n",
                "ä字 = 1\r\n", "template <class T>\n", "@x\n", ";", "\t\t", "(", ")", "interface I {", "enum E {",
            ][..]),
            0..60,
        ),
    ) {
        let text = pieces.concat();
        bounded(&text, &chunk(language, &text));
    }
}
