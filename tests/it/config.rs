//! The configuration file: what is accepted, and how every problem is told.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clientsync::cli::config::{
    Color, Config, ConfigProblem, Format, LogFormat, ReportFile, SourcePath, StoredValues,
    UnusedColumns, providers_dir, read_text,
};
use clientsync::cli::secrets::SecretRef;
use clientsync::core::Blank;
use clientsync::engine::{Guards, Limit};
use clientsync::provider::{Catalog, Limits, ProviderFiles, Quota, Window};

mod fields;
mod problems;
mod refused;

const FILE: &str = "conf/clientsync.toml";

/// The built-in providers, and one with every kind of field.
fn catalog() -> Catalog {
    Catalog::load(&[ProviderFiles {
        manifest: include_str!("config/demo.toml").to_owned(),
        contract: include_str!("config/demo.schema.json").to_owned(),
    }])
    .expect("the demo provider is valid")
}

fn parse(text: &str) -> Result<Config, Vec<ConfigProblem>> {
    Config::parse(text, Path::new(FILE), &catalog())
}

fn good(text: &str) -> Config {
    parse(text).unwrap_or_else(|problems| panic!("{}", render(&problems)))
}

fn render(problems: &[ConfigProblem]) -> String {
    let lines: Vec<String> = problems
        .iter()
        .map(|problem| problem.render(Path::new("clientsync.toml")))
        .collect();
    lines.join("\n")
}

/// The problems of a text, rendered.
fn bad(text: &str) -> String {
    render(&parse(text).expect_err(text))
}

/// A whole configuration around some lines of the demo provider's fields.
fn with_fields(fields: &str) -> String {
    with("", "", fields)
}

/// A whole configuration with lines at the top level (tables of their own),
/// in the lane, and among its fields.
fn with(top: &str, lane: &str, fields: &str) -> String {
    format!(
        "version = 1\n[source]\npath = \"c.csv\"\nkey = \"no\"\n{top}\n[providers.demo]\nid = \"demo_id\"\nsettings = {{ base_url = \"https://demo.example.com\" }}\n{lane}\n[providers.demo.fields]\n{fields}\n"
    )
}

const NAME: &str = "name = \"n\"";

#[test]
fn the_quick_start_is_understood() {
    let file = Path::new("samples/quickstart/clientsync.toml");
    let config = Config::read(file, &catalog()).unwrap_or_else(|p| panic!("{}", render(&p)));
    let names: Vec<&str> = config.lanes.iter().map(|lane| lane.name.as_str()).collect();
    assert_eq!(names, ["complycube", "nexudus", "spp", "placio", "weel"]);
    let mapped: Vec<usize> = config
        .lanes
        .iter()
        .map(|lane| lane.mappings.len())
        .collect();
    assert_eq!(mapped, [19, 7, 14, 6, 6]);
    assert_eq!(config.lanes[0].rules.len(), 19);
    assert_eq!(
        config.source.path,
        SourcePath::File("samples/quickstart/clients.csv".into())
    );
    assert_eq!(
        config.state.path,
        PathBuf::from("samples/quickstart/../../state/quickstart.db")
    );
    assert_eq!(config.guards.min_rows, 25);
    assert_eq!(
        config.lanes[1].secrets.password,
        Some(SecretRef::Env("NEXUDUS_PASSWORD".to_owned()))
    );
}

#[test]
fn the_example_of_the_manual_is_understood() {
    let example = include_str!("config/example.toml");
    let config = good(example);
    let [complycube, placio] = &config.lanes[..] else {
        panic!("two lanes");
    };
    assert_eq!(complycube.mappings.len(), 5);
    assert_eq!(placio.mappings.len(), 5);
    assert_eq!(placio.provider.name(), "demo");
    let [(field, value)] = &placio.absent[..] else {
        panic!("one field");
    };
    assert_eq!(
        (field.to_string(), value),
        ("name".to_owned(), &"(left)".into())
    );
    assert_eq!(
        placio.limits,
        Limits {
            quota: vec![
                Quota {
                    calls: 100,
                    per: Window::Minute,
                    writes_only: false
                },
                Quota {
                    calls: 2000,
                    per: Window::Day,
                    writes_only: true
                },
            ],
            concurrency: 4
        }
    );
}

