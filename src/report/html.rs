//! The report in HTML: one column, styles in the elements, no picture, nothing fetched from anywhere. Without any
//! style it still reads from top to bottom.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use super::view::View;
use crate::error::{Context, Result};

const TEMPLATE: &str = include_str!("templates/report.html");

/// Writes a view as HTML, every value in it escaped.
pub(super) fn html(view: &View) -> Result<String> {
    let mut templates = Environment::new();
    // By name it would be so too; a renamed template must not change it.
    templates.set_auto_escape_callback(|_| AutoEscape::Html);
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    templates.add_filter("upfirst", upfirst);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    templates.set_syntax(syntax.context(|| "cannot set up the templates".into())?);
    templates
        .render_named_str("report.html", TEMPLATE, Serde(view))
        .context(|| "cannot fill in the template of the report".into())
}

/// A sentence that goes on from the text before it, as one of its own.
fn upfirst(sentence: String) -> String {
    let mut chars = sentence.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => sentence,
    }
}
