//! Pictures: what is taken and what is refused, the phone's link, what operators see, letters that come back.

use std::{io::Cursor, process::Command, sync::atomic::Ordering};

use crate::bench::{Bench, OPERATOR, legal_order, paid_order};
use image::{ImageFormat, Rgb, RgbImage};
use portal::{
    letters::{self, LetterFacts, SheetCheck},
    pictures::{
        self, PICTURE_BYTES_MAX, Picture, PictureError, PictureKind,
        links::{self, LINK_MS},
    },
    views::Reason,
};
use proptest::prelude::*;
use sqlx::Row as _;

const OWNER: &str = "SAAS120261122093000000001";

/// A coloured picture that is different for each `seed`.
fn pixels(width: u32, height: u32, seed: u8) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([(x * 255 / width) as u8, (y * 255 / height) as u8, 40u8.wrapping_add(seed)])
    })
}

fn encoded(pixels: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    pixels.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn jpeg(seed: u8) -> Vec<u8> {
    encoded(&pixels(600, 400, seed), ImageFormat::Jpeg)
}

fn segment(marker: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
    [&[0xFF, marker], &length[..], content].concat()
}

/// A photo as phones make them: lying on its side by EXIF (orientation 6), with a place, a comment and something behind its end.
fn photo() -> Vec<u8> {
    let tiff = [
        &b"Exif\0\0II*\0\x08\0\0\0\x01\0"[..],
        &[0x12, 0x01, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0],
        &[0, 0, 0, 0],
        b"GPSLatitude 39.9087 PLANTED-PLACE",
    ]
    .concat();
    let plain = jpeg(0);
    [
        &plain[..2],
        &segment(0xE1, &tiff),
        &segment(0xFE, b"<html><script>alert('PLANTED')</script></html>"),
        &plain[2..],
        b"PK\x03\x04PLANTED-ARCHIVE",
    ]
    .concat()
}

/// A PNG that says it has so many pixels and holds none of them.
fn bomb(width: u32, height: u32) -> Vec<u8> {
    let chunk = |content: &[u8]| {
        let length = u32::try_from(content.len() - 4).unwrap();
        [&length.to_be_bytes()[..], content, &crc(content).to_be_bytes()].concat()
    };
    let header = [b"IHDR", &width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    [b"\x89PNG\r\n\x1a\n", &chunk(&header)[..], &chunk(b"IDAT\x78\x9c\x63\x60\x60"), &chunk(b"IEND")].concat()
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 },
        )
    })
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn put(bench: &Bench, owner: &str, kind: PictureKind, bytes: Vec<u8>) -> Result<Picture, PictureError> {
    bench.runtime.block_on(pictures::put(&bench.state, owner, kind, bytes, &"customer"))
}

fn jpeg_of(bench: &Bench, id: &str) -> Vec<u8> {
    let (_, jpeg) = bench.runtime.block_on(pictures::get(&bench.state, id)).unwrap().unwrap();
    jpeg.expose().to_vec()
}

fn audited(bench: &Bench, what: &str) -> Vec<(String, String, String)> {
    let rows =
        sqlx::query("select who, subject, detail from audit where what = $1 order by sequence").bind(what);
    let rows = bench.runtime.block_on(rows.fetch_all(&bench.state.db)).unwrap();
    rows.iter().map(|row| (row.get("who"), row.get("subject"), row.get("detail"))).collect()
}

#[test]
fn s1_2_of_a_photo_the_pixels_alone_are_kept_upright() {
    let bench = Bench::new();
    let picture = put(&bench, OWNER, PictureKind::IdFront, photo()).unwrap();
    assert_eq!((picture.width, picture.height), (400, 600), "turned as the phone was held");
    let kept = jpeg_of(&bench, &picture.id);
    assert_eq!(picture.bytes, kept.len() as i64);
    for planted in [&b"PLANTED"[..], b"Exif", b"GPS", b"<script", b"PK\x03\x04"] {
        assert!(!contains(&kept, planted), "{}", String::from_utf8_lossy(planted));
    }
    let large = encoded(&pixels(3000, 1500, 1), ImageFormat::Png);
    let large = put(&bench, OWNER, PictureKind::Licence, large).unwrap();
    assert_eq!((large.width, large.height), (2400, 1200));
    assert!(jpeg_of(&bench, &large.id).starts_with(&[0xFF, 0xD8, 0xFF]));
    assert_eq!(audited(&bench, "picture.stored").len(), 2);
}

