//! What programs read: every document against its schema, over ill, healthy and hostile repositories.
