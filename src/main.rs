//! Parses the command line and runs it; nothing else.

use std::process::ExitCode;

use clap::Parser;
use flowengine::server::cli::{self, Cli};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("flowengine: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(cli::run(cli));
    // A thread that waits for standard input would keep an orderly shutdown waiting too.
    runtime.shutdown_background();
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("flowengine: {error}");
            ExitCode::FAILURE
        }
    }
}
