//! What the syntax nodes of each language mean.

use tree_sitter::Node;

use crate::{Kind, Language};

/// What a syntax node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A definition that is not looked into.
    Leaf(Kind),
    /// A definition with definitions in it.
    Container(Kind),
    /// What stands around one definition and belongs to it.
    Wrapper,
    /// What stands around definitions and says nothing about them.
    Transparent,
}

/// The grammar of a language, if there is one.
pub fn grammar(language: Language) -> Option<tree_sitter::Language> {
    let grammar = match language {
        Language::Python => tree_sitter_python::LANGUAGE,
        Language::Rust => tree_sitter_rust::LANGUAGE,
        Language::JavaScript => tree_sitter_javascript::LANGUAGE,
        Language::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT,
        Language::Tsx => tree_sitter_typescript::LANGUAGE_TSX,
        Language::Go => tree_sitter_go::LANGUAGE,
        Language::Java => tree_sitter_java::LANGUAGE,
        Language::C => tree_sitter_c::LANGUAGE,
        Language::Cpp => tree_sitter_cpp::LANGUAGE,
        Language::Markdown
        | Language::Data
        | Language::Web
        | Language::Shell
        | Language::Sql
        | Language::Proto
        | Language::Other => return None,
    };
    Some(grammar.into())
}

/// Whether nodes of this kind belong to the definition right below them.
pub fn is_leading(kind: &str) -> bool {
    matches!(
        kind,
        "comment" | "line_comment" | "block_comment" | "attribute_item" | "decorator"
    )
}

/// What `node` is in `language`; none of our business if there is no rule.
pub fn rule(language: Language, node: Node<'_>) -> Option<Rule> {
    if node.is_error() {
        return Some(Rule::Transparent);
    }
    match language {
        Language::Python => python(node.kind()),
        Language::Rust => rust(node.kind()),
        Language::JavaScript | Language::TypeScript | Language::Tsx => script(node),
        Language::Go => go(node),
        Language::Java => java(node.kind()),
        Language::C | Language::Cpp => c(language, node),
        Language::Markdown
        | Language::Data
        | Language::Web
        | Language::Shell
        | Language::Sql
        | Language::Proto
        | Language::Other => None,
    }
}

fn python(kind: &str) -> Option<Rule> {
    Some(match kind {
        "function_definition" => Rule::Leaf(Kind::Function),
        "class_definition" => Rule::Container(Kind::Class),
        "decorated_definition" => Rule::Wrapper,
        "block" | "if_statement" | "else_clause" | "elif_clause" | "try_statement" | "except_clause"
        | "finally_clause" | "with_statement" => Rule::Transparent,
        _ => return None,
    })
}

fn rust(kind: &str) -> Option<Rule> {
    Some(match kind {
        "function_item" | "function_signature_item" => Rule::Leaf(Kind::Function),
        "struct_item" | "union_item" => Rule::Leaf(Kind::Struct),
        "enum_item" => Rule::Leaf(Kind::Enum),
        "macro_definition" => Rule::Leaf(Kind::Macro),
        "trait_item" => Rule::Container(Kind::Trait),
        "impl_item" => Rule::Container(Kind::Impl),
        "mod_item" => Rule::Container(Kind::Module),
        "declaration_list" | "foreign_mod_item" => Rule::Transparent,
        _ => return None,
    })
}

fn script(node: Node<'_>) -> Option<Rule> {
    Some(match node.kind() {
        "function_declaration"
        | "generator_function_declaration"
        | "function_signature"
        | "method_definition" => Rule::Leaf(Kind::Function),
        "class_declaration" | "abstract_class_declaration" | "class" => Rule::Container(Kind::Class),
        "interface_declaration" => Rule::Leaf(Kind::Interface),
        "enum_declaration" => Rule::Leaf(Kind::Enum),
        "type_alias_declaration" => Rule::Leaf(Kind::Type),
        "internal_module" | "module" => Rule::Container(Kind::Module),
        "export_statement" | "ambient_declaration" => Rule::Wrapper,
        "class_body" => Rule::Transparent,
        "statement_block" if is_module_body(node) => Rule::Transparent,
        "field_definition" | "public_field_definition" => {
            node.child_by_field_name("value")
                .filter(|value| is_function(*value))?;
            Rule::Leaf(Kind::Function)
        }
        "lexical_declaration" | "variable_declaration" => {
            node.named_child(0)?
                .child_by_field_name("value")
                .filter(|value| is_function(*value))?;
            Rule::Leaf(Kind::Function)
        }
        "expression_statement" => match node.named_child(0)? {
            inner if inner.kind() == "assignment_expression" => {
                inner
                    .child_by_field_name("right")
                    .filter(|value| is_function(*value))?;
                Rule::Leaf(Kind::Function)
            }
            inner if inner.kind() == "internal_module" => Rule::Wrapper,
            _ => return None,
        },
        _ => return None,
    })
}

