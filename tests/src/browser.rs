//! A person at a browser: chromedriver and Chromium without a screen, driven by words that a manual uses.
//!
//! Fields are found by their label or name, everything else by its text. Every wait has a bound. Both programs, and
//! whatever they started, end when the value is dropped.

use std::{
    fs,
    future::Future,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use fantoccini::{
    Client, ClientBuilder, Locator,
    elements::Element,
    error::{CmdError, ErrorStatus},
};
use hyper_util::client::legacy::connect::HttpConnector;
use image::{
    RgbImage,
    codecs::png::{CompressionType, FilterType, PngEncoder},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{
    places::{free_port, tree},
    process::{Process, run, wait_for},
};

/// A bound on waiting for anything a page does.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);
/// Screenshots are written here, if the variable is set.
const SCREENS: &str = "UKEY_SCREENS";

/// What the person sits at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Screen {
    /// A computer, 1280 wide.
    Desk,
    /// The same, for somebody who prefers dark pages.
    Night,
    /// A phone, 390 × 844.
    Phone,
}

/// A browser of its own, with no cookie and no history.
pub struct Browser {
    client: Client,
    runtime: Runtime,
    driver: Driver,
}

/// chromedriver and everything it started, which is one process group.
struct Driver {
    process: Process,
    folder: TempDir,
}

impl Drop for Driver {
    fn drop(&mut self) {
        let Some(group) = self.process.id() else { return };
        // Whoever is left of the group ends with it; nobody left is no error.
        let _ = run("kill", Command::new("kill").args(["-KILL", "--", &format!("-{group}")]), None);
        let _ = self.process.kill9();
    }
}

impl Browser {
    /// Opens a browser.
    ///
    /// # Errors
    /// chromedriver or Chromium does not start: `scripts/setup` installs both.
    pub fn open(screen: Screen) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = free_port()?;
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}")).env("HOME", folder.path()).current_dir(folder.path());
        let log = folder.path().join("chromedriver.log");
        let process = Process::start_group("chromedriver", &mut command, &log)
            .context("is chromium-driver installed? scripts/setup does it")?;
        let mut driver = Driver { process, folder };
        let url = format!("http://127.0.0.1:{port}");
        wait_for("chromedriver", PATIENCE, || {
            driver.process.check()?;
            Ok(ureq::get(format!("{url}/status")).call().ok())
        })?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let wishes = wishes(screen, driver.folder.path());
        builder.capabilities(wishes.as_object().context("no object")?.clone());
        let client = runtime.block_on(within("a browser", builder.connect(&url)))?;
        let browser = Self { client, runtime, driver };
        if screen != Screen::Phone {
            browser.block_on("the window", browser.client.set_window_size(1280, 900))?;
        }
        Ok(browser)
    }

    /// Where everything of this browser lies until it is dropped.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.driver.folder.path()
    }

    fn block_on<R, E>(&self, what: &str, work: impl Future<Output = Result<R, E>>) -> Result<R>
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        self.runtime.block_on(within(what, work))
    }

    /// Goes to an address.
    ///
    /// # Errors
    /// Nobody answers there.
    pub fn go(&self, url: &str) -> Result<()> {
        self.block_on(url, self.client.goto(url))
    }

    /// Where the browser is.
    ///
    /// # Errors
    /// The browser is gone.
    pub fn url(&self) -> Result<String> {
        Ok(self.block_on("the address", self.client.current_url())?.to_string())
    }

    /// Answers a field, found by its label or name, as its kind wants it: text typed over what is there, a list's option or a
    /// group's radio button by its value. What cannot be changed must be right already.
    ///
    /// # Errors
    /// There is no such field, or no such option.
    pub fn enter(&self, field: &str, value: &str) -> Result<()> {
        let path = field_path(field);
        let kind = self.with(&path, async |element| {
            Ok((element.prop("type").await?.unwrap_or_default(), element.prop("readOnly").await?))
        })?;
        let wanted = quoted(value);
        match (kind.0.as_str(), kind.1.as_deref()) {
            // An option without a value has its text for one.
            ("select-one", _) => self.press_on(&format!(
                "({path})/option[@value={wanted} or not(@value) and normalize-space(.)={wanted}]"
            )),
            ("radio", _) => self.press_on(&format!("({path})[@value={wanted}]")),
            (_, Some("true")) => {
                let there = self.with(&path, async |element| element.prop("value").await)?;
                ensure!(there.as_deref() == Some(value), "{field} is {there:?} and cannot be made {value:?}");
                Ok(())
            }
            _ => self.with(&path, async |element| {
                element.clear().await?;
                element.send_keys(value).await
            }),
        }
    }

    fn press_on(&self, path: &str) -> Result<()> {
        self.with(path, async |element| self.presses(element).await)
    }

    /// Scrolls as a person does before clicking: a bar at the foot of the window may lie over what is at its edge.
    async fn presses(&self, element: Element) -> Result<(), CmdError> {
        let script = "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})";
        self.client.execute(script, vec![reference(&element)]).await?;
        element.click().await
    }

    /// Ticks a box, found by its label or name, if it is not ticked.
    ///
    /// # Errors
    /// There is no such box.
    pub fn tick(&self, field: &str) -> Result<()> {
        self.with(&field_path(field), async |element| {
            if element.is_selected().await? { Ok(()) } else { self.presses(element).await }
        })
    }

    /// Gives a file to a file field.
    ///
    /// # Errors
    /// There is no such field.
    pub fn attach(&self, field: &str, file: &Path) -> Result<()> {
        let path = file.canonicalize()?.to_string_lossy().into_owned();
        self.with(&field_path(field), async |element| element.send_keys(&path).await)
    }

    /// Clicks a button, link, or summary by its text.
    ///
    /// # Errors
    /// There is no such thing.
    pub fn click(&self, text: &str) -> Result<()> {
        let text = quoted(text);
        let things = "self::a or self::button or self::summary or self::label";
        self.press_on(&format!("//*[{things}][normalize-space(.)={text}]"))
    }

    /// Clicks the first thing that a CSS selector finds.
    ///
    /// # Errors
    /// There is no such thing.
    pub fn click_at(&self, selector: &str) -> Result<()> {
        self.on(Locator::Css(selector), async |element| self.presses(element).await)
    }

    /// Types keys where the focus is.
    ///
    /// # Errors
    /// Nothing has the focus.
    pub fn press(&self, keys: &str) -> Result<()> {
        let work = async { self.client.active_element().await?.send_keys(keys).await };
        self.block_on("the keyboard", work)
    }

    /// An attribute, as the browser has it (`href` in full), of the first thing that a CSS selector finds.
    ///
    /// # Errors
    /// There is no such thing, or it has no such attribute.
    pub fn attribute(&self, selector: &str, name: &str) -> Result<String> {
        let found = self.on(Locator::Css(selector), async |element| element.prop(name).await)?;
        found.with_context(|| format!("{selector} has no {name}"))
    }

    /// What can be read on the page.
    ///
    /// # Errors
    /// The browser is gone.
    pub fn text(&self) -> Result<String> {
        self.on(Locator::Css("body"), async |element| element.text().await)
    }

    /// Waits until the page shows this.
    ///
    /// # Errors
    /// It does not; the error has what the page shows instead.
    pub fn sees(&self, text: &str) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            let shown = self.text()?;
            if shown.contains(text) {
                return Ok(());
            }
            if Instant::now() > until {
                bail!("{:?} is not shown on {}:\n{shown}", text, self.url()?);
            }
            std::thread::sleep(POLL);
        }
    }

    /// Waits until the address has this in it.
    ///
    /// # Errors
    /// It has not; the error has what the page shows.
    pub fn arrives(&self, part: &str) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        while !self.url()?.contains(part) {
            ensure!(Instant::now() < until, "{} is not {part}:\n{}", self.url()?, self.text()?);
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Whether a CSS selector finds something now.
    ///
    /// # Errors
    /// The browser is gone.
    pub fn has(&self, selector: &str) -> Result<bool> {
        // The body is there unless the page is on its way.
        self.on(Locator::Css("body"), async |_| {
            Ok(!self.client.find_all(Locator::Css(selector)).await?.is_empty())
        })
    }

    /// Waits until a CSS selector finds something.
    ///
    /// # Errors
    /// It does not; the error has what the page shows.
    pub fn waits_for(&self, selector: &str) -> Result<()> {
        self.on(Locator::Css(selector), async |_| Ok(()))
    }

    /// Waits until a CSS selector finds nothing any more.
    ///
    /// # Errors
    /// It still does; the error has what the page shows.
    pub fn waits_for_no(&self, selector: &str) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        while self.has(selector)? {
            ensure!(Instant::now() < until, "{selector} stays on {}:\n{}", self.url()?, self.text()?);
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// The cookies of this address, as one header line.
    ///
    /// # Errors
    /// The browser is gone.
    pub fn cookies(&self) -> Result<String> {
        let cookies = self.block_on("the cookies", self.client.get_all_cookies())?;
        let pairs: Vec<String> =
            cookies.iter().map(|cookie| format!("{}={}", cookie.name(), cookie.value())).collect();
        Ok(pairs.join("; "))
    }

    /// Runs a script in the page.
    ///
    /// # Errors
    /// It throws.
    pub fn script(&self, script: &str) -> Result<Value> {
        self.block_on("a script", self.client.execute(script, Vec::new()))
    }

    /// Waits for a download that is whole, and takes it: its name ends as said.
    ///
    /// # Errors
    /// None came.
    pub fn downloaded(&self, ending: &str) -> Result<PathBuf> {
        let folder = self.folder().join("downloads");
        let taken = self.folder().join("taken");
        fs::create_dir_all(&taken)?;
        wait_for("a download", PATIENCE, || {
            for entry in fs::read_dir(&folder).into_iter().flatten() {
                let path = entry?.path();
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                // An empty file keeps the name while the bytes come under another.
                if name.ends_with(ending) && fs::metadata(&path)?.len() > 0 {
                    let to = taken.join(format!("{}-{name}", fs::read_dir(&taken)?.count()));
                    fs::rename(&path, &to)?;
                    return Ok(Some(to));
                }
            }
            Ok(None)
        })
    }

    /// Keeps a picture of what is on the screen as `NAME.png`, if `UKEY_SCREENS` names a folder for such.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn shoot(&self, name: &str) -> Result<()> {
        let Some(folder) = std::env::var_os(SCREENS) else { return Ok(()) };
        let file = tree().join(folder).join(format!("{name}.png"));
        self.shoot_to(&file)?;
        let small = with_fewer_shades(image::open(&file)?.to_rgb8())?;
        Ok(fs::write(&file, small)?)
    }

    /// Keeps a picture of what is on the screen.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn shoot_to(&self, file: &Path) -> Result<()> {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        Ok(fs::write(file, self.block_on("a screenshot", self.client.screenshot())?)?)
    }

    /// Scrolls until what a CSS selector finds is at the top.
    ///
    /// # Errors
    /// It finds nothing.
    pub fn scroll_to(&self, selector: &str) -> Result<()> {
        let script = "arguments[0].scrollIntoView({block: 'start', behavior: 'instant'}); scrollBy(0, -16);";
        self.on(Locator::Css(selector), async |element| {
            self.client.execute(script, vec![reference(&element)]).await.map(drop)
        })
    }

    fn with<R>(&self, path: &str, work: impl AsyncFn(Element) -> Result<R, CmdError>) -> Result<R> {
        self.on(Locator::XPath(path), work)
    }

    /// Finds, and does; again while the page is on its way.
    fn on<R>(&self, locator: Locator<'_>, work: impl AsyncFn(Element) -> Result<R, CmdError>) -> Result<R> {
        let until = Instant::now() + PATIENCE;
        loop {
            let attempt = async { work(self.client.find(locator).await?).await };
            let error = match self.runtime.block_on(async { tokio::time::timeout(PATIENCE, attempt).await }) {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(error)) if is_of_the_moment(&error) && Instant::now() < until => error,
                Ok(Err(error)) => {
                    let shown = self.block_on("the page", self.client.find(Locator::Css("body")));
                    let shown = shown.and_then(|body| self.block_on("its text", body.text()));
                    let place = self.url()?;
                    return Err(error).with_context(|| {
                        format!("{locator:?} on {place}, which shows:\n{}", shown.unwrap_or_default())
                    });
                }
                Err(_) => bail!("the browser did not answer: {locator:?}"),
            };
            drop(error);
            std::thread::sleep(POLL);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A browser that is asked to close leaves fewer traces than a killed one; the driver's own drop ends what stays.
        let close = self.client.clone().close();
        let _ = self.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(10), close).await });
    }
}

