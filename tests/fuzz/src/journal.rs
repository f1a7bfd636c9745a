//! The station's journal: records, anchors, the archive's files and the store's pairs.

use audit::{Archive, Evidence, anchors};
use workflow::{Record, State};

/// A job's stream, a record a line. What is legal replays to the same state when it is written out again.
pub fn records(bytes: &[u8]) {
    let Some(records) = read(bytes) else { return };
    let state = workflow::replay(&records);
    let written: Result<Vec<_>, _> = records.iter().map(serde_json::to_vec).collect();
    let written = written.unwrap_or_else(|error| panic!("a record that was read cannot be written: {error}"));
    let again = read(&written.join(&b'\n')).unwrap_or_else(|| panic!("a written record cannot be read"));
    assert_eq!(again, records);
    assert_eq!(workflow::replay(&again), state);
    match state {
        Ok(State::InWork(work)) => {
            let mut steps = work.done.clone();
            steps.dedup();
            assert_eq!(steps, work.done, "a step is done once");
            assert!(work.done.is_sorted(), "steps are done in order");
            assert_eq!(work.touched(), records.len() > 1);
        }
        Ok(State::Ended(..)) => assert!(matches!(records.last(), Some(Record::Ended(_)))),
        Ok(State::Fresh) => assert!(records.is_empty()),
        Err(illegal) => assert!(!illegal.to_string().is_empty()),
    }
}

fn read(bytes: &[u8]) -> Option<Vec<Record>> {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).ok()).collect()
}

/// Evidence in pieces: a tag, a length in two bytes, the piece. The checker says what is wrong and never panics.
pub fn audit(bytes: &[u8]) {
    let mut evidence = Evidence {
        archive: Archive::default(),
        store: Ok(Vec::new()),
        anchors: Vec::new(),
        station_keys: Vec::new(),
    };
    let mut rest = bytes;
    let mut key = Vec::new();
    while let Some(([tag, high, low], after)) = rest.split_first_chunk::<3>() {
        let len = usize::from(u16::from_be_bytes([*high, *low])).min(after.len());
        let (piece, after) = after.split_at(len);
        rest = after;
        match tag % 6 {
            0 => key = piece.to_vec(),
            1 => {
                if let Ok(pairs) = &mut evidence.store {
                    pairs.push((std::mem::take(&mut key), piece.to_vec()));
                }
            }
            2 => {
                let next = evidence.archive.files.last().map_or(1, |(number, _)| number.saturating_add(1));
                evidence.archive.files.push((next, piece.to_vec()));
            }
            3 => {
                if let Some((number, file)) = piece.split_first_chunk::<8>() {
                    evidence.archive.files.push((u64::from_be_bytes(*number), file.to_vec()));
                    evidence.archive.files.sort_unstable();
                }
            }
            4 => {
                let text = String::from_utf8_lossy(piece);
                evidence.anchors.extend(anchors::read(&text).unwrap_or_default());
            }
            _ => evidence.station_keys.push(String::from_utf8_lossy(piece).into_owned()),
        }
    }
    let verdict = audit::verify(&evidence);
    for finding in &verdict.findings {
        let _ = finding.to_string();
    }
    let _ = audit::show(&evidence, "SAAS120261122093000000001-1/ukey/virtual/V0000001");
}
