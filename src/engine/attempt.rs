//! One attempt of a row: read, build, check, send.
//!
//! The body is built from a read of this very attempt, never from an older
//! one. What the provider already holds is not sent again.

use super::decide::Stop;
use super::ends::Stopped;
use super::journey::Journey;
use super::transport::Transport;
use super::worker::{LaneStopped, Step, Worker};
use crate::core::{
    Acknowledged, Body, Completed, Completing, FieldPath, Hint, Json, Outcome, Overlay, Problem,
    Response, Settled, complete, decode,
};
use crate::provider::Asked;
use crate::store::{Answer, Settlement, SnapshotWrite};

/// What an attempt is to send, and what its acceptance settles.
struct Load {
    json: Json,
    settled: Settled,
}

/// What building the body came to.
enum Built {
    Load(Load),
    Ended,
}

impl<T: Transport> Worker<T> {
    pub(super) async fn attempt(&self, journey: &mut Journey) -> Result<Step, LaneStopped> {
        let record = if journey.update.draft.read.is_empty() {
            None
        } else {
            match self.read(journey).await? {
                Ok(record) => Some(record),
                Err(step) => return Ok(step),
            }
        };
        let Load { json, settled } = match self.build(journey, record.as_ref()).await? {
            Built::Load(load) => load,
            Built::Ended => return Ok(Step::Ended),
        };
        let request = match self.lane().provider.update_request(
            &self.lane().settings,
            &journey.update.remote_id,
            &json,
        ) {
            Ok(request) => request,
            Err(problem) => return self.invalid(journey, vec![problem]).await,
        };
        let fields = settled
            .values
            .iter()
            .map(|(path, _)| path.clone())
            .collect();
        match self
            .exchange(journey, Asked::Write, request, fields)
            .await?
        {
            Step::Accepted(response, answer) => {
                self.accepted(journey, &settled, &response, answer).await
            }
            other => Ok(other),
        }
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

    /// The record of a read, if it is the one that was asked for: building on
    /// another one would write one client's values into another's record.
    async fn own_record(
        &self,
        journey: &Journey,
        response: &Response,
    ) -> Result<Result<Json, Step>, LaneStopped> {
        let provider = &self.lane().provider;
        let record = provider.record(response).unwrap_or_else(Json::object);
        match provider.says_id(&record) {
            Some(id) if id == journey.update.remote_id => Ok(Ok(record)),
            Some(_) => {
                let why = "a read was answered with another record than was asked for; nothing was sent for this row".to_owned();
                self.stop(Stopped::Provider(Stop::Unusable, why));
                Err(LaneStopped)
            }
            None if provider.manifest.list.is_none()
                && !matches!(&record, Json::Object(members) if members.is_empty()) =>
            {
                Ok(Ok(record))
            }
            None => {
                let mut settlement = self.settlement(journey, Outcome::Failed);
                let problem = Problem::new(
                    "E_UNREADABLE",
                    "the provider's answer to the read holds no record with an id",
                );
                settlement.code = Some(problem.code.to_string());
                settlement.message = Some(problem.message.clone());
                settlement.problems = vec![problem];
                self.record(settlement).await?;
                Ok(Err(Step::Ended))
            }
        }
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
        let Body {
            json,
            ours,
            settled,
        } = *body;
        if record.is_none() {
            // The plan holds the exact body: it is sent as it was shown.
            if let Overlay::Clear(planned) = &journey.update.overlay {
                return Ok(Built::Load(Load {
                    json: planned.clone(),
                    settled,
                }));
            }
        }
        let problems = super::body_problems(
            lane,
            &Body {
                json: json.clone(),
                ours,
                settled: settled.clone(),
            },
            &journey.update.remote_id,
        );
        if !problems.is_empty() {
            return self.invalid(journey, problems).await.map(|_| Built::Ended);
        }
        Ok(Built::Load(Load { json, settled }))
    }

    /// The provider holds all of it: nothing is sent, what was read is kept.
    async fn already_so(&self, journey: &Journey, settled: &Settled) -> Result<(), LaneStopped> {
        let (outcome, note) = if journey.in_doubt {
            (
                Outcome::Updated,
                Some("an earlier attempt of this run had been applied".to_owned()),
            )
        } else {
            (Outcome::Unchanged, None)
        };
        let mut settlement = self.settlement(journey, outcome);
        settlement.note = note;
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
        let mut settlement = self.settlement(journey, Outcome::Updated);
        settlement.note = journey
            .in_doubt
            .then(|| "an earlier attempt of this run was in doubt".to_owned());
        self.keep(journey, settled, &mut settlement);
        settlement
            .problems
            .extend(self.not_echoed(settled, response));
        settlement.answer = Some(answer);
        self.record(settlement).await?;
        Ok(Step::Ended)
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
        settlement.problems = problems.into_iter().map(place).collect();
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
