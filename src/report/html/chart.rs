//! Small charts as inline SVG. Their numbers stand beside them as text, so a
//! chart is for the eye alone and hidden from readers of text.

use crate::report::model::ReportError;

use super::page::Page;

/// A bar of several parts, each a class of the style and its number.
pub(super) fn parts(
    page: &mut Page<'_>,
    parts: &[(&'static str, u64)],
    all: u64,
) -> Result<(), ReportError> {
    let mut before = 0;
    svg(page, |svg| {
        for (class, n) in parts.iter().filter(|(_, n)| *n > 0) {
            rect(svg, class, &percent(before, all), &percent(*n, all))?;
            before += n;
        }
        Ok(())
    })
}

/// One bar against the longest.
pub(super) fn bar(page: &mut Page<'_>, n: u64, longest: u64) -> Result<(), ReportError> {
    svg(page, |svg| rect(svg, "planned", "0", &percent(n, longest)))
}

fn svg(
    page: &mut Page<'_>,
    content: impl FnOnce(&mut Page<'_>) -> Result<(), ReportError>,
) -> Result<(), ReportError> {
    let attributes = [
        ("viewBox", "0 0 100 8"),
        ("preserveAspectRatio", "none"),
        ("aria-hidden", "true"),
    ];
    page.element("svg", &attributes, content)
}

fn rect(page: &mut Page<'_>, class: &'static str, x: &str, width: &str) -> Result<(), ReportError> {
    let attributes = [
        ("class", class),
        ("x", x),
        ("width", width),
        ("height", "8"),
    ];
    page.leaf("rect", &attributes, "")
}

/// A share in percent, with two decimals.
fn percent(n: u64, all: u64) -> String {
    let share = u128::from(n) * 10_000 / u128::from(all.max(1));
    format!("{}.{:02}", share / 100, share % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_exact_to_two_decimals_and_never_divide_by_zero() {
        let table = [
            (0, 0, "0.00"),
            (1, 3, "33.33"),
            (3, 3, "100.00"),
            (u64::MAX, u64::MAX, "100.00"),
        ];
        for (n, all, expected) in table {
            assert_eq!(percent(n, all), expected);
        }
    }
}
