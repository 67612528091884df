//! Names to addresses, as `getaddrinfo` finds them by `/etc/hosts` and `/etc/resolv.conf`, but on no thread: that would be held
//! for as long as a name server is silent, though whoever asked has gone.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts},
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::Name,
    system_conf::read_system_conf,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tokio::time::{Instant, timeout_at};

use crate::server::aside;

const HOSTS: &str = "/etc/hosts";
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Whom to ask, and for what.
#[derive(Clone, Debug, Default)]
struct Servers {
    /// A name server each, in the order in which they are asked.
    each: Arc<[TokioResolver]>,
    /// How often they are asked, as long as none says anything.
    rounds: usize,
    /// The domains that a name may be completed by, and how many points it has where it is tried as it is first.
    search: Arc<[Name]>,
    ndots: usize,
}

/// Those that a `resolv.conf` names, and what it says.
type Kept = (Vec<u8>, Servers);

/// Whom the machine asks. It is told anew when that changes, as it does with the network.
#[derive(Clone, Debug, Default)]
pub struct Names(Arc<Mutex<Option<Kept>>>);

impl Names {
    /// The addresses of a host, IPv6 first; none where nobody knows it, or says so within its time. Once it is dropped,
    /// nothing of it goes on.
    pub async fn addresses(&self, host: &str, patience: Duration) -> Vec<IpAddr> {
        let names = self.clone();
        let (hosts, servers) =
            aside::run(move || (fs::read(HOSTS).unwrap_or_default(), names.servers())).await;
        let mut found = listed(&String::from_utf8_lossy(&hosts), host);
        if found.is_empty() {
            found = ask(&servers, host, patience).await;
        }
        found.sort_by_key(IpAddr::is_ipv4);
        found
    }

    fn servers(&self) -> Servers {
        let said = fs::read(RESOLV_CONF).unwrap_or_default();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((then, servers)) = &*kept
            && *then == said
        {
            return servers.clone();
        }
        let (config, options) = read_system_conf().unwrap_or_else(|_| {
            // Where nothing is said, the machine asks itself (resolv.conf(5)).
            let itself = NameServerConfig::udp_and_tcp(Ipv4Addr::LOCALHOST.into());
            (ResolverConfig::from_parts(None, Vec::new(), vec![itself]), ResolverOpts::default())
        });
        let servers = servers(config, options);
        *kept = Some((said, servers.clone()));
        servers
    }
}

/// Each by itself: together they would be asked side by side, and one outside could say first that a name inside does not
/// exist.
fn servers(config: ResolverConfig, mut options: ResolverOpts) -> Servers {
    // The library passes over names with an underscore in it, and asks a name server for the addresses that are not in it.
    options.use_hosts_file = ResolveHosts::Never;
    // What is started anew is elsewhere, whatever was said of it before.
    options.cache_size = 0;
    // All are asked before one is asked again.
    let rounds = options.attempts.max(1);
    options.attempts = 0;
    // Of two errors the library tells that of the first kind, and what says nothing of IPv4 is no answer.
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    let ndots = options.ndots;
    let Some(tls) = no_tls() else { return Servers::default() };
    let (domain, search, servers) = config.into_parts();
    // The machine's own domain is searched where nothing else is named.
    let search: Vec<Name> = if search.is_empty() { domain.into_iter().collect() } else { search };
    let made = servers.into_iter().filter_map(|server| {
        // Names are complete by then: of several that it tried, the library tells the last error alone.
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        builder.with_options(options.clone()).with_tls_config(tls.clone()).build().ok()
    });
    Servers { each: made.collect(), rounds, search: search.into(), ndots }
}

