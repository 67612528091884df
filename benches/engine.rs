//! What a decision costs with 0, 4 and 16 rules, next to the same look-ups by hand: `flowengine bench`, on the
//! database of `DATABASE_URL` or a private PostgreSQL in a folder of its own.

use clap::Parser;
use flowengine::{
    bench::{self, Options},
    server::{cli, config::Config},
};

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    // The private database is looked after by this program itself, called anew as `database`.
    if std::env::args().nth(1).as_deref() == Some("database") {
        runtime.block_on(cli::run(cli::Cli::parse())).expect("a database");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder for the private database");
    let path = folder.path().to_string_lossy().into_owned();
    let config = Config::read(|name| match name {
        "DATA_DIR" => Some(path.clone()),
        _ => std::env::var(name).ok(),
    })
    .expect("the configuration");
    let options = Options { messages: 200, rounds: 5, concurrency: 4 };
    let lines = runtime.block_on(bench::run(config, options)).expect("a measurement");
    print!("{}", bench::table(&lines));
}
