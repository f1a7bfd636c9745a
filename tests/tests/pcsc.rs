//! `ukey-pcsc` against a real pcscd with virtual readers: plug, pull, yank, swap, crash of the service, slow keys beside fast ones.

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use e2e::{
    inside::with_pcscd,
    pcscd::{Pcscd, READERS_MAX},
    plain_card::{ATR, PlainCard},
};
use ukey::{CardTransport as _, TransportError};
use ukey_pcsc::{APDU_BYTES_MAX, CardEvent, PcscError, PcscTransport, Reader, ReaderWatch, Readers, Removal};

/// A bound, not a measure: far more than anything here takes.
const SOON: Duration = Duration::from_secs(20);
/// A look: what is true now.
const NOW: Duration = Duration::from_millis(1);
const GREETING: [u8; 5] = [0x80, 0x00, 0x00, 0x00, 0x00];
const DONE: [u8; 2] = [0x90, 0x00];

fn obedient(_: &[u8]) -> Option<Vec<u8>> {
    Some(DONE.to_vec())
}

fn reader(pcscd: &Pcscd, index: usize) -> Result<Reader> {
    Ok(Reader::new(&pcscd.reader_name(index))?)
}

/// Waits for a key; gives its count and epoch.
fn key_in(reader: &mut Reader) -> Result<(u32, u32)> {
    match reader.wait_for_card(SOON) {
        CardEvent::Present { atr, event_count, epoch } => {
            ensure!(atr == ATR, "another ATR: {atr:02X?}");
            Ok((event_count, epoch))
        }
        other => bail!("no key: {other:?}"),
    }
}

/// pcscd powers a fresh card up by itself for a moment; until it is done, connecting may be refused.
fn connected(reader: &mut Reader) -> Result<PcscTransport> {
    key_in(reader)?;
    Ok(reader.connect()?)
}

fn removed(transport: &mut PcscTransport) -> bool {
    matches!(transport.transmit(&GREETING), Err(TransportError::Removed))
}

#[test]
fn p1_sixteen_readers_are_listed_and_watched() -> Result<()> {
    with_pcscd("p1_sixteen_readers_are_listed_and_watched", READERS_MAX, |pcscd| {
        let names: Vec<String> = (0..READERS_MAX).map(|index| pcscd.reader_name(index)).collect();
        let mut listed = ukey_pcsc::readers()?;
        ensure!(listed == names, "listed: {listed:?}");
        let mut watch = ReaderWatch::new();
        ensure!(watch.wait(SOON) == Readers::Changed(names.clone()));
        ensure!(
            watch.wait(Duration::from_millis(50)) == Readers::Same,
            "sixteen readers beside the notification are refused"
        );
        pcscd.kill9()?;
        ensure!(watch.wait(NOW) == Readers::ServiceDown);
        ensure!(matches!(ukey_pcsc::readers(), Err(PcscError::ServiceDown(_))));
        pcscd.restart()?;
        let again = watch.wait(SOON);
        ensure!(again == Readers::Changed(names.clone()), "after a restart the list is news: {again:?}");
        // Each name leads to the port that the harness says: a card at the last port is in the last reader alone.
        let _card = PlainCard::plug(pcscd.port(READERS_MAX - 1)?, obedient)?;
        key_in(&mut reader(pcscd, READERS_MAX - 1)?)?;
        listed.truncate(READERS_MAX - 1);
        for name in listed {
            ensure!(Reader::new(&name)?.wait_for_card(NOW) == CardEvent::Empty, "{name} is not empty");
        }
        Ok(())
    })
}

#[test]
fn a_key_is_seen_used_and_seen_pulled() -> Result<()> {
    with_pcscd("a_key_is_seen_used_and_seen_pulled", 1, |pcscd| {
        let mut slot = reader(pcscd, 0)?;
        ensure!(slot.wait_for_card(NOW) == CardEvent::Empty);
        ensure!(matches!(slot.connect(), Err(PcscError::NoCard { .. })));
        let card = PlainCard::plug(pcscd.port(0)?, |command| Some(command.to_vec()))?;
        let mut transport = connected(&mut slot)?;
        ensure!(transport.atr() == Some(&ATR[..]));
        ensure!(transport.channel_id().is_none(), "a virtual reader hangs nowhere");
        ensure!(matches!(slot.connect(), Err(PcscError::StillConnected { .. })));
        for length in [5, 261, 4096, APDU_BYTES_MAX] {
            let command = vec![0x5A; length];
            ensure!(transport.transmit(&command)? == command, "{length} bytes");
        }
        for length in [0, 3, APDU_BYTES_MAX + 1] {
            ensure!(
                matches!(transport.transmit(&vec![0; length]), Err(TransportError::Link(_))),
                "{length} bytes"
            );
        }
        ensure!(transport.transmit(&GREETING)? == GREETING, "a refused length does no harm");
        ensure!(slot.wait_for_removal(NOW) == Removal::StillThere);
        card.pull();
        ensure!(slot.wait_for_removal(SOON) == Removal::Removed);
        ensure!(removed(&mut transport), "a key that was pulled is gone, not broken");
        Ok(())
    })
}

