//! What outlives masters: the registry, and who of them leads.
//!
//! Where several masters stand for election this is a coordination service, as masters see it through `store`: each has a
//! session, which it has to renew; the oldest session leads; a write of anybody else is refused. Its own members do not fail
//! one by one here: it answers, late perhaps, or it does not. A master that is alone has all this on its own disk.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use base::{Rng, Time};
use master_core::{RegistryContent, RegistryWrite};

use crate::dice::Dice;

/// What a master asks.
#[derive(Clone, Debug)]
pub(crate) enum Ask {
    /// To stand for election, in its session if it has one.
    Stand(Option<u64>),
    /// To stand no more.
    Leave(u64),
    /// What the registry holds.
    Read,
    /// To change the registry.
    Write(Batch),
}

/// Writes that are handed over together. Each is made whole or not at all, and all in their order.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    /// In which session.
    pub(crate) session: u64,
    /// Grows from batch to batch of a session.
    pub(crate) number: u64,
    /// The writes.
    pub(crate) writes: Vec<RegistryWrite>,
}

/// What it is answered.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// It stands in this session, and leads or does not.
    Stands { session: u64, leads: bool },
    /// Its session is over.
    Over,
    /// What the registry holds.
    Content(Box<RegistryContent>),
    /// The batch of this number is durable.
    Written(u64),
    /// It does not lead.
    Refused,
}

#[derive(Debug)]
struct Session {
    number: u64,
    master: usize,
    life: u64,
    until: Time,
}

/// Who leads: the number of the session, and which master.
pub(crate) type Leader = (u64, usize);

/// What outlives masters.
#[derive(Debug)]
pub(crate) struct Service {
    /// What was written.
    pub(crate) content: RegistryContent,
    /// Until then it does not answer.
    pub(crate) down_until: Time,
    /// Until then its disks are full.
    pub(crate) full_until: Time,
    /// How much longer than usual it takes.
    pub(crate) slowness: u32,
    /// There is one master, and this is its disk.
    pub(crate) alone: bool,
    sessions: VecDeque<Session>,
    opened: u64,
    /// The last batch of each session that was made.
    made: BTreeMap<u64, u64>,
    /// The batch of each session that was made in part, and how many of its writes were.
    begun: BTreeMap<u64, (u64, usize)>,
    lasts: Duration,
    latency: Duration,
    rng: Rng,
}

impl Service {
    pub(crate) fn new(rng: Rng, alone: bool, lasts: Duration, latency: Duration) -> Self {
        Self {
            content: RegistryContent::default(),
            down_until: Time::EPOCH,
            full_until: Time::EPOCH,
            slowness: 1,
            alone,
            sessions: VecDeque::new(),
            opened: 0,
            made: BTreeMap::new(),
            begun: BTreeMap::new(),
            lasts,
            latency,
            rng,
        }
    }

    /// How long a question or an answer is under way.
    pub(crate) fn way(&mut self) -> Duration {
        self.rng.around(self.latency).saturating_mul(self.slowness) / 2
    }

    /// How soon a process hears that another one leads.
    pub(crate) fn news(&mut self) -> Duration {
        let mean = if self.rng.chance(1, 10) { Duration::from_secs(10) } else { Duration::from_millis(100) };
        self.rng.around(mean)
    }

    /// Whether it answers.
    pub(crate) fn is_up(&self, now: Time) -> bool {
        now >= self.down_until
    }

    /// Who leads.
    pub(crate) fn leader(&self) -> Option<Leader> {
        if self.alone {
            return Some((0, 0));
        }
        self.sessions.front().map(|session| (session.number, session.master))
    }

    /// Whether a session is that of the leader.
    pub(crate) fn leads(&self, session: u64) -> bool {
        self.leader().is_some_and(|(leading, _)| leading == session)
    }

    /// Hears a master; `None` if that gets no answer.
    pub(crate) fn hear(
        &mut self,
        now: Time,
        (master, life): (usize, u64),
        ask: Ask,
        calm: bool,
    ) -> Option<Answer> {
        match ask {
            Ask::Stand(session) => Some(self.stand(now, master, life, session)),
            Ask::Leave(session) => {
                self.sessions.retain(|known| known.number != session);
                None
            }
            Ask::Read => Some(Answer::Content(Box::new(self.content.clone()))),
            Ask::Write(batch) => self.write(batch, calm, now < self.full_until),
        }
    }

    fn stand(&mut self, now: Time, master: usize, life: u64, session: Option<u64>) -> Answer {
        let own = |known: &&mut Session| match session {
            Some(number) => known.number == number,
            None => (known.master, known.life) == (master, life),
        };
        let number = match (self.sessions.iter_mut().find(own), session) {
            (Some(known), _) => {
                known.until = now + self.lasts;
                known.number
            }
            (None, Some(_)) => return Answer::Over,
            (None, None) => {
                self.opened += 1;
                let session = Session { number: self.opened, master, life, until: now + self.lasts };
                self.sessions.push_back(session);
                self.opened
            }
        };
        Answer::Stands { session: number, leads: self.leads(number) }
    }

