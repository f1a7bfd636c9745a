//! The order form over real HTTP, as a browser without scripts sends it: three programmes, mistakes, drafts, the way to an order, attacks.

use crate::bench::id_number;
use crate::shop::{Shop, filled, legal, picture};
use model::OrderState;
use portal::{drafts, orders};

const BUS: &str = "/p/xiamen-jinlong";
const SIMPLE: &str = "/p/yuncaidun";
const LIQUOR: &str = "/p/luzhou-laojiao";

/// The mistake at an input, without its markup.
pub fn mistake<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    let begin = page.split_once(&format!("id=\"{name}.error\">"))?.1;
    Some(begin.split_once("</p>").unwrap().0)
}

#[test]
fn s1_1_product_validity_quantity_price_and_verification_stand_first() {
    let shop = Shop::new();
    let page = shop.get(&format!("{BUS}/order?product=unit-first")).ok();
    for text in ["证书初购", "¥ 300.00", "证书期限", "购买数量", "基本信息认证", "应付金额"]
    {
        assert!(page.contains(text), "{text} is on {page}");
    }
    assert!(page.contains("min=\"1\" max=\"100\"") && !page.contains("2 年"), "{page}");
    let draft = shop.open(BUS, "unit-first", &[("quantity", "7"), ("years", "1")]);
    assert!(shop.get(&draft).ok().contains("¥ 2100.00"));
    assert_eq!(shop.get(&format!("{BUS}/order?product=other")).status, 404);
    assert_eq!(shop.get("/p/other/order?product=unit-first").status, 404);
    assert_eq!(shop.get("/p/other").status, 404);
}

#[test]
fn s1_2_each_mistake_of_the_handler_stands_at_its_input_and_nothing_typed_is_lost() {
    let shop = Shop::new();
    let mut fields = filled();
    for (name, value) in [
        ("handler.name", ""),
        ("handler.id_number", "000000199001010019"),
        ("handler.mobile", "12800000000"),
        ("handler.mail", "chen@"),
    ] {
        fields.set(name, value);
    }
    let draft = shop.open(BUS, "unit-first", &[]);
    let page = shop.submit(&draft, &fields).refused();
    for name in ["handler.name", "handler.id_number", "handler.mobile", "handler.mail"] {
        assert!(mistake(&page, name).is_some_and(|told| told.chars().count() > 1), "{name}: {page}");
        assert!(page.contains(&format!("href=\"#{name}\"")), "{name} is in the summary");
    }
    assert!(mistake(&page, "receiver.name").is_none() && mistake(&page, "unit.name").is_none());
    assert!(page.contains("value=\"000000199001010019\"") && page.contains("value=\"chen@\""), "kept");
    assert!(page.contains("aria-invalid=\"true\"") && page.contains("role=\"alert\""));
    assert!(mistake(&page, "pictures.id_front").unwrap().contains("请上传"), "{page}");
    let page = shop.get(&format!("{draft}?check=1&lang=en")).refused();
    assert!(mistake(&page, "pictures.id_back").unwrap().contains("upload it"), "{page}");
}

#[test]
fn s1_7_the_list_of_mistakes_says_whose_field_what_to_do_and_leads_there() {
    let shop = Shop::new();
    let mut fields = filled();
    for name in
        ["handler.name", "receiver.name", "receiver.province", "unit.name", "unit.industry", "unit.kind"]
    {
        fields.set(name, "");
    }
    fields.set("quantity", "");
    fields.remove("agree.privacy");
    let draft = shop.open(BUS, "unit-first", &[]);
    let page = shop.submit(&draft, &fields).refused();
    let list = page.split("id=\"summary\"").nth(1).unwrap().split("</div>").next().unwrap();
    for line in [
        "#handler.name\">经办人 姓名：请填写<",
        "#receiver.name\">收件人 姓名：请填写<",
        "#receiver.province\">收件人 省级：请选择<",
        "#unit.name\">单位名称：请填写<",
        "#unit.industry\">单位 所属行业：请选择<",
        "#unit.kind\">单位类型：请选择<",
        "#quantity\">产品 购买数量：请填写<",
        "#pictures.id_front\">经办人身份证人像面：请上传",
        "#pictures.letter\">盖章授权书：请上传",
        "#agree.privacy\">隐私政策：",
    ] {
        assert!(list.contains(line), "{line}: {list}");
    }
    assert_eq!(mistake(&page, "receiver.province"), Some("请选择"));
    let links: Vec<&str> =
        list.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(links.len() >= 10, "{list}");
    for (at, link) in links.iter().enumerate() {
        assert!(page.contains(&format!("id=\"{link}\"")), "{link} is no place on the page");
        assert!(!links[..at].contains(link), "{link} is told twice");
    }
    let page = shop.get(&format!("{draft}?check=1&lang=en")).refused();
    assert!(page.contains(">Handler Name: fill it in<") && page.contains(">Receiver Province: choose one<"));
}

