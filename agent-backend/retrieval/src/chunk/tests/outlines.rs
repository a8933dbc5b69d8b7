//! The definitions of an outline are those of the whole text: programs put
//! together at random from what each language has.

use super::*;

/// Pieces that stand in a file and in what holds others, and what holds others.
#[derive(Debug)]
struct Parts {
    leaves: &'static [&'static str],
    holders: &'static [(&'static str, &'static str)],
}

const RUST: Parts = Parts {
    leaves: &[
        "use a::{b, c::{d}};",
        "pub use e; // f",
        "fn g(h: [u8; 2], i: impl Fn() -> J) -> K where L: M {\n    n(\"}\")\n}",
        "pub(crate) const fn o<const P: usize>() {}",
        "struct Q { r: u8 }",
        "pub struct S(u8);\nstruct T;",
        "enum U {\n    V { w: u8 },\n    X = 1,\n}",
        "const Y: [Z; 1] = [Z { a: 1 }];",
        "static B: fn() = || { c() };",
        "type D = E<{ F }>;",
        "macro_rules! g {\n    () => { h };\n}",
        "i! { j }",
        "k!(\"}\");",
        "/// L\n/// M\n#[n(o = \"p\")]\nfn q() {}",
        "/* } /* { */ */",
        "// r",
        "// s\n    // t\nfn u<'v, W: Fn(X) -> Y>(z: W) -> impl Fn() -> A {}",
        "use b; // c\n// d",
        "#[e(f::g(\"]\"))] // h\n#[unsafe(i)]\npub(in a::b) unsafe extern \"C\" fn r#j();",
        "const K: fn(L) -> M = |n| { o };",
        "",
    ],
    holders: &[
        ("impl A for B {", "}"),
        ("#[cfg(test)]\nmod c {", "}"),
        ("impl<T> D<T> where T: E {", "}"),
        ("trait F: G {\n    fn h(&self) -> I;", "}"),
    ],
};

const TYPESCRIPT: Parts = Parts {
    leaves: &[
        "a(b: { c: d } = { c: '}' }): e { f }",
        "g = (h) => { i };",
        "static async j() { return /}/ }",
        "get k(): l { return `}${m}` }",
        "// n",
        "/** o\n * p */",
        "q: r = 's';",
        "'t-u'(v) { w }",
        "",
    ],
    holders: &[
        ("class A extends B {", "}"),
        ("@c({ d: 'e' })\nexport class F<G> implements H {", "}"),
        ("export default abstract class I {", "}"),
    ],
};

const JAVA: Parts = Parts {
    leaves: &[
        "int a = 1;",
        "private final int[] b = { 1, 2 };",
        "void c(int d, @E(\"}\") F f) throws G { h(); }",
        "abstract int i();",
        "Runnable j = () -> { k(); };",
        "// l\n// x",
        "int y; // z\n// a",
        "/** m */\n@N({ \"o\" })\npublic int p() { return '}'; }",
        "static { q(); }",
        "enum R { S, T { void u() {} }; V w; }",
        "",
    ],
    holders: &[
        ("class A {", "}"),
        ("public abstract class B<C> extends D implements E {", "}"),
        ("interface F {", "}"),
    ],
};

const GO: Parts = Parts {
    leaves: &[
        "func a(b interface{}) struct{} {\n\tc\n}",
        "func (d *E[F]) g(h func() int) (i int) { j }",
        "type K struct {\n\tl int `m:\"}\"`\n}",
        "type N interface { o() }",
        "type (\n\tP struct{ q int }\n\tR = S\n)",
        "var t = map[string]int{\"}\": 1}",
        "const (\n\tu = '}'\n)",
        "// v\n// x\n\n// y",
        "/* w } */",
        "",
    ],
    holders: &[],
};

const C: Parts = Parts {
    leaves: &[
        "static int a(int b, char *c)\n{\n    d;\n}",
        "struct e { int f; };",
        "typedef struct { int g; } h;",
        "typedef struct i { int j; } *k;",
        "typedef int l;",
        "enum m { N, O };",
        "int p(int q);",
        "static const int r[] = { 1, 2 };",
        "struct s *t(void) { return u; }",
        "#define V(w) { w",
        "#define X \\\n    y",
        "#ifdef X\nint y;\n#endif",
        "union z { int a; } b;",
        "/* } */",
        "// c",
        "",
    ],
    holders: &[("#ifndef A", "#endif"), ("extern \"C\" {", "}")],
};

const PYTHON: Parts = Parts {
    leaves: &[
        "import a",
        "b = c(\n    d)  # e",
        "\"\"\"f\n  g: h\n\"\"\"",
        "def i(j=(1, ')'), *, k: l = 'm') -> n: return o",
        "@p(q)\nasync def r(\n    s,  # )\n):\n    # t\n    u\n\n    def v():\n        w\n    # x",
        "def y():\n    z = '''\n'''",
        "# a",
        "if b: c",
        "d = [\n]; e",
        "",
    ],
    holders: &[
        ("class A:", ""),
        ("@b\nclass C(D, e=f):", ""),
        ("if g:", ""),
        ("try:\n    h\nexcept I:", ""),
        ("with j as k:", ""),
    ],
};

/// What comes next: a piece, and a holder around it and some more.
type Step = (prop::sample::Index, Option<(prop::sample::Index, u8)>);

/// Pieces in a holder at most, and holders in each other.
const PIECES_MAX: u8 = 4;
const DEPTH_MAX: usize = 3;

fn program(parts: &Parts, steps: &[Step]) -> String {
    let mut out = String::new();
    let mut open: Vec<(&str, u8)> = Vec::new();
    // Indentation is what ends a block in Python.
    let push = |text: &str, depth: usize, out: &mut String| {
        for line in text.split('\n') {
            writeln!(out, "{}{line}", "    ".repeat(depth)).unwrap();
        }
    };
    for (leaf, holder) in steps {
        if let Some((holder, pieces)) = holder
            && !parts.holders.is_empty()
            && open.len() < DEPTH_MAX
        {
            let (begin, end) = holder.get(parts.holders);
            push(begin, open.len(), &mut out);
            open.push((end, pieces % PIECES_MAX));
            // None is empty.
            push(parts.leaves[0], open.len(), &mut out);
        }
        push(leaf.get::<&str>(parts.leaves), open.len(), &mut out);
        while let Some((end, left)) = open.pop() {
            if let Some(left) = left.checked_sub(1) {
                open.push((end, left));
                break;
            }
            push(end, open.len(), &mut out);
        }
    }
    while let Some((end, _)) = open.pop() {
        push(end, open.len(), &mut out);
    }
    out
}

proptest! {
    #[test]
    fn an_outline_says_what_the_whole_text_says(
        (language, parts) in prop::sample::select(vec![
            (Language::Rust, &RUST),
            (Language::TypeScript, &TYPESCRIPT),
            (Language::Java, &JAVA),
            (Language::Go, &GO),
            (Language::C, &C),
            (Language::Python, &PYTHON),
        ]),
        steps in prop::collection::vec(any::<Step>(), 0..14),
    ) {
        let text = program(parts, &steps);
        prop_assert_eq!(
            definitions(language, &text),
            syntax::definitions_of_whole(language, &text),
            "{}",
            text
        );
    }
}
