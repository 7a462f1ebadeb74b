//! A rule over the whole plan: the file is read once more before it is planned.

use crate::support::workdir::Workdir;

const CONFIG: &str = r#"version = 1
[source]
path = "SOURCE"
key = "employee"
[state]
path = "state.db"
[providers.weel]
id = "weel_id"
settings = { business_id = 123 }
[providers.weel.fields]
out_of_office_mode = "away"
out_of_office_start_date = "from"
out_of_office_end_date = "to"
delegate_approver = "deputy"
"#;

const ROWS: &str = "employee,weel_id,away,from,to,deputy\n\
                    ann,456,true,2026-06-01,2026-06-15,789\n\
                    bob,789,true,2026-06-15,2026-06-20,\n\
                    cem,790,true,2026-06-21,2026-06-22,789\n";

fn assert_refused(report: &serde_json::Value) {
    let lane = report["providers"]["weel"].as_object().unwrap();
    assert_eq!((&lane["rows"], &lane["invalid"]), (&3.into(), &1.into()));
    let problem = &report["problems"][0];
    let told = ["code", "column", "field"].map(|key| problem[key].as_str().unwrap());
    assert_eq!(told, ["E_OVERLAP", "deputy", "delegate_approver"]);
    assert_eq!(problem["line"], 2);
}

#[test]
fn a_delegate_who_is_away_is_told_at_the_row_whatever_comes_first() {
    let workdir = Workdir::new().token(None);
    workdir.write("clientsync.toml", CONFIG.replace("SOURCE", "rows.csv"));
    workdir.write("rows.csv", ROWS);
    assert_refused(&workdir.report(3, &["plan"]));

    let seed = r#"{"weel":[{"id":456},{"id":789},{"id":790}]}"#;
    workdir.write("sandbox.json", seed);
    let report = workdir.report(3, &["sync", "--sandbox"]);
    assert_refused(&report);
    assert_eq!(report["providers"]["weel"]["updated"], 2);
    let report = workdir.report(3, &["sync", "--sandbox"]);
    assert_refused(&report);
    assert_eq!(report["providers"]["weel"]["unchanged"], 2);
}

#[test]
fn a_delegate_who_is_the_row_itself_is_told_as_that() {
    let workdir = Workdir::new().token(None);
    workdir.write("clientsync.toml", CONFIG.replace("SOURCE", "rows.csv"));
    let rows = "employee,weel_id,away,from,to,deputy\nann,456,true,2026-06-01,2026-06-15,456\n";
    workdir.write("rows.csv", rows);
    let report = workdir.report(3, &["plan"]);
    let problem = &report["problems"][0];
    assert_eq!(problem["field"], "delegate_approver", "{report:#}");
    let message = problem["message"].as_str().unwrap();
    assert!(message.contains("itself"), "{message}");
}