/// Nobody is asked by TLS. Not told so, the library reads the machine's certificates, and gives up where there are none.
fn no_tls() -> Option<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().ok()?;
    Some(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// The addresses that a text such as `/etc/hosts` has for a host.
fn listed(hosts: &str, host: &str) -> Vec<IpAddr> {
    let host = host.strip_suffix('.').unwrap_or(host);
    let of_host = |line: &str| {
        let mut words = line.split('#').next()?.split_whitespace();
        let ip = words.next()?.parse().ok()?;
        words.any(|name| name.eq_ignore_ascii_case(host)).then_some(ip)
    };
    hosts.lines().filter_map(of_host).collect()
}

/// As an address does in each of its spellings, and no name (WHATWG URL, "ends in a number").
fn ends_in_a_number(name: &Name) -> bool {
    let is_number = |label: &[u8]| {
        let hex = label.strip_prefix(b"0x").or_else(|| label.strip_prefix(b"0X"));
        label.iter().all(u8::is_ascii_digit) || hex.is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    };
    name.iter().next_back().is_some_and(is_number)
}

impl Servers {
    /// What a name may stand for, the likeliest first (resolv.conf(5), `ndots`).
    fn names(&self, mut name: Name) -> Vec<Name> {
        if name.is_fqdn() {
            return vec![name];
        }
        let is_whole_first = usize::from(name.num_labels()) > self.ndots || name.is_localhost();
        let mut names: Vec<Name> =
            self.search.iter().filter_map(|domain| name.clone().append_domain(domain).ok()).collect();
        name.set_fqdn(true);
        names.insert(if is_whole_first { 0 } else { names.len() }, name);
        names
    }

    /// None where no server says anything.
    async fn addresses_of(&self, name: &Name, asking: &mut Asking) -> Option<Vec<IpAddr>> {
        let mut is_answered = false;
        for (server, is_silent) in self.each.iter().cycle().zip(&mut asking.is_silent) {
            if *is_silent {
                continue;
            }
            let end = asking.end.min(Instant::now() + asking.share);
            match timeout_at(end, server.lookup_ip(name.clone())).await {
                Ok(Ok(found)) => return Some(found.iter().collect()),
                Ok(Err(error)) if error.is_no_records_found() => return Some(Vec::new()),
                Ok(Err(NetError::Dns(_))) => is_answered = true,
                Ok(Err(_)) | Err(_) => *is_silent = true,
            }
        }
        is_answered.then(Vec::new)
    }
}

/// The time that all the names have which a host may stand for, together.
struct Asking {
    end: Instant,
    /// What a server has of it: so much that the last is heard in time, though all before it are silent.
    share: Duration,
    /// Of each server in each round, whether it was silent: for another name, it is not waited for again.
    is_silent: Vec<bool>,
}

impl Asking {
    fn begun(servers: &Servers, patience: Duration) -> Self {
        let shares = u32::try_from(servers.each.len() + 1).unwrap_or(u32::MAX);
        Self {
            end: Instant::now() + patience,
            share: patience / shares,
            is_silent: vec![false; servers.each.len() * servers.rounds],
        }
    }
}

async fn ask(servers: &Servers, host: &str, patience: Duration) -> Vec<IpAddr> {
    // No name server knows one in other letters: a URL's is written in these by then.
    if !host.is_ascii() {
        return Vec::new();
    }
    let Ok(name) = Name::from_str_relaxed(host) else { return Vec::new() };
    if ends_in_a_number(&name) {
        return Vec::new();
    }
    let mut asking = Asking::begun(servers, patience);
    for name in servers.names(name) {
        match servers.addresses_of(&name, &mut asking).await {
            Some(found) if found.is_empty() => {}
            Some(found) => return found,
            // The next name may be another host's.
            None => break,
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, net::SocketAddr};

    use hickory_resolver::{
        config::ConnectionConfig,
        proto::{
            op::{Message, MessageType, ResponseCode},
            rr::{RData, Record, RecordType, rdata::A},
        },
    };
    use tokio::{net::UdpSocket, runtime, time::timeout};

    use super::*;

    const KNOWN: [IpAddr; 1] = [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7))];

    /// Those that listen at these addresses; held to be silent once patience ends.
    fn at(addresses: &[SocketAddr], search: &[&str], patience: Duration) -> Servers {
        let named = addresses.iter().map(|address| {
            let mut connection = ConnectionConfig::udp();
            connection.port = address.port();
            NameServerConfig::new(address.ip(), true, vec![connection])
        });
        let search = search.iter().map(|domain| domain.parse::<Name>().expect("a domain"));
        let config = ResolverConfig::from_parts(None, search.collect(), named.collect());
        let mut options = ResolverOpts::default();
        options.timeout = patience;
        servers(config, options)
    }

    /// A name server that knows one name, and that there is no other. It goes with the test's process.
    fn knowing(known: &'static str) -> SocketAddr {
        answering(known, ResponseCode::NXDomain)
    }

    /// One that says this of all other names, but that there is none within `in.example`.
    fn answering(known: &'static str, otherwise: ResponseCode) -> SocketAddr {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
        let address = socket.local_addr().expect("its address");
        std::thread::spawn(move || {
            let mut buffer = [0; 4_096];
            while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
                let Ok(mut message) = Message::from_vec(&buffer[..length]) else { continue };
                let Some(asked) = message.queries.first().cloned() else { continue };
                message.metadata.message_type = MessageType::Response;
                let name = asked.name().to_ascii();
                if !name.eq_ignore_ascii_case(known) {
                    let is_inside = name.ends_with(".in.example.");
                    message.metadata.response_code =
                        if is_inside { ResponseCode::NXDomain } else { otherwise };
                } else if asked.query_type() == RecordType::A {
                    let data = RData::A(A::new(192, 0, 2, 7));
                    message.add_answer(Record::from_rdata(asked.name().clone(), 60, data));
                }
                let _ = socket.send_to(&message.to_vec().expect("bytes"), peer);
            }
        });
        address
    }

    #[test]
    fn what_the_machine_lists_is_found_in_every_spelling() {
        let hosts = "127.0.0.1 localhost\n::1\tlocalhost ip6-localhost # itself\n\n# 10.0.0.1 db\n\
                     10.0.0.2  my_db db.internal # db2\nfe80::1%lo0 db\nnonsense db\n";
        let found = |host| listed(hosts, host).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(found("LocalHost"), ["127.0.0.1", "::1"]);
        assert_eq!(found("my_db"), ["10.0.0.2"]);
        assert_eq!(found("db.internal."), ["10.0.0.2"]);
        for unknown in ["db", "db2", "internal", "", "#"] {
            assert_eq!(found(unknown), [""; 0], "{unknown}");
        }
    }

    #[tokio::test]
    async fn name_servers_are_asked_in_their_order_and_domains_searched() {
        let silent = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let silent = silent.local_addr().expect("its address");
        let knows = knowing("my_db.in.example.");
        let knows_another = knowing("another.example.");
        let knows_inside_alone = answering("another.in.example.", ResponseCode::ServFail);
        let knows_outside = knowing("my_db.out.example.");
        for (servers, search, host, is_found) in [
            (vec![knows], vec![], "my_db.in.example", true),
            (vec![knows], vec![], "MY_DB.in.example.", true),
            (vec![knows], vec![], "my_db", false),
            (vec![knows], vec!["out.example", "in.example"], "my_db", true),
            (vec![silent, knows], vec![], "my_db.in.example", true),
            (vec![knows_another, knows], vec![], "my_db.in.example", false),
            (vec![silent], vec![], "my_db.in.example", false),
            (vec![], vec![], "my_db.in.example", false),
            (vec![knows], vec![], "no name..at all", false),
            (vec![silent], vec![], "127.0.0x7f", false),
            (vec![knows_inside_alone, knows_outside], vec!["in.example"], "my_db.out.example", true),
        ] {
            let servers_at = at(&servers, &search, Duration::from_secs(60));
            let found = ask(&servers_at, host, Duration::from_secs(3)).await;
            let expected: &[IpAddr] = if is_found { &KNOWN } else { &[] };
            assert_eq!(found, expected, "{host} of {servers:?}, {search:?}");
        }
    }

    #[tokio::test]
    async fn a_silent_name_server_takes_its_share_of_the_time_once_for_all_domains() {
        const PATIENCE: Duration = Duration::from_secs(3);
        let silent = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
        let silent = silent.local_addr().expect("its address");
        let knows = knowing("my_db.in.example.");
        let mut search: Vec<String> = (0..20).map(|nth| format!("out{nth}.example")).collect();
        search.push("in.example".to_owned());
        let search: Vec<&str> = search.iter().map(String::as_str).collect();
        for (servers, expected) in
            [(vec![silent, knows], &KNOWN[..]), (vec![silent, silent, knows], &KNOWN), (vec![silent; 3], &[])]
        {
            let servers = at(&servers, &search, Duration::from_secs(60));
            let found = timeout(2 * PATIENCE, ask(&servers, "my_db", PATIENCE)).await;
            assert_eq!(found.expect("in its time"), expected, "{servers:?}");
        }
    }

    /// An editor could hang up on as many as they like, of a domain whose name server says nothing.
    #[test]
    fn who_hangs_up_leaves_nothing_behind() {
        const MANY: usize = 100;
        let one_thread = runtime::Builder::new_current_thread().enable_all().max_blocking_threads(1).build();
        one_thread.expect("a runtime").block_on(async {
            let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
            let silent = socket.local_addr().expect("its address");
            let servers = at(&[silent], &[], Duration::from_secs(60));
            let ask_for = |nth: usize| {
                let servers = servers.clone();
                let patience = Duration::from_secs(60);
                tokio::spawn(async move { ask(&servers, &format!("{nth}.example."), patience).await })
            };
            let asking: Vec<_> = (0..MANY).map(ask_for).collect();
            let all_asked = async {
                let (mut buffer, mut asked) = ([0; 4_096], HashSet::new());
                while asked.len() < MANY {
                    let (length, _) = socket.recv_from(&mut buffer).await.expect("a question");
                    let message = Message::from_vec(&buffer[..length]).expect("a message");
                    asked.extend(message.queries.iter().map(|query| query.name().to_ascii()));
                }
            };
            timeout(Duration::from_secs(30), all_asked).await.expect("each has asked");
            asking.iter().for_each(tokio::task::JoinHandle::abort);
            for task in asking {
                assert!(task.await.expect_err("called off").is_cancelled());
            }
            // The name server itself has one.
            let tasks = runtime::Handle::current().metrics().num_alive_tasks();
            assert!(tasks < MANY / 10, "{tasks} tasks go on");
            // And the thread is free.
            aside::run(|| ()).await;
            let others = at(&[knowing("others.example.")], &[], Duration::from_secs(5));
            assert_eq!(ask(&others, "others.example", Duration::from_secs(5)).await, KNOWN);
        });
    }
}
