//! The browser itself: it does what it is told, and leaves nothing behind.

use std::{fs, time::Duration};

use anyhow::{Result, ensure};
use e2e::{
    browser::{Browser, Screen},
    process::wait_for,
};

const PAGE: &str = "data:text/html;charset=utf-8,<meta name=viewport content='width=device-width'>\
    <label for=unit>单位名称 *</label><input id=unit name=unit.name value=before>\
    <select name=years><option value=1>1 年</option><option value=3>3 年</option></select>\
    <label><input type=radio name=kind value=a>甲</label><label><input type=radio name=kind value=b>乙</label>\
    <input name=fixed value=1 readonly><input type=checkbox name=agree>\
    <button onclick=\"document.title = 'pressed'; said.textContent = '已保存'\">保存</button><p id=said></p>";

#[test]
fn fields_are_found_by_label_and_name_and_answered_as_their_kind_wants() -> Result<()> {
    let browser = Browser::open(Screen::Desk)?;
    browser.go(PAGE)?;
    browser.enter("单位名称", "青石测试有限公司")?;
    browser.enter("years", "3")?;
    browser.enter("kind", "b")?;
    browser.enter("fixed", "1")?;
    ensure!(browser.enter("fixed", "2").is_err(), "a field that cannot be changed was changed");
    browser.tick("agree")?;
    browser.tick("agree")?;
    browser.click("保存")?;
    browser.sees("已保存")?;
    for (selector, wanted) in [
        ("#unit", "青石测试有限公司"),
        ("[name=years]", "3"),
        ("[name=kind]:checked", "b"),
        ("[name=agree]:checked", "on"),
    ] {
        ensure!(browser.attribute(selector, "value")? == wanted, "{selector} is not {wanted}");
    }
    Ok(())
}

#[test]
fn a_phone_is_as_wide_as_a_phone_and_nothing_is_left_of_it() -> Result<()> {
    let phone = Browser::open(Screen::Phone)?;
    phone.go(PAGE)?;
    ensure!(phone.script("return innerWidth")? == 390, "{}", phone.script("return innerWidth")?);
    let file = tempfile::tempdir()?;
    phone.shoot_to(&file.path().join("a/b.png"))?;
    ensure!(image::open(file.path().join("a/b.png"))?.width() == 780, "the picture is not the screen");
    let folder = phone.folder().to_string_lossy().into_owned();
    ensure!(processes_of(&folder)? > 1, "no process names its folder: this test sees nothing");
    drop(phone);
    // A killed process is gone a moment later.
    wait_for("the browser's end", Duration::from_secs(10), || Ok((processes_of(&folder)? == 0).then_some(())))
}

/// Most pages are read while the next one comes.
#[test]
fn a_page_that_goes_while_it_is_read_is_read_again() -> Result<()> {
    let browser = Browser::open(Screen::Desk)?;
    let page = browser.folder().join("restless.html");
    fs::write(&page, "<meta charset=utf-8><p>在途<script>setTimeout(() => location.reload(), 40)</script>")?;
    browser.go(&format!("file://{}", page.display()))?;
    for _ in 0..100 {
        ensure!(browser.text()? == "在途", "something else was read");
        browser.attribute("p", "tagName")?;
        browser.has("p")?;
    }
    Ok(())
}

/// How many processes have this in their command line.
fn processes_of(text: &str) -> Result<usize> {
    let mut found = 0;
    for entry in fs::read_dir("/proc")? {
        let command = fs::read(entry?.path().join("cmdline")).unwrap_or_default();
        found += usize::from(String::from_utf8_lossy(&command).contains(text));
    }
    Ok(found)
}
