//! From a name to a line on which a login may be said: addresses, TCP, TLS, greeting.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use super::answer::Answer;
use super::commands::Command;
use super::failed::Failed;
use super::offers::Offers;
use super::wire::Wire;
use super::{Patience, explain};
use crate::error::{Context, Error, Result};
use crate::mail::line::{self, Line};
use crate::mail::probe::Step;
use crate::mail::roots;
use crate::mail::socket::{Counted, Stop};
use crate::profile::{Pop3, Tls};

/// The most capabilities of a server.
const MOST_OFFERS: usize = 1000;

/// Connects up to the greeting, and asks what the server can do; `steps` hears how it goes.
pub(super) fn connect(
    account: &Pop3,
    (patience, stop): (Patience, &Stop),
    steps: &mut Vec<Step>,
) -> Result<(Wire, Offers)> {
    let tls = match account.tls {
        Tls::None => None,
        Tls::Implicit | Tls::Starttls => Some(roots::config(account.ca_file.as_deref())?),
    };
    let addresses = resolve(account, stop, steps)?;
    let (stream, peer, took) =
        line::dial(addresses, patience, stop).map_err(|cause| explain::unreachable(account, cause))?;
    steps.push(Step::ok("connect", format!("{peer} in {} ms", took.as_millis())));
    if account.tls == Tls::None && !peer.ip().to_canonical().is_loopback() {
        return Err(Error::other(format!(
            "{} is not on this machine ({}), so nothing is said to it without TLS",
            account.server(),
            peer.ip()
        ))
        .hint("write tls = \"implicit\" or tls = \"starttls\" in its account"));
    }
    let mut wire = start(account, Line::Plain(Counted::new(stream, stop.clone())), patience)?;
    match (account.tls, tls) {
        (Tls::Starttls, Some(config)) => {
            greeting(&mut wire, account)?;
            stls(&mut wire, account)?;
            // The server does not greet twice.
            wire = secure(wire, account, config, patience, steps)?;
        }
        (_, config) => {
            if let Some(config) = config {
                wire = secure(wire, account, config, patience, steps)?;
            }
            greeting(&mut wire, account)?;
        }
    }
    // RFC 2595, 4: what was offered before TLS is forgotten.
    let offers = offers(&mut wire).map_err(|failed| explain::broken(account, &failed.to_string()))?;
    Ok((wire, offers.unwrap_or_default()))
}

/// What the server offers; None: it does not say.
pub(super) fn offers(wire: &mut Wire) -> std::result::Result<Option<Offers>, Failed> {
    match wire.ask(Command::Capa) {
        Ok(_) => {}
        Err(Failed::No(_)) => return Ok(None),
        Err(failed) => return Err(failed),
    }
    let mut offers = Offers::some();
    wire.lines(MOST_OFFERS, &mut |line| {
        offers.hear(&String::from_utf8_lossy(line));
        Ok(())
    })?;
    Ok(Some(offers))
}

fn resolve(account: &Pop3, stop: &Stop, steps: &mut Vec<Step>) -> Result<Vec<SocketAddr>> {
    let name = (account.host.clone(), account.port);
    let addresses: Vec<_> = stop
        .unless(move || name.to_socket_addrs())
        .context(|| format!("cannot find the mail server {}", account.host))
        .map_err(|error| error.hint("is its name right, and is there a network? `host` in its account"))?
        .collect();
    let shown: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
    steps.push(Step::ok("resolve", format!("{}: {}", account.host, shown.join(", "))));
    Ok(addresses)
}

fn start(account: &Pop3, line: Line, patience: Patience) -> Result<Wire> {
    let broken = |cause: io::Error| explain::broken(account, &cause.to_string());
    Wire::new(line, patience.connect).map_err(broken)
}

/// Reads the greeting.
fn greeting(wire: &mut Wire, account: &Pop3) -> Result<()> {
    wire.begin();
    match wire.next() {
        Ok(Ok(Answer::Yes(_))) => Ok(()),
        Ok(Ok(Answer::No(no))) => Err(explain::greeting(account, &no)),
        Ok(Ok(Answer::More(_)) | Err(_)) => Err(explain::no_pop3(account)),
        Err(failed) => Err(explain::broken(account, &failed.to_string())),
    }
}

/// Asks for TLS on a plain line (RFC 2595, 4). Nothing but the answer may have come: someone on the way could put words
/// into the server's mouth.
fn stls(wire: &mut Wire, account: &Pop3) -> Result<()> {
    let broken = |failed: Failed| explain::broken(account, &failed.to_string());
    if !offers(wire).map_err(broken)?.is_some_and(|offers| offers.has("STLS")) {
        return Err(explain::no_stls(account));
    }
    match wire.ask(Command::Stls) {
        Ok(_) if wire.has_leftovers() => Err(explain::injected(account)),
        Ok(_) => Ok(()),
        Err(Failed::No(no)) => Err(explain::greeting(account, &no)),
        Err(failed) => Err(broken(failed)),
    }
}

/// TLS on a line that was plain so far.
fn secure(
    wire: Wire,
    account: &Pop3,
    config: Arc<ClientConfig>,
    patience: Patience,
    steps: &mut Vec<Step>,
) -> Result<Wire> {
    let name = ServerName::try_from(account.host.clone())
        .map_err(|_| Error::other(format!("{} is no name that a certificate can have", account.host)))?;
    let Some(socket) = wire.into_socket() else {
        return Err(Error::other("there is TLS on the line already"));
    };
    let (line, said) =
        line::secure(socket, name, config, patience).map_err(|cause| explain::tls(account, cause))?;
    steps.push(Step::ok("tls", said));
    start(account, line, patience)
}
