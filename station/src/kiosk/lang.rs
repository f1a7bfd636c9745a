//! Chinese, or English for those who ask (`?lang=en`).

use serde::Deserialize;

/// The language of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Lang {
    /// Chinese.
    #[default]
    Zh,
    /// English.
    En,
}

impl Lang {
    /// The text in this language.
    pub(super) fn t<'a>(self, zh: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }

    /// For the page's `lang` attribute.
    pub(super) fn tag(self) -> &'static str {
        self.t("zh-CN", "en")
    }

    /// For links.
    pub(super) fn code(self) -> &'static str {
        self.t("zh", "en")
    }
}

/// What every page may be asked with.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    /// The language.
    #[serde(default)]
    pub(super) lang: Lang,
}
