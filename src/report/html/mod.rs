//! The HTML report: one file, for a reviewer who is not an engineer.
//!
//! It loads nothing. Its one script and its one style are the same in every
//! report, and the page's policy allows those two by their hashes and nothing
//! else. The rows are streamed into a block of JSON that only the script reads;
//! all else is readable without it.

mod chart;
mod page;
mod problems;
mod records;
mod run;
mod sections;

use std::error::Error;
use std::io::Write;

use super::headline::headline;
use super::model::{Report, ReportError};
use super::value::Values;

pub use run::write_run_html;

use page::Page;
use records::Records;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const BROWSER: &str = include_str!("browser.html");

/// What the page may do: run this script and use this style.
const POLICY: &str = concat!(
    "default-src 'none'; base-uri 'none'; form-action 'none'; ",
    "require-trusted-types-for 'script'; ",
    "style-src 'sha256-oOMz9EtiQgfFY4ZAakw0FaehJv4307ByNVIU58fGfDM='; ",
    "script-src 'sha256-6T3oSUzlPaTn3/7LsiwYGKxESYfPoxEakysHGuH+18M='",
);

/// Writes the report as one HTML file. When the details end in an error, the
/// page says so and is whole all the same.
pub fn write_html<D, E>(
    out: &mut dyn Write,
    report: &Report,
    values: Values,
    details: D,
) -> Result<(), ReportError>
where
    D: IntoIterator<Item = Result<super::model::Detail, E>>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let title = headline(report).title;
    document(out, title, |page| {
        sections::write(page, report, values)?;
        problems::write(page, report, values)?;
        page.markup(BROWSER)?;
        let mut records = Records::begin(page)?;
        let told = details.into_iter().try_for_each(|detail| {
            let detail = detail.map_err(|error| ReportError::Details(error.into()))?;
            records.detail(&detail, values)
        });
        records.end(&told)?;
        sections::footer(page, report)?;
        Ok(told)
    })
}

/// Writes a whole page; what is inside may end early and says so itself.
fn document(
    out: &mut dyn Write,
    title: &str,
    body: impl FnOnce(&mut Page<'_>) -> Result<Result<(), ReportError>, ReportError>,
) -> Result<(), ReportError> {
    let mut page = Page::new(out);
    page.markup("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")?;
    let policy = [
        ("http-equiv", "Content-Security-Policy"),
        ("content", POLICY),
    ];
    page.open("meta", &policy)?;
    page.markup(concat!(
        "\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
        "<meta name=\"color-scheme\" content=\"light dark\">\n",
        "<meta name=\"referrer\" content=\"no-referrer\">\n",
        "<meta name=\"robots\" content=\"noindex\">\n",
    ))?;
    page.leaf("title", &[], &format!("clientsync: {title}"))?;
    page.markup("\n<style>")?;
    page.markup(STYLE)?;
    page.markup("</style>\n</head>\n<body>\n")?;
    let told = body(&mut page)?;
    page.markup("<script>")?;
    page.markup(SCRIPT)?;
    page.markup("</script>\n</body>\n</html>\n")?;
    page.flush()?;
    told
}
