//! Tables of text with aligned columns, and the same as Markdown.
//!
//! Small tables only: one is held whole to know its widths. Cells are escaped
//! here, so callers pass them as they are.

use super::escape::escape;

/// How a column is aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A table with a head.
#[derive(Debug)]
pub(super) struct Table {
    head: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new<'a>(head: impl IntoIterator<Item = (&'a str, Align)>) -> Self {
        Self {
            head: head
                .into_iter()
                .map(|(name, align)| (escape(name).into_owned(), align))
                .collect(),
            rows: Vec::new(),
        }
    }

    pub(super) fn row<'a>(&mut self, cells: impl IntoIterator<Item = &'a str>) {
        self.rows.push(
            cells
                .into_iter()
                .map(|cell| escape(cell).into_owned())
                .collect(),
        );
    }

    /// The lines as aligned text, the head first, without line ends.
    pub(super) fn text(&self) -> Vec<String> {
        let names: Vec<&String> = self.head.iter().map(|(name, _)| name).collect();
        let widths: Vec<usize> = names
            .iter()
            .enumerate()
            .map(|(column, name)| {
                self.rows
                    .iter()
                    .filter_map(|row| row.get(column))
                    .chain([*name])
                    .map(|cell| cell.chars().count())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let line = |cells: &mut dyn Iterator<Item = &String>| {
            let cells: Vec<String> = cells
                .zip(&self.head)
                .zip(&widths)
                .map(|((cell, (_, align)), &width)| match align {
                    Align::Left => format!("{cell:<width$}"),
                    Align::Right => format!("{cell:>width$}"),
                })
                .collect();
            cells.join("  ").trim_end().to_owned()
        };
        let mut lines = vec![line(&mut names.into_iter())];
        lines.extend(self.rows.iter().map(|row| line(&mut row.iter())));
        lines
    }

    /// The lines as a Markdown table, without line ends.
    pub(super) fn markdown(&self) -> Vec<String> {
        let line = |cells: &mut dyn Iterator<Item = String>| {
            let cells: Vec<String> = cells.collect();
            format!("| {} |", cells.join(" | "))
        };
        let mut lines = vec![
            line(&mut self.head.iter().map(|(name, _)| markdown_cell(name))),
            line(&mut self.head.iter().map(|(_, align)| match align {
                Align::Left => "---".to_owned(),
                Align::Right => "---:".to_owned(),
            })),
        ];
        lines.extend(
            self.rows
                .iter()
                .map(|row| line(&mut row.iter().map(|cell| markdown_cell(cell)))),
        );
        lines
    }
}

/// A text that Markdown shows as it is: no markup, no HTML, no new cell.
fn markdown_cell(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(
            c,
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '&' | '~' | '#' | '!'
        ) {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_cells_cannot_break_out() {
        let mut table = Table::new([("name", Align::Left), ("rows", Align::Right)]);
        table.row(["abc", "1,204"]);
        table.row(["a|b\n<i>", "7"]);
        assert_eq!(
            table.text(),
            ["name       rows", "abc       1,204", "a|b\\n<i>      7"]
        );
        assert_eq!(
            table.markdown(),
            [
                "| name | rows |",
                "| --- | ---: |",
                "| abc | 1,204 |",
                "| a\\|b\\\\n\\<i\\> | 7 |"
            ]
        );
    }
}
