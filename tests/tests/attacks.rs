//! Attacks across the parts of the portal: on every route there is, and by the pages that a customer uses.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use e2e::{
    browser::{Browser, Screen},
    customer::Customer,
    office::{OPERATOR, Office, PASSWORD},
    orders,
    places::tree,
};
use serde_json::{Value, json};

const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];
/// A stream without end, and what ends the session that the walk needs.
const NOT_WALKED: [&str; 4] = ["/stations/live", "/logout", "/api/logout", "/my/logout"];

/// Asks as a program would: no redirect is followed, no status is an error.
struct Asker {
    base: String,
    agent: ureq::Agent,
}

struct Answer {
    status: u16,
    text: String,
    cookies: Vec<String>,
}

impl Asker {
    fn new(office: &Office) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .allow_non_standard_methods(true)
            // The portal closes a connection whose request it refused unread; a second request on it would race that.
            .max_idle_connections(0)
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        Self { base: office.portal_url.clone(), agent: agent.into() }
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Result<Answer> {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let kind = if path.starts_with("/api/") { "application/json" } else { FORM };
        let request = request.header("content-type", kind).body(body.to_owned())?;
        let mut answer = self.agent.run(request).with_context(|| format!("{method} {path}"))?;
        let cookies = answer.headers().get_all("set-cookie").into_iter();
        let cookies = cookies.filter_map(|line| Some(line.to_str().ok()?.split(';').next()?.to_owned()));
        Ok(Answer {
            status: answer.status().as_u16(),
            cookies: cookies.collect(),
            text: String::from_utf8_lossy(&answer.body_mut().read_to_vec()?).into_owned(),
        })
    }

