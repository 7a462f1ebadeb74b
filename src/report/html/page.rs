//! The writer of an HTML page: elements, and text that cannot become one.
//!
//! Names of elements and attributes are constants of the program. Everything
//! else goes through [`Page::text`] or an attribute's value, and both escape it;
//! there is no other way in. It knows nothing of reports.

use std::io::Write;

use crate::report::escape::escape;
use crate::report::model::ReportError;

/// The attributes of an element: names that we chose, and any values.
pub(super) type Attributes<'a> = &'a [(&'static str, &'a str)];

/// A page that is being written.
pub(super) struct Page<'w> {
    out: &'w mut dyn Write,
}

impl<'w> Page<'w> {
    pub(super) fn new(out: &'w mut dyn Write) -> Self {
        Self { out }
    }

    /// Writes markup of our own, which holds nothing from outside.
    pub(super) fn markup(&mut self, markup: &'static str) -> Result<(), ReportError> {
        Ok(self.out.write_all(markup.as_bytes())?)
    }

    /// Writes any text: nothing in it is markup, and nothing of it is invisible
    /// or turns the rest around.
    pub(super) fn text(&mut self, text: &str) -> Result<(), ReportError> {
        Ok(self.out.write_all(escaped(text).as_bytes())?)
    }

    /// Writes an element with what `content` writes inside.
    pub(super) fn element(
        &mut self,
        name: &'static str,
        attributes: Attributes<'_>,
        content: impl FnOnce(&mut Self) -> Result<(), ReportError>,
    ) -> Result<(), ReportError> {
        self.open(name, attributes)?;
        content(self)?;
        Ok(write!(self.out, "</{name}>")?)
    }

    /// Writes an element that holds nothing but text.
    pub(super) fn leaf(
        &mut self,
        name: &'static str,
        attributes: Attributes<'_>,
        text: &str,
    ) -> Result<(), ReportError> {
        self.element(name, attributes, |page| page.text(text))
    }

    /// Writes the beginning of an element; for those that have no end.
    pub(super) fn open(
        &mut self,
        name: &'static str,
        attributes: Attributes<'_>,
    ) -> Result<(), ReportError> {
        write!(self.out, "<{name}")?;
        for (attribute, value) in attributes {
            write!(self.out, " {attribute}=\"{}\"", escaped(value))?;
        }
        Ok(self.out.write_all(b">")?)
    }

    /// Writes a line of the one block that is read by the script. The text is
    /// JSON: there these characters stand inside strings only.
    pub(super) fn json(&mut self, text: &str) -> Result<(), ReportError> {
        let mut safe = String::with_capacity(text.len() + 16);
        for c in text.chars() {
            match c {
                '<' => safe.push_str("\\u003c"),
                '>' => safe.push_str("\\u003e"),
                '&' => safe.push_str("\\u0026"),
                c => safe.push(c),
            }
        }
        Ok(self.out.write_all(safe.as_bytes())?)
    }

    pub(super) fn flush(&mut self) -> Result<(), ReportError> {
        Ok(self.out.flush()?)
    }
}

/// A text as the content of an element or the value of an attribute.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 16);
    for c in escape(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_markup() {
        let mut out = Vec::new();
        let mut page = Page::new(&mut out);
        page.leaf("b", &[("title", "\"'<>&\n")], "<i>'\"&\u{202e}")
            .unwrap();
        page.json(r#"["</script><!--&"]"#).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "<b title=\"&quot;&#39;&lt;&gt;&amp;\\n\">&lt;i&gt;&#39;&quot;&amp;\\u{202e}</b>\
             [\"\\u003c/script\\u003e\\u003c!--\\u0026\"]"
        );
    }
}