#[test]
fn s1_2_what_is_no_picture_is_refused_by_its_content() {
    let bench = Bench::new();
    let refused = |bytes: Vec<u8>| put(&bench, OWNER, PictureKind::Licence, bytes).unwrap_err();
    let jpeg = jpeg(0);
    for other in [
        &b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>"[..],
        b"<!doctype html><html></html>",
        b"GIF89a\x01\0\x01\0",
        b"RIFF\x24\0\0\0WEBPVP8 ",
        b"%PDF-1.7",
        b"\0\0\0\x18ftypheic",
        &[b"PK\x03\x04", &jpeg[..]].concat(),
        &[b"GIF89a", &jpeg[..]].concat(),
    ] {
        assert!(matches!(refused(other.to_vec()), PictureError::Type), "{}", String::from_utf8_lossy(other));
    }
    assert!(matches!(refused(Vec::new()), PictureError::Empty));
    let mut large = jpeg.clone();
    large.resize(PICTURE_BYTES_MAX + 1, 0);
    assert!(matches!(refused(large), PictureError::TooLarge));
    assert!(matches!(refused(bomb(60_000, 60_000)), PictureError::TooManyPixels(60_000, 60_000)));
    assert!(matches!(refused(bomb(600, 400)), PictureError::Unreadable));
    assert!(matches!(refused(jpeg[..300].to_vec()), PictureError::Unreadable));
    let small = encoded(&pixels(60, 40, 0), ImageFormat::Png);
    assert!(matches!(refused(small), PictureError::TooFewPixels(60, 40)));
    let error = refused(b"GIF89a".to_vec()).to_string();
    assert!(error.contains("JPG") && error.contains("手机"), "{error}");
    assert_eq!(bench.runtime.block_on(pictures::list(&bench.state.db, OWNER)).unwrap(), []);
}

#[test]
fn s1_2_id_cards_licences_and_letters_are_in_colour() {
    let bench = Bench::new();
    let grey = RgbImage::from_fn(600, 400, |x, y| Rgb([((x + y) % 256) as u8; 3]));
    let grey = encoded(&grey, ImageFormat::Png);
    for kind in [PictureKind::IdFront, PictureKind::LegalIdBack, PictureKind::Licence, PictureKind::Letter] {
        let error = put(&bench, OWNER, kind, grey.clone()).unwrap_err();
        assert!(matches!(error, PictureError::Grey(of) if of == kind), "{error}");
    }
    let number = bench.place("", &crate::bench::paid_order(1));
    put(&bench, &number, PictureKind::Paper, grey).unwrap();
}

#[test]
fn s1_2_a_new_picture_takes_the_place_of_the_one_before() {
    let bench = Bench::new();
    let first = put(&bench, OWNER, PictureKind::IdFront, jpeg(0)).unwrap();
    assert_eq!(put(&bench, OWNER, PictureKind::IdFront, jpeg(0)).unwrap(), first, "the same twice is one");
    let back = put(&bench, OWNER, PictureKind::IdBack, jpeg(0)).unwrap();
    let second = put(&bench, OWNER, PictureKind::IdFront, jpeg(90)).unwrap();
    assert_ne!(first.id, second.id);
    let list = |owner: &str| bench.runtime.block_on(pictures::list(&bench.state.db, owner)).unwrap();
    assert_eq!(list(OWNER), [second.clone(), back.clone()]);
    assert!(bench.runtime.block_on(pictures::get(&bench.state, &first.id)).unwrap().is_none());
}

#[test]
fn s1_2_a_picture_moved_to_another_row_does_not_open() {
    let bench = Bench::new();
    let mine = put(&bench, OWNER, PictureKind::IdFront, jpeg(0)).unwrap();
    let other = put(&bench, "other", PictureKind::IdFront, jpeg(9)).unwrap();
    let swap =
        sqlx::query("update pictures set sealed = (select sealed from pictures where id = $1) where id = $2")
            .bind(&other.id)
            .bind(&mine.id);
    bench.runtime.block_on(swap.execute(&bench.state.db)).unwrap();
    assert!(matches!(
        bench.runtime.block_on(pictures::get(&bench.state, &mine.id)),
        Err(PictureError::Seal(_))
    ));
}

