//! Province, city, county: what each select offers depends on the one before it.

use super::view::{Choice, Form, Input, InputKind};
use crate::orders::{province, provinces};

/// The three inputs. Where there is no list of cities or counties, the input is a line of text.
pub(super) fn inputs(form: &Form<'_>) -> Vec<Input> {
    let lang = form.lang;
    let (given, city_given, county_given) = (
        form.fields.get("receiver.province"),
        form.fields.get("receiver.city"),
        form.fields.get("receiver.county"),
    );
    let found = province(given);
    let names: Vec<&str> = provinces().iter().map(|province| province.name).collect();
    let province_input =
        input(form, "receiver.province", lang.t("省级", "Province"), select(form, &names, given));
    let free = InputKind::Text("text", "off", 32);
    let city_kind = match found {
        Some(province) if province.cities.is_empty() => free,
        Some(province) => {
            let names: Vec<&str> = province.cities.iter().map(|city| city.name).collect();
            select(form, &names, city_given)
        }
        None => select(form, &[], city_given),
    };
    let city = found.and_then(|province| province.city(city_given));
    let counties = city.map(|city| city.counties.as_slice()).unwrap_or_default();
    let no_list =
        found.is_some_and(|province| province.cities.is_empty()) || city.is_some() && counties.is_empty();
    let county_kind =
        if no_list { InputKind::Text("text", "off", 32) } else { select(form, counties, county_given) };
    let mut county = input(form, "receiver.county", lang.t("区县", "County"), county_kind);
    county.required = false;
    county.hint = lang.t("没有区县的可不填", "Leave it empty where there is none");
    vec![province_input, input(form, "receiver.city", lang.t("城市", "City"), city_kind), county]
}

fn input(form: &Form<'_>, name: &'static str, label: &'static str, kind: InputKind) -> Input {
    let (value, error) = (form.fields.get(name).to_owned(), form.mistakes.of(name));
    Input { name, label, hint: "", value, error, required: true, kind }
}

fn select(form: &Form<'_>, names: &[&str], given: &str) -> InputKind {
    let please = Choice {
        value: String::new(),
        text: form.lang.t("请选择", "Please choose").to_owned(),
        chosen: false,
    };
    let choice =
        |name: &&str| Choice { value: (*name).to_owned(), text: (*name).to_owned(), chosen: *name == given };
    let mut choices: Vec<Choice> = std::iter::once(please).chain(names.iter().map(choice)).collect();
    // What was typed before stays, even if it belongs to another province: the mistake is told, not hidden.
    if !given.is_empty() && !names.contains(&given) {
        choices.push(Choice { value: given.to_owned(), text: given.to_owned(), chosen: true });
    }
    InputKind::Select(choices)
}
