// SPDX-License-Identifier: Apache-2.0
//! rustls as a client: asks for HOST's /status/204 over TLS, COUNT times on a connection each, with one configuration, so
//! that sessions are resumed; prints a line of JSON for each, or why there was none.
//!
//! usage: rustls-peer ADDRESS PORT HOST CA.der VERSION ALPN COUNT     VERSION: 1.2, 1.3; ALPN: a name, or - for none

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(10);

fn config(ca: &str, version: &str, alpn: &str) -> Result<Arc<rustls::ClientConfig>, Box<dyn Error>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(&rustls::Certificate(std::fs::read(ca)?))?;
    let only = if version == "1.2" { &rustls::version::TLS12 } else { &rustls::version::TLS13 };
    let mut config = rustls::ClientConfig::builder()
        .with_safe_default_cipher_suites()
        .with_safe_default_kx_groups()
        .with_protocol_versions(&[only])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    if alpn != "-" {
        config.alpn_protocols.push(alpn.as_bytes().to_vec());
    }
    Ok(Arc::new(config))
}

/// Whatever the answer is, the end has to come by close_notify: `read_to_string` fails otherwise.
fn ask(config: Arc<rustls::ClientConfig>, address: &str, host: &str) -> Result<String, Box<dyn Error>> {
    let mut tls = rustls::ClientConnection::new(config, host.try_into()?)?;
    let mut tcp = TcpStream::connect(address)?;
    tcp.set_read_timeout(Some(LIMIT))?;
    let mut answer = String::new();
    let mut stream = rustls::Stream::new(&mut tls, &mut tcp);
    write!(stream, "GET /status/204 HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    stream.read_to_string(&mut answer)?;
    Ok(format!(
        "{{\"status\": \"{}\", \"version\": \"{:?}\", \"suite\": \"{:?}\", \"alpn\": \"{}\"}}",
        answer.split(' ').nth(1).unwrap_or(""),
        tls.protocol_version().ok_or("no version")?,
        tls.negotiated_cipher_suite().ok_or("no suite")?.suite(),
        String::from_utf8_lossy(tls.alpn_protocol().unwrap_or(b"")),
    ))
}

fn main() -> Result<(), Box<dyn Error>> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    if let [address, port, host, ca, version, alpn, count] = &given[..] {
        let config = config(ca, version, alpn)?;
        for _ in 0..count.parse()? {
            match ask(config.clone(), &format!("{address}:{port}"), host) {
                Ok(line) => println!("{line}"),
                Err(why) => println!("{{\"fault\": \"{}\"}}", why.to_string().replace('"', "'")),
            }
        }
        Ok(())
    } else {
        Err("usage: rustls-peer ADDRESS PORT HOST CA.der VERSION ALPN COUNT".into())
    }
}
