//! A vault in a mailbox, on a real server.

mod answers;
mod connections;
mod faults;
mod life;
mod listings;
mod place;
mod recovered;
mod withheld;

use self::place::InMailbox;
use super::contract;
use crate::lab;

#[test]
fn a_mailbox_keeps_the_contract() {
    let Some(lab) = lab::get() else { return };
    contract::check(&|| Box::new(InMailbox::new(lab, "user20")));
}

#[test]
fn of_many_who_make_a_vault_one_does() {
    let Some(lab) = lab::get() else { return };
    for _ in 0..5 {
        contract::of_many_who_make_a_vault_one_does(&InMailbox::new(lab, "user21"));
    }
}
