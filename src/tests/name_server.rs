//! A name server for the checks of senders: it knows what it is told, and that there is nothing else.

use std::{
    collections::HashMap,
    net::{SocketAddr, UdpSocket},
    sync::{Arc, Mutex},
};

use hickory_resolver::proto::{
    op::{Message, MessageType, ResponseCode},
    rr::{RData, Record, RecordType, rdata::TXT},
};

/// It goes with the test's process.
pub struct NameServer {
    pub addr: SocketAddr,
    texts: Arc<Mutex<HashMap<String, String>>>,
}

impl NameServer {
    pub fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let addr = socket.local_addr().unwrap();
        let texts: Arc<Mutex<HashMap<String, String>>> = Arc::default();
        let known = Arc::clone(&texts);
        std::thread::spawn(move || {
            let mut buffer = [0; 4_096];
            while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
                let Ok(mut message) = Message::from_vec(&buffer[..length]) else { continue };
                message.metadata.message_type = MessageType::Response;
                let Some(asked) = message.queries.first().cloned() else { continue };
                let name = asked.name().to_ascii().trim_end_matches('.').to_lowercase();
                match known.lock().unwrap().get(&name) {
                    Some(text) if asked.query_type() == RecordType::TXT => {
                        // A character string has at most 255 bytes (RFC 1035, section 3.3).
                        let parts =
                            text.as_bytes().chunks(255).map(|part| String::from_utf8_lossy(part).into());
                        let data = RData::TXT(TXT::new(parts.collect()));
                        message.add_answer(Record::from_rdata(asked.name().clone(), 60, data));
                    }
                    Some(_) => {}
                    None => message.metadata.response_code = ResponseCode::NXDomain,
                }
                let _ = socket.send_to(&message.to_vec().unwrap(), peer);
            }
        });
        Self { addr, texts }
    }

    /// Publishes a record.
    pub fn text(&self, name: &str, text: impl Into<String>) {
        self.texts.lock().unwrap().insert(name.to_owned(), text.into());
    }
}
