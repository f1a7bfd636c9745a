//! Log-in by mobile and code.

use std::{sync::atomic::Ordering, time::Duration};

use model::Secret;
use portal::outside::{Outside, Port, SmsService};
use sandbox::sms as sms_double;

use super::{MOBILE, OTHER, customer};
use crate::bench::{Bench, free_order};

/// A portal with the SMS service's double.
fn phone() -> (Bench, sms_double::Handle) {
    let double = sms_double::spawn(sms_double::Options::default()).unwrap();
    let client = sms::Client::new(sms::Settings {
        endpoint: double.endpoint(),
        access_key_id: sms_double::ACCESS_KEY_ID.to_owned(),
        access_key_secret: Secret::from(sms_double::ACCESS_KEY_SECRET),
        timeout: Duration::from_secs(20),
    });
    let service = SmsService {
        port: Port::new(client.unwrap()),
        sign_name: "示例".to_owned(),
        code_template: "SMS_1".to_owned(),
        day_budget: 100,
    };
    (Bench::with_outside(|_| Outside { sms: Some(service), ..Outside::default() }), double)
}

/// The code that came last.
fn last_code(double: &sms_double::Handle) -> String {
    double.sent().last().unwrap().parameters["code"].as_str().unwrap().to_owned()
}

/// Posts to the log-in; gives status, page, the cookies that were set, and where it leads.
fn log_in(bench: &Bench, cookie: &str, pairs: &[(&str, &str)]) -> (u16, String, String, String) {
    let request = bench.agent().post(format!("{}/my/login", bench.url)).header("cookie", cookie);
    let mut answer = request.send_form(pairs.iter().copied()).unwrap();
    let text = |name: &str| {
        let values = answer.headers().get_all(name).iter().map(|value| value.to_str().unwrap());
        values.collect::<Vec<_>>().join("\n")
    };
    let (cookies, location) = (text("set-cookie"), text("location"));
    (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap(), cookies, location)
}

fn pair(cookies: &str, name: &str) -> String {
    let line = cookies.lines().find(|line| line.starts_with(&format!("{name}="))).unwrap();
    line.split(';').next().unwrap().to_owned()
}

#[test]
fn s3_13_a_customer_logs_in_by_the_code_that_came_by_sms() {
    let (bench, double) = phone();
    let number = bench.place(&bench.log_in(), &free_order());
    let next = format!("/my/orders/{number}");
    let (status, page, cookies, _) =
        log_in(&bench, "", &[("action", "send"), ("mobile", "138 0000 0001"), ("next", &next)]);
    assert!(status == 200 && page.contains("验证码已发送") && page.contains(MOBILE), "{page}");
    let asker = pair(&cookies, "ukey_asker");
    let code = last_code(&double);
    let form = [("action", "login"), ("mobile", MOBILE), ("code", &code), ("next", &next)];

    let (status, page, cookies, _) = log_in(&bench, "", &form);
    assert!(status == 422 && cookies.is_empty(), "the code is another browser's: {page}");
    let (status, _, cookies, location) = log_in(&bench, &asker, &form);
    assert_eq!((status, location.as_str()), (303, next.as_str()));
    assert!(cookies.contains("HttpOnly") && cookies.contains("SameSite=Lax"), "{cookies}");
    let session = pair(&cookies, "ukey_customer");
    assert_eq!(bench.get(&session, &next).0, 200);
    assert_eq!(log_in(&bench, &asker, &form).0, 422, "a code opens one session");
}

#[test]
fn s3_13_a_number_without_orders_gets_the_same_answers() {
    let (bench, double) = phone();
    bench.place(&bench.log_in(), &free_order());
    let mut answers = Vec::new();
    for mobile in [MOBILE, OTHER] {
        let (status, page, cookies, _) = log_in(&bench, "", &[("action", "send"), ("mobile", mobile)]);
        let asker = pair(&cookies, "ukey_asker");
        let wrong = [("action", "login"), ("mobile", mobile), ("code", "000000x")];
        let (refused, told, ..) = log_in(&bench, &asker, &wrong);
        let form = [("action", "login"), ("mobile", mobile), ("code", &last_code(&double))];
        let (opened, _, _, location) = log_in(&bench, &asker, &form);
        answers.push((status, page.replace(mobile, ""), refused, told.replace(mobile, ""), opened, location));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].4, 303);
}

#[test]
fn guessing_codes_is_braked_and_a_log_in_gives_a_session_nobody_knew() {
    let (bench, double) = phone();
    let (_, _, cookies, _) = log_in(&bench, "", &[("action", "send"), ("mobile", MOBILE)]);
    let asker = pair(&cookies, "ukey_asker");
    let code = last_code(&double);
    let wrong = if code == "123456" { "654321" } else { "123456" };
    for _ in 0..5 {
        assert_eq!(
            log_in(&bench, &asker, &[("action", "login"), ("mobile", MOBILE), ("code", wrong)]).0,
            422
        );
    }
    let right = [("action", "login"), ("mobile", MOBILE), ("code", &code)];
    assert_eq!(log_in(&bench, &asker, &right).0, 422, "after five tries the right code is dead too");
    let (status, page, ..) = log_in(&bench, &asker, &[("action", "send"), ("mobile", MOBILE)]);
    assert!(status == 429 && page.contains("秒后再试"), "{page}");

    bench.now_ms.fetch_add(60_000, Ordering::SeqCst);
    log_in(&bench, &asker, &[("action", "send"), ("mobile", MOBILE)]);
    // Whoever put a session's cookie into this browser before does not get the customer's session.
    let planted = customer(&bench, OTHER);
    let form = [("action", "login"), ("mobile", MOBILE), ("code", &last_code(&double))];
    let (status, _, cookies, _) = log_in(&bench, &format!("{asker}; {planted}"), &form);
    assert_eq!(status, 303);
    let session = pair(&cookies, "ukey_customer");
    assert_ne!(session, planted);
    assert_eq!(bench.get(&planted, "/my/orders").0, 303, "the planted session ended");
    assert_eq!(bench.get(&session, "/my/orders").0, 200);
}
