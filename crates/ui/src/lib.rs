//! The web pages of a master, drawn on the server from the master's own endpoints.
//!
//! * [`serve`] wraps what a master serves: the pages answer `/` and what is below `/ui/`, the master everything else.
//! * Each page asks only for what it shows (`source`): paging, searching and sorting are done by the master. It is asked
//!   within the process, with the reader's own credentials, so that a page shows what its reader may see and no more.
//! * `pages` has a file for each page, `parts` what they have in common. Everything that is drawn is escaped by the
//!   template library.
//! * Pages work without JavaScript. With it they keep themselves up to date: `assets/live.js` asks for the page's content
//!   again, with its `ETag`, and changes what has changed.

mod assets;
mod format;
mod model;
mod pages;
mod parts;
mod reply;
mod request;
mod routes;
mod source;

pub use routes::serve;