#[test]
fn a_yank_in_the_middle_of_a_command_is_a_removal() -> Result<()> {
    with_pcscd("a_yank_in_the_middle_of_a_command_is_a_removal", 1, |pcscd| {
        let mut slot = reader(pcscd, 0)?;
        let yanked = PlainCard::plug(pcscd.port(0)?, |_| None)?;
        let mut transport = connected(&mut slot)?;
        ensure!(removed(&mut transport));
        ensure!(removed(&mut transport), "and stays one");
        drop(yanked);
        ensure!(slot.wait_for_removal(SOON) == Removal::Removed);
        drop(transport);
        let _back = PlainCard::plug(pcscd.port(0)?, obedient)?;
        ensure!(connected(&mut slot)?.transmit(&GREETING)? == DONE);
        Ok(())
    })
}

#[test]
fn a_command_to_a_key_just_pulled_is_a_removal_before_pcscd_has_noticed() -> Result<()> {
    with_pcscd("a_command_to_a_key_just_pulled_is_a_removal_before_pcscd_has_noticed", 1, |pcscd| {
        let mut slot = reader(pcscd, 0)?;
        let card = PlainCard::plug(pcscd.port(0)?, obedient)?;
        let mut transport = connected(&mut slot)?;
        ensure!(transport.transmit(&GREETING)? == DONE);
        card.pull();
        ensure!(removed(&mut transport));
        // A key that is put back is another connection's: this one stays dead.
        ensure!(slot.wait_for_removal(SOON) == Removal::Removed);
        let _back = PlainCard::plug(pcscd.port(0)?, obedient)?;
        key_in(&mut slot)?;
        ensure!(removed(&mut transport));
        Ok(())
    })
}

#[test]
fn an_answer_too_short_for_a_status_word_is_a_removal() -> Result<()> {
    with_pcscd("an_answer_too_short_for_a_status_word_is_a_removal", 1, |pcscd| {
        let mut slot = reader(pcscd, 0)?;
        let _card = PlainCard::plug(pcscd.port(0)?, |_| Some(vec![0x90]))?;
        ensure!(removed(&mut connected(&mut slot)?));
        Ok(())
    })
}

#[test]
fn n6_a_key_swapped_while_nobody_looked_is_noticed() -> Result<()> {
    with_pcscd("n6_a_key_swapped_while_nobody_looked_is_noticed", 1, |pcscd| {
        let mut slot = reader(pcscd, 0)?;
        let mut onlooker = reader(pcscd, 0)?;
        let first = PlainCard::plug(pcscd.port(0)?, obedient)?;
        let (before, _) = key_in(&mut slot)?;
        key_in(&mut onlooker)?;
        first.pull();
        ensure!(onlooker.wait_for_removal(SOON) == Removal::Removed);
        let _second = PlainCard::plug(pcscd.port(0)?, obedient)?;
        key_in(&mut onlooker)?;
        ensure!(slot.wait_for_removal(NOW) == Removal::Removed, "a key is in, but not the one that was");
        let (after, _) = key_in(&mut slot)?;
        ensure!(before != after);
        ensure!(slot.wait_for_removal(NOW) == Removal::StillThere);
        Ok(())
    })
}