#[test]
fn s1_2_pictures_are_jpg_or_png_and_a_phone_has_its_own_way_in() {
    let shop = Shop::new();
    let draft = shop.open(BUS, "unit-first", &[]);
    let page =
        shop.send(&draft, &[("action", "save")], &[("pictures.id_front", b"<svg/>".to_vec())]).refused();
    assert!(mistake(&page, "pictures.id_front").unwrap().contains("JPG"), "{page}");
    let large = vec![0xFF; 8 * 1024 * 1024 + 1];
    let page = shop.send(&draft, &[("action", "save")], &[("pictures.id_back", large)]).refused();
    assert!(mistake(&page, "pictures.id_back").unwrap().contains("8 MB"), "{page}");
    let saved = shop.send(&draft, &[("action", "save")], &[("pictures.id_front", picture())]);
    assert_eq!(saved.status, 303);
    let page = shop.get(&draft).ok();
    assert!(page.contains(&format!("{draft}/picture/id_front")), "{page}");
    let (status, kind, bytes) = shop.bytes(&format!("{draft}/picture/id_front"));
    assert!(status == 200 && kind == "image/jpeg" && bytes.starts_with(&[0xFF, 0xD8]));
    let page = shop.send(&draft, &[("action", "phone:id_back"), ("handler.name", "陈测试")], &[]).ok();
    assert!(page.contains("data:image/svg+xml") && page.contains("data-phone=\"/u/"), "{page}");
    assert!(page.contains("value=\"陈测试\""), "what was typed is still there");
}

#[test]
fn s1_3_unit_name_code_kind_industry_and_licence() {
    let shop = Shop::new();
    let draft = shop.open(BUS, "unit-first", &[]);
    let page = shop.get(&draft).ok();
    for text in ["企业", "个体工商户", "政府机构/事业单位", "制造业", "教育", "营业执照"]
    {
        assert!(page.contains(text), "{text} is on {page}");
    }
    let mut fields = filled();
    fields.set("unit.credit_code", "91000000MA0000000");
    fields.set("unit.kind", "club");
    fields.set("unit.industry", "");
    let page = shop.submit(&draft, &fields).refused();
    for name in ["unit.credit_code", "unit.kind", "unit.industry"] {
        assert!(mistake(&page, name).is_some(), "{name}: {page}");
    }
}

#[test]
fn s1_4_the_letter_is_made_of_what_was_typed_and_no_earlier() {
    let shop = Shop::new();
    let draft = shop.open(BUS, "unit-first", &[]);
    let page = shop.send(&draft, &[("action", "letter")], &[]).refused();
    assert!(mistake(&page, "unit.name").is_some() && mistake(&page, "receiver.name").is_none(), "{page}");
    let mut fields = filled();
    fields.set("action", "letter-file");
    let answer = shop.send(&draft, &fields.pairs(), &[]);
    assert_eq!(answer.location(), format!("{draft}/letter.pdf?download=1"));
    let (status, kind, bytes) = shop.bytes(&answer.location());
    assert!(status == 200 && kind == "application/pdf" && bytes.starts_with(b"%PDF"), "{status} {kind}");
}

#[test]
fn s1_5_places_belong_together_also_without_a_script() {
    let shop = Shop::new();
    let draft = shop.open(BUS, "unit-first", &[("receiver.province", "福建省"), ("action", "region")]);
    let page = shop.get(&draft).ok();
    assert!(page.contains("顺丰") && page.contains("到付"));
    assert!(
        page.contains("<option value=\"厦门市\">") && !page.contains("<option value=\"集美区\">"),
        "{page}"
    );
    let answer = shop.send(
        &draft,
        &[("receiver.province", "福建省"), ("receiver.city", "厦门市"), ("action", "region")],
        &[],
    );
    assert!(answer.location().ends_with("#receiver"));
    assert!(shop.get(&draft).ok().contains("<option value=\"集美区\">"));
    let mut fields = filled();
    fields.set("receiver.city", "广州市");
    let page = shop.submit(&draft, &fields).refused();
    assert!(mistake(&page, "receiver.city").is_some(), "{page}");
    for (city, county) in [("东莞市", ""), ("中山市", "")] {
        fields.set("receiver.province", "广东省");
        fields.set("receiver.city", city);
        fields.set("receiver.county", county);
        let page = shop.submit(&draft, &fields).refused();
        for name in ["receiver.province", "receiver.city", "receiver.county"] {
            assert!(mistake(&page, name).is_none(), "{city}: {page}");
        }
    }
}

