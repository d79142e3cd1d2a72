//! SQLite stores: module log, command log, resources and their history.
