//! A look at a mailbox, for a person who sets it up.

use super::offers::Expire;
use super::{Failed, Patience, Session, Stop, connect, log_in};
use crate::figures::size;
use crate::mail::probe::Step;
use crate::mail::secret::Secret;
use crate::profile::{Pop3, Tls};

/// Connects and logs in, looks at what is there and what the server offers, and tells each step. Nothing is fetched.
pub fn look(account: &Pop3, secret: &Secret, patience: Patience) -> Vec<Step> {
    let mut steps = Vec::new();
    let greeted = match connect::connect(account, (patience, &Stop::default()), &mut steps) {
        Ok(greeted) => greeted,
        Err(error) => {
            let name = match steps.last().map(|step| step.name) {
                None => "resolve",
                Some("resolve") => "connect",
                Some("connect") if account.tls != Tls::None => "tls",
                _ => "greeting",
            };
            steps.push(Step { name, result: Err(error) });
            return steps;
        }
    };
    match log_in(account, secret, patience, greeted, &mut steps) {
        Ok(mut session) => {
            for (name, asked) in [("mailbox", contents as Asked), ("offers", abilities)] {
                let result = asked(&mut session);
                let cannot = || format!("cannot look at the mailbox at {}", session.server());
                steps.push(Step { name, result: result.map_err(|failed| failed.error(cannot())) });
                if steps.last().is_some_and(|step| step.result.is_err()) {
                    break;
                }
            }
            session.quit();
        }
        Err(fault) => steps.push(Step { name: "login", result: Err(fault.error) }),
    }
    steps
}

type Asked = fn(&mut Session) -> Result<String, Failed>;

/// What is there. Each message must have an id, or nobody could tell which ones are new.
fn contents(session: &mut Session) -> Result<String, Failed> {
    let stat = session.stat()?;
    let named = session.uidl()?.known.len();
    let messages = if stat.messages == 1 { "message" } else { "messages" };
    let odd = match usize::try_from(stat.messages) == Ok(named) {
        true => String::new(),
        false => format!(", {named} of them with an id"),
    };
    Ok(format!("{} {messages}, {}{odd}", stat.messages, size(stat.bytes)))
}

/// What the server can do.
fn abilities(session: &mut Session) -> Result<String, Failed> {
    let offers = session.offers();
    if !offers.known() {
        return Ok("does not say what it can do".into());
    }
    let said = ["UIDL", "TOP", "PIPELINING"].into_iter().filter(|name| offers.has(name)).map(str::to_owned);
    let expire = offers.expire().and_then(|expire| match expire {
        Expire::WhenFetched => Some("deletes by itself what was fetched (EXPIRE 0)".to_owned()),
        Expire::Days(days) => Some(format!("deletes messages by itself after {days} days")),
        Expire::Never => None,
    });
    let delay = offers.login_delay().map(|seconds| format!("one login each {seconds} s"));
    Ok(said.chain(expire).chain(delay).collect::<Vec<_>>().join(", "))
}