fn send(bench: &Bench, token: &str, file_name: &str, bytes: &[u8]) -> (u16, String) {
    let head = format!(
        "--B\r\ncontent-disposition: form-data; name=\"kind\"\r\n\r\nlicence\r\n--B\r\ncontent-disposition: form-data; \
         name=\"picture\"; filename=\"{file_name}\"\r\ncontent-type: text/html\r\n\r\n"
    );
    let body = [head.as_bytes(), bytes, b"\r\n--B--\r\n"].concat();
    let request = bench.agent().post(format!("{}/u/{token}", bench.url));
    let mut answer =
        request.header("content-type", "multipart/form-data; boundary=B").send(&body[..]).unwrap();
    (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
}

fn link(bench: &Bench, kind: PictureKind) -> links::Link {
    bench.runtime.block_on(links::create(&bench.state, OWNER, kind)).unwrap()
}

#[test]
fn s1_2_a_phone_sends_one_picture_by_a_code_on_the_page() {
    let bench = Bench::new();
    let link = link(&bench, PictureKind::IdBack);
    let token = link.token();
    assert!(link.qr().unwrap().starts_with("data:image/svg+xml,"));
    assert!(link.url().ends_with(&format!("/u/{token}")));
    let (status, page) = bench.get("", &format!("/u/{token}"));
    assert!(status == 200 && page.contains("身份证国徽面") && page.contains("capture"), "{page}");
    assert_eq!(bench.get_json("", &format!("/u/{token}/state"))["state"], "waiting");
    // What is refused may be taken again; the page says what is wrong.
    let (status, page) = send(&bench, token, "a.gif", b"GIF89a");
    assert!(status == 422 && page.contains("JPG"), "{status} {page}");
    let mut large = jpeg(0);
    large.resize(PICTURE_BYTES_MAX + 100_000, 0);
    let (status, page) = send(&bench, token, "a.jpg", &large);
    assert!(status == 413 && page.contains("8 MB"), "{status} {page}");
    let (status, _) = send(&bench, token, "../../../etc/passwd\\..%00.html", &jpeg(0));
    assert_eq!(status, 303);
    assert_eq!(bench.get_json("", &format!("/u/{token}/state"))["state"], "done");
    assert!(bench.get("", &format!("/u/{token}")).1.contains("已上传"));
    let pictures = bench.runtime.block_on(pictures::list(&bench.state.db, OWNER)).unwrap();
    // The link says what it is, not the form that came.
    assert_eq!(pictures.iter().map(|picture| picture.kind).collect::<Vec<_>>(), [PictureKind::IdBack]);
    assert_eq!(audited(&bench, "picture.stored")[0].0, "phone");

    let (status, _) = send(&bench, token, "a.jpg", &jpeg(50));
    assert_eq!(status, 410, "a link is good for one picture");
    assert_eq!(bench.runtime.block_on(pictures::list(&bench.state.db, OWNER)).unwrap(), pictures);
}

#[test]
fn s1_2_a_link_ends_by_time_by_a_newer_one_and_by_too_many_tries() {
    let bench = Bench::new();
    let old = link(&bench, PictureKind::IdFront);
    let newer = link(&bench, PictureKind::IdFront);
    assert_eq!(send(&bench, old.token(), "a.jpg", &jpeg(0)).0, 410);
    assert_eq!(send(&bench, "0123456789abcdef0123456789abcdef", "a.jpg", &jpeg(0)).0, 410);
    bench.now_ms.fetch_add(LINK_MS, Ordering::SeqCst);
    assert_eq!(send(&bench, newer.token(), "a.jpg", &jpeg(0)).0, 410);
    assert_eq!(bench.get_json("", &format!("/u/{}/state", newer.token()))["state"], "ended");
    let tried = link(&bench, PictureKind::IdFront);
    for _ in 0..20 {
        assert_eq!(send(&bench, tried.token(), "a.jpg", b"GIF89a").0, 422);
    }
    assert_eq!(send(&bench, tried.token(), "a.jpg", &jpeg(0)).0, 410);
    let token_hash: String = bench
        .runtime
        .block_on(sqlx::query_scalar("select token_hash from upload_links").fetch_one(&bench.state.db))
        .unwrap();
    assert_ne!(token_hash, tried.token(), "the table lets nobody in");
}

#[test]
fn s1_2_a_link_changes_nothing_of_an_order_that_was_sent_in() {
    let (bench, cookie) = Bench::logged_in();
    let number = bench.place(&cookie, &paid_order(1));
    let made = links::create(&bench.state, &number, PictureKind::IdFront);
    let link = bench.runtime.block_on(made).unwrap();
    assert_eq!(send(&bench, link.token(), "a.jpg", &jpeg(0)).0, 410);
    let rejected = serde_json::json!({ "reason": "照片模糊" });
    assert_eq!(bench.post(&cookie, &format!("/api/orders/{number}/reject"), &rejected).0, 200);
    assert_eq!(send(&bench, link.token(), "a.jpg", &jpeg(0)).0, 303);
}

#[test]
fn s1_2_an_operator_sees_a_marked_picture_and_is_on_record() {
    let (bench, cookie) = Bench::logged_in();
    let number = bench.place(&cookie, &paid_order(1));
    let other = bench.place(&cookie, &paid_order(2));
    let picture = put(&bench, &number, PictureKind::IdFront, jpeg(0)).unwrap();
    let path = format!("/orders/{number}/pictures/{}", picture.id);
    assert_eq!(bench.get("", &path).0, 303, "without a session there is the log-in alone");
    assert_eq!(bench.get(&cookie, &format!("/orders/{other}/pictures/{}", picture.id)).0, 404);
    assert!(audited(&bench, "picture.viewed").is_empty());
    let request =
        bench.agent().get(format!("{}{path}?reason=complaint", bench.url)).header("cookie", &cookie);
    let mut answer = request.call().unwrap();
    assert_eq!(answer.headers()["content-type"], "image/jpeg");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let marked = answer.body_mut().read_to_vec().unwrap();
    let row = audited(&bench, "picture.viewed").pop().unwrap();
    assert_eq!(row.0, format!("operator:{OPERATOR}"));
    assert_eq!(row.1, number);
    assert_eq!(row.2, format!("picture={} kind=id_front reason=complaint", picture.id));

    let open = |bytes: &[u8]| image::load_from_memory(bytes).unwrap().into_rgb8();
    let (marked, plain) = (open(&marked), open(&jpeg_of(&bench, &picture.id)));
    assert_eq!(marked.dimensions(), plain.dimensions());
    let differs = |(a, b): (&Rgb<u8>, &Rgb<u8>)| (0..3).any(|at| a.0[at].abs_diff(b.0[at]) > 24);
    let changed = marked.pixels().zip(plain.pixels()).filter(|pair| differs(*pair)).count();
    let share = changed as f32 / plain.pixels().len() as f32;
    assert!((0.01..0.3).contains(&share), "{share} of the pixels carry the mark");
    if let Some(keep) = std::env::var_os("LABEL_KEEP") {
        marked.save(std::path::Path::new(&keep).join("marked.png")).unwrap();
    }
    let gone = bench.runtime.block_on(pictures::view(&bench.state, "none", OPERATOR, Reason::Review));
    assert!(matches!(gone, Err(PictureError::Unknown)));
}

/// Prints an order's letter and photographs page `page` of it: a coloured, somewhat larger sheet.
fn photographed(bench: &Bench, number: &str, page: u32) -> Vec<u8> {
    let number = number.parse().unwrap();
    let order = bench.runtime.block_on(portal::orders::load(&bench.state, &number)).unwrap().unwrap();
    let programme = bench.state.programmes.get(&order.content.programme).unwrap();
    let facts = LetterFacts::of(number.as_str(), &order.content, programme);
    photo_of(&bench.runtime.block_on(letters::pdf(&bench.state, &facts, true)).unwrap(), page)
}

/// A photo of page `page` of a PDF.
pub fn photo_of(pdf: &[u8], page: u32) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let (file, png) = (folder.path().join("letter.pdf"), folder.path().join("page"));
    std::fs::write(&file, pdf).unwrap();
    let page = page.to_string();
    let drawn = Command::new("pdftoppm")
        .args(["-r", "110", "-png", "-singlefile", "-f", &page, "-l", &page])
        .args([&file, &png])
        .status();
    assert!(drawn.unwrap().success());
    let sheet = image::open(png.with_extension("png")).unwrap().into_rgb8();
    let mut photo = RgbImage::from_pixel(sheet.width() + 200, sheet.height() + 160, Rgb([120, 96, 70]));
    image::imageops::overlay(&mut photo, &sheet, 110, 70);
    encoded(&photo, ImageFormat::Jpeg)
}