#[test]
fn what_is_not_said_has_its_documented_default() {
    let config = good(&with_fields(NAME));
    assert_eq!(config.source.delimiter, b',');
    assert_eq!(config.source.encoding, "utf-8");
    assert_eq!(config.source.blank, Blank::Keep);
    assert!(config.source.trim);
    assert_eq!(config.source.null_tokens, Vec::<String>::new());
    assert_eq!(config.source.skip_lines, 0);
    assert!(!config.source.require_final_newline);
    assert_eq!(config.source.unused_columns, UnusedColumns::Warn);
    assert_eq!(config.source.path, SourcePath::File("conf/c.csv".into()));
    assert_eq!(config.state.path, PathBuf::from("conf/state/clientsync.db"));
    assert_eq!(config.state.values, StoredValues::Plain);
    assert_eq!(config.state.keep_runs, Duration::from_secs(90 * 86_400));
    let guards = Guards {
        min_rows: 1,
        max_row_drop: Limit::Share(1_000),
    };
    assert_eq!((config.guards, config.lanes[0].guards), (guards, guards));
    assert_eq!(config.run.tps_limit, None);
    assert_eq!(config.lanes[0].limits.concurrency, 2);
    assert_eq!(
        config.lanes[0].secrets.token,
        Some(SecretRef::Env("DEMO_TOKEN".to_owned()))
    );
    assert_eq!(config.lanes[0].secrets.username, None);
    assert_eq!(config.lanes[0].settings.get("workspace_id"), Some("ws_1"));
    assert_eq!(config.directory, PathBuf::from("conf"));
    assert_eq!(config.sha256.len(), 64);
}

#[test]
fn every_key_of_source_and_state_is_read() {
    let text = with_fields(NAME).replace(
        "path = \"c.csv\"\nkey = \"no\"",
        "path = \"-\"\nkey = [\"region\", \"no\"]\ndelimiter = \"\\t\"\nencoding = \"windows-1252\"\nblank = \"reject\"\ntrim = false\nnull_tokens = [\"n/a\", \"\"]\nskip_lines = 3\nrequire_final_newline = true\nunused_columns = \"error\"\n[state]\npath = \"/var/s.db\"\nvalues = \"digest\"\ndigest_key_file = \"k\"\nkeep_runs = \"2w\"",
    );
    let config = good(&text);
    assert_eq!(config.source.path, SourcePath::Stdin);
    assert_eq!(config.source.key, ["region", "no"]);
    assert_eq!(config.source.delimiter, b'\t');
    assert_eq!(config.source.encoding, "windows-1252");
    assert_eq!(config.source.blank, Blank::Reject);
    assert!(!config.source.trim);
    assert_eq!(config.source.null_tokens, ["n/a", ""]);
    assert_eq!(config.source.skip_lines, 3);
    assert!(config.source.require_final_newline);
    assert_eq!(config.source.unused_columns, UnusedColumns::Error);
    assert_eq!(config.state.path, PathBuf::from("/var/s.db"));
    assert_eq!(config.state.values, StoredValues::Digest("conf/k".into()));
    assert_eq!(config.state.keep_runs, Duration::from_secs(14 * 86_400));
}

