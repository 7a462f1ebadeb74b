//! One attempt of a row: read, build, check, send.
//!
//! The body is built from a read of this very attempt, never from an older
//! one. What the provider already holds is not sent again.

use super::worker::{Step, Worker};
use crate::core::{
    Acknowledged, Body, Completed, Completing, FieldPath, Hint, Json, KEPT, Outcome, Overlay,
    Policy, Problem, Response, Settled, complete, decode,
};
use crate::engine::ends::{LaneStopped, Stopped};
use crate::engine::exchange::decide::Stop;
use crate::engine::exchange::journey::{Journey, code_of};
use crate::engine::past::Earlier;
use crate::engine::transport::Transport;
use crate::provider::Asked;
use crate::store::{Answer, AttemptResult, Settlement, SnapshotWrite};

/// What building the body came to.
enum Built {
    Body(Box<Body>),
    Ended,
}

impl<T: Transport> Worker<T> {
    pub(in crate::engine) async fn attempt(
        &self,
        journey: &mut Journey,
    ) -> Result<Step, LaneStopped> {
        let manifest = &self.lane().provider.manifest;
        let (readable, repeatable) = (manifest.read.is_some(), manifest.update.repeatable);
        let doubtful = journey.is_in_doubt();
        if doubtful && !readable && !repeatable {
            return self.unresolved(journey).await;
        }
        let record = if journey.update.draft.read.is_empty() && !(doubtful && readable) {
            None
        } else {
            match self.read(journey).await? {
                Ok(record) => Some(record),
                Err(step) => return Ok(step),
            }
        };
        if record.is_some() {
            journey.verified();
        }
        let body = match self.build(journey, record.as_ref()).await? {
            Built::Body(body) => body,
            Built::Ended => return Ok(Step::Ended),
        };
        let request = match self.lane().provider.update_request(
            &self.lane().settings,
            &journey.update.remote_id,
            &body.json,
        ) {
            Ok(request) => request,
            Err(problem) => return self.invalid(journey, vec![problem]).await,
        };
        match self
            .exchange(journey, Asked::Write, request, in_doubt(&body))
            .await?
        {
            Step::Accepted(response, answer) => {
                self.accepted(journey, &body.settled, &response, answer)
                    .await
            }
            other => Ok(other),
        }
    }

    /// Nobody can tell whether an update of an earlier run was applied, and it
    /// must not be sent twice.
    async fn unresolved(&self, journey: &Journey) -> Result<Step, LaneStopped> {
        let mut settlement = self.settlement(journey, Outcome::InDoubt);
        settlement.code = Some(code_of(Outcome::InDoubt, None).to_owned());
        let why = "an earlier update may have been applied; the provider has no way to read the record, and its updates must not be repeated: look there yourself";
        settlement.message = Some(why.to_owned());
        self.record(settlement).await?;
        Ok(Step::Ended)
    }

    /// The fresh record, or the step that its absence leads to.
    async fn read(&self, journey: &mut Journey) -> Result<Result<Json, Step>, LaneStopped> {
        let request = match self
            .lane()
            .provider
            .read_request(&self.lane().settings, &journey.update.remote_id)
        {
            Ok(Some(request)) => request,
            Ok(None) => {
                let problem = Problem::new(
                    "E_NO_READ",
                    "the provider has no way to read the record that this update needs",
                );
                return self.invalid(journey, vec![problem]).await.map(Err);
            }
            Err(problem) => return self.invalid(journey, vec![problem]).await.map(Err),
        };
        match self
            .exchange(journey, Asked::Read, request, Vec::new())
            .await?
        {
            Step::Accepted(response, answer) => {
                self.record_answer(answer).await?;
                self.own_record(journey, &response).await
            }
            other => Ok(Err(other)),
        }
    }