    /// One that is refused for want of space is made in part, as far as there was some; the master tries the rest again until it
    /// takes too long.
    fn write(&mut self, batch: Batch, calm: bool, full: bool) -> Option<Answer> {
        if !self.leads(batch.session) && !self.alone {
            return Some(Answer::Refused);
        }
        let made = self.made.entry(batch.session).or_default();
        if *made >= batch.number {
            return Some(Answer::Written(batch.number));
        }
        // It fails between two transactions.
        let breaks = full || (!calm && self.rng.chance(1, 50));
        let whole = if breaks { self.rng.index(batch.writes.len()) } else { batch.writes.len() };
        // A master goes on with the first that was not made.
        let before = self.begun.get(&batch.session).filter(|(number, _)| *number == batch.number);
        let before = before.map_or(0, |(_, whole)| *whole);
        let whole = whole.max(before);
        for operation in batch.writes[before..whole].iter().flat_map(|write| &write.operations) {
            self.content.apply(operation.clone());
        }
        if breaks {
            self.begun.insert(batch.session, (batch.number, whole));
            return None;
        }
        *made = batch.number;
        Some(Answer::Written(batch.number))
    }

    /// Ends sessions that were not renewed. While it does not answer it ends none, and then it gives all of them their time.
    pub(crate) fn expire(&mut self, now: Time) {
        if !self.is_up(now) {
            let until = self.down_until + self.lasts;
            for session in &mut self.sessions {
                session.until = session.until.max(until);
            }
        }
        self.sessions.retain(|session| session.until > now);
    }
}

#[cfg(test)]
mod tests {
    use master_core::RegistryOperation;

    use super::*;

    fn at(seconds: f64) -> Time {
        Time::from_secs_f64(seconds)
    }

    fn service() -> Service {
        Service::new(Rng::new(1), false, Duration::from_secs(10), Duration::from_millis(1))
    }

    fn stand(service: &mut Service, now: f64, master: usize, session: Option<u64>) -> Option<(u64, bool)> {
        match service.hear(at(now), (master, 1), Ask::Stand(session), true) {
            Some(Answer::Stands { session, leads }) => Some((session, leads)),
            _ => None,
        }
    }

    #[test]
    fn the_oldest_session_leads_as_long_as_it_is_renewed() {
        let mut service = service();
        assert_eq!(stand(&mut service, 0.0, 0, None), Some((1, true)));
        assert_eq!(stand(&mut service, 1.0, 1, None), Some((2, false)));
        assert_eq!(stand(&mut service, 5.0, 0, Some(1)), Some((1, true)));
        service.expire(at(12.0));
        assert_eq!(service.leader(), Some((1, 0)), "the other one was not renewed");
        assert_eq!(stand(&mut service, 12.0, 1, Some(2)), None);
        assert_eq!(stand(&mut service, 12.0, 1, None), Some((3, false)));
        service.expire(at(15.0));
        assert_eq!(service.leader(), Some((3, 1)));
    }

    #[test]
    fn who_does_not_lead_writes_nothing_and_a_batch_is_made_once() {
        let mut service = service();
        stand(&mut service, 0.0, 0, None);
        stand(&mut service, 0.0, 1, None);
        let batch = |session, number, weight| {
            let operations = vec![RegistryOperation::Weight("web".into(), weight)];
            Ask::Write(Batch { session, number, writes: vec![RegistryWrite { number, operations }] })
        };
        let refused = service.hear(at(1.0), (1, 1), batch(2, 1, 7.0), true);
        assert!(matches!(refused, Some(Answer::Refused)));
        for (number, weight) in [(1, 2.0), (2, 3.0), (1, 2.0)] {
            let written = service.hear(at(1.0), (0, 1), batch(1, number, weight), true);
            assert!(matches!(written, Some(Answer::Written(_))));
        }
        assert_eq!(service.content.weights.values().copied().collect::<Vec<_>>(), [3.0]);
    }

    #[test]
    fn a_service_without_space_is_led_and_read_and_not_written() {
        let mut service = service();
        stand(&mut service, 0.0, 0, None);
        service.full_until = at(30.0);
        let operations = vec![RegistryOperation::Weight("web".into(), 2.0)];
        let batch = Batch { session: 1, number: 1, writes: vec![RegistryWrite { number: 1, operations }] };
        assert!(service.hear(at(1.0), (0, 1), Ask::Write(batch.clone()), true).is_none());
        let Some(Answer::Content(content)) = service.hear(at(1.0), (0, 1), Ask::Read, true) else {
            panic!("it does not answer");
        };
        assert!(content.weights.is_empty());
        assert_eq!(stand(&mut service, 2.0, 0, Some(1)), Some((1, true)));
        let written = service.hear(at(30.0), (0, 1), Ask::Write(batch), true);
        assert!(matches!(written, Some(Answer::Written(1))));
    }

    #[test]
    fn an_outage_ends_no_session() {
        let mut service = service();
        stand(&mut service, 0.0, 0, None);
        service.down_until = at(30.0);
        service.expire(at(20.0));
        service.expire(at(39.0));
        assert_eq!(service.leader(), Some((1, 0)));
        service.expire(at(40.0));
        assert_eq!(service.leader(), None);
    }
}