#[test]
fn every_key_of_run_is_read() {
    let text = with(
        "[run]\ntps_limit = 5\nconcurrency = 256\nbudget = 12\nmax_duration = \"1h30m\"\nformat = \"json\"\nreport = [\"a.txt\", \"out/b.json\"]\nhide_values = true\nlog_format = \"json\"\nlog_file = \"l.log\"\nno_progress = true\ncolor = \"never\"\nproviders_dir = \"more\"",
        "",
        NAME,
    );
    let run = good(&text).run;
    assert_eq!(run.tps_limit, Some(5.0));
    assert_eq!(run.budget, Some(12));
    assert_eq!(run.max_duration, Some(Duration::from_secs(5400)));
    assert_eq!(run.concurrency, Some(256));
    assert_eq!(run.format, Some(Format::Json));
    let file = |path: &str, format| ReportFile {
        path: path.into(),
        format,
    };
    assert_eq!(
        run.report,
        [
            file("conf/a.txt", Format::Text),
            file("conf/out/b.json", Format::Json)
        ]
    );
    assert_eq!(run.hide_values, Some(true));
    assert_eq!(run.log_format, Some(LogFormat::Json));
    assert_eq!(run.log_file, Some("conf/l.log".into()));
    assert_eq!(run.no_progress, Some(true));
    assert_eq!(run.color, Some(Color::Never));
    assert_eq!(run.providers_dir, Some("conf/more".into()));
    assert_eq!(
        providers_dir(&text, Path::new(FILE)),
        Some("conf/more".into())
    );
    assert_eq!(
        providers_dir("[run]\nproviders_dir = \"d\"\nbroken", Path::new("c.toml")),
        Some("./d".into())
    );
}

#[test]
fn a_lane_overrides_single_guards() {
    let text = with(
        "[guards]\nmin_rows = 25\nmax_row_drop = \"2.5%\"",
        "guards = { max_row_drop = \"off\" }",
        NAME,
    );
    let config = good(&text);
    assert_eq!(config.guards.max_row_drop, Limit::Share(250));
    let lane = Guards {
        min_rows: 25,
        max_row_drop: Limit::Off,
    };
    assert_eq!(config.lanes[0].guards, lane);
    let off = good(&with(
        "[guards]\nmin_rows = \"off\"\nmax_row_drop = 7",
        "",
        NAME,
    ));
    let guards = Guards {
        min_rows: 0,
        max_row_drop: Limit::Count(7),
    };
    assert_eq!(off.guards, guards);
}

#[test]
fn secrets_are_kept_as_references() {
    let secret = |lane: &str| {
        let mut config = good(&with("", lane, NAME));
        config.lanes.remove(0).secrets.token
    };
    assert_eq!(
        secret("token_env = \"MY_TOKEN\""),
        Some(SecretRef::Env("MY_TOKEN".to_owned()))
    );
    assert_eq!(
        secret("token_file = \"t\""),
        Some(SecretRef::File("conf/t".into()))
    );
    assert_eq!(
        secret("token_command = \"pass show t\""),
        Some(SecretRef::Command("pass show t".to_owned()))
    );
}

#[test]
fn a_lane_may_have_a_name_of_its_own() {
    let text = with("", "kind = \"demo\"", NAME).replace("[providers.demo", "[providers.eu-west");
    let config = good(&text);
    assert_eq!(config.lanes[0].name, "eu-west");
    assert_eq!(config.lanes[0].provider.name(), "demo");
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let absent = folder.path().join("absent.toml");
    let problem = read_text(&absent).expect_err("it is not there");
    let text = problem.render(Path::new("clientsync.toml"));
    assert!(
        text.starts_with("clientsync.toml: cannot be read: No such file"),
        "{text}"
    );
    assert!(text.ends_with("name another file with --config"), "{text}");
    assert!(Config::read(folder.path(), &catalog()).is_err());
    let latin = folder.path().join("latin.toml");
    std::fs::write(&latin, b"version = 1\n# Stra\xdfe\n").expect("written");
    let problem = read_text(&latin).expect_err("it is Latin-1");
    assert_eq!(
        problem.render(Path::new("clientsync.toml")),
        "clientsync.toml:2:7: is not UTF-8; save it as UTF-8"
    );
}
