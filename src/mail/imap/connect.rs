//! From a name to a line on which a login may be said: addresses, TCP, TLS, greeting.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use super::answer::{No, Status};
use super::engine::{Deaf, Engine, Listen};
use super::failed::Failed;
use super::lexer::{Lex, Lexer};
use super::offers::Offers;
use super::socket::{Counted, Stop};
use super::wire::{Shared, Wire};
use super::{Patience, explain};
use crate::error::{Context, Error, Result};
use crate::mail::line::{self, Line};
use crate::mail::probe::Step;
use crate::mail::roots;
use crate::profile::{Imap, Tls};

/// Connects up to the greeting, which may tell what the server offers; `steps` hears how it goes.
pub(super) fn connect(
    account: &Imap,
    (patience, stop): (Patience, &Stop),
    steps: &mut Vec<Step>,
) -> Result<(Shared, Offers)> {
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
    let broken = |cause: io::Error| explain::broken(account, &cause.to_string());
    let mut wire =
        Wire::new(Line::Plain(Counted::new(stream, stop.clone())), patience.connect).map_err(broken)?;
    let offers = match (account.tls, tls) {
        (Tls::Starttls, Some(config)) => {
            greeting(&mut wire, account)?;
            starttls(&mut wire, account)?;
            // The server does not greet twice, and what it offered before TLS counts no more.
            wire = secure(wire, account, config, patience, steps)?;
            Offers::default()
        }
        (_, config) => {
            if let Some(config) = config {
                wire = secure(wire, account, config, patience, steps)?;
            }
            greeting(&mut wire, account)?
        }
    };
    Ok((Shared::new(wire), offers))
}

fn resolve(account: &Imap, stop: &Stop, steps: &mut Vec<Step>) -> Result<Vec<SocketAddr>> {
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

/// Reads the greeting, and what the server offers in it.
fn greeting(wire: &mut Wire, account: &Imap) -> Result<Offers> {
    wire.begin();
    let mut line = Lexer::new(wire);
    let heard = (|| {
        if line.word()? != "*" {
            return Err(Lex::Odd);
        }
        line.spaces()?;
        let status = Status::read(&line.word()?).ok_or(Lex::Odd)?;
        line.spaces()?;
        Ok((status, line.text()?))
    })();
    match heard {
        Ok((Status::Ok, text)) => Ok(Offers::read(text.as_bytes())),
        // RFC 9051, 6.2.1: whoever says so before TLS keeps us from asking for it.
        Ok((Status::Preauth, _)) => Err(Error::other(format!(
            "{} says that we are logged in before we said who we are",
            account.server()
        ))
        .hint("somebody on the way may put words into its mouth: try another network")),
        Ok((status, text)) => Err(explain::greeting(account, &No::read(status, &text))),
        Err(Lex::Odd | Lex::Endless) => Err(explain::no_imap(account)),
        Err(lex) => Err(explain::broken(account, &Failed::from(lex).to_string())),
    }
}

/// Asks for TLS on a plain line. RFC 9051, 6.2.1: what was heard before TLS is forgotten, and nothing but the answer
/// may have come (someone on the way could put words into the server's mouth).
fn starttls(wire: &mut Wire, account: &Imap) -> Result<()> {
    let mut tag = 0;
    let mut offers = Offers::default();
    let mut ask = |command: &str, wire: &mut Wire, listen: &mut dyn Listen| {
        let answer = Engine::new(wire, &mut tag, &account.server()).run(command, listen);
        let answer = answer.map_err(|failed| explain::broken(account, &failed.to_string()))?;
        answer.yes().map_err(|no| explain::greeting(account, &no))
    };
    ask("CAPABILITY", wire, &mut offers)?;
    if !offers.has("STARTTLS") {
        return Err(explain::no_starttls(account));
    }
    ask("STARTTLS", wire, &mut Deaf)?;
    if wire.has_leftovers() {
        return Err(explain::injected(account));
    }
    Ok(())
}

/// TLS on a line that was plain so far.
fn secure(
    wire: Wire,
    account: &Imap,
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
    Wire::new(line, patience.connect).map_err(|cause| explain::broken(account, &cause.to_string()))
}
