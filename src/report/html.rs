//! Letters in HTML: one column, styles in the elements, no picture, nothing fetched from anywhere. Without any
//! style they still read from top to bottom.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;

use crate::error::{Context, Result};

/// All of them by name: those of letters, and what letters share.
const TEMPLATES: [(&str, &str); 6] = [
    ("digest.html", include_str!("templates/digest.html")),
    ("report.html", include_str!("templates/report.html")),
    ("notice.html", include_str!("templates/notice.html")),
    ("parts.html", include_str!("templates/parts.html")),
    ("head.html", include_str!("templates/head.html")),
    ("foot.html", include_str!("templates/foot.html")),
];

/// Fills a view into the template `name`, every value in it escaped.
pub(super) fn html(name: &str, view: &impl Serialize) -> Result<String> {
    let mut templates = Environment::new();
    // By name it would be so too; a renamed template must not change it.
    templates.set_auto_escape_callback(|_| AutoEscape::Html);
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    templates.add_filter("upfirst", upfirst);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    templates.set_syntax(syntax.context(|| "cannot set up the templates".into())?);
    for (name, text) in TEMPLATES {
        templates.add_template(name, text).context(|| format!("cannot read the template {name}"))?;
    }
    let template = templates.get_template(name).context(|| format!("no template is called {name}"))?;
    template.render(Serde(view)).context(|| format!("cannot fill in the template {name}"))
}

/// A sentence that goes on from the text before it, as one of its own.
pub(super) fn upfirst(sentence: String) -> String {
    let mut chars = sentence.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => sentence,
    }
}
