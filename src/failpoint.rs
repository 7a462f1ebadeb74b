//! Named places at which tests let the program fail: be killed, meet an error
//! or a full disk, be late, or panic.
//!
//! They exist only with the feature `failpoints`, which nothing but the tests'
//! own dependency turns on: in any other build a place is an empty function.
//! They stand around what must survive a crash, and nowhere in code that is
//! free of the outside world.

/// Declares the places, and in tests their names.
macro_rules! points {
    ($($(#[$said:meta])* $point:ident = $name:literal,)*) => {
        /// A place at which the program can be made to fail.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Point { $($(#[$said])* $point,)* }

        #[cfg(feature = "failpoints")]
        impl Point {
            /// All places.
            pub const ALL: &'static [Self] = &[$(Self::$point,)*];

            /// The name by which a place is armed.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$point => $name,)* }
            }
        }
    };
}

points! {
    /// Before the lock is taken.
    Lock = "lock",
    /// The lock is taken and says by whom.
    Locked = "locked",
    /// Before the plan file is made.
    Plan = "plan",
    /// The plan file is whole.
    Planned = "planned",
    /// Before the run is recorded.
    Begin = "begin",
    /// The run is recorded.
    Begun = "begun",
    /// Before a row that planning left out is recorded.
    LeaveOut = "leave-out",
    /// A row that planning left out is recorded.
    LeftOut = "left-out",
    /// Before an intent is recorded.
    Intend = "intend",
    /// An intent is durable.
    Intended = "intended",
    /// Before a request leaves.
    Send = "send",
    /// The provider has answered; nothing of it is read but its head.
    Sent = "sent",
    /// The answer is read.
    Received = "received",
    /// Before an answer is recorded for itself.
    Answer = "answer",
    /// An answer is durable.
    Answered = "answered",
    /// Before an outcome is recorded.
    Settle = "settle",
    /// An outcome is durable.
    Settled = "settled",
    /// Before the snapshot moves, in the transaction of the outcome.
    Acknowledge = "acknowledge",
    /// The snapshot has moved, and the transaction is not committed.
    Acknowledged = "acknowledged",
    /// Before the end of the run is recorded.
    End = "end",
    /// The end of the run is recorded.
    Ended = "ended",
    /// Before a report file gets its name.
    Report = "report",
    /// The report files are in their places.
    Reported = "reported",
}

#[cfg(not(feature = "failpoints"))]
#[expect(
    clippy::unnecessary_wraps,
    clippy::inline_always,
    reason = "with the feature it fails, and without it nothing shall be left of it"
)]
#[inline(always)]
pub(crate) fn reach(_: Point) -> std::io::Result<()> {
    Ok(())
}

#[cfg(feature = "failpoints")]
pub(crate) use armed::reach;
#[cfg(feature = "failpoints")]
pub use armed::{VARIABLE, arm};

#[cfg(feature = "failpoints")]
mod armed {
    use std::io;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use rustix::process::{Signal, getpid, kill_process};

    use super::Point;

    /// The variable that arms places: `NAME=ACTION[@N][+]`, several separated by
    /// `;`. The action happens the N-th time that the place is reached (the
    /// first, if nothing is said), and with `+` every time from then on.
    pub const VARIABLE: &str = "CLIENTSYNC_FAILPOINTS";

    /// How late a delay makes the program.
    const LATE: Duration = Duration::from_millis(50);

    /// What a panic says; nobody may be shown it.
    const PAYLOAD: &str = "a payload with canary@example.com in it";

    static ARMED: OnceLock<Vec<Armed>> = OnceLock::new();

    #[derive(Clone, Copy, Debug)]
    enum Action {
        Kill,
        Error,
        Full,
        Delay,
        Panic,
    }

    #[derive(Debug)]
    struct Armed {
        point: Point,
        action: Action,
        at: u64,
        again: bool,
        reached: AtomicU64,
    }

    /// Arms places as the variable says; `false` where it cannot be understood.
    #[must_use]
    pub fn arm(text: &str) -> bool {
        let armed: Option<Vec<Armed>> = text.split(';').map(parse).collect();
        armed.is_some_and(|armed| ARMED.set(armed).is_ok())
    }

    fn parse(text: &str) -> Option<Armed> {
        let (name, action) = text.split_once('=')?;
        let (action, again) = match action.strip_suffix('+') {
            Some(action) => (action, true),
            None => (action, false),
        };
        let (action, at) = action.split_once('@').unwrap_or((action, "1"));
        Some(Armed {
            point: *Point::ALL.iter().find(|point| point.name() == name)?,
            action: match action {
                "kill" => Action::Kill,
                "error" => Action::Error,
                "full" => Action::Full,
                "delay" => Action::Delay,
                "panic" => Action::Panic,
                _ => return None,
            },
            at: at.parse().ok()?,
            again,
            reached: AtomicU64::new(0),
        })
    }

    pub(crate) fn reach(point: Point) -> io::Result<()> {
        let armed = ARMED.get().into_iter().flatten();
        for armed in armed.filter(|armed| armed.point == point) {
            let reached = armed.reached.fetch_add(1, Ordering::SeqCst) + 1;
            if reached == armed.at || (armed.again && reached > armed.at) {
                act(armed.action)?;
            }
        }
        Ok(())
    }

    #[expect(clippy::panic, reason = "a bug is played")]
    fn act(action: Action) -> io::Result<()> {
        match action {
            Action::Kill => {
                kill_process(getpid(), Signal::KILL)?;
                loop {
                    std::thread::park();
                }
            }
            Action::Error => Err(io::Error::from_raw_os_error(
                rustix::io::Errno::IO.raw_os_error(),
            )),
            Action::Full => Err(io::ErrorKind::StorageFull.into()),
            Action::Delay => {
                std::thread::sleep(LATE);
                Ok(())
            }
            Action::Panic => std::panic::panic_any(PAYLOAD),
        }
    }
}
