//! A master's part with the service: it stands for election, reads the registry when it leads, writes it, and leads no more
//! when it does not hear from the service for too long, by its own clock.

use std::time::Duration;

use base::Time;
use master_core::{FromRegistry, Input, RegistryWrite};

use super::MasterHost;
use crate::fabric::Fabric;
use crate::node::Node;
use crate::queue::Event;
use crate::service::{Answer, Ask, Batch};

/// How long it waits for an answer about a write before it asks again.
const AGAIN: Duration = Duration::from_secs(1);

/// Where a running master stands with the service.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    session: Option<u64>,
    /// Until then nobody else leads, if it leads.
    good_until: Time,
    leads: bool,
}

/// What a leader writes.
#[derive(Debug, Default)]
pub(super) struct Writing {
    /// What is not yet handed over.
    waiting: Vec<RegistryWrite>,
    /// What is, and since when; and when it was asked for last.
    under_way: Option<(Batch, Time, Time)>,
    batches: u64,
}

impl Writing {
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.under_way.is_none()
    }
}

impl MasterHost {
    fn ask(&self, fabric: &mut Fabric, ask: Ask) {
        let (master, life, asked) = (self.index, self.life, fabric.now);
        let way = fabric.service.way();
        fabric.after(way, Event::Asks { master, life, asked, ask: Box::new(ask) });
    }

    /// The session in which it leads.
    pub(crate) fn session(&self) -> Option<u64> {
        let standing = self.standing.as_ref()?;
        standing.session.filter(|_| standing.leads)
    }

    /// Whether its session has not ended by its own clock. What it does later, because it was stopped meanwhile, is refused by
    /// the registry, and not listened to by whoever knows better.
    pub(crate) fn may_lead(&self, now: Time) -> bool {
        self.standing.as_ref().is_some_and(|standing| standing.leads && now < standing.good_until)
    }

    /// It begins to stand for election.
    pub(super) fn stand(&mut self, fabric: &mut Fabric) {
        self.standing = Some(Standing::default());
        if fabric.service.alone {
            self.elected(fabric, 0);
        }
        self.plan_tick(fabric, Duration::ZERO);
    }

    fn plan_tick(&self, fabric: &mut Fabric, pause: Duration) {
        fabric.after(pause, Event::MasterTick { master: self.index, life: self.life });
    }

    fn elected(&mut self, fabric: &mut Fabric, session: u64) {
        if let Some(standing) = &mut self.standing {
            standing.session = Some(session);
            standing.leads = true;
            fabric.note(Node::Master(self.index), "is elected", "");
            self.ask(fabric, Ask::Read);
        }
    }

    /// It asks where it stands.
    pub(crate) fn renew(&self, fabric: &mut Fabric) {
        if let Some(standing) = self.standing.as_ref().filter(|_| !fabric.service.alone) {
            self.ask(fabric, Ask::Stand(standing.session));
        }
    }

    /// From time to time it renews its session, and asks again for what was not answered.
    pub(crate) fn tick(&mut self, fabric: &mut Fabric) -> Result<(), String> {
        self.lease(fabric);
        let Some(standing) = &self.standing else { return Ok(()) };
        let pause = if fabric.service.alone { AGAIN } else { fabric.options.session / 3 };
        self.renew(fabric);
        if standing.leads && self.process.is_none() {
            self.ask(fabric, Ask::Read);
        }
        self.plan_tick(fabric, pause.min(AGAIN));
        self.press(fabric)
    }

    /// Whether it may still lead, by its own clock.
    pub(crate) fn lease(&mut self, fabric: &mut Fabric) {
        let Some(standing) = &mut self.standing else { return };
        if standing.session.is_none() || fabric.service.alone || fabric.now < standing.good_until {
            return;
        }
        if standing.leads {
            self.step_down(fabric, "its session is over");
        } else {
            standing.session = None;
        }
    }