#[test]
fn a_crash_of_pcscd_is_survived() -> Result<()> {
    with_pcscd("a_crash_of_pcscd_is_survived", 1, |pcscd| {
        let mut slot = reader(pcscd, 0)?;
        let card = PlainCard::plug(pcscd.port(0)?, obedient)?;
        let (_, first_epoch) = key_in(&mut slot)?;
        let mut transport = slot.connect()?;
        ensure!(transport.transmit(&GREETING)? == DONE);
        pcscd.kill9()?;
        drop(card);
        ensure!(
            matches!(transport.transmit(&GREETING), Err(TransportError::Link(_))),
            "the link failed, the key was not pulled"
        );
        ensure!(
            slot.wait_for_removal(SOON) == Removal::ServiceDown,
            "told at once, for nobody watches the key now"
        );
        ensure!(slot.wait_for_card(NOW) == CardEvent::ServiceDown);
        drop(transport);
        ensure!(matches!(slot.connect(), Err(PcscError::ServiceDown(_))));
        pcscd.restart()?;
        let _again = PlainCard::plug(pcscd.port(0)?, obedient)?;
        let (_, second_epoch) = key_in(&mut slot)?;
        ensure!(second_epoch != first_epoch, "counts of two pcscds cannot be compared");
        ensure!(slot.connect()?.transmit(&GREETING)? == DONE);
        Ok(())
    })
}

#[test]
fn a_restart_between_two_looks_is_told() -> Result<()> {
    with_pcscd("a_restart_between_two_looks_is_told", 1, |pcscd| {
        let mut slot = reader(pcscd, 0)?;
        let card = PlainCard::plug(pcscd.port(0)?, obedient)?;
        key_in(&mut slot)?;
        pcscd.restart()?;
        drop(card);
        let _again = PlainCard::plug(pcscd.port(0)?, obedient)?;
        key_in(&mut reader(pcscd, 0)?)?;
        ensure!(
            slot.wait_for_removal(SOON) == Removal::ServiceDown,
            "the key may be another: nobody watched"
        );
        Ok(())
    })
}

#[test]
fn a_reader_that_does_not_exist_is_gone_and_not_busily_asked_for() -> Result<()> {
    with_pcscd("a_reader_that_does_not_exist_is_gone_and_not_busily_asked_for", 1, |_| {
        let mut nowhere = Reader::new("No Such Reader 00 00")?;
        ensure!(nowhere.wait_for_card(Duration::from_millis(100)) == CardEvent::ReaderGone);
        ensure!(matches!(nowhere.connect(), Err(PcscError::ReaderGone { .. })));
        Ok(())
    })
}

#[test]
fn p1_a_slow_key_holds_up_no_other_reader() -> Result<()> {
    with_pcscd("p1_a_slow_key_holds_up_no_other_reader", 2, |pcscd| {
        let (begun, slow_begun) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let slow = move |_: &[u8]| {
            begun.send(()).ok()?;
            released.recv_timeout(SOON).ok()?;
            Some(DONE.to_vec())
        };
        let _slow_card = PlainCard::plug(pcscd.port(0)?, slow)?;
        let _fast_card = PlainCard::plug(pcscd.port(1)?, obedient)?;
        let (mut slow_slot, mut fast_slot) = (reader(pcscd, 0)?, reader(pcscd, 1)?);
        let mut slow_key = connected(&mut slow_slot)?;
        let waiting = thread::spawn(move || slow_key.transmit(&GREETING));
        slow_begun.recv_timeout(SOON).context("the slow key never got its command")?;
        // While the one key thinks, the other reader is looked at, connected and used.
        let mut fast_key = connected(&mut fast_slot)?;
        for _ in 0..20 {
            ensure!(fast_key.transmit(&GREETING)? == DONE);
        }
        ensure!(!waiting.is_finished(), "the slow key answered before it was released");
        release.send(()).context("the slow key gave up: the other reader had to wait for it")?;
        let answer = waiting.join().map_err(|_| anyhow::anyhow!("the slow reader's thread panicked"))?;
        ensure!(answer? == DONE);
        Ok(())
    })
}

#[test]
fn a_wait_for_a_key_ends_when_the_key_comes() -> Result<()> {
    with_pcscd("a_wait_for_a_key_ends_when_the_key_comes", 1, |pcscd| {
        let mut slot = reader(pcscd, 0)?;
        ensure!(slot.wait_for_card(NOW) == CardEvent::Empty);
        let (port, begun) = (pcscd.port(0)?, Instant::now());
        let plugging = thread::spawn(move || PlainCard::plug(port, obedient));
        key_in(&mut slot)?;
        ensure!(begun.elapsed() < SOON, "the wait ran to its end");
        plugging.join().map_err(|_| anyhow::anyhow!("plugging panicked"))??.pull();
        Ok(())
    })
}
