//! Connections that nobody waits for without end.
//!
//! A machine that is gone says nothing, not even that its connections are over, and sqlx neither asks whether the other
//! end lives (TCP keep-alive) nor limits how long it waits: whoever sent a statement, or gives its connection back to the
//! pool, which asks it for a sign of life, would wait for good. So the waits for the application's database are bounded,
//! all of them here. A connection that was waited for in vain is closed.

use std::{
    any::Any,
    collections::BTreeSet,
    io,
    ops::{Deref, DerefMut},
    time::Duration,
};

use futures::{
    StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use sqlx::{
    AssertSqlSafe, Describe, Either, Execute, Executor, PgConnection, PgPool, Postgres, SqlStr,
    pool::PoolConnection,
    postgres::{PgListener, PgNotification, PgQueryResult, PgRow, PgStatement, PgTypeInfo},
};
use tokio::time::timeout;

use crate::server::error::in_doubt;

/// What takes no time of the database's own is waited for so long: a transaction's begin, the end of one that nobody
/// wants any more.
pub(super) const ANSWER: Duration = Duration::from_secs(10);

/// How long whoever listens hears nothing before it asks whether anybody is there.
const SILENCE: Duration = Duration::from_secs(30);

/// There from the beginning until it is dropped.
const HELD: &str = "a connection is held until it is dropped";

/// The database did not answer in time.
pub(super) fn silent() -> sqlx::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the database does not answer").into()
}

/// A connection of the pool, given back when it is dropped; a transaction that was not committed is rolled back then.
#[derive(Debug)]
pub struct Conn {
    /// `None` once it is given back.
    held: Option<PoolConnection<Postgres>>,
    /// How long an answer is waited for, or the next row of one.
    patience: Duration,
    in_transaction: bool,
    /// It was waited for in vain.
    is_lost: bool,
    /// What lasts until the connection is another's: whoever is called off leaves a statement behind.
    turn: Option<Box<dyn Any + Send + Sync>>,
    /// What is told once the transaction is committed: channel, and what is said there. Both are plain.
    told: BTreeSet<(String, String)>,
}

impl Conn {
    /// # Errors
    /// The database's.
    pub(super) async fn acquire(pool: &PgPool, patience: Duration) -> sqlx::Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "the one way to a connection")]
        let held = Some(pool.acquire().await?);
        let told = BTreeSet::new();
        Ok(Self { held, patience, in_transaction: false, is_lost: false, turn: None, told })
    }

    /// Keeps a turn until the connection is given back.
    pub(super) fn keep(&mut self, turn: impl Send + Sync + 'static) {
        self.turn = Some(Box::new(turn));
    }

    /// Tells whoever listens, once the transaction is committed. Both texts are plain (`is_plain`).
    pub(super) fn tell(&mut self, channel: &str, what: &str) {
        self.told.insert((channel.to_owned(), what.to_owned()));
    }

    /// In a transaction. `begin` is `BEGIN`, and what else is to hold in it.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn begin(pool: &PgPool, begin: String, patience: Duration) -> sqlx::Result<Self> {
        let mut conn = Self::acquire(pool, ANSWER).await?;
        // Before it is sent: who is called off before the answer leaves a transaction behind, and a tenant set.
        conn.in_transaction = true;
        conn.execute(AssertSqlSafe(begin)).await?;
        conn.patience = patience;
        Ok(conn)
    }

    /// # Errors
    /// The database's.
    pub(super) async fn commit(mut self) -> sqlx::Result<()> {
        let text = ending(&self.told);
        let mut answers = self.fetch_many(AssertSqlSafe(text));
        // The first is of `COMMIT`: it is stored then, whatever becomes of what is told.
        answers.next().await.transpose().map_err(in_doubt)?;
        while let Some(told) = answers.next().await {
            if let Err(error) = told {
                tracing::warn!(%error, "a change could not be told of: it is found by whoever looks");
            }
        }
        drop(answers);
        self.in_transaction = false;
        Ok(())
    }
}

/// What ends a transaction and then tells of it, in one message.
///
/// PostgreSQL lets one transaction of the whole cluster at a time tell anything, from before it is written to the disk until
/// it is there: what is stored would be stored one after the other, of all tenants. So what is told is a transaction of its
/// own, which waits for no disk: were it lost with the machine, so were those who listen.
fn ending(told: &BTreeSet<(String, String)>) -> String {
    if told.is_empty() {
        return "COMMIT".to_owned();
    }
    let calls: Vec<String> =
        told.iter().map(|(channel, what)| format!("pg_notify('{channel}', '{what}')")).collect();
    // What follows `COMMIT` in one message is one transaction, which ends with it, also where it fails.
    format!(
        "COMMIT; SET LOCAL synchronous_commit = off; SET LOCAL lock_timeout = '2s'; SELECT {}",
        calls.join(", ")
    )
}

impl Drop for Conn {
    fn drop(&mut self) {
        let Some(mut held) = self.held.take() else { return };
        if self.is_lost {
            // Which sqlx does within 5 seconds.
            held.close_on_drop();
        } else {
            let (in_transaction, turn) = (self.in_transaction, self.turn.take());
            tokio::spawn(async move {
                give_back(held, in_transaction).await;
                drop(turn);
            });
        }
    }
}

