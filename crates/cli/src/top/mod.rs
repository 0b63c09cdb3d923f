//! The live view: what is shown ([`view`]), how it is drawn ([`screen`]), where it comes from ([`source`]), and the terminal
//! around it ([`live`]).
//!
//! Deciding and drawing are functions of values, so that a screen is tested without a terminal.

pub(crate) mod live;
mod rows;
pub(crate) mod screen;
pub(crate) mod source;
#[cfg(test)]
mod tests;
pub(crate) mod view;