    /// It leads no more: its server goes down with all connections, and it begins anew.
    pub(crate) fn step_down(&mut self, fabric: &mut Fabric, why: &str) {
        fabric.note(self.node(), "leads no more", why);
        if let Some(session) = self.session() {
            self.ask(fabric, Ask::Leave(session));
        }
        self.kill(fabric, false);
        let pause = fabric.service.news();
        fabric.after(pause, Event::Start(self.node()));
    }

    /// The service answers.
    pub(crate) fn answered(
        &mut self,
        fabric: &mut Fabric,
        asked: Time,
        answer: Answer,
    ) -> Result<(), String> {
        self.lease(fabric);
        let Some(standing) = &mut self.standing else { return Ok(()) };
        match answer {
            Answer::Stands { session, leads } => {
                let until = asked + fabric.options.session;
                // What was true so long ago, or of another session, says nothing: it stood still meanwhile.
                if until <= fabric.now || standing.session.is_some_and(|own| own != session) {
                    return Ok(());
                }
                standing.session = Some(session);
                if until > standing.good_until {
                    standing.good_until = until;
                    fabric.queue.put(until, Event::LeaseEnds { master: self.index, life: self.life });
                }
                if leads && !standing.leads {
                    self.elected(fabric, session);
                }
                Ok(())
            }
            Answer::Over => {
                if standing.leads {
                    self.step_down(fabric, "the service has ended its session");
                } else {
                    standing.session = None;
                }
                Ok(())
            }
            Answer::Content(content) if standing.leads && self.process.is_none() => {
                self.lead(fabric, *content)
            }
            Answer::Content(_) => Ok(()),
            Answer::Written(number) => self.written(fabric, number),
            Answer::Refused => {
                let lost = FromRegistry::Lost("another master leads".to_owned());
                self.input(fabric, Input::Registry(lost))
            }
        }
    }

    /// The core wants something written.
    pub(super) fn write(&mut self, fabric: &mut Fabric, write: RegistryWrite) {
        if let Some(process) = &mut self.process {
            process.writing.waiting.push(write);
            self.hand_over(fabric);
        }
    }

    /// What came while something else was written is written together.
    fn hand_over(&mut self, fabric: &mut Fabric) {
        let Some(session) = self.session() else { return };
        let Some(process) = &mut self.process else { return };
        let writing = &mut process.writing;
        if writing.under_way.is_some() || writing.waiting.is_empty() {
            return;
        }
        writing.batches += 1;
        // Who is alone has no sessions; each of its lives begins anew.
        let session = if fabric.service.alone { self.life } else { session };
        let batch = Batch { session, number: writing.batches, writes: std::mem::take(&mut writing.waiting) };
        writing.under_way = Some((batch.clone(), fabric.now, fabric.now));
        self.ask(fabric, Ask::Write(batch));
    }

    fn written(&mut self, fabric: &mut Fabric, number: u64) -> Result<(), String> {
        let Some(process) = &mut self.process else { return Ok(()) };
        let made = process.writing.under_way.take_if(|(batch, ..)| batch.number == number);
        let Some(last) = made.and_then(|(batch, ..)| batch.writes.last().map(|write| write.number)) else {
            return Ok(());
        };
        self.hand_over(fabric);
        self.input(fabric, Input::Registry(FromRegistry::Written(last)))
    }

    /// Asks again for a write that was not answered; one that takes too long is the end.
    fn press(&mut self, fabric: &mut Fabric) -> Result<(), String> {
        let Some(process) = &mut self.process else { return Ok(()) };
        let Some((batch, since, asked)) = &mut process.writing.under_way else { return Ok(()) };
        if fabric.now.since(*since) > fabric.options.store_timeout {
            let why = "the registry was not written in time".to_owned();
            return self.input(fabric, Input::Registry(FromRegistry::Lost(why)));
        }
        if fabric.now.since(*asked) >= AGAIN {
            *asked = fabric.now;
            let batch = batch.clone();
            self.ask(fabric, Ask::Write(batch));
        }
        Ok(())
    }
}
