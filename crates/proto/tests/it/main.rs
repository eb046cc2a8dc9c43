//! Tests of the messages from outside: against the wire facts, against recordings of Apache Mesos, and with input made
//! from the tables. They are one program because some of them instantiate every message type.

mod arbitrary;
mod codecs;
mod hostile;
mod json_rules;
mod recorded;
mod recordio;
mod required;
mod roundtrip;
mod wire_facts;
