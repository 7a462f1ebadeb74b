-- The state of clientsync, version 1. Never edited once released: a change is a
-- new file with the next number.
--
-- Times are microseconds since 1970-01-01T00:00:00Z. JSON columns hold what the
-- types of the core serialize to.

-- A lane and the target its rows belong to; both are NULL after a reset. A
-- provider that asked for a long wait is left alone until blocked_until.
CREATE TABLE lane (
    lane_id       INTEGER PRIMARY KEY CHECK (lane_id BETWEEN 1 AND 4194303),
    name          TEXT NOT NULL UNIQUE,
    kind          TEXT,
    target        TEXT,
    mapped_fields TEXT,
    blocked_until INTEGER
) STRICT;

-- What each lane's provider acknowledged last, per key.
--
-- A rid is the lane's id in the upper bits and the order of appending in the
-- lower 40, so that a lane's rows lie side by side in the order they came.
-- The key hash serves lookups only: the full key is compared on every hit.
-- updated_run is a rid of run, which may have been purged since.
CREATE TABLE snapshot (
    rid         INTEGER PRIMARY KEY,
    lane_id     INTEGER NOT NULL REFERENCES lane,
    key         TEXT NOT NULL,
    key_hash    BLOB NOT NULL CHECK (length(key_hash) = 16),
    remote_id   TEXT NOT NULL,
    fields      TEXT NOT NULL,
    updated_run INTEGER,
    CHECK (rid >> 40 = lane_id)
) STRICT;
CREATE UNIQUE INDEX snapshot_key ON snapshot (lane_id, key_hash);
CREATE INDEX snapshot_remote_id ON snapshot (lane_id, remote_id);

-- One apply, sync or adopt. A rid is never used twice.
CREATE TABLE run (
    rid           INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id        TEXT NOT NULL UNIQUE,
    command       TEXT NOT NULL,
    scope         TEXT NOT NULL CHECK (scope IN ('whole', 'partial')),
    started       INTEGER NOT NULL,
    ended         INTEGER,
    exit_code     INTEGER,
    exit_name     TEXT,
    plan_sha256   TEXT,
    plan_path     TEXT,
    source_sha256 TEXT,
    source_rows   INTEGER,
    tool_version  TEXT NOT NULL,
    guards        TEXT NOT NULL,
    allowed       TEXT NOT NULL
) STRICT;

-- What a run set out to do in a lane, and what it came to.
CREATE TABLE run_lane (
    run_rid INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    lane_id INTEGER NOT NULL REFERENCES lane,
    planned TEXT NOT NULL,
    final   TEXT,
    PRIMARY KEY (run_rid, lane_id)
) STRICT, WITHOUT ROWID;

-- The journal: a row is the intent, committed before its request is sent; the
-- answer is written into it afterwards. It is open while it may have changed
-- the record without our knowing: its fields are then unknown.
CREATE TABLE attempt (
    rid                 INTEGER PRIMARY KEY,
    run_rid             INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    request             INTEGER NOT NULL,
    lane_id             INTEGER NOT NULL REFERENCES lane,
    key                 TEXT,
    key_hash            BLOB CHECK (length(key_hash) = 16),
    line                INTEGER,
    n                   INTEGER NOT NULL,
    method              TEXT NOT NULL,
    started             INTEGER NOT NULL,
    body_sha256         TEXT,
    fields              TEXT NOT NULL,
    open                INTEGER NOT NULL CHECK (open IN (0, 1)),
    result              TEXT,
    status              INTEGER,
    provider_request_id TEXT,
    message             TEXT,
    duration_ms         INTEGER
) STRICT;
CREATE UNIQUE INDEX attempt_request ON attempt (run_rid, request);
CREATE INDEX attempt_started ON attempt (lane_id, started);
CREATE INDEX attempt_open ON attempt (lane_id, key_hash) WHERE open = 1;

-- What became of a row in a lane; the last word of a run about it.
-- settles is 1 for a planned row and 0 for one that planning left out.
CREATE TABLE outcome (
    rid                 INTEGER PRIMARY KEY,
    run_rid             INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
    lane_id             INTEGER NOT NULL REFERENCES lane,
    line                INTEGER NOT NULL,
    key                 TEXT,
    remote_id           TEXT,
    settles             INTEGER NOT NULL CHECK (settles IN (0, 1)),
    outcome             TEXT NOT NULL,
    reason              TEXT,
    code                TEXT,
    message             TEXT,
    attempts            INTEGER NOT NULL,
    status              INTEGER,
    provider_request_id TEXT,
    duration_ms         INTEGER NOT NULL,
    at                  INTEGER NOT NULL,
    problems            TEXT NOT NULL,
    note                TEXT
) STRICT;
CREATE UNIQUE INDEX outcome_row ON outcome (run_rid, lane_id, line);