    fn log_in_operator(&self) -> Result<String> {
        let form = format!("name={OPERATOR}&password={}", PASSWORD.replace(' ', "+"));
        let answer = self.ask("POST", "/login", &[("origin", &self.base)], &form)?;
        answer.cookies.first().cloned().with_context(|| format!("no log-in: {}", answer.text))
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

/// Every route that stands in the portal's sources.
fn routes() -> Result<Vec<String>> {
    let mut files = vec![tree().join("crates/portal/src/web.rs")];
    rust_files(&tree().join("crates/portal/src/web"), &mut files)?;
    let mut routes = Vec::new();
    for file in files {
        let text = fs::read_to_string(file)?;
        let found = text.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next());
        routes.extend(found.filter(|route| route.starts_with('/')).map(str::to_owned));
    }
    routes.push("/pay/alipay/notify".to_owned());
    routes.sort();
    routes.dedup();
    routes.retain(|route| !NOT_WALKED.contains(&route.as_str()) && !route.contains('…'));
    ensure!(routes.len() > 40, "only {} routes were found: {routes:?}", routes.len());
    Ok(routes)
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            rust_files(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// A path that a route matches, about this order.
fn concrete(route: &str, programme: &str, number: &str, picture: &str) -> String {
    route
        .replace("{programme}", programme)
        .replace("{number}", number)
        .replace("{job}", &format!("{number}-1"))
        .replace("{kind}", "id_front")
        .replace("{agreement}", "service")
        .replace("{name}", OPERATOR)
        .replace("{id}", picture)
        .replace("{token}", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
        .replace("{station}", "bench-1")
}

/// A picture or a PDF, as text: JPEG and PNG begin with bytes that are none.
fn is_file(text: &str) -> bool {
    ["\u{fffd}\u{fffd}", "\u{fffd}PNG", "%PDF"].iter().any(|begin| text.starts_with(begin))
}

/// A customer with a paid order and a draft of another, both with everything in them.
struct Victim<'a> {
    customer: Customer<'a>,
    order: String,
    draft: String,
}

impl<'a> Victim<'a> {
    fn new(office: &'a Office) -> Result<Self> {
        let customer = Customer::new(office, orders::order(0, "xiamen-jinlong", "unit-first", 1))?;
        customer.brings_everything(&["id_front", "id_back", "licence"])?;
        let order = customer.confirms_by_sms()?;
        customer.pays()?;
        customer.opens_the_form()?;
        customer.fills_in()?;
        customer.attaches(&["id_front"])?;
        customer.saves()?;
        let url = customer.desk.url()?;
        let draft = url.split(['/', '?', '#']).find(|part| part.starts_with("SAAS1"));
        let draft = draft.with_context(|| format!("no draft in {url}"))?.to_owned();
        Ok(Self { customer, order, draft })
    }

    /// What nobody else may read.
    fn secrets(&self) -> Vec<String> {
        let order = &self.customer.order;
        let places =
            ["/unit/name", "/handler/name", "/handler/id_number", "/handler/mobile", "/receiver/address"];
        places.iter().filter_map(|at| order.pointer(at)?.as_str().map(str::to_owned)).collect()
    }

    /// One of the order's pictures, as the page of a reviewer has it.
    fn picture(&self, asker: &Asker) -> Result<String> {
        let page = asker.ask(
            "GET",
            &format!("/orders/{}", self.order),
            &[("cookie", &asker.log_in_operator()?)],
            "",
        )?;
        let place = format!("/orders/{}/pictures/", self.order);
        let id = page.text.split_once(&place).and_then(|(_, rest)| rest.split(['?', '"']).next());
        Ok(id.with_context(|| format!("no picture on {}", page.text))?.to_owned())
    }

    /// The order as an operator's program reads it, and the draft as its customer sees it.
    fn stands(&self, office: &Office) -> Result<(Value, String)> {
        let order = office.operator()?.get(&format!("/api/orders/{}", self.order))?;
        self.customer.desk.go(&self.draft_url(office))?;
        let mut fields = Vec::new();
        for field in ["unit.name", "handler.id_number", "receiver.address"] {
            fields.push(self.customer.desk.attribute(&format!("[name='{field}']"), "value")?);
        }
        self.customer.desk.waits_for("[data-picture='id_front'] img[alt^='已上传']")?;
        Ok((order, fields.join("|")))
    }

    /// Asks for everything about both by every route and method.
    fn is_out_of_reach(&self, asker: &Asker, cookie: &str) -> Result<()> {
        let (secrets, headers) = (self.secrets(), [("cookie", cookie), ("origin", asker.base.as_str())]);
        let picture = self.picture(asker)?;
        for route in routes()? {
            for number in [&self.order, &self.draft] {
                let path = concrete(&route, "xiamen-jinlong", number, &picture);
                for method in METHODS {
                    let body = if method == "GET" { "" } else { "action=save&reason=x&do=disable" };
                    let answer = asker.ask(method, &path, &headers, body)?;
                    let leak = secrets.iter().find(|secret| answer.text.contains(*secret));
                    ensure!(leak.is_none(), "{method} {path} tells {leak:?}: {}", answer.text);
                    ensure!(!is_file(&answer.text), "{method} {path} gives a file");
                    ensure!(
                        answer.status < 500 || answer.status == 503,
                        "{method} {path}: {}",
                        answer.status
                    );
                }
            }
        }
        Ok(())
    }

    fn draft_url(&self, office: &Office) -> String {
        format!("{}/p/xiamen-jinlong/order/{}", office.portal_url, self.draft)
    }
}

#[test]
fn nobody_and_no_other_customer_reaches_an_order_by_any_route() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let office = Office::start(folder.path())?;
    let victim = Victim::new(&office)?;
    let before = victim.stands(&office)?;
    let other = Customer::new(&office, orders::order(1, "xiamen-jinlong", "unit-first", 1))?;
    other.logs_in(&other.desk)?;
    other.opens_the_form()?;
    other.desk.click_at(".finish button[value='save']")?;
    other.desk.arrives("/order/SAAS1")?;

    let asker = Asker::new(&office);
    for cookie in [String::new(), other.desk.cookies()?] {
        victim.is_out_of_reach(&asker, &cookie)?;
    }
    let own = victim.customer.desk.cookies()?;
    ensure!(
        victim.is_out_of_reach(&asker, &own).is_err(),
        "not even the customer sees the order: nothing was tried"
    );
    ensure!(victim.stands(&office)? == before, "something was changed");
    Ok(())
}

#[test]
fn another_site_changes_nothing_by_any_route() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let office = Office::start(folder.path())?;
    let victim = Victim::new(&office)?;
    let before = victim.stands(&office)?;
    let asker = Asker::new(&office);
    // A browser that is logged in as both and sends its cookies along, whatever they say of other sites.
    let cookies = format!("{}; {}", victim.customer.desk.cookies()?, asker.log_in_operator()?);
    let own = asker.ask("GET", &format!("/orders/{}", victim.order), &[("cookie", &cookies)], "")?;
    ensure!(own.status == 200, "the cookies open nothing: {}", own.text);
    let picture = victim.picture(&asker)?;
    let foreign = [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")];
    for route in routes()? {
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            for sign in foreign {
                for number in [&victim.order, &victim.draft] {
                    let path = concrete(&route, "xiamen-jinlong", number, &picture);
                    let headers = [("cookie", cookies.as_str()), sign];
                    let body = "action=save&reason=x&template=1&do=disable&confirm=1";
                    let answer = asker.ask(method, &path, &headers, body)?;
                    ensure!(answer.status == 403, "{method} {path} {sign:?}: {}", answer.status);
                    ensure!(answer.cookies.is_empty(), "{method} {path} {sign:?}: {:?}", answer.cookies);
                }
            }
        }
    }
    ensure!(victim.stands(&office)? == before, "something was changed");
    Ok(())
}

/// Texts that a page, a template, a database or a log might take for more than text. Each fits a field.
const HOSTILE: [&str; 5] = [
    "<script>document.title='hit'</script>",
    "\"><img src=x onerror=document.title='hit'>",
    "{{ 7*7 }}{% raw %}${7*7}",
    "'; drop table orders; --",
    "%' or '1'='1",
];

#[test]
fn hostile_texts_are_text_on_every_page_of_both_sides() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let office = Office::start(folder.path())?;
    let mut wanted = Vec::new();
    for (index, text) in HOSTILE.iter().enumerate() {
        let mut order = orders::order(index, "yuncaidun", "unit-first", 1);
        order["handler"]["mobile"] = json!(orders::mobile(0));
        for (section, field) in [
            ("unit", "name"),
            ("unit", "industry"),
            ("handler", "name"),
            ("receiver", "name"),
            ("receiver", "address"),
        ] {
            order[section][field] = json!(text);
        }
        wanted.push(order);
    }
    office.import(&wanted)?;
    let customer = Customer::new(&office, wanted[0].clone())?;
    customer.logs_in(&customer.desk)?;
    let staff = Browser::open(Screen::Desk)?;
    staff.go(&format!("{}/login", office.portal_url))?;
    staff.enter("name", OPERATOR)?;
    staff.enter("password", PASSWORD)?;
    staff.click_at("form[action='/login'] button")?;
    staff.sees("退出")?;
    for (order, text) in wanted.iter().zip(HOSTILE) {
        let number = order["number"].as_str().context("no number")?;
        for (browser, path) in [
            (&customer.desk, "/my/orders".to_owned()),
            (&customer.desk, format!("/my/orders/{number}")),
            (&staff, "/orders".to_owned()),
            (&staff, format!("/orders/{number}")),
            (&staff, format!("/review/{number}")),
        ] {
            browser.go(&format!("{}{path}", office.portal_url))?;
            browser.sees(text)?;
            ensure!(browser.script("return document.title")? != "hit", "{path} ran a script of {text:?}");
            ensure!(!browser.has("img[src='x']")?, "{path} has an element of {text:?}");
        }
        let operator = office.operator()?;
        let found = operator.get(&format!("/api/orders?q={}", percent(text)))?;
        let found = found["orders"].as_array().map_or(0, Vec::len);
        ensure!(found == 1, "{text:?} finds {found} orders");
    }
    Ok(())
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[test]
fn a_customers_code_is_not_guessed_by_the_pages() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let office = Office::start(folder.path())?;
    let asker = Asker::new(&office);
    let mobile = orders::mobile(0);
    let sent = asker.ask("POST", "/my/login", &[], &format!("action=send&mobile={mobile}"))?;
    let cookie = sent.cookies.join("; ");
    let message = office.messages_to(&mobile)?.pop().context("no message")?;
    let code = message["parameters"]["code"].as_str().context("no code")?.to_owned();
    let give = |cookie: &str, code: &str| {
        let form = format!("action=login&mobile={mobile}&code={code}");
        asker.ask("POST", "/my/login", &[("cookie", cookie)], &form)
    };
    // Another browser has no use of the code, and cannot use up its tries: five of its guesses would.
    for guess in [&code, "000000", "000001", "000002", "000003", "000004"] {
        ensure!(give("", guess)?.status == 422, "a code is good in another browser");
    }
    for guess in (0..1000).map(|guess| format!("{guess:06}")).filter(|guess| *guess != code).take(5) {
        let answer = give(&cookie, &guess)?;
        ensure!(answer.status >= 400, "{guess} was taken: {}", answer.status);
    }
    // Each guess of its own browser counts.
    let late = give(&cookie, &code)?;
    ensure!(
        late.status >= 400 && !late.text.contains("我的订单</h1>"),
        "the right code after five wrong ones"
    );
    Ok(())
}

#[test]
fn nobody_bombs_telephones_by_the_pages() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let office = Office::start(folder.path())?;
    let asker = Asker::new(&office);
    // One number, from many browsers.
    for _ in 0..5 {
        asker.ask("POST", "/my/login", &[], &format!("action=send&mobile={}", orders::mobile(0)))?;
    }
    ensure!(office.messages_to(&orders::mobile(0))?.len() == 1, "a number gets more than one a minute");
    // Many numbers, each from a browser of its own, at one address.
    for index in 1..60 {
        asker.ask("POST", "/my/login", &[], &format!("action=send&mobile={}", orders::mobile(index)))?;
    }
    let mut sent = 0;
    for index in 0..60 {
        sent += office.messages_to(&orders::mobile(index))?.len();
    }
    ensure!(sent <= 30, "{sent} messages went out from one address");
    Ok(())
}