#[test]
fn s1_6_an_electronic_invoice_is_the_default_and_made_out_to_the_unit() {
    let shop = Shop::new();
    let page = shop.get(&format!("{BUS}/order?product=unit-first")).ok();
    assert!(
        page.contains("增值税普通发票") && !page.contains("专用发票") && page.contains("我的订单"),
        "{page}"
    );
    let number = shop.order(BUS, "unit-first", &filled());
    let invoice = shop.stored(&number).content.invoice.unwrap();
    assert_eq!(invoice.title, "示例客车零部件有限公司");
}

#[test]
fn s1_7_a_draft_with_mistakes_is_saved_and_found_again() {
    let shop = Shop::new();
    let draft = shop.open(BUS, "unit-first", &[("unit.name", "只填了一半"), ("handler.mobile", "1")]);
    let number = draft.rsplit('/').next().unwrap();
    assert!(number.starts_with("SAAS1") && number.len() == 25, "{number}");
    let page = shop.get(&draft).ok();
    assert!(page.contains("value=\"只填了一半\"") && page.contains("已保存于"), "{page}");
    assert!(shop.get(BUS).ok().contains(&draft), "the programme's home leads back to it");
    let sealed: Vec<u8> = shop.scalar("select fields from drafts");
    assert!(!sealed.windows("只填".len()).any(|part| part == "只填".as_bytes()), "at rest it is sealed");
    for _ in 0..2 {
        assert_eq!(shop.post(&format!("{draft}/discard"), &[]).location(), BUS, "twice is once");
    }
    assert_eq!(shop.get(&draft).location(), format!("/my/login?next={draft}"));
}

#[test]
fn s1_7_what_is_not_agreed_to_is_no_order_and_what_is_has_its_version() {
    let shop = Shop::new();
    let draft = shop.ready(BUS, "unit-first", &filled());
    let mut fields = filled();
    fields.remove("agree.privacy");
    let page = shop.submit(&draft, &fields).refused();
    assert!(mistake(&page, "agree.privacy").is_some() && mistake(&page, "agree.service").is_none(), "{page}");
    fields.set("agree.privacy", "1999-01");
    assert!(mistake(&shop.submit(&draft, &fields).refused(), "agree.privacy").unwrap().contains("已更新"));
    shop.submit(&draft, &filled()).location();
    let confirm = format!("{draft}/confirm");
    let page = shop.post(&confirm, &[("agree.service", "2026-01"), ("action", "send")]).refused();
    assert!(mistake(&page, "agree.privacy").is_some() && shop.codes() == 0, "no tick, no code: {page}");
    let number = shop.confirm(&draft);
    let accepted = shop.block_on(drafts::agreements_of(&shop.state().db, &number)).unwrap();
    let told: Vec<_> =
        accepted.iter().map(|(title, version, _)| (title.as_str(), version.as_str())).collect();
    assert_eq!(told, [("隐私政策", "2026-01"), ("电子认证服务协议", "2026-01")]);
    let page = shop.get(&format!("{BUS}/agreements/privacy")).ok();
    assert!(page.contains("2026-01") && page.contains("敏感个人信息"));
}

#[test]
fn s1_8_the_confirmation_shows_all_data_and_leads_back() {
    let shop = Shop::new();
    let draft = shop.ready(BUS, "unit-first", &filled());
    let confirm = shop.submit(&draft, &filled()).location();
    assert_eq!(confirm, format!("{draft}/confirm"));
    let page = shop.get(&confirm).ok();
    for (name, value) in filled().pairs() {
        let shown = ["handler.", "unit.name", "unit.credit", "unit.industry", "receiver."];
        if shown.iter().any(|begin| name.starts_with(begin)) && !name.ends_with("id_type") {
            assert!(page.contains(value), "{name} {value} is on {page}");
        }
    }
    assert!(page.contains("300.00") && page.contains(&format!("href=\"{draft}\"")), "{page}");
    // A draft that lost a field since leads to its mistakes.
    shop.send(&draft, &[("action", "save"), ("unit.name", "")], &[]);
    assert!(shop.get(&confirm).location().contains("check=1"));
}