/// An element as a script gets it.
fn reference(element: &Element) -> Value {
    json!({"element-6066-11e4-a52e-4f735466cecf": element.element_id().to_string()})
}

/// A page that is being changed: the same wish works a moment later.
fn is_of_the_moment(error: &CmdError) -> bool {
    let CmdError::Standard(error) = error else { return false };
    // chromedriver has no word of its own for an element whose page went between its finding and its use.
    let page_went =
        ["Node with given id does not belong to the document", "Cannot find context with specified id"];
    page_went.iter().any(|words| error.message.contains(words))
        || matches!(
            error.error,
            ErrorStatus::NoSuchElement
                | ErrorStatus::StaleElementReference
                | ErrorStatus::ElementNotInteractable
                | ErrorStatus::ElementClickIntercepted
        )
}

async fn within<R, E>(what: &str, work: impl Future<Output = Result<R, E>>) -> Result<R>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let done = tokio::time::timeout(PATIENCE, work).await;
    Ok(done.with_context(|| format!("{what}: not within {PATIENCE:?}"))??)
}

/// A picture as PNG with sixteen shades of each colour: as good to look at, and a fraction as large. Pages are flat, so rows are
/// packed as they are.
fn with_fewer_shades(mut picture: RgbImage) -> Result<Vec<u8>> {
    picture.pixels_mut().for_each(|pixel| pixel.0 = pixel.0.map(|part| part & 0xF0 | part >> 4));
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::NoFilter);
    picture.write_with_encoder(encoder)?;
    Ok(bytes)
}