fn checked(bench: &Bench, number: &str, picture: &Picture) -> Option<SheetCheck> {
    let number = number.parse().unwrap();
    let order = bench.runtime.block_on(portal::orders::load(&bench.state, &number)).unwrap().unwrap();
    let programme = bench.state.programmes.get(&order.content.programme).unwrap();
    let facts = LetterFacts::of(number.as_str(), &order.content, programme);
    letters::check(&bench.state, &facts, picture)
}

#[test]
fn s1_4_s3_5_a_letter_that_comes_back_is_known_by_its_code() {
    let (bench, cookie) = Bench::logged_in();
    let number = bench.place(&cookie, &legal_order("unit-first", 1, 1));
    let other = bench.place(&cookie, &legal_order("unit-first", 2, 1));
    let (letter, sheet) = (photographed(&bench, &number, 1), photographed(&bench, &number, 2));
    let take = |kind, bytes: &Vec<u8>| put(&bench, &number, kind, bytes.clone()).unwrap();
    let check = |picture: &Picture| checked(&bench, &number, picture);
    let taken = take(PictureKind::Letter, &letter);
    assert_eq!(check(&taken), Some(SheetCheck::Matches), "{:?}", taken.sheet);
    assert_eq!(check(&take(PictureKind::SealSheet, &sheet)), Some(SheetCheck::Matches));
    assert_eq!(check(&take(PictureKind::SealSheet, &letter)), Some(SheetCheck::Other), "another page");
    let strange = take(PictureKind::Letter, &photographed(&bench, &other, 1));
    assert_eq!(check(&strange), Some(SheetCheck::Other));
    assert_eq!(check(&take(PictureKind::Letter, &jpeg(3))), Some(SheetCheck::Unreadable));
    assert_eq!(check(&take(PictureKind::Licence, &jpeg(3))), None);

    let taken = take(PictureKind::Letter, &letter);
    let rejected = serde_json::json!({ "reason": "手机号有误" });
    assert_eq!(bench.post(&cookie, &format!("/api/orders/{number}/reject"), &rejected).0, 200);
    let mut corrected = legal_order("unit-first", 1, 1);
    corrected["handler"]["mobile"] = serde_json::json!("13800000009");
    let (status, answer) = bench.put(&cookie, &format!("/api/orders/{number}"), &corrected);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(check(&taken), Some(SheetCheck::Outdated), "the letter names the old mobile");
}

