//! The rows of a lane whose outcome waits for something: a last chance at the
//! end of the run, or what other rows say about the lane.
//!
//! What waits is bounded, and is settled before the lane ends. Which refusals
//! wait is decided in [`tally`](super::tally).

use super::tally::{Tally, Verdict};
use super::worker::Worker;
use crate::core::{LaneCounts, Outcome};
use crate::engine::ends::{LaneStopped, Stopped};
use crate::engine::exchange::decide::Stop;
use crate::engine::exchange::gate::lock;
use crate::engine::exchange::journey::Journey;
use crate::engine::past::Earlier;
use crate::engine::transport::Transport;
use crate::store::{Entry, Settlement};

/// How many rows are put aside at most: they are held in memory.
const ASIDE: usize = 1000;

/// See the module.
#[derive(Default)]
pub(in crate::engine) struct Waiting {
    pub(in crate::engine) tally: Tally,
    /// Refusals that are not known yet to be their rows' own.
    withheld: Vec<Settlement>,
    /// Rows that failed, and what they came to.
    aside: Vec<(Journey, Box<Settlement>)>,
}

impl Waiting {
    /// Nothing waits in a lane with these counts.
    pub(in crate::engine) fn new(counts: &LaneCounts) -> Self {
        Self {
            tally: Tally::new(counts.unchanged),
            ..Self::default()
        }
    }

    /// The next refusal that is known to be its row's own, and what it means.
    fn next_released(&mut self) -> Option<(Settlement, Verdict)> {
        let tally = &mut self.tally;
        let place = self
            .withheld
            .iter()
            .position(|settlement| tally.releases(settlement.status))?;
        Some((self.withheld.remove(place), tally.count_refused()))
    }
}

impl<T: Transport> Worker<T> {
    /// Whether a row that came to this outcome is tried once more at the end:
    /// where nothing is lost by it, and a read finds out what is in doubt.
    pub(in crate::engine) fn has_last_chance(&self, journey: &Journey, outcome: Outcome) -> bool {
        let manifest = &self.lane().provider.manifest;
        let harmless = match outcome {
            Outcome::Failed => manifest.update.repeatable || !journey.tries.in_doubt,
            Outcome::InDoubt => manifest.update.repeatable && manifest.read.is_some(),
            _ => false,
        };
        harmless && !journey.last_chance && lock(&self.waiting).aside.len() < ASIDE
    }

    /// Keeps a row for the end of the run.
    pub(in crate::engine) fn put_aside(&self, journey: Journey, settlement: Box<Settlement>) {
        lock(&self.waiting).aside.push((journey, settlement));
    }

    /// A row that the provider refused: its outcome, or a sign of what is wrong
    /// with all of them.
    pub(in crate::engine) async fn refuse(
        &self,
        mut settlement: Settlement,
        earlier: Earlier,
    ) -> Result<(), LaneStopped> {
        if earlier == Earlier::Rejected {
            let verdict = lock(&self.waiting).tally.refuse_again();
            return self.write_refused(settlement, verdict).await;
        }
        let verdict = lock(&self.waiting).tally.refuse(settlement.status);
        if matches!(verdict, Verdict::Record | Verdict::RecordLast(_)) {
            self.write_refused(settlement, verdict).await?;
            return self.release().await;
        }
        let answer = settlement.answer.take().map(Entry::Answer);
        let words = settlement.message.clone().unwrap_or_default();
        if verdict == Verdict::Withhold {
            lock(&self.waiting).withheld.push(settlement);
        }
        self.exchanger.record(answer.into_iter().collect()).await?;
        match verdict {
            Verdict::End(stop, why) => {
                let why = format!("{why}: {words}");
                Err(self.exchanger.stop(Stopped::Provider(stop, why)))
            }
            // An answer may have come that frees what was withheld just now.
            _ => self.release().await,
        }
    }

    /// Records the refusals that are known by now to be their rows' own.
    pub(in crate::engine) async fn release(&self) -> Result<(), LaneStopped> {
        loop {
            let next = lock(&self.waiting).next_released();
            let Some((settlement, verdict)) = next else {
                return Ok(());
            };
            self.write_refused(settlement, verdict).await?;
        }
    }

    async fn write_refused(
        &self,
        settlement: Settlement,
        verdict: Verdict,
    ) -> Result<(), LaneStopped> {
        self.write(settlement).await?;
        if let Verdict::RecordLast(why) = verdict {
            // The row has come to its outcome, so it does not hear of the lane's
            // end: it would be recorded once more.
            self.exchanger.stop(Stopped::Provider(Stop::Deferred, why));
        }
        Ok(())
    }

    /// Ends the lane's rows: gives those that failed a last chance, while the
    /// provider is trusted to work, and settles all that waits.
    pub(in crate::engine) async fn finish(&self) {
        if self.try_finish().await.is_err() {
            // Whoever stopped the lane said why; all that is left is a state
            // that did not answer.
            self.stop(Stopped::NotRecorded);
        }
    }

    async fn try_finish(&self) -> Result<(), LaneStopped> {
        let aside = std::mem::take(&mut lock(&self.waiting).aside);
        for (mut journey, settlement) in aside {
            if self.has_stopped() {
                // What never reached the provider was not attempted.
                if journey.tries.in_doubt {
                    self.record(*settlement).await?;
                }
                continue;
            }
            if !self.exchanger.is_calm() || !self.exchanger.may_retry() {
                self.record(*settlement).await?;
                continue;
            }
            journey.last_chance = true;
            let (journey, ended) = self.travel(journey).await;
            if ended.is_err() && journey.tries.unanswered {
                self.leave(&journey).await;
            } else if ended.is_err() {
                // The lane ended under it: what it came to before holds.
                self.record(*settlement).await?;
            }
        }
        let withheld = std::mem::take(&mut lock(&self.waiting).withheld);
        if lock(&self.waiting).tally.has_ended() {
            return Ok(());
        }
        for settlement in withheld {
            self.write(settlement).await?;
        }
        Ok(())
    }
}
