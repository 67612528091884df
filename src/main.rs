//! Parses the command line and runs it; nothing else.

use std::process::ExitCode;

use clap::Parser;
use flowengine::server::cli::{self, Cli};

fn main() -> ExitCode {
    // Not clap's own ending: 2 means something else here (`flowengine import --dry-run`).
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let is_fault = error.use_stderr();
            let _ = error.print();
            return if is_fault { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
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
