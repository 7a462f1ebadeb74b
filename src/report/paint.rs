//! Colours of a text report: basic ANSI codes, or none.
//!
//! Only text that is already escaped may be painted.

/// Whether a text uses colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// No escape sequence at all.
    #[default]
    Plain,
    /// The basic ANSI colours.
    Ansi,
}

/// What a piece of text is painted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    /// A heading.
    Bold,
    /// A side remark.
    Dim,
    /// Something that must be looked at.
    Red,
    /// Something new or good.
    Green,
    /// Something that changes.
    Yellow,
    /// Something unknown.
    Magenta,
}

impl Colour {
    /// A text in a colour, or as it is.
    pub(super) fn paint(self, paint: Paint, text: &str) -> String {
        if self == Self::Plain || text.trim().is_empty() {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Bold => 1,
            Paint::Dim => 2,
            Paint::Red => 31,
            Paint::Green => 32,
            Paint::Yellow => 33,
            Paint::Magenta => 35,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}
