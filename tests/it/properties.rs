//! The laws of a round, over random rows, records and snapshots.
//!
//! Seven providers stand for what providers ask: the built-in ones, and two of
//! the tests (`tests/fixtures/providers`) for what none of those needs. The other side of a round is a
//! model of a server that is written here and shares no code with the payload.
//! `PROPTEST_CASES` raises the number of cases; it cannot lower it.

mod bodies;
mod case;
mod choices;
mod duplicates;
mod expected;
mod laws;
mod round;
pub(crate) mod server;
mod values;
pub(crate) mod world;

use std::cell::Cell;

use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestError, TestRunner};

use case::Case;
use world::World;

/// The least number of cases of every law.
const CASES: u32 = 1_000;

/// Whether a case said anything about its law.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The law applied, and held.
    Held,
    /// The case does not touch the law.
    Silent,
}

type Checked = Result<Verdict, TestCaseError>;

fn config() -> Config {
    let config = Config::default();
    Config {
        cases: config.cases.max(CASES),
        failure_persistence: Some(Box::new(FileFailurePersistence::Off)),
        ..config
    }
}

fn runner() -> TestRunner {
    TestRunner::new(config())
}

/// Checks a law over random cases of a world. At least one case in `share`
/// must have said something, or the law would hold for want of cases.
fn hold(world: &'static World, share: u32, law: fn(&Case) -> Checked) {
    let mut runner = runner();
    let cases = runner.config().cases;
    let spoke = Cell::new(0_u32);
    let outcome = runner.run(&choices::strategy(), |bytes| {
        let case = Case::draw(world, &bytes);
        if law(&case)? == Verdict::Held {
            spoke.set(spoke.get() + 1);
        }
        Ok(())
    });
    match outcome {
        Ok(()) => assert!(
            spoke.get() >= cases / share,
            "{}: only {} of {cases} cases said anything",
            world.name,
            spoke.get()
        ),
        Err(TestError::Fail(reason, bytes)) => panic!(
            "{}: {reason}\nchoices: {bytes:?}\n{}",
            world.name,
            Case::draw(world, &bytes)
        ),
        Err(TestError::Abort(reason)) => panic!("{}: {reason}", world.name),
    }
}