#[test]
fn s1_9_only_the_code_of_the_handler_s_mobile_makes_the_order() {
    let shop = Shop::new();
    let draft = shop.ready(BUS, "unit-first", &filled());
    let confirm = shop.submit(&draft, &filled()).location();
    let ticks = [("agree.service", "2026-01"), ("agree.privacy", "2026-01")];
    let with = |more: &[(&str, &str)]| shop.post(&confirm, &[&ticks[..], more].concat());
    assert!(with(&[("action", "agree")]).ok().contains("获取验证码"));
    let page = with(&[("action", "send")]).ok();
    assert!(page.contains("data-wait=\"60\"") && page.contains("138****0001"), "{page}");
    let wrong = if shop.code() == "000000" { "000001" } else { "000000" };
    let page = with(&[("action", "submit"), ("code", wrong)]).refused();
    assert!(page.contains("验证码有误"), "{page}");
    let answer = with(&[("action", "submit"), ("code", &shop.code())]);
    let number = draft.rsplit('/').next().unwrap();
    assert_eq!(answer.location(), format!("/my/orders/{number}/pay"));
    let order = shop.stored(&number.parse().unwrap());
    assert_eq!(order.state, OrderState::AwaitingPayment);
    assert_eq!(order.content.handler.mobile, "13800000001");
    assert_eq!(shop.get(&draft).location(), format!("/my/orders/{number}"), "the draft is an order now");
    assert_eq!(shop.get(&format!("/my/orders/{number}")).status, 200, "and its customer is logged in");
    let again = with(&[("action", "submit"), ("code", &shop.code())]);
    assert_eq!(again.location(), format!("/my/orders/{number}"), "twice is once");
}

#[test]
fn s3_12_what_is_being_filled_in_stands_under_its_tab() {
    let shop = Shop::new();
    shop.order(SIMPLE, "unit-first", &filled());
    let draft = shop.open(BUS, "unit-first", &[("unit.name", "填到一半的单位")]);
    let page = shop.get("/my/orders?state=draft").ok();
    assert!(
        page.contains("填写中 <b>1</b>") && page.contains("填到一半的单位") && page.contains(&draft),
        "{page}"
    );
    assert!(!shop.get("/my/orders").ok().contains("填到一半的单位"));
}

#[test]
fn s1_13_a_rejected_order_is_corrected_without_typing_all_again() {
    let shop = Shop::new();
    let number = shop.order(SIMPLE, "unit-first", &filled());
    let modify = format!("/my/orders/{number}/modify");
    assert_eq!(shop.get(&modify).location(), format!("/my/orders/{number}"), "nothing to correct yet");
    shop.block_on(orders::reject(shop.state(), &number, "执照模糊", &orders::Actor::System, None)).unwrap();
    let stranger = shop.stranger();
    assert!(stranger.get(&modify).location().starts_with("/my/login"));
    let draft = shop.get(&modify).location();
    assert_eq!(draft, format!("{SIMPLE}/order/{number}"));
    let page = shop.get(&draft).ok();
    assert!(page.contains("修改订单") && page.contains("value=\"示例客车零部件有限公司\""), "{page}");
    assert!(page.contains(&format!("{draft}/picture/licence")), "the pictures are there");
    assert_eq!(stranger.get(&draft).location(), format!("/my/login?next={draft}"));
    let mut fields = filled();
    fields.set("unit.name", "示例客车零部件股份有限公司");
    shop.later(61_000);
    shop.submit(&draft, &fields).location();
    assert_eq!(shop.confirm(&draft), number);
    let order = shop.stored(&number);
    assert_eq!(
        (order.state, order.content.unit.name.as_str()),
        (OrderState::AwaitingReview, "示例客车零部件股份有限公司")
    );
}

#[test]
fn s2_1_one_year_and_one_key() {
    let shop = Shop::new();
    let page = shop.get(&format!("{SIMPLE}/order?product=unit-first")).ok();
    assert!(page.contains("min=\"1\" max=\"1\" readonly") && !page.contains("2 年"), "{page}");
    let draft = shop.ready(SIMPLE, "unit-first", &filled());
    let mut fields = filled();
    fields.set("quantity", "2");
    fields.set("years", "2");
    let page = shop.submit(&draft, &fields).refused();
    assert!(mistake(&page, "quantity").is_some() && mistake(&page, "years").is_some(), "{page}");
}

