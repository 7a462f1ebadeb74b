//! No space: a run that cannot write stops, sends nothing that it could not
//! record, and the run after it puts all right.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::campaign::{say, times};
use crate::support::judge::{Judge, rows};
use crate::support::shell::behind;
use crate::support::workdir::{FIELDS, ROWS, Remote, Workdir};

const COUNT: u32 = 40;
const OPEN: u32 = 4;
/// What is tried, from here to there, in KiB.
const SMALLEST: u32 = 4;
const LARGEST: u32 = 5000;

/// Sizes, evenly spread.
fn sizes() -> impl Iterator<Item = u32> {
    let steps: u32 = times(20, 200);
    (0..steps).map(move |step| SMALLEST + step * (LARGEST - SMALLEST) / (steps - 1))
}

#[test]
fn files_that_may_not_grow_end_the_run_with_74_and_nothing_is_lost() {
    let (mut ends, mut reports) = (Vec::new(), 0);
    for size in sizes() {
        let judge = Judge::of(2);
        let workdir = judge.workdir(OPEN);
        workdir.write("clients.csv", rows(COUNT, 1));
        // POSIX counts in blocks of 512 bytes.
        let line = format!("ulimit -f {} && exec \"$@\"", size * 2);
        let ran = behind(&workdir, &line, &["sync", "--report", "report.json"]);
        assert!([0, 74].contains(&ran.code), "{size} KiB: {ran:#?}");
        ends.push(ran.code);
        // What the providers accepted is told, recorded or not.
        if let Ok(report) = serde_json::from_str::<Value>(&told(&workdir)) {
            let of = |lane: &str, name: &str| report["providers"][lane][name].as_u64().unwrap();
            let sum = |name: &str| judge.lanes().map(|lane| of(lane, name)).sum();
            let [updated, in_doubt]: [u64; 2] = ["updated", "in_doubt"].map(sum);
            let accepted = u64::try_from(judge.writes()).unwrap();
            assert_eq!(updated + in_doubt, accepted, "{size} KiB: {report:#}");
            reports += 1;
        }
        let open = judge.assert_recorded(&workdir.path("state.db"));
        for (lane, clients) in open {
            assert!(clients <= OPEN, "{size} KiB: {lane}: {clients} in doubt");
        }
        workdir.expect(0, &["sync", "--report", "report.json"]);
        judge.assert_holds(COUNT, 1);
        assert!(judge.assert_recorded(&workdir.path("state.db")).is_empty());
    }
    say(&format!(
        "sizes of files: {} x 74, {} x 0",
        count(&ends, 74),
        count(&ends, 0)
    ));
    assert!(count(&ends, 74) > 2 && count(&ends, 0) > 0, "{ends:?}");
    assert!(reports > 10, "{reports}");
}

/// The report of the last run; nothing where there is none.
fn told(workdir: &Workdir) -> String {
    fs::read_to_string(workdir.path("report.json")).unwrap_or_default()
}

fn count(ends: &[i32], code: i32) -> usize {
    ends.iter().filter(|end| **end == code).count()
}

#[test]
fn a_full_disk_ends_the_run_with_74_and_nothing_is_lost() {
    let private = ["--user", "--map-root-user", "--mount"];
    let may = Command::new("unshare")
        .args(private)
        .args(["mount", "-t", "tmpfs", "none", "/mnt"])
        .output();
    if !may.is_ok_and(|tried| tried.status.success()) {
        say("skipped: this machine lets nobody mount a tmpfs of its own");
        return;
    }
    let mut ends = Vec::new();
    for size in sizes() {
        let judge = Judge::of(2);
        let workdir = judge.workdir(OPEN);
        workdir.edit("clientsync.toml", "\"state.db\"", "\"small/state.db\"");
        workdir.write("clients.csv", rows(COUNT, 1));
        for folder in ["small", "first", "second"] {
            fs::create_dir(workdir.path(folder)).unwrap();
        }
        // What was on the disk is kept, for it goes away with the mount.
        let script = format!(
            "mount -t tmpfs -o size={size}k,mode=700 none small || exit 99\n\
             \"$@\"; echo \"first $?\" >>codes\n\
             cp small/state.db* first/ 2>/dev/null\n\
             mount -o remount,size=64m small || exit 98\n\
             \"$@\"; echo \"second $?\" >>codes\n\
             cp small/state.db* second/\n"
        );
        let line = format!(
            "exec unshare {} sh -c '{script}' sh \"$@\"",
            private.join(" ")
        );
        let ran = behind(&workdir, &line, &["sync", "--report", "report.json"]);
        assert_eq!(ran.code, 0, "{ran:#?}");
        let codes = workdir.read("codes");
        let code = match codes.as_str() {
            "first 74\nsecond 0\n" => 74,
            "first 0\nsecond 0\n" => 0,
            _ => panic!("{size} KiB: {codes} {ran:#?}"),
        };
        ends.push(code);
        let state = workdir.path("second/state.db");
        judge.assert_holds(COUNT, 1);
        assert!(judge.assert_recorded(&state).is_empty());
    }
    say(&format!(
        "sizes of disks: {} x 74, {} x 0",
        count(&ends, 74),
        count(&ends, 0)
    ));
    assert!(count(&ends, 74) > 2 && count(&ends, 0) > 0, "{ends:?}");
}

#[test]
fn too_few_files_may_be_open_is_an_error_and_sends_nothing_unrecorded() {
    let mut ends = Vec::new();
    for files in [8, 10, 12, 16, 64] {
        let judge = Judge::of(2);
        let workdir = judge.workdir(OPEN);
        workdir.write("clients.csv", rows(5, 1));
        let line = format!("ulimit -n {files} && exec \"$@\"");
        // Without a file there is no connection either, and that is waited for.
        let ran = behind(&workdir, &line, &["sync", "--max-duration", "2s"]);
        assert!(
            [0, 1, 3, 6, 65, 74].contains(&ran.code),
            "{files}: {ran:#?}"
        );
        ends.push(ran.code);
        judge.assert_recorded(&workdir.path("state.db"));
        workdir.expect(0, &["sync"]);
        judge.assert_holds(5, 1);
    }
    assert!(ends[0] != 0 && ends[4] == 0, "{ends:?}");
}

#[test]
fn closed_streams_leave_the_run_as_it_is() {
    for closed in [">&-", "2>&-", ">&- 2>&-", "<&-"] {
        let remote = Remote::accepting();
        let workdir = Workdir::with(&remote.url(), FIELDS, ROWS);
        let ran = behind(&workdir, &format!("exec \"$@\" {closed}"), &["sync"]);
        assert_eq!((ran.code, remote.count()), (0, 3), "{closed}: {ran:#?}");
        workdir.expect(0, &["plan", "--expect-no-changes"]);
    }
}