    /// The record of a read, if it is the one that was asked for.
    async fn own_record(
        &self,
        journey: &Journey,
        response: &Response,
    ) -> Result<Result<Json, Step>, LaneStopped> {
        let record = self.lane().provider.record(response);
        let record = record.unwrap_or_else(Json::object);
        if self.is_own(&record, &journey.update.remote_id)? {
            return Ok(Ok(record));
        }
        let outcome = if journey.is_in_doubt() {
            Outcome::InDoubt
        } else {
            Outcome::Failed
        };
        let mut settlement = self.settlement(journey, outcome);
        let problem = Problem::new(
            "E_UNREADABLE",
            "the provider's answer to the read holds no record with an id",
        );
        settlement.code = Some(problem.code.to_string());
        settlement.message = Some(problem.message.clone());
        settlement.problems.push(problem);
        self.record(settlement).await?;
        Ok(Err(Step::Ended))
    }

    /// The body: the plan's own where no read is needed, else completed now.
    async fn build(&self, journey: &Journey, record: Option<&Json>) -> Result<Built, LaneStopped> {
        let lane = self.lane();
        let nothing = Acknowledged::new();
        let known = journey
            .known
            .as_ref()
            .map_or(&nothing, |known| &known.values);
        let with = Completing {
            shape: &lane.provider.shape,
            mappings: &lane.mappings,
            known,
            key: lane.keeping.key.as_ref(),
            remote_id: &journey.update.remote_id,
        };
        let body = match complete(&journey.update.draft, record, &with) {
            Ok(Completed::Body(body)) => body,
            Ok(Completed::Unchanged(settled)) => {
                return self
                    .already_so(journey, &settled)
                    .await
                    .map(|()| Built::Ended);
            }
            Err(problems) => return self.invalid(journey, problems).await.map(|_| Built::Ended),
        };
        if record.is_none() {
            // The plan holds the exact body: it is sent as it was shown.
            if let Overlay::Clear(planned) = &journey.update.overlay {
                let json = planned.clone();
                return Ok(Built::Body(Box::new(Body { json, ..*body })));
            }
        }
        let problems = crate::engine::body_problems(lane, &body, &journey.update.remote_id);
        if !problems.is_empty() {
            return self.invalid(journey, problems).await.map(|_| Built::Ended);
        }
        Ok(Built::Body(body))
    }

    /// The provider holds all of it: nothing is sent, what was read is kept.
    async fn already_so(&self, journey: &Journey, settled: &Settled) -> Result<(), LaneStopped> {
        let note = if journey.tries.in_doubt {
            Some("an earlier attempt of this run had been applied")
        } else if journey.earlier == Earlier::InDoubt {
            Some("an update of an earlier run had been applied")
        } else {
            None
        };
        let outcome = note.map_or(Outcome::Unchanged, |_| Outcome::Updated);
        let mut settlement = self.settlement(journey, outcome);
        settlement.note = note.map(str::to_owned);
        self.keep(journey, settled, &mut settlement);
        self.record(settlement).await
    }

    async fn accepted(
        &self,
        journey: &Journey,
        settled: &Settled,
        response: &Response,
        answer: Answer,
    ) -> Result<Step, LaneStopped> {
        if let Some(step) = self.of_another(journey, response, &answer).await? {
            return Ok(step);
        }
        let mut settlement = self.settlement(journey, Outcome::Updated);
        let note = if journey.tries.in_doubt {
            Some("an earlier attempt of this run was in doubt")
        } else if journey.earlier == Earlier::InDoubt {
            Some("it was in doubt since an earlier run")
        } else {
            None
        };
        settlement.note = note.map(str::to_owned);
        self.keep(journey, settled, &mut settlement);
        settlement
            .problems
            .extend(self.not_echoed(settled, response));
        settlement.answer = Some(answer);
        self.record(settlement).await?;
        Ok(Step::Ended)
    }