#[test]
fn s2_2_without_payment_the_order_waits_for_review() {
    let shop = Shop::new();
    let page = shop.get(&format!("{SIMPLE}/order?product=unit-first")).ok();
    assert!(!page.contains("发票") && page.contains("¥ 0.00"), "{page}");
    let number = shop.order(SIMPLE, "unit-first", &filled());
    assert_eq!(shop.last_location(), format!("/my/orders/{number}?new=1"));
    assert_eq!(shop.stored(&number).state, OrderState::AwaitingReview);
}

#[test]
fn s3_1_the_programme_s_home_offers_what_it_has_and_what_is_coming() {
    let shop = Shop::new();
    let page = shop.get(LIQUOR).ok();
    for text in ["企业数字证书", "个人数字证书", "初次购买", "证书更新", "自助解锁", "即将开放", "/my/orders"]
    {
        assert!(page.contains(text), "{text} is on {page}");
    }
    for product in ["unit-first", "personal-first"] {
        assert!(page.contains(&format!("{LIQUOR}/order?product={product}")));
    }
    let page = shop.get(BUS).ok();
    assert!(!page.contains("即将开放") && page.contains("证书资格"), "{page}");
}

#[test]
fn s3_2_a_personal_certificate_asks_for_its_holder() {
    let shop = Shop::new();
    let unit = shop.get(&format!("{LIQUOR}/order?product=unit-first")).ok();
    assert!(!unit.contains("holder.name"));
    let mut fields = legal();
    fields.set("holder.name", "阿依古丽•测试");
    fields.set("holder.id_number", &id_number(3));
    let number = shop.order(LIQUOR, "personal-first", &fields);
    assert_eq!(shop.stored(&number).content.holder_name(), "阿依古丽·测试");
}

#[test]
fn s3_3_one_to_three_years() {
    let shop = Shop::new();
    let page = shop.get(&format!("{LIQUOR}/order?product=unit-first")).ok();
    for text in ["1 年", "2 年", "3 年", "¥ 400.00"] {
        assert!(page.contains(text), "{text} is on {page}");
    }
    let draft = shop.open(LIQUOR, "unit-first", &[("years", "3"), ("quantity", "2")]);
    assert!(shop.get(&draft).ok().contains("¥ 2400.00"));
}

#[test]
fn s3_4_the_legal_representative_is_asked_for_where_the_programme_wants_it() {
    let shop = Shop::new();
    let bus = shop.get(&format!("{BUS}/order?product=unit-first")).ok();
    assert!(!bus.contains("法定代表人"));
    let draft = shop.ready(LIQUOR, "unit-first", &legal());
    assert!(shop.get(&draft).ok().contains("法定代表人信息"));
    let mut fields = legal();
    fields.set("legal_representative.id_number", "1");
    let page = shop.submit(&draft, &fields).refused();
    assert!(mistake(&page, "legal_representative.id_number").is_some(), "{page}");
}

#[test]
fn s3_5_the_sampling_sheet_is_wanted_with_the_letter() {
    let shop = Shop::new();
    let draft = shop.ready(LIQUOR, "unit-first", &legal());
    assert!(shop.get(&draft).ok().contains("采样表"));
    let sql = "delete from pictures where kind = 'seal_sheet'";
    shop.block_on(sqlx::query::<sqlx::Any>(sql).execute(&shop.state().db)).unwrap();
    let page = shop.submit(&draft, &legal()).refused();
    assert!(mistake(&page, "pictures.seal_sheet").is_some(), "{page}");
}

#[test]
fn s3_6_the_kind_of_invoice_is_chosen_and_it_comes_by_mail() {
    let shop = Shop::new();
    let mut fields = legal();
    fields.set("invoice.kind", "special");
    fields.set("invoice.title", "示例集团");
    let draft = shop.ready(LIQUOR, "unit-first", &fields);
    let page = shop.submit(&draft, &fields).refused();
    assert!(mistake(&page, "invoice.title").is_some_and(|told| told.contains("须为单位名称")), "{page}");
    fields.set("invoice.title", "");
    shop.submit(&draft, &fields).location();
    let invoice = shop.stored(&shop.confirm(&draft)).content.invoice.unwrap();
    assert_eq!((invoice.kind.code(), invoice.title.as_str()), ("special", "示例客车零部件有限公司"));
    assert!(shop.get(&format!("{LIQUOR}/order?product=unit-first")).ok().contains("邮箱"));
}