/// How Chromium is started: nothing of the user's, nothing over the network, downloads into the folder.
fn wishes(screen: Screen, folder: &Path) -> Value {
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let scheme = format!("--blink-settings=preferredColorScheme={}", u8::from(screen != Screen::Night));
    let arguments = [
        &scheme,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--hide-scrollbars",
        "--force-color-profile=srgb",
        "--lang=zh-CN",
        &profile,
    ];
    let mut options = json!({
        "args": arguments,
        "prefs": {
            "download.default_directory": folder.join("downloads"),
            "download.prompt_for_download": false,
            "plugins.always_open_pdf_externally": true,
            "intl.accept_languages": "zh-CN",
        },
    });
    if screen == Screen::Phone {
        let metrics = json!({"width": 390, "height": 844, "pixelRatio": 2, "touch": true});
        options["mobileEmulation"] = json!({"deviceMetrics": metrics});
    }
    json!({"browserName": "chrome", "goog:chromeOptions": options})
}

/// A field by its name, or by a label that begins with these words.
fn field_path(field: &str) -> String {
    let field = quoted(field);
    let fields = "self::input or self::select or self::textarea";
    let label = format!("label[starts-with(normalize-space(.), {field})]");
    format!("//*[{fields}][@name={field}] | //*[{fields}][@id = //{label}/@for] | //{label}//*[{fields}]")
}

/// A text as XPath writes it.
fn quoted(text: &str) -> String {
    if text.contains('\'') { format!("\"{text}\"") } else { format!("'{text}'") }
}