#[test]
fn s3_2_a_letter_of_another_holder_is_told_apart() {
    let (bench, cookie) = Bench::logged_in();
    let order = legal_order("personal-first", 1, 1);
    let number = bench.place(&cookie, &order);
    let taken = put(&bench, &number, PictureKind::Letter, photographed(&bench, &number, 1)).unwrap();
    assert_eq!(checked(&bench, &number, &taken), Some(SheetCheck::Matches));
    let rejected = serde_json::json!({ "reason": "持有人有误" });
    assert_eq!(bench.post(&cookie, &format!("/api/orders/{number}/reject"), &rejected).0, 200);
    let mut corrected = order;
    corrected["holder"]["id_number"] = serde_json::json!(crate::bench::id_number(4));
    let (status, answer) = bench.put(&cookie, &format!("/api/orders/{number}"), &corrected);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(checked(&bench, &number, &taken), Some(SheetCheck::Outdated), "it names the old holder");
}

#[test]
fn s1_4_an_operator_prints_the_letter_again() {
    let (bench, cookie) = Bench::logged_in();
    let number = bench.place(&cookie, &paid_order(1));
    let path = format!("{}/orders/{number}/letter.pdf", bench.url);
    let mut answer = bench.agent().get(&path).header("cookie", &cookie).call().unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.body_mut().read_to_vec().unwrap().starts_with(b"%PDF-"));
    assert_eq!(bench.get("", &format!("/orders/{number}/letter.pdf")).0, 303);
    let row = sqlx::query_scalar(
        "select who || ' ' || subject || ' ' || detail from audit where what = 'numbers.revealed'",
    );
    let rows: Vec<String> = bench.runtime.block_on(row.fetch_all(&bench.state.db)).unwrap();
    assert_eq!(rows, [format!("operator:{OPERATOR} {number} reason=review paper=letter")]);
}

thread_local! {
    static BENCH: Bench = Bench::new();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn no_bytes_panic_the_taker(mut bytes: Vec<u8>, kind in 0usize..8, head in 0usize..3, at: prop::sample::Index, byte: u8) {
        match head {
            0 => bytes.splice(0..0, [0xFF, 0xD8, 0xFF]).for_each(drop),
            1 => bytes.splice(0..0, *b"\x89PNG\r\n\x1a\n").for_each(drop),
            _ => {
                bytes = jpeg(1);
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        let kind = PictureKind::ALL[kind];
        BENCH.with(|bench| match put(bench, "fuzz", kind, bytes) {
            Ok(picture) => assert!(!jpeg_of(bench, &picture.id).is_empty()),
            Err(error) => assert!(!error.is_ours(), "{error}"),
        });
    }
}
