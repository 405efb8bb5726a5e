//! From a name to a line on which letters can be sent: addresses, TCP, TLS, greeting.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::Ehlo;
use lettre::transport::smtp::extension::ClientId;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::channel::{Channel, Line};
use super::explain;
use super::reply::{Failed, Reply, clean};
use crate::error::{Context, Error, Result};
use crate::mail::probe::Step;
use crate::mail::{certificate, roots};
use crate::profile::{Smtp, Tls};

/// How long one address of a server is tried, so that a dead one leaves time for the next.
const ONE_ADDRESS: Duration = Duration::from_secs(20);

/// The longest line, and the most lines, of an answer before TLS.
const LONGEST_LINE: u64 = 2048;
const MOST_LINES: usize = 100;

/// A server that has greeted us.
pub(super) struct Session {
    pub conn: AsyncSmtpConnection,
    pub offers: Offers,
    /// Whether nobody between can listen: TLS, or no wire at all.
    pub private: bool,
    /// Whether the server broke off: nothing more can be said.
    pub broken: bool,
}

/// What a server says that it can do, in answer to EHLO.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Offers {
    /// RFC 1870: None: it says nothing; 0: there is no fixed limit.
    pub size: Option<u64>,
    pub utf8: bool,
    pub eight_bit: bool,
    /// Mechanisms of AUTH, in capitals.
    pub auth: Vec<String>,
}

impl Offers {
    pub(super) fn read<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let mut offers = Self::default();
        for line in lines {
            // Some old servers write AUTH=LOGIN.
            let line = line.to_ascii_uppercase().replace("AUTH=", "AUTH ");
            let mut words = line.split_whitespace();
            match words.next() {
                Some("SIZE") => offers.size = Some(words.next().and_then(|n| n.parse().ok()).unwrap_or(0)),
                Some("SMTPUTF8") => offers.utf8 = true,
                Some("8BITMIME") => offers.eight_bit = true,
                Some("AUTH") => offers.auth.extend(words.map(str::to_owned)),
                _ => {}
            }
        }
        offers
    }

    /// The largest letter that it takes; None: it names no limit.
    pub(super) fn limit(&self) -> Option<u64> {
        self.size.filter(|size| *size > 0)
    }
}

/// Connects; `steps` hears how it goes.
pub(super) async fn connect(account: &Smtp, hello: &ClientId, steps: &mut Vec<Step>) -> Result<Session> {
    let server = account.server();
    let tls = match account.tls {
        Tls::None => None,
        Tls::Implicit | Tls::Starttls => Some(roots::config(account.ca_file.as_deref())?),
    };
    let addresses = resolve(account, steps).await?;
    let (stream, peer) = dial(account, &addresses, steps).await?;
    let local = peer.ip().to_canonical().is_loopback();
    if account.tls == Tls::None && !local {
        return Err(Error::other(format!(
            "{server} is not on this machine ({}), so nothing is said to it without TLS",
            peer.ip()
        ))
        .hint("write tls = \"implicit\" or tls = \"starttls\" in its account"));
    }
    let (line, first): (Line, &'static [u8]) = match (account.tls, tls) {
        (Tls::Starttls, Some(config)) => {
            let stream = starttls(stream, account, hello).await?;
            // The server does not greet twice (RFC 3207, 4.2); lettre waits for a greeting on every line.
            (secure(stream, account, config, steps).await?, b"220 after STARTTLS\r\n")
        }
        (Tls::Implicit, Some(config)) => (secure(stream, account, config, steps).await?, b""),
        _ => (Line::Plain(stream), b""),
    };
    let refuses = |failed: Failed| explain::greeting(account, &failed);
    let channel = Box::new(Channel::new(line, peer, first));
    let mut conn =
        AsyncSmtpConnection::connect_with_transport(channel, hello).await.map_err(|e| refuses(e.into()))?;
    // Once more, because lettre keeps of the answer only what it knows; SIZE is not among that.
    let answer = conn.command(Ehlo::new(hello.clone())).await.map_err(|e| refuses(e.into()))?;
    let offers = Offers::read(answer.message());
    Ok(Session { conn, offers, private: account.tls != Tls::None || local, broken: false })
}

async fn resolve(account: &Smtp, steps: &mut Vec<Step>) -> Result<Vec<SocketAddr>> {
    let found = tokio::net::lookup_host((account.host.as_str(), account.port)).await;
    let addresses: Vec<_> = found
        .context(|| format!("cannot find the mail server {}", account.host))
        .map_err(|error| error.hint("is its name right, and is there a network? `host` in its account"))?
        .collect();
    let shown: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
    steps.push(Step::ok("resolve", format!("{}: {}", account.host, shown.join(", "))));
    Ok(addresses)
}