#[test]
fn another_browser_s_draft_does_not_exist() {
    let shop = Shop::new();
    let draft = shop.ready(BUS, "unit-first", &filled());
    let stranger = shop.stranger();
    stranger.open(BUS, "unit-first", &[]);
    // One that is nowhere gets the same answers.
    let nowhere = format!("{BUS}/order/SAAS120261122093000999999");
    for of in [&draft, &nowhere] {
        let log_in = format!("/my/login?next={of}");
        for path in ["", "/confirm", "/letter.pdf", "/picture/id_front", "?check=1"] {
            assert_eq!(stranger.get(&format!("{of}{path}")).location(), log_in, "{path}");
        }
        assert_eq!(stranger.send(of, &[("unit.name", "他人")], &[]).location(), log_in);
        assert_eq!(stranger.post(&format!("{of}/confirm"), &[("action", "send")]).location(), log_in);
        assert_eq!(stranger.post(&format!("{of}/discard"), &[]).location(), BUS);
    }
    assert_eq!(stranger.get(&format!("{BUS}/order/1")).status, 404, "no number of an order");
    let elsewhere = draft.replace("xiamen-jinlong", "yuncaidun");
    assert_eq!(shop.get(&elsewhere).status, 404, "nor under another programme");
    assert!(shop.get(&draft).ok().contains("示例客车零部件有限公司"), "and it is as it was");
}

#[test]
fn a_form_from_another_site_is_refused() {
    let shop = Shop::new();
    let draft = shop.ready(BUS, "unit-first", &filled());
    for path in [draft.clone(), format!("{draft}/confirm"), format!("{draft}/discard")] {
        assert_eq!(shop.post_from(&path, "https://evil.example").status, 403, "{path}");
    }
    assert_eq!(shop.get(&draft).status, 200);
}

#[test]
fn markup_templates_and_sql_in_a_field_are_text() {
    let shop = Shop::new();
    for evil in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "{{ 7 * 7 }}{% raw %}${7*7}",
        "'; drop table drafts; --",
        "a' or '1'='1",
    ] {
        let mut fields = filled();
        for name in ["unit.name", "handler.name", "receiver.address", "receiver.county", "unit.industry"] {
            fields.set(name, evil);
        }
        let draft = shop.open(BUS, "unit-first", &fields.pairs());
        for page in [shop.get(&draft).ok(), shop.submit(&draft, &fields).refused(), shop.get(BUS).ok()] {
            assert!(!page.contains("<script>alert") && !page.contains("<img src=x"), "{page}");
            assert!(!evil.contains("7 * 7") || page.contains("{{ 7 * 7 }}{% raw %}${7*7}"), "{page}");
        }
    }
    let count: i64 = shop.scalar("select count(*) from drafts");
    assert_eq!(count, 5);
}

#[test]
fn a_browser_has_a_bounded_number_of_drafts() {
    let shop = Shop::new();
    for _ in 0..20 {
        shop.open(BUS, "unit-first", &[]);
    }
    let answer = shop.send(&format!("{BUS}/order?product=unit-first"), &[], &[]);
    assert!(answer.status == 429 && answer.body.contains("填写中的订单过多"), "{}", answer.body);
}

#[test]
fn drafts_end_with_their_programme_s_time() {
    let shop = Shop::new();
    let draft = shop.ready(BUS, "unit-first", &filled());
    shop.later(29 * 86_400_000);
    assert_eq!(shop.block_on(drafts::expire(shop.state())).unwrap(), 0);
    shop.later(2 * 86_400_000);
    assert_eq!(shop.block_on(drafts::expire(shop.state())).unwrap(), 1);
    assert_eq!(shop.get(&draft).status, 303);
    let left: i64 = shop.scalar("select count(*) from pictures");
    assert_eq!(left, 0, "its pictures went with it");
}

#[test]
fn pages_speak_english_when_asked() {
    let shop = Shop::new();
    let page = shop.get(&format!("{LIQUOR}/order?product=unit-first&lang=en")).ok();
    for text in ["Fill in the order", "Legal representative", "Upload by phone", "Submit", "Amount due"] {
        assert!(page.contains(text), "{text} is on {page}");
    }
}
