//! Personal data at rest: nothing to be read in the file, found by digests alone, deleted when its time is over.

use std::sync::atomic::Ordering;

use crate::bench::{Bench, credit_code, id_number, legal_order, paid_order, wrong_fields};
use model::OrderNumber;
use portal::{
    orders::{self, OrderError},
    pictures::{self, PictureKind},
    retention, views,
};
use serde_json::{Value, json};

/// The database's file and the log beside it; `None` where it is no file.
fn files(bench: &Bench) -> Option<Vec<u8>> {
    let url = bench.state.db.connect_options().database_url.clone();
    if url.scheme() != "sqlite" {
        return None;
    }
    let file = std::path::PathBuf::from(url.path());
    let mut bytes = std::fs::read(&file).unwrap();
    bytes.extend(std::fs::read(file.with_extension("db-wal")).unwrap_or_default());
    Some(bytes)
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn run(bench: &Bench, sql: &'static str, number: &str) {
    bench.runtime.block_on(sqlx::query(sql).bind(number).execute(&bench.state.db)).unwrap();
}

fn text(bench: &Bench, sql: &'static str) -> String {
    bench.runtime.block_on(sqlx::query_scalar(sql).fetch_one(&bench.state.db)).unwrap()
}

fn found(bench: &Bench, text: &str) -> Vec<OrderNumber> {
    let rows = bench.runtime.block_on(orders::find_by_number(&bench.state, text)).unwrap();
    rows.into_iter().map(|row| row.number).collect()
}

#[test]
fn s1_2_no_number_and_no_mobile_can_be_read_in_the_file() {
    let (bench, cookie) = Bench::logged_in();
    let number: OrderNumber = bench.place(&cookie, &legal_order("unit-first", 1, 1)).parse().unwrap();
    let order = bench.runtime.block_on(orders::load(&bench.state, &number)).unwrap().unwrap();
    assert_eq!(order.content.handler.id_number, id_number(1));
    assert_eq!(text(&bench, "select content from orders"), "");
    let Some(file) = files(&bench) else { return };
    assert!(contains(&file, number.as_str()), "this is the file");
    for planted in [&id_number(1), &id_number(2), "13800000001", "chen@example.com", "示例路 8 号"] {
        assert!(!contains(&file, planted), "{planted}");
    }
}

#[test]
fn an_order_is_found_by_a_whole_number_and_its_content_opens_in_its_own_row_alone() {
    let (bench, cookie) = Bench::logged_in();
    let number = bench.place(&cookie, &legal_order("unit-first", 1, 1));
    let other = bench.place(&cookie, &legal_order("unit-first", 2, 1));
    let find = |text: &str| found(&bench, text);
    let mut both: Vec<OrderNumber> = vec![number.parse().unwrap(), other.parse().unwrap()];
    both.sort_by(|a, b| b.as_str().cmp(a.as_str()));
    assert_eq!(find(&id_number(2)), both, "the legal representative's");
    assert_eq!(find(&format!(" {} ", credit_code(1).to_ascii_lowercase())), both);
    assert!(find(&id_number(1)[..17]).is_empty(), "a part finds nothing");
    run(
        &bench,
        "update orders set sealed = (select sealed from orders where number <> $1) where number = $1",
        &number,
    );
    let moved = bench.runtime.block_on(orders::load(&bench.state, &number.parse().unwrap()));
    assert!(matches!(moved, Err(OrderError::Seal(_))), "{moved:?}");
}

#[test]
fn operators_find_orders_by_a_whole_number_that_stands_in_no_address() {
    let (bench, cookie) = Bench::logged_in();
    let number = bench.place(&cookie, &legal_order("unit-first", 1, 1));
    let code = credit_code(1);
    for text in [id_number(1), id_number(2), format!(" {} ", code.to_lowercase()), "13800000001".to_owned()] {
        let (status, page) = bench.post_form(&cookie, "/orders/find", &[("number", &text)]);
        assert!(status == 200 && page.contains(&number), "{text}: {page}");
        assert!(!page.contains(text.trim()), "what was typed is masked: {page}");
    }
    for text in [&id_number(1)[..17], "1380000000", ""] {
        let (_, page) = bench.post_form(&cookie, "/orders/find", &[("number", text)]);
        assert!(!page.contains(&number) && page.contains("没有符合条件的订单"), "{text}: {page}");
    }
}

#[test]
fn the_digest_of_the_mobile_follows_a_correction() {
    let (bench, cookie) = Bench::logged_in();
    let number = bench.place(&cookie, &paid_order(1));
    let stored = || text(&bench, "select handler_mobile_digest from orders");
    assert_eq!(stored(), bench.state.sealer.digest("mobile", "13800000001"));
    bench.post(&cookie, &format!("/api/orders/{number}/reject"), &json!({ "reason": "手机号有误" }));
    let mut corrected = paid_order(1);
    corrected["handler"]["mobile"] = json!("13800000009");
    assert_eq!(bench.put(&cookie, &format!("/api/orders/{number}"), &corrected).0, 200);
    assert_eq!(stored(), bench.state.sealer.digest("mobile", "13800000009"));
}

#[test]
fn orders_of_an_older_program_open_and_are_sealed_at_start() {
    let (bench, cookie) = Bench::logged_in();
    let number = bench.place(&cookie, &paid_order(1)).parse().unwrap();
    let order = bench.runtime.block_on(orders::load(&bench.state, &number)).unwrap().unwrap();
    let json = serde_json::to_string(&order.content).unwrap();
    let back =
        sqlx::query("update orders set content = $1, sealed = null, handler_mobile_digest = ''").bind(&json);
    bench.runtime.block_on(back.execute(&bench.state.db)).unwrap();
    bench.runtime.block_on(sqlx::query("delete from order_marks").execute(&bench.state.db)).unwrap();
    let load = || bench.runtime.block_on(orders::load(&bench.state, &number)).unwrap().unwrap();
    assert_eq!(load(), order);
    assert_eq!(bench.runtime.block_on(orders::seal_all(&bench.state)).unwrap(), 1);
    assert_eq!(bench.runtime.block_on(orders::seal_all(&bench.state)).unwrap(), 0);
    assert_eq!(load(), order);
    assert_eq!(found(&bench, &id_number(1)), [number]);
    if let Some(file) = files(&bench) {
        assert!(!contains(&file, &id_number(1)), "what stood there is overwritten");
    }
}

#[test]
fn an_operator_s_program_reads_no_whole_number() {
    let (bench, cookie) = Bench::logged_in();
    let order = legal_order("personal-first", 1, 1);
    let number = bench.place(&cookie, &order);
    let path = format!("/api/orders/{number}");
    let reason = json!({ "reason": "照片不清晰" });
    let answers = [
        bench.get(&cookie, &path).1,
        bench.post(&cookie, &format!("{path}/reject"), &reason).1.to_string(),
        bench.put(&cookie, &path, &order).1.to_string(),
    ];
    for answer in answers {
        assert!(answer.contains("\"138****0001\"") && answer.contains("\"000***********"), "{answer}");
        for whole in [id_number(1), id_number(2), id_number(3), "13800000001".to_owned()] {
            assert!(!answer.contains(&whole), "{whole}: {answer}");
        }
    }
    let shown: Value = serde_json::from_str(&bench.get(&cookie, &path).1).unwrap();
    bench.post(&cookie, &format!("{path}/reject"), &reason);
    let (status, refused) = bench.put(&cookie, &path, &shown["content"]);
    assert_eq!(status, 422, "stars do not take a number's place: {refused}");
    assert!(wrong_fields(&refused).contains(&"handler.id_number".to_owned()), "{refused}");
}

#[test]
fn whole_numbers_are_shown_on_record_alone() {
    let (bench, cookie) = Bench::logged_in();
    let number = bench.place(&cookie, &paid_order(1)).parse().unwrap();
    let shown =
        views::reveal(&bench.state, &number, "li.shen", views::Reason::Complaint, views::Shown::Numbers);
    let shown = bench.runtime.block_on(shown).unwrap();
    assert_eq!(shown.content.handler.id_number, id_number(1));
    let row = text(
        &bench,
        "select who || ' ' || subject || ' ' || detail from audit where what = 'numbers.revealed'",
    );
    assert_eq!(row, format!("operator:li.shen {number} reason=complaint"));
}

#[test]
fn pictures_and_persons_go_when_their_time_is_over() {
    let (bench, cookie) = Bench::logged_in();
    let ended = bench.place(&cookie, &legal_order("personal-first", 1, 1));
    let open = bench.place(&cookie, &legal_order("personal-first", 2, 1));
    let picture = image::RgbImage::from_fn(300, 200, |x, y| image::Rgb([x as u8, y as u8, 90]));
    let mut jpeg = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut jpeg, image::ImageFormat::Jpeg).unwrap();
    for owner in [&ended, &open] {
        let put =
            pictures::put(&bench.state, owner, PictureKind::Licence, jpeg.get_ref().clone(), &"customer");
        bench.runtime.block_on(put).unwrap();
    }
    run(&bench, "update orders set state = 'completed' where number = $1", &ended);
    let turn = || bench.runtime.block_on(retention::turn(&bench.state)).unwrap();
    assert_eq!(turn(), retention::Deleted::default());

    let rules = bench.state.programmes.get("luzhou-laojiao").unwrap().retention;
    let pass = |days: u32| bench.now_ms.fetch_add(i64::from(days) * 86_400_000, Ordering::SeqCst);
    pass(rules.pictures_days);
    assert_eq!(turn(), retention::Deleted::default(), "not on the day itself");
    pass(rules.contents_days);
    let report = || {
        let now_ms = bench.now_ms.load(Ordering::SeqCst);
        let made = retention::report(&bench.state.db, &bench.state.programmes, now_ms);
        bench.runtime.block_on(made).unwrap()
    };
    assert_eq!(report().due(), 2);
    // Rules of a programme whose file is gone cannot be kept: that is told.
    let gone = "update orders set programme = 'gone-away' where number = $1";
    run(&bench, gone, &open);
    let told = report();
    assert_eq!(told.without_rules, ["gone-away"]);
    assert!(told.to_string().contains("gone-away  has orders"), "{told}");
    run(&bench, "update orders set programme = 'luzhou-laojiao' where number = $1", &open);
    assert!(report().without_rules.is_empty());
    assert_eq!(turn(), retention::Deleted { pictures: 1, contents: 1 });
    assert_eq!(turn(), retention::Deleted::default(), "once");
    let report = report();
    assert_eq!(report.due(), 0);
    let of = |data: &str| {
        let line = |line: &&retention::ReportLine| line.programme == "luzhou-laojiao" && line.data == data;
        report.lines.iter().find(line).map(|line| (line.deleted, line.kept)).unwrap()
    };
    assert_eq!((of("pictures"), of("contents")), ((1, 1), (1, 1)), "{report}");
    let pictures =
        |owner: &str| bench.runtime.block_on(pictures::list(&bench.state.db, owner)).unwrap().len();
    assert_eq!((pictures(&ended), pictures(&open)), (0, 1));
    let order = |number: &str| {
        let number = number.parse().unwrap();
        bench.runtime.block_on(orders::load(&bench.state, &number)).unwrap().unwrap()
    };
    let (gone, stays) = (order(&ended), order(&open));
    assert_eq!(gone.content.handler.mobile, "");
    assert_eq!(gone.content.holder.unwrap().name, "");
    assert_eq!((gone.content.quantity, gone.amount), (1, model::Fen(40000)));
    assert_eq!(gone.content.unit, stays.content.unit, "the unit stays for the books");
    assert_eq!(stays.content.handler.mobile, "13800000001");
    assert_eq!(found(&bench, &id_number(3)), [stays.number]);
    let row = text(&bench, "select detail from audit where what = 'pictures.deleted'");
    assert!(row.starts_with("pictures=1 digest="), "{row}");
}