/// The first address that answers.
async fn dial(
    account: &Smtp,
    addresses: &[SocketAddr],
    steps: &mut Vec<Step>,
) -> Result<(TcpStream, SocketAddr)> {
    let mut last = None;
    for address in addresses {
        let begun = Instant::now();
        match tokio::time::timeout(ONE_ADDRESS, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                let took = begun.elapsed().as_millis();
                steps.push(Step::ok("connect", format!("{address} in {took} ms")));
                return Ok((stream, *address));
            }
            Ok(Err(cause)) => last = Some(cause),
            Err(_) => last = Some(std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer")),
        }
    }
    let cause = last.unwrap_or_else(|| std::io::Error::other("it has no address"));
    Err(explain::unreachable(account, cause))
}

/// Asks for TLS on a plain line. What the server says before TLS is believed in one thing only: that it is ready.
/// RFC 3207, 4.2: all else that was heard is forgotten, and nothing but the answer may have come (someone on the way
/// could put words into the server's mouth).
async fn starttls(stream: TcpStream, account: &Smtp, hello: &ClientId) -> Result<TcpStream> {
    let mut line = BufReader::new(stream);
    let expect = |(code, lines): (u16, Vec<String>), wanted: u16| match code {
        code if code == wanted => Ok(lines),
        code => Err(explain::greeting(account, &Failed::No(Reply::new(code, &lines.join(" "))))),
    };
    expect(answer(&mut line, account).await?, 220)?;
    say(&mut line, account, &format!("EHLO {hello}\r\n")).await?;
    let offers = expect(answer(&mut line, account).await?, 250)?;
    if !offers.iter().any(|offer| offer.trim().eq_ignore_ascii_case("STARTTLS")) {
        return Err(explain::no_starttls(account));
    }
    say(&mut line, account, "STARTTLS\r\n").await?;
    expect(answer(&mut line, account).await?, 220)?;
    if !line.buffer().is_empty() {
        return Err(explain::injected(account));
    }
    Ok(line.into_inner())
}

async fn say(line: &mut BufReader<TcpStream>, account: &Smtp, text: &str) -> Result<()> {
    line.get_mut()
        .write_all(text.as_bytes())
        .await
        .map_err(|cause| explain::broken(account, &cause.to_string()))
}

/// One reply: its code, and its lines without codes.
async fn answer(line: &mut BufReader<TcpStream>, account: &Smtp) -> Result<(u16, Vec<String>)> {
    let mut lines = Vec::new();
    loop {
        let mut bytes = Vec::new();
        let read = line.take(LONGEST_LINE).read_until(b'\n', &mut bytes).await;
        let read = read.map_err(|cause| explain::broken(account, &cause.to_string()))?;
        if read == 0 {
            return Err(explain::broken(account, "it closed the connection"));
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let code = text.get(..3).and_then(|code| code.parse::<u16>().ok());
        let (Some(code), true, true) = (code, text.ends_with('\n'), lines.len() < MOST_LINES) else {
            return Err(explain::no_smtp(account, &bytes));
        };
        lines.push(clean(text.get(4..).unwrap_or_default()));
        if !text[3..].starts_with('-') {
            return Ok((code, lines));
        }
    }
}

async fn secure(
    stream: TcpStream,
    account: &Smtp,
    config: Arc<rustls::ClientConfig>,
    steps: &mut Vec<Step>,
) -> Result<Line> {
    let name = ServerName::try_from(account.host.clone())
        .map_err(|_| Error::other(format!("{} is no name that a certificate can have", account.host)))?;
    let connected = TlsConnector::from(config).connect(name, stream).await;
    let stream: TlsStream<TcpStream> = connected.map_err(|cause| explain::tls(account, cause))?;
    let (_, session) = stream.get_ref();
    let version = match session.protocol_version() {
        Some(rustls::ProtocolVersion::TLSv1_3) => "TLS 1.3",
        _ => "TLS 1.2",
    };
    let certificate = session.peer_certificates().and_then(|chain| chain.first());
    let certificate = certificate.map_or_else(String::new, |der| certificate::describe(der));
    steps.push(Step::ok("tls", format!("{version}{certificate}")));
    Ok(Line::Tls(Box::new(stream)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_offers() {
        let lines = ["mx.example.org", "SIZE 1000", "auth PLAIN login", "AUTH=LOGIN", "8bitmime", "SMTPUTF8"];
        let offers = Offers::read(lines.into_iter());
        assert_eq!((offers.limit(), offers.utf8, offers.eight_bit), (Some(1000), true, true));
        assert_eq!(offers.auth, ["PLAIN", "LOGIN", "LOGIN"]);
        for (line, limit) in
            [("SIZE", None), ("SIZE 0", None), ("SIZE -1", None), ("SIZE 99", Some(99)), ("", None)]
        {
            assert_eq!(Offers::read([line].into_iter()).limit(), limit, "{line}");
        }
    }
}
