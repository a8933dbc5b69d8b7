//! Generates the crate from the `.proto` files. protox compiles them, so that
//! no protoc has to be installed.

use std::{env, fs, path::PathBuf};

use prost::Message as _;

type Error = Box<dyn std::error::Error>;

const FILES: [&str; 3] = [
    "agentic_ide/v1/workflow.proto",
    "agentic_ide/v1/server.proto",
    "agentic_ide/v1/vectordb.proto",
];

fn main() -> Result<(), Error> {
    println!("cargo:rerun-if-changed=agentic_ide");
    let descriptors = protox::compile(FILES, ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
