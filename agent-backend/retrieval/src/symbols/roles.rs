//! What a name does where it stands, told from the nodes around it: the part of
//! each grammar that says which child of which node is a name being defined.

use tree_sitter::Node;

use super::{Kind, Role, Step};
use crate::language::Language;

/// What was told.
pub(super) struct Told {
    pub role: Role,
    /// What is defined, and the step of the trail that defines it.
    pub definition: Option<(Kind, usize)>,
}

/// Whether a node adds nothing to the one definition in it.
pub(super) fn is_wrapper(node: Node<'_>) -> bool {
    match node.kind() {
        "decorated_definition"
        | "export_statement"
        | "ambient_declaration"
        | "template_declaration"
        | "expression_statement" => true,
        // These may hold a group.
        "type_declaration" | "lexical_declaration" | "variable_declaration" => node.named_child_count() == 1,
        _ => false,
    }
}

/// What the identifier at the end of `trail` does.
pub(super) fn of(language: Language, trail: &[Step<'_>]) -> Told {
    let role = |role| Told {
        role,
        definition: None,
    };
    if let Some(definition) = definition(language, trail) {
        return Told {
            role: Role::Definition,
            definition: Some(definition),
        };
    }
    if trail.iter().any(|step| is_import(step.node.kind())) {
        return role(Role::Import);
    }
    if is_call(trail) {
        role(Role::Call)
    } else {
        role(Role::Use)
    }
}

fn is_import(kind: &str) -> bool {
    matches!(
        kind,
        "import_statement"
            | "import_from_statement"
            | "future_import_statement"
            | "use_declaration"
            | "extern_crate_declaration"
            | "import_declaration"
            | "import_spec"
            | "preproc_include"
            | "using_declaration"
            | "export_clause"
    )
}

/// Follows the name of what is called up to the call.
fn is_call(trail: &[Step<'_>]) -> bool {
    for pair in trail.windows(2).rev() {
        let [parent, child] = pair else { return false };
        match (parent.node.kind(), child.field) {
            ("call" | "call_expression", Some("function"))
            | ("method_invocation", Some("name"))
            | ("new_expression", Some("constructor"))
            | ("object_creation_expression", Some("type"))
            | ("macro_invocation", Some("macro"))
            | (
                "decorator" | "composite_literal" | "struct_expression" | "annotation" | "marker_annotation",
                _,
            ) => return true,
            // The last part of what is called, not what it is called on.
            ("attribute", Some("attribute"))
            | ("member_expression", Some("property"))
            | ("field_expression" | "selector_expression", Some("field"))
            | ("scoped_identifier" | "qualified_identifier" | "template_function", Some("name"))
            | ("generic_function", Some("function"))
            | ("generic_type" | "qualified_type" | "template_type", _) => {}
            _ => return false,
        }
    }
    false
}

fn definition(language: Language, trail: &[Step<'_>]) -> Option<(Kind, usize)> {
    match language {
        Language::C | Language::Cpp => declarator(trail),
        Language::Python => python(trail),
        Language::Rust
        | Language::JavaScript
        | Language::TypeScript
        | Language::Tsx
        | Language::Go
        | Language::Java => named(trail),
        Language::Markdown
        | Language::Data
        | Language::Web
        | Language::Shell
        | Language::Sql
        | Language::Proto
        | Language::Other => None,
    }
}

fn ends<'t>(trail: &[Step<'t>]) -> Option<(usize, &'t str, Option<&'t str>)> {
    let parent = trail.len().checked_sub(2)?;
    Some((parent, trail[parent].node.kind(), trail.last()?.field))
}

/// Functions in types are methods; what is local to a function is nobody's
/// definition.
fn is_in(trail: &[Step<'_>], kinds: &[&str]) -> bool {
    trail.iter().any(|step| kinds.contains(&step.node.kind()))
}

fn python(trail: &[Step<'_>]) -> Option<(Kind, usize)> {
    let (parent, kind, field) = ends(trail)?;
    let inside = &trail[..parent];
    let local = is_in(inside, &["function_definition", "lambda"]);
    let in_class = inside
        .iter()
        .rfind(|step| matches!(step.node.kind(), "function_definition" | "class_definition"))
        .is_some_and(|step| step.node.kind() == "class_definition");
    match (kind, field) {
        ("function_definition", Some("name")) if in_class => Some((Kind::Method, parent)),
        ("function_definition", Some("name")) => Some((Kind::Function, parent)),
        ("class_definition", Some("name")) => Some((Kind::Class, parent)),
        ("assignment", Some("left")) if in_class && !local => Some((Kind::Field, parent)),
        ("assignment", Some("left")) if !local => Some((Kind::Variable, parent)),
        ("type_alias_statement", Some("left")) => Some((Kind::Type, parent)),
        _ => None,
    }
}

/// Grammars in which a definition has a field for its name.
fn named(trail: &[Step<'_>]) -> Option<(Kind, usize)> {
    let (parent, kind, field) = ends(trail)?;
    // JavaScript's field is called by its property; Java's has a declarator.
    if !matches!(field, Some("name" | "property")) {
        return None;
    }
    // A member without a value is the name alone.
    if kind == "enum_body" {
        return Some((Kind::Variant, parent + 1));
    }
    let inside = &trail[..parent];
    let local = is_in(
        inside,
        &[
            "function_item",
            "function_declaration",
            "generator_function_declaration",
            "function_expression",
            "arrow_function",
            "method_definition",
            "method_declaration",
            "constructor_declaration",
            "func_literal",
            "closure_expression",
            "statement_block",
        ],
    );
    let method = is_in(inside, &["impl_item", "trait_item"]);
    let kind = match kind {
        "function_item" | "function_signature_item" if method => Kind::Method,
        "function_item"
        | "function_signature_item"
        | "function_declaration"
        | "generator_function_declaration"
        | "function_signature" => Kind::Function,
        "method_definition"
        | "method_signature"
        | "abstract_method_signature"
        | "method_declaration"
        | "method_elem"
        | "constructor_declaration"
        | "compact_constructor_declaration" => Kind::Method,
        "struct_item" | "union_item" => Kind::Struct,
        "enum_item" | "enum_declaration" => Kind::Enum,
        "trait_item" => Kind::Trait,
        "mod_item" | "internal_module" | "module" => Kind::Module,
        "macro_definition" => Kind::Macro,
        "type_item" | "associated_type" | "type_alias_declaration" | "type_alias" => Kind::Type,
        "const_item" | "const_spec" => Kind::Constant,
        "static_item" => Kind::Variable,
        "enum_variant" | "enum_constant" | "enum_assignment" => Kind::Variant,
        "class_declaration" | "abstract_class_declaration" | "class" | "record_declaration" => Kind::Class,
        "interface_declaration" | "annotation_type_declaration" => Kind::Interface,
        "field_declaration" | "field_definition" | "public_field_definition" | "property_signature" => {
            Kind::Field
        }
        "type_spec" => match trail[parent]
            .node
            .child_by_field_name("type")
            .map(|inner| inner.kind())
        {
            Some("struct_type") => Kind::Struct,
            Some("interface_type") => Kind::Interface,
            Some(_) | None => Kind::Type,
        },
        "var_spec" if !local => Kind::Variable,
        "variable_declarator" if is_in(inside, &["field_declaration"]) => Kind::Field,
        "variable_declarator" if !local => {
            match trail[parent]
                .node
                .child_by_field_name("value")
                .map(|inner| inner.kind())
            {
                Some("arrow_function" | "function_expression" | "generator_function") => Kind::Function,
                Some("class") => Kind::Class,
                Some(_) | None => Kind::Variable,
            }
        }
        _ => return None,
    };
    Some((kind, parent))
}

/// C and C++: a name may be wrapped in declarators before what declares it.
fn declarator(trail: &[Step<'_>]) -> Option<(Kind, usize)> {
    let (parent, kind, field) = ends(trail)?;
    let has_body = trail[parent].node.child_by_field_name("body").is_some();
    match (kind, field) {
        ("struct_specifier" | "union_specifier", Some("name")) if has_body => {
            return Some((Kind::Struct, parent));
        }
        ("class_specifier", Some("name")) if has_body => return Some((Kind::Class, parent)),
        ("enum_specifier", Some("name")) if has_body => return Some((Kind::Enum, parent)),
        ("preproc_def", Some("name")) => return Some((Kind::Constant, parent)),
        ("preproc_function_def", Some("name")) => return Some((Kind::Macro, parent)),
        ("namespace_definition", Some("name")) => return Some((Kind::Module, parent)),
        ("enumerator", Some("name")) => return Some((Kind::Variant, parent)),
        ("alias_declaration", Some("name")) => return Some((Kind::Type, parent)),
        _ => {}
    }
    let mut function = false;
    for at in (0..=parent).rev() {
        let inside = &trail[..at];
        let local = is_in(inside, &["function_definition", "compound_statement"]);
        let method = is_in(inside, &["field_declaration_list"]);
        match (trail[at].node.kind(), trail[at + 1].field) {
            ("function_declarator", Some("declarator")) => function = true,
            ("pointer_declarator" | "array_declarator" | "init_declarator", Some("declarator"))
            | ("reference_declarator" | "parenthesized_declarator", None)
            | ("qualified_identifier", Some("name"))
            | ("destructor_name", _) => {}
            ("function_definition", Some("declarator")) if method => return Some((Kind::Method, at)),
            ("function_definition", Some("declarator")) => return Some((Kind::Function, at)),
            ("declaration", Some("declarator")) if function && !local => return Some((Kind::Function, at)),
            ("declaration", Some("declarator")) if !local => return Some((Kind::Variable, at)),
            ("field_declaration", Some("declarator")) if function => return Some((Kind::Method, at)),
            ("field_declaration", Some("declarator")) => return Some((Kind::Field, at)),
            ("type_definition", Some("declarator")) => return Some((Kind::Type, at)),
            _ => return None,
        }
    }
    None
}
