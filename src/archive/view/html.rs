//! HTML as text: what a reader without a browser wants of it; pure.
//!
//! A mail's HTML is a stranger's. There is no tree here that could be too deep, and each byte is looked at once: what is
//! not understood is passed over.

use mail_parser::decoders::html::add_html_token;
use memchr::{memchr, memmem};

use super::tag::{attribute, end_of};

/// The longest address of a link that is shown, in bytes.
const LINK: usize = 300;

/// The longest name of a character that is looked up.
const ENTITY: usize = 32;

/// What begins and ends on a line of its own.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "center",
    "dd",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figure",
    "footer",
    "form",
    "header",
    "hr",
    "li",
    "main",
    "nav",
    "ol",
    "pre",
    "section",
    "table",
    "tbody",
    "tr",
    "ul",
];

/// What has an empty line around it.
const PARAGRAPHS: &[&str] = &["h1", "h2", "h3", "h4", "h5", "h6", "p"];

/// What nobody sees of a page.
const HIDDEN: &[&str] = &["script", "style", "template", "title"];

#[derive(Default)]
struct Text {
    out: String,
    /// How many line ends are to come before the next word.
    lines: usize,
    /// Whether a space is.
    space: bool,
    /// Whether a list's bullet was last.
    bullet: bool,
    /// How many `pre` are open.
    pre: usize,
    /// The address of the link that is open, and where its text begins.
    link: Option<(String, usize)>,
    /// Whether something that never ends hides the rest.
    hides: bool,
    /// Whether a title that never ends was there: no later one does.
    endless: bool,
    /// Whether there is text in a title.
    titled: bool,
}

/// The text of a page, and whether something that never ends hides the rest of it; `most` is about how many bytes it may
/// have.
pub fn text(html: &str, most: usize) -> (String, bool) {
    let mut text = Text::default();
    let mut rest = html;
    while !rest.is_empty() && text.out.len() < most {
        let next = memchr::memchr2(b'<', b'&', rest.as_bytes()).unwrap_or(rest.len());
        let (before, from) = rest.split_at(next);
        text.words(before);
        rest = match from.chars().next() {
            Some('&') => text.entity(from),
            Some(_) => text.tag(from),
            None => "",
        };
    }
    text.close();
    text.out.truncate(text.out.trim_end().len());
    // Some mails have all of it in their title.
    let hides = text.hides || (text.titled && text.out.is_empty());
    (text.out, hides)
}

impl Text {
    fn words(&mut self, words: &str) {
        for c in words.chars() {
            self.put(c);
        }
    }

    fn put(&mut self, c: char) {
        if self.pre > 0 && matches!(c, '\n' | '\t' | ' ') {
            self.begin();
            self.out.push(c);
        } else if c.is_whitespace() {
            self.space = true;
        } else {
            self.begin();
            self.out.push(c);
        }
    }

    /// What was to come before the next word comes.
    fn begin(&mut self) {
        let (lines, space) = (std::mem::take(&mut self.lines), std::mem::take(&mut self.space));
        // A paragraph in a list begins behind its bullet.
        if std::mem::take(&mut self.bullet) || self.out.is_empty() {
            return;
        }
        if lines > 0 {
            self.out.extend(std::iter::repeat_n('\n', lines));
        } else if space && !self.out.ends_with(['\n', ' ']) {
            self.out.push(' ');
        }
    }

    fn line(&mut self, lines: usize) {
        self.lines = self.lines.max(lines);
    }

