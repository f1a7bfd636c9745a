//! Lists that take no longer because there are many orders.

use crate::bench::{Bench, paid_order};
use model::OrderState;
use portal::{
    db::Sql,
    orders::{self, COUNTED, Query, SEARCHED},
};

/// Copies of one order, each a minute older than the one before, the last of another unit.
fn copies(bench: &Bench, number: &str, count: usize) {
    bench.runtime.block_on(async {
        let mut tx = bench.state.db.begin().await.unwrap();
        for n in 1..=count {
            sqlx::query::<Sql>(
                "insert into orders (number, programme, product, product_title, holder_kind, holder_name, unit_name, years, \
                 quantity, amount_fen, state, content, sealed, created_ms, changed_ms) select $1, programme, product, product_title, \
                 holder_kind, holder_name, $2, years, quantity, amount_fen, state, content, sealed, created_ms - $3, changed_ms \
                 from orders where number = $4",
            )
            .bind(format!("SAAS120250101000000{n:06}"))
            .bind(if n == count { "Rare Unit" } else { "示例" })
            .bind(60_000 * i64::try_from(n).unwrap())
            .bind(number)
            .execute(&mut *tx)
            .await
            .unwrap();
        }
        tx.commit().await.unwrap();
    });
}

#[test]
fn tabs_count_up_to_a_bound_and_a_search_goes_on_with_older_orders() {
    let (bench, cookie) = Bench::logged_in();
    let number = bench.place(&cookie, &paid_order(1));
    copies(&bench, &number, SEARCHED + 100);
    let counts = |query: &Query| {
        let counts = bench.runtime.block_on(orders::count_states(&bench.state.db, query)).unwrap();
        counts.into_iter().find(|count| count.state == OrderState::AwaitingReview).unwrap()
    };
    let all = counts(&Query::default());
    assert_eq!((all.orders, all.more), (COUNTED, true));
    let (_, page) = bench.get(&cookie, "/orders");
    assert!(page.contains("<b>999+</b>"), "{page}");

    // It lies beyond what one search looks through: the next page goes on there.
    let search = |after| Query { text: "rare unit".to_owned(), after, ..Query::default() };
    let list = |query: &Query| bench.runtime.block_on(orders::list(&bench.state.db, query)).unwrap();
    let first = list(&search(None));
    assert!(first.rows.is_empty() && first.next.is_some(), "{first:?}");
    let second = list(&search(first.next));
    assert_eq!(second.rows.iter().map(|row| row.unit_name.as_str()).collect::<Vec<_>>(), ["Rare Unit"]);
    assert_eq!(second.next, None);

    // A whole number is one look, however old the order.
    let oldest = format!("SAAS120250101000000{:06}", SEARCHED + 100);
    let found = list(&Query { text: oldest.clone(), ..Query::default() });
    assert_eq!((found.rows[0].number.as_str(), found.next), (oldest.as_str(), None));
    assert_eq!(counts(&Query { text: oldest, ..Query::default() }).orders, 1);
    // Page by page, every order comes once.
    let (mut seen, mut query) = (0, Query { text: "示例".to_owned(), ..Query::default() });
    loop {
        let page = list(&query);
        seen += page.rows.len();
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    assert_eq!(seen, SEARCHED + 100);
}

/// On SQLite, which tells how it looks: no list reads the whole table, and none sorts.
#[test]
fn lists_go_along_their_indexes() {
    let bench = Bench::new();
    if bench.state.is_shared() {
        return;
    }
    for sql in [
        "explain query plan select number, created_ms from orders where 1 = 1 order by created_ms desc, number desc limit 21",
        "explain query plan select number from orders where 1 = 1 and state = $1 order by created_ms desc, number desc limit 21",
        "explain query plan select count(*) from (select 1 from orders where state = 'completed' \
         order by created_ms desc, number desc limit 1000) as counted",
        "explain query plan select number, unit_name, product_title, state, created_ms from orders where 1 = 1 \
         order by created_ms desc, number desc limit 2000",
    ] {
        let rows = sqlx::query_as::<Sql, (i64, i64, i64, String)>(sql).bind("completed");
        let rows = bench.runtime.block_on(rows.fetch_all(&bench.state.db)).unwrap();
        let plan: Vec<String> = rows.into_iter().map(|row| row.3).collect();
        assert!(plan.iter().any(|step| step.contains("USING") && step.contains("INDEX")), "{sql}: {plan:?}");
        assert!(!plan.iter().any(|step| step.contains("TEMP B-TREE")), "{sql}: {plan:?}");
    }
}