/// A statement that was called off may be under way yet: its connection is closed then, by which PostgreSQL knows that
/// nobody wants its answer (`client_connection_check_interval`), and the place in the pool is another's.
async fn give_back(mut held: PoolConnection<Postgres>, in_transaction: bool) {
    let given = timeout(ANSWER, async {
        if in_transaction {
            held.execute("ROLLBACK").await?;
        }
        // What sqlx does when it drops one, which can be waited for, and so be given up.
        held.return_to_pool().await;
        Ok::<(), sqlx::Error>(())
    })
    .await;
    if !matches!(given, Ok(Ok(()))) {
        held.close_on_drop();
    }
}

/// What takes a plain connection waits as long as that does.
impl Deref for Conn {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        self.held.as_ref().expect(HELD)
    }
}

impl DerefMut for Conn {
    fn deref_mut(&mut self) -> &mut PgConnection {
        asked(&mut self.held)
    }
}

fn asked(held: &mut Option<PoolConnection<Postgres>>) -> &mut PgConnection {
    held.as_mut().expect(HELD)
}

async fn answered<T>(
    answer: impl Future<Output = sqlx::Result<T>>,
    patience: Duration,
    is_lost: &mut bool,
) -> sqlx::Result<T> {
    match timeout(patience, answer).await {
        Ok(answer) => answer,
        Err(_) => {
            *is_lost = true;
            Err(silent())
        }
    }
}

impl<'c> Executor<'c> for &'c mut Conn {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, sqlx::Result<Either<PgQueryResult, PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let Conn { held, patience, is_lost, .. } = self;
        let patience = *patience;
        let rows = asked(held).fetch_many(query);
        stream::unfold(Some((rows, is_lost)), move |state| async move {
            let (mut rows, is_lost) = state?;
            let row = answered(async { Ok(rows.next().await) }, patience, is_lost).await;
            match row {
                Ok(row) => row.map(|row| (row, Some((rows, is_lost)))),
                Err(error) => Some((Err(error), None)),
            }
        })
        .boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<PgRow>>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let Conn { held, patience, is_lost, .. } = self;
        Box::pin(answered(asked(held).fetch_optional(query), *patience, is_lost))
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, sqlx::Result<PgStatement>>
    where
        'c: 'e,
    {
        let Conn { held, patience, is_lost, .. } = self;
        Box::pin(answered(asked(held).prepare_with(sql, parameters), *patience, is_lost))
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, sqlx::Result<Describe<Postgres>>>
    where
        'c: 'e,
    {
        let Conn { held, patience, is_lost, .. } = self;
        Box::pin(answered(asked(held).describe(sql), *patience, is_lost))
    }
}

/// Hears what is told on a channel, over one connection.
#[derive(Debug)]
pub struct Listener {
    listener: PgListener,
    /// `LISTEN`, and the channel.
    listen: String,
}

impl Listener {
    /// `pool` is its own: sqlx waits without end to give a listener's connection back, and so for the place that it had.
    /// `channel` is one of ours, so it can stand in the text.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn on(channel: &str, pool: &PgPool) -> sqlx::Result<Self> {
        let listening = async {
            let mut listener = PgListener::connect_with(pool).await?;
            listener.eager_reconnect(false);
            listener.listen(channel).await?;
            Ok::<_, sqlx::Error>(Self { listener, listen: format!("LISTEN \"{channel}\"") })
        };
        timeout(ANSWER, listening).await.unwrap_or_else(|_| Err(silent()))
    }

    /// What is told next.
    ///
    /// # Errors
    /// The database's, and where the connection is lost: what is told until another one listens, nobody hears.
    pub async fn recv(&mut self) -> sqlx::Result<PgNotification> {
        loop {
            match timeout(SILENCE, self.listener.try_recv()).await {
                Ok(Ok(Some(told))) => return Ok(told),
                Ok(Ok(None)) => return Err(io::Error::from(io::ErrorKind::ConnectionAborted).into()),
                Ok(Err(error)) => return Err(error),
                // Where nothing happens nothing is told, and where the machine is gone, neither. Said again, this changes
                // nothing but is answered.
                Err(_) => {
                    let again = self.listener.execute(AssertSqlSafe(self.listen.as_str()));
                    timeout(ANSWER, again).await.map_err(|_| silent())??;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_told_once_and_after_what_it_is_about_was_committed() {
        let told = [("b", "acme"), ("a", ""), ("b", "acme")];
        let told = BTreeSet::from(told.map(|(channel, what)| (channel.to_owned(), what.to_owned())));
        assert_eq!(
            ending(&told),
            "COMMIT; SET LOCAL synchronous_commit = off; SET LOCAL lock_timeout = '2s'; SELECT pg_notify('a', ''), pg_notify('b', 'acme')"
        );
        assert_eq!(ending(&BTreeSet::new()), "COMMIT");
    }
}
