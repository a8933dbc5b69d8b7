use super::*;

#[track_caller]
fn check(language: Language, text: &str, expect: Option<&str>) {
    assert_eq!(of(language, text).as_deref(), expect, "{text}");
}

#[test]
fn rust() {
    let check = |text: &str, expect: Option<&str>| check(Language::Rust, text, expect);
    check(
        "fn a() { x }\nfn b() {\n    y\n}\n",
        Some("fn a(){}\nfn b(){\n\n}\n"),
    );
    check("impl A for B { fn a() { x } }", Some("impl A for B { fn a(){} }"));
    check(
        "struct A { x: u8 }\nenum B { C { d: u8 } }",
        Some("struct A {}\nenum B {}"),
    );
    check("mod a { fn b() -> impl C { d } }", Some("mod a { fn b(){} }"));
    check("extern \"C\" { fn a(); }", Some("extern \"\" { fn a(); }"));
    check("extern \"C\" fn a() { b }", Some("extern \"\" fn a(){}"));
    check("macro_rules! m { (x) => { y } }", Some("macro_rules! m {}"));
    // Braces that are none.
    check(
        "fn a<'b>() { '{'; \"}\"; r#\"}\"}\"#; b'}'; b\"}\" }",
        Some("fn a(){}"),
    );
    check("fn a() { /* } /* } */ } */ // }\n}", Some("fn a(){\n}"));
    // What a function says beside its name, and an attribute.
    check(
        "fn a<F: Fn(u8) -> u8>(f: F) -> Vec<u8>\nwhere\n    F: B,\n{ c }",
        Some("fn a()\n\n\n{}"),
    );
    check("trait A { fn b(&self) -> C; }", Some("trait A { fn b(); }"));
    check("#[a(b = \"]\")]\nfn c() {}", Some("#[a]\nfn c(){}"));
    check("#[unsafe(a)]\nfn b() {}", Some("#[unsafe(a)]\nfn b(){}"));
    // Statements with lines of their own, and others.
    check("use a;\nuse b; // c\nfn d() {}", Some("\n; //\nfn d(){}"));
    check("fn a() {", None);
    check("fn a() } {", None);
    check("fn a() { \"", None);
}

#[test]
fn comments() {
    let check = |text: &str, expect: &str| check(Language::Rust, text, Some(expect));
    check("// a\n", "//\n");
    check("// a\n  // b\nfn c() {}", "/*\n*/\nfn c(){}");
    check("// a\n\n// b\n", "//\n\n//\n");
    check("struct A; // b\n// c\n// d\n", "struct A; //\n/*\n*/\n");
    check("fn a() {\n// b\n// c\n}\n// d\n", "fn a(){\n\n\n}\n//\n");
}

#[test]
fn script() {
    let check = |text: &str, expect: Option<&str>| check(Language::TypeScript, text, expect);
    check("function a(): { b: c } { d }", Some("function a(): { b: c } {}"));
    check(
        "class A extends B<{ c: d }> { e() { f } }",
        Some("class A extends B<{ c: d }> { e() {} }"),
    );
    check("const a = () => { b }", Some("const a = () => {}"));
    check(
        "namespace A { class B { c = () => { d } } }",
        Some("namespace A { class B { c = () => {} } }"),
    );
    check("function a() { `}${b + `${c}`}` }", Some("function a() {}"));
    check("function a() { return /[}/]'{/ }", Some("function a() {}"));
    check("function a() { b / c; '}'; d() / 2 }", Some("function a() {}"));
    check(
        "import { a } from 'b'\nclass C { d() { e } }",
        Some("import {} from ''\nclass C { d() {} }"),
    );
    // The apostrophe of a text in JSX.
    check("function a() { return <p>don't</p>\n}", None);
}

#[test]
fn go() {
    let check = |text: &str, expect: Option<&str>| check(Language::Go, text, expect);
    check(
        "func a() interface{} {\n\tb\n}\n",
        Some("func a() interface{} {\n\n}\n"),
    );
    check(
        "func (a *B) C(d struct{}) (e int) { f }",
        Some("func (a *B) C(d struct{}) (e int) {}"),
    );
    check(
        "type A struct {\n\tb int\n}\nfunc c() { `}` }",
        Some("type A struct {\n\n}\nfunc c() {}"),
    );
    check("var a = 1\nfunc b() { '}' }", Some("var a = 1\nfunc b() {}"));
}

#[test]
fn java() {
    let check = |text: &str, expect: Option<&str>| check(Language::Java, text, expect);
    check(
        "@A({ b }) class C { int[] d = { 1 }; void e() throws F { g } enum H { I { void j() {} } } }",
        Some("@A() class C { int[] d = {}; void e() throws F {} enum H { I {} } }"),
    );
    check(
        "class A { String b() { return \"\"\"\n}\"\"\"; } }",
        Some("class A { String b() {\n} }"),
    );
}

#[test]
fn c_and_cpp() {
    let c = |text: &str, expect: Option<&str>| check(Language::C, text, expect);
    c("int a(void)\n{\n    b;\n}\n", Some("int a(void)\n{\n\n}\n"));
    c(
        "struct a b(void) { c }\nstruct d { int e; };",
        Some("struct a b(void) {}\nstruct d {};"),
    );
    c("int a[] = { 1, 2 };", Some("int a[] = {};"));
    c(
        "#ifdef __cplusplus\nextern \"C\" {\n#endif\nint a() { b }\n#ifdef X\n}\n#endif\n",
        Some("#ifdef __cplusplus\nextern \"\" {\n#endif\nint a() {}\n#ifdef X\n}\n#endif\n"),
    );
    c(
        "#define A { \\\n {\nint b() { '\\''; '{' }",
        Some("#define A\n\nint b() {}"),
    );
    // Two braces for one: whoever counts is lost.
    c(
        "int a() {\n#if B\n if (c) {\n#else\n if (d) {\n#endif\n }\n}\nint e() {\n}\n",
        None,
    );
    let cpp = |text: &str, expect: Option<&str>| check(Language::Cpp, text, expect);
    cpp(
        "namespace a { class B : C { void d() const { e } }; }",
        Some("namespace a { class B : C { void d() const {} }; }"),
    );
    cpp(
        "template <class T> void a(T b) { c }",
        Some("template <class T> void a(T b) {}"),
    );
    cpp(
        "class alignas(8) A { void b() { c } };",
        Some("class alignas(8) A { void b() { c } };"),
    );
    cpp(
        "auto a = R\"x(})\")x\"; int b() { 1'000; }",
        Some("auto a = R\"x(})\")x\"; int b() {}"),
    );
}

#[test]
fn python() {
    let check = |text: &str, expect: Option<&str>| check(Language::Python, text, expect);
    check(
        "import os\ndef a(b=1):  # c\n    'd'\n\n    # e\n    f(\n        g)\n    # h\ni = '''\nj'''\n",
        Some("0\ndef a():\n\n\n\n\n    0\n    #\n\n0\n"),
    );
    check(
        "@a('b')\nclass C(D):\n\tx = [\n\t1]\n\tasync def e(self): return 1\n",
        Some("@a('b')\nclass C(D):\n\n\t0\n\tasync def e(): return 1\n"),
    );
    check(
        "if a: b\nelse:\n  def c():\n    if d:\n      e\n  f\n",
        Some("if a: b\nelse:\n  def c():\n\n    0\n  0\n"),
    );
    check("a = \\\n  b\n", Some("\n0\n"));
    check("a = (\n", None);
    check("a = 'b\n", None);
    check("a = '''b\n", None);
    check("a)\n", None);
    check("a\u{c}b\n", None);
}
