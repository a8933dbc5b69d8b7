//! The end-to-end tests, one binary: what holds across crates and programs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests stop the test, as the tests themselves do"
)]

mod acp;
mod acp_bad_input;
mod acp_choices;
mod acp_client;
mod acp_conformance;
mod acp_editors;
mod acp_extension;
mod acp_files;
mod acp_options;
mod acp_real_clients;
mod acp_remote;
mod acp_schema;
mod acp_servers;
mod acp_sessions;
mod acp_shelf;
mod acp_terminals;
mod acp_two;
mod acp_window;
mod agentic;
mod architecture;
mod backends;
mod bad_input;
mod choices;
mod command_line;
mod continuation;
mod crash;
mod credentials;
mod definitions;
mod demo_repo;
mod documents;
mod edit_formats;
mod fenced;
mod full_disk;
mod grpc;
mod indexing;
mod main_job;
mod mcp;
mod memory;
mod partitions;
mod pictures;
mod providers;
mod quarantine;
mod questions;
mod rechecks;
mod registry;
mod resume;
mod retention;
mod schema;
mod schemas;
mod steering;
mod streams;
mod support;
mod thought_levels;
mod tool_permission;
mod tool_servers;
mod tools;
mod trials;
mod undo;
mod unisolated;
mod vector_database;
mod window;
mod world;
