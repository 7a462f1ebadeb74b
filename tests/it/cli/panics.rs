//! A bug of ours is told without what the program was holding, ends with 1,
//! and costs nothing: the next run goes on.

use clientsync::failpoint::{Point, VARIABLE};

use crate::support::judge::{Judge, rows};
use crate::support::workdir::Ran;

#[test]
fn a_panic_anywhere_ends_with_1_and_shows_nothing_of_what_it_held() {
    // In the main thread, in the recorder's, in a lane's task.
    for point in [
        Point::Locked,
        Point::Planned,
        Point::Begun,
        Point::Settle,
        Point::Acknowledged,
        Point::Send,
        Point::Received,
        Point::Report,
    ] {
        let judge = Judge::of(2);
        let workdir = judge.workdir(4);
        workdir.write("clients.csv", rows(10, 1));
        let mut command = workdir.command(&["sync", "--report", "report.json"]);
        command.env("RUST_BACKTRACE", "full");
        command.env(VARIABLE, format!("{}=panic", point.name()));
        let ran = Ran::from(command.output().unwrap()).ended(1);
        ran.says(&["internal error in run ", " at src/", "exit 1 error"]);
        for held in ["canary", "payload", "panicked", "backtrace"] {
            assert!(!ran.said().contains(held), "{held}: {ran:#?}");
        }
        if !matches!(point, Point::Locked | Point::Planned) {
            let runs = workdir.expect(0, &["runs", "--format", "json"]).json();
            let run_id = runs["runs"][0]["run_id"].as_str().unwrap();
            ran.says(&[&format!("in run {run_id} at")]);
        }
        workdir.expect(0, &["sync"]);
        judge.assert_holds(10, 1);
        assert!(judge.assert_recorded(&workdir.path("state.db")).is_empty());
    }
}