    /// From a `&` on; what follows.
    fn entity<'a>(&mut self, from: &'a str) -> &'a str {
        let bytes = from.as_bytes();
        let end = memchr(b';', bytes.get(..bytes.len().min(ENTITY)).unwrap_or_default());
        let token = end.and_then(|end| from.get(..=end));
        let named = |token: &&str| {
            token.bytes().skip(1).all(|byte| byte.is_ascii_alphanumeric() || b"#;".contains(&byte))
        };
        match token.filter(named) {
            Some(token) => {
                let mut decoded = String::new();
                add_html_token(&mut decoded, token.as_bytes(), false);
                self.words(&decoded);
                from.get(token.len()..).unwrap_or_default()
            }
            None => {
                self.put('&');
                from.get(1..).unwrap_or_default()
            }
        }
    }

    /// From a `<` on; what follows.
    fn tag<'a>(&mut self, from: &'a str) -> &'a str {
        if let Some(comment) = from.strip_prefix("<!--") {
            let end = memmem::find(comment.as_bytes(), b"-->");
            self.hides |= end.is_none();
            return end.and_then(|end| comment.get(end + 3..)).unwrap_or_default();
        }
        let closes = from.starts_with("</");
        let inside = from.get(if closes { 2 } else { 1 }..).unwrap_or_default();
        if !inside.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '!' | '?')) {
            self.put('<');
            return from.get(1..).unwrap_or_default();
        }
        // One that has no end is the end of all.
        let Some(end) = memchr(b'>', inside.as_bytes()) else {
            self.hides = true;
            return "";
        };
        let (inside, after) =
            (inside.get(..end).unwrap_or_default(), inside.get(end + 1..).unwrap_or_default());
        let length = inside.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(inside.len());
        let name = inside.get(..length.min(12)).unwrap_or_default().to_ascii_lowercase();
        self.element(&name, closes, inside);
        match !closes && HIDDEN.contains(&name.as_str()) {
            true => self.hidden(after, &name),
            false => after,
        }
    }

    /// What follows the end of something hidden. A title without an end hides nothing: there is text in it, and none but
    /// that in some mails.
    fn hidden<'a>(&mut self, after: &'a str, name: &str) -> &'a str {
        let title = name == "title";
        if title && self.endless {
            return after;
        }
        match (end_of(after, name), title) {
            (Some(rest), _) => {
                let inside = after.get(..after.len() - rest.len()).unwrap_or_default();
                self.titled |= title && !inside.trim().is_empty();
                rest
            }
            (None, true) => {
                self.endless = true;
                after
            }
            (None, false) => {
                self.hides |= !after.trim().is_empty();
                ""
            }
        }
    }

    fn element(&mut self, name: &str, closes: bool, inside: &str) {
        match (name, closes) {
            ("br", _) => self.lines = if self.lines == 0 { 1 } else { 2 },
            ("pre", true) => self.pre = self.pre.saturating_sub(1),
            ("pre", false) => self.pre += 1,
            ("td" | "th", _) => self.space = true,
            ("a", true) => self.close(),
            ("a", false) => {
                self.close();
                let address = attribute(inside, "href").filter(|address| {
                    let known = |kind: &str| {
                        address.get(..kind.len()).is_some_and(|start| start.eq_ignore_ascii_case(kind))
                    };
                    address.len() <= LINK && (known("http:") || known("https:") || known("mailto:"))
                });
                self.link = address.map(|address| (address, self.out.len()));
            }
            ("img", _) => {
                if let Some(text) = attribute(inside, "alt").filter(|text| !text.trim().is_empty()) {
                    self.words(&text);
                }
            }
            _ => {}
        }
        if BLOCKS.contains(&name) {
            self.line(1);
        }
        if PARAGRAPHS.contains(&name) {
            self.line(2);
        }
        if name == "li" && !closes {
            self.begin();
            self.out.push_str("- ");
            self.bullet = true;
        }
    }

    /// Tells where a link leads, unless its text does.
    fn close(&mut self) {
        let Some((address, from)) = self.link.take() else { return };
        let text = self.out.get(from..).unwrap_or_default().trim();
        let bare = |text: &str| text.trim_start_matches("mailto:").trim_end_matches('/').to_owned();
        if !text.is_empty() && bare(text) != bare(&address) {
            self.out.push_str(&format!(" <{address}>"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_as_a_text() {
        for (html, expected) in [
            ("<p>One\n two</p><p>three<br>four</p>", "One two\n\nthree\nfour"),
            ("<html><head><title>t</title><style>p{}</style></head><body>x</body></html>", "x"),
            ("a<script>if (1 < 2) x</scripty>b</SCRIPT>c<!-- no > -->d", "acd"),
            ("<script>never ends", ""),
            ("<title>never ends<p>text<title>more", "never ends\n\ntextmore"),
            ("<ul><li>one<li><b>two</b></ul>end", "- one\n- two\nend"),
            ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
            (
                "&lt;b&gt; &amp;amp; &uuml;&#x263A;&nbsp;&bogus; & &#xffffffff; &#27;",
                "<b> &amp; ü☺ &bogus; & \u{fffd} \u{1b}",
            ),
            ("<a href=\"https://a.example/?x=1&amp;y=2\">here</a>", "here <https://a.example/?x=1&y=2>"),
            (
                "<a href='https://a.example/'>https://a.example</a> <a href=javascript:x>no</a>",
                "https://a.example no",
            ),
            (
                "<a title=\"href=x\" href=mailto:a@b.c>a@b.c</a> <a href='http://x'><img alt='Pay now'></a>",
                "a@b.c Pay now <http://x>",
            ),
            ("<pre>a\n  b</pre>c", "a\n  b\nc"),
            ("1 < 2 <3 </ 4", "1 < 2 <3 </ 4"),
            ("open <a href=x", "open"),
            ("<div><div><div>x</div></div></div><hr>y", "x\ny"),
        ] {
            assert_eq!(text(html, 1000).0, expected, "{html}");
        }
        for (html, hides) in [
            ("<script>x", true),
            ("a<!-- b", true),
            ("<a x", true),
            ("<style> ", false),
            ("<title>x</title>", true),
            ("<title>x</title>y", false),
            ("<p>x", false),
        ] {
            assert_eq!(text(html, 1000).1, hides, "{html}");
        }
    }

    #[test]
    fn a_page_that_wants_to_hang_us_does_not() {
        for bad in [
            "<",
            "<a ",
            "<!--",
            "&",
            "<script></",
            "<a href=\"",
            "<pre>",
            "</p>",
            "<li>",
            "<a href=x>",
            "<title></",
        ] {
            let (text, _) = text(&bad.repeat(300_000), 100_000);
            assert!(text.len() <= 400_000, "{bad}: {}", text.len());
        }
    }
}
