//! What a command shows: the report on stdout and in files.
//!
//! A report file is prepared before anything is sent, so that a path that
//! cannot be written stops the run while it has done nothing. A closed stdout
//! ends the printing, never the run.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use tempfile::NamedTempFile;

use super::config::{Format, PageFormat, ReportFile};
use super::details::{Details, Outcomes, Told};
use super::exit::ExitCode;
use super::failure::Failure;
use crate::failpoint::{Point, reach};
use crate::report::{
    Cells, Collector, Colour, Part, Report, ReportError, Style, summary_line, write_csv,
    write_html, write_json, write_markdown, write_text,
};

/// How a command shows things.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) format: Format,
    pub(super) style: Style,
    pub(super) cells: Cells,
    pub(super) quiet: bool,
}

impl Look {
    /// How a report looks on stdout, which may be a terminal.
    pub(super) fn new(format: Format, terminal: bool, style: Style, quiet: bool) -> Self {
        let cells = if terminal {
            Cells::Spelled
        } else {
            Cells::Exact
        };
        Self {
            format,
            style,
            cells,
            quiet,
        }
    }

    /// How the same looks in a file.
    fn in_file(self, format: Format) -> Self {
        Self {
            format,
            style: Style {
                colour: Colour::Plain,
                ..self.style
            },
            cells: Cells::Exact,
            ..self
        }
    }
}

/// How a list or a page shows things.
#[derive(Clone, Copy, Debug)]
pub(super) struct PageLook {
    pub(super) format: PageFormat,
    pub(super) colour: Colour,
}

/// The report files of a command, open before its work begins.
#[derive(Debug)]
pub(super) struct ReportFiles(Vec<(NamedTempFile, PathBuf, Format)>);

impl ReportFiles {
    /// Prepares the files; each is written beside its place and moved there
    /// when it is whole.
    pub(super) fn prepare(files: &[ReportFile]) -> Result<Self, Failure> {
        let cannot = |file: &ReportFile, error: &io::Error| {
            Failure::say(
                ExitCode::Io,
                format!(
                    "the report {} cannot be written: {error}",
                    file.path.display()
                ),
            )
        };
        let mut prepared = Vec::new();
        for file in files {
            if file.path.is_dir() {
                return Err(Failure::say(
                    ExitCode::Io,
                    format!("the report {} is a directory", file.path.display()),
                ));
            }
            let folder = file
                .path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty())
                .map_or_else(|| PathBuf::from("."), PathBuf::from);
            // Reports hold personal data, so a folder made for them is private.
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&folder)
                .map_err(|error| cannot(file, &error))?;
            let beside = NamedTempFile::new_in(&folder).map_err(|error| cannot(file, &error))?;
            prepared.push((beside, file.path.clone(), file.format));
        }
        Ok(Self(prepared))
    }

    /// Renders each file, and moves it to its place when it is whole.
    pub(super) fn write(
        self,
        look: Look,
        render: impl Fn(&mut dyn Write, Look) -> Result<(), ReportError>,
    ) -> Result<(), Failure> {
        for (file, path, format) in self.0 {
            let mut out = BufWriter::new(file);
            render(&mut out, look.in_file(format))?;
            let file = out
                .into_inner()
                .map_err(|error| Failure::new(ExitCode::Io, error.into_error()))?;
            file.as_file()
                .sync_all()
                .map_err(|error| Failure::new(ExitCode::Io, error))?;
            reach(Point::Report).map_err(|error| Failure::new(ExitCode::Io, error))?;
            file.persist(&path).map_err(|error| {
                Failure::say(
                    ExitCode::Io,
                    format!(
                        "the report {} cannot be written: {}",
                        path.display(),
                        error.error
                    ),
                )
            })?;
            reach(Point::Reported).map_err(|error| Failure::new(ExitCode::Io, error))?;
        }
        Ok(())
    }
}

/// The rows that a report tells: a plan, and what became of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Story<'a> {
    pub(super) plan: &'a File,
    pub(super) outcomes: Option<Outcomes<'a>>,
}

impl<'a> Story<'a> {
    pub(super) fn details(&self, told: Told) -> Details<'a> {
        Details::new(self.plan, self.outcomes, told)
    }

    /// Counts fields and groups problems into the report, in one pass.
    pub(super) fn collect(&self, report: &mut Report) -> Result<(), ReportError> {
        let mut collector = Collector::default();
        for detail in self.details(Told::All) {
            collector.take(&detail.map_err(|error| ReportError::Details(Box::new(error)))?);
        }
        collector.finish(report);
        Ok(())
    }

    fn render(
        &self,
        out: &mut dyn Write,
        report: &Report,
        look: Look,
        told: Told,
    ) -> Result<(), ReportError> {
        let part = match (told, report.command.as_str()) {
            (Told::Troubled, _) => Part::Outcome,
            (Told::Problems, _) => Part::Check,
            (Told::All, "drift") => Part::Drift,
            (Told::All, command) if command.starts_with("adopt") => Part::Adoption,
            (Told::All, _) => Part::Whole,
        };
        let style = Style { part, ..look.style };
        let details = self.details(told);
        match look.format {
            Format::Text => write_text(out, report, style, details),
            Format::Json => write_json(
                out,
                report,
                style.values,
                self.details(Told::All),
                self.details(Told::All),
            ),
            Format::Csv => write_csv(out, report, style.values, look.cells, details),
            Format::Markdown => write_markdown(out, report, style.values, details),
            Format::Html => write_html(out, report, style.values, details),
        }
    }
}

/// Shows a finished report: files first, then stdout.
pub(super) fn show(
    story: &Story<'_>,
    report: &Report,
    look: Look,
    files: ReportFiles,
    told: Told,
) -> Result<(), Failure> {
    // A file tells all of a run, also what stdout told before it was applied.
    let in_files = match told {
        Told::Troubled => Told::All,
        told => told,
    };
    files.write(look, |out, look| story.render(out, report, look, in_files))?;
    if look.quiet {
        return if report.exit.code == 0 {
            Ok(())
        } else {
            print(|out| Ok(writeln!(out, "{}", summary_line(report))?))
        };
    }
    print(|out| story.render(out, report, look, told))
}

/// Writes to stdout. A reader who has left is no failure.
pub(super) fn print(
    write: impl FnOnce(&mut dyn Write) -> Result<(), ReportError>,
) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let written = write(&mut out).and_then(|()| Ok(out.flush()?));
    match written {
        Err(ReportError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}
