//! The configuration as people meet it: mistakes, schema, hostile files.

mod hostile;
mod mistakes;
mod schema;