fn is_module_body(node: Node<'_>) -> bool {
    node.parent()
        .is_some_and(|parent| matches!(parent.kind(), "internal_module" | "module"))
}

fn is_function(node: Node<'_>) -> bool {
    matches!(
        node.kind(),
        "arrow_function" | "function_expression" | "generator_function" | "class"
    )
}

fn go(node: Node<'_>) -> Option<Rule> {
    Some(match node.kind() {
        "function_declaration" => Rule::Leaf(Kind::Function),
        "method_declaration" => Rule::Leaf(Kind::Method),
        "type_declaration" => Rule::Wrapper,
        "type_alias" => Rule::Leaf(Kind::Type),
        "type_spec" => Rule::Leaf(match node.child_by_field_name("type").map(|inner| inner.kind()) {
            Some("struct_type") => Kind::Struct,
            Some("interface_type") => Kind::Interface,
            _ => Kind::Type,
        }),
        _ => return None,
    })
}

fn java(kind: &str) -> Option<Rule> {
    Some(match kind {
        "class_declaration" | "record_declaration" => Rule::Container(Kind::Class),
        "interface_declaration" | "annotation_type_declaration" => Rule::Container(Kind::Interface),
        "enum_declaration" => Rule::Container(Kind::Enum),
        "method_declaration" | "constructor_declaration" | "compact_constructor_declaration" => {
            Rule::Leaf(Kind::Method)
        }
        "class_body" | "interface_body" | "enum_body" | "enum_body_declarations" | "annotation_type_body" => {
            Rule::Transparent
        }
        _ => return None,
    })
}

fn c(language: Language, node: Node<'_>) -> Option<Rule> {
    let has_body = |node: Node<'_>| node.child_by_field_name("body").is_some();
    // Members are functions in C++ alone.
    let of_type = |kind| {
        if language == Language::Cpp {
            Rule::Container(kind)
        } else {
            Rule::Leaf(kind)
        }
    };
    Some(match node.kind() {
        "function_definition" => Rule::Leaf(Kind::Function),
        "struct_specifier" | "union_specifier" if has_body(node) => of_type(Kind::Struct),
        "class_specifier" if has_body(node) => of_type(Kind::Class),
        "enum_specifier" if has_body(node) => Rule::Leaf(Kind::Enum),
        "type_definition" => {
            node.child_by_field_name("type")
                .filter(|inner| has_body(*inner))?;
            Rule::Leaf(Kind::Type)
        }
        "namespace_definition" => Rule::Container(Kind::Module),
        "template_declaration" => Rule::Wrapper,
        "preproc_ifdef"
        | "preproc_if"
        | "preproc_else"
        | "preproc_elif"
        | "preproc_elifdef"
        | "linkage_specification"
        | "declaration_list"
        | "field_declaration_list"
        | "declaration" => Rule::Transparent,
        _ => return None,
    })
}

/// The name that a definition gives, unqualified except where the source
/// itself qualifies it.
pub fn name(language: Language, node: Node<'_>, text: &str) -> Option<String> {
    let of = |node: Node<'_>| node.utf8_text(text.as_bytes()).ok().map(str::to_owned);
    match node.kind() {
        "impl_item" => {
            let implemented = of(node.child_by_field_name("type")?)?;
            Some(before(&implemented, '<'))
        }
        "function_definition" | "type_definition" if matches!(language, Language::C | Language::Cpp) => {
            declarator(node).and_then(of)
        }
        "method_declaration" if language == Language::Go => {
            let method = of(node.child_by_field_name("name")?)?;
            let receiver = of(node.child_by_field_name("receiver")?)?;
            let receiver = before(receiver.trim_matches(['(', ')']).split_whitespace().last()?, '[');
            Some(format!("{}.{method}", receiver.trim_start_matches('*')))
        }
        "lexical_declaration" | "variable_declaration" => {
            node.named_child(0)?.child_by_field_name("name").and_then(of)
        }
        "expression_statement" => node.named_child(0)?.child_by_field_name("left").and_then(of),
        "field_definition" => node.child_by_field_name("property").and_then(of),
        _ => node.child_by_field_name("name").and_then(of),
    }
}

/// The innermost declarator: `int *(*f(int))(char)` declares `f`.
fn declarator(node: Node<'_>) -> Option<Node<'_>> {
    /// More than any declaration that a person wrote.
    const NESTING_MAX: usize = 32;
    let mut node = node.child_by_field_name("declarator")?;
    for _ in 0..NESTING_MAX {
        let inner = node.child_by_field_name("declarator").or_else(|| {
            // References and parentheses do not name their inner part.
            matches!(node.kind(), "reference_declarator" | "parenthesized_declarator")
                .then(|| node.named_child(0))
                .flatten()
        });
        match inner {
            Some(inner) => node = inner,
            None => return Some(node),
        }
    }
    None
}

fn before(text: &str, stop: char) -> String {
    text.split(stop).next().unwrap_or(text).trim().to_owned()
}