    /// Ends the lane where the answer to an update shows another record than was
    /// asked for: nobody knows whose values were changed.
    async fn of_another(
        &self,
        journey: &Journey,
        response: &Response,
        answer: &Answer,
    ) -> Result<Option<Step>, LaneStopped> {
        let provider = &self.lane().provider;
        let shown = provider.echo(response);
        let shown = shown.and_then(|(record, _)| provider.says_id(&record));
        if shown.is_none_or(|id| id == journey.update.remote_id) {
            return Ok(None);
        }
        let problem = Problem::new(
            "E_ID_MISMATCH",
            "the provider's answer shows another record than was sent; check the settings of the lane",
        );
        let why = problem.message.clone();
        self.exchanger.stop(Stopped::Provider(Stop::Unusable, why));
        let mut settlement = self.settlement(journey, Outcome::InDoubt);
        settlement.code = Some(problem.code.to_string());
        settlement.message = Some(problem.message.clone());
        settlement.problems.push(problem);
        settlement.answer = Some(Answer {
            result: AttemptResult::InDoubt,
            ..answer.clone()
        });
        // The row has come to its outcome, so it does not hear of the lane's end:
        // it would be recorded once more.
        self.record(settlement).await?;
        Ok(Some(Step::Ended))
    }

    /// What is known now goes into the snapshot with the outcome.
    fn keep(&self, journey: &Journey, settled: &Settled, settlement: &mut Settlement) {
        settlement.snapshot = Some(SnapshotWrite {
            remote_id: journey.update.remote_id.clone(),
            settled: self.lane().settled(&settled.values),
        });
        settlement
            .problems
            .extend(settled.drifted.iter().map(|path| {
                Problem::new(
                    "W_DRIFT",
                    "someone else changed it at the provider since it was last acknowledged",
                )
                .field(path)
            }));
        let kept = settled.kept.iter().map(|path| self.kept(path));
        settlement.problems.extend(kept);
    }

    /// A change that the read of this attempt declined.
    fn kept(&self, path: &FieldPath) -> Problem {
        let policy = match self.lane().mapping(path).map(|mapping| mapping.policy) {
            Some(Policy::Once) => "once",
            _ => "fill_blank",
        };
        let why = format!("the provider holds a value already, and `{policy}` keeps it");
        Problem::new(KEPT, why).field(path)
    }

    /// Members that the provider's answer shows otherwise than they were sent:
    /// a write that was ignored without a word.
    fn not_echoed(&self, settled: &Settled, response: &Response) -> Vec<Problem> {
        let Some((record, omitted)) = self.lane().provider.echo(response) else {
            return Vec::new();
        };
        let differs = |path: &FieldPath, sent: &serde_json::Value| {
            let Some(mapping) = self.lane().mapping(path) else {
                return false;
            };
            let field = &mapping.field;
            let shown = !omitted
                .iter()
                .any(|omitted| field.place.members().starts_with(omitted));
            let hints = |_: &FieldPath| Hint {
                desired: Some(sent),
                acknowledged: None,
            };
            let echoed = decode(field, &record, &hints);
            shown
                && field.access == crate::core::Access::ReadWrite
                && echoed.is_ok_and(|echoed| !field.compare.equal(&echoed, sent))
        };
        settled
            .values
            .iter()
            .filter_map(|(path, value)| Some((path, value.as_ref()?)))
            .filter(|(path, sent)| differs(path, sent))
            .map(|(path, _)| {
                Problem::new(
                    "W_NOT_ECHOED",
                    "the provider accepted the update but its answer shows another value",
                )
                .field(path)
            })
            .collect()
    }

    async fn invalid(
        &self,
        journey: &Journey,
        problems: Vec<Problem>,
    ) -> Result<Step, LaneStopped> {
        let mut settlement = self.settlement(journey, Outcome::Invalid);
        let place = |problem: Problem| problem.line(journey.update.line).key(&journey.update.key);
        settlement.problems.extend(problems.into_iter().map(place));
        settlement.code = settlement
            .problems
            .first()
            .map(|problem| problem.code.to_string());
        settlement.message = settlement
            .problems
            .first()
            .map(|problem| problem.message.clone());
        self.record(settlement).await?;
        Ok(Step::Ended)
    }
}

/// The fields that are unknown while the answer to this body is: those it sets,
/// and those that it leaves unknown.
fn in_doubt(body: &Body) -> Vec<FieldPath> {
    let unknown = body
        .settled
        .values
        .iter()
        .filter(|(_, value)| value.is_none())
        .map(|(path, _)| path.clone());
    body.sent.iter().cloned().chain(unknown).collect()
}
