//! What an order form offers from lists of the state: regions (GB/T 2260) and industries (GB/T 4754).

use std::sync::LazyLock;

static REGIONS: LazyLock<Vec<Province>> = LazyLock::new(|| read(include_str!("../../assets/regions.txt")));

/// A province and its cities; none where there is no list (台湾, 香港, 澳门).
#[derive(Debug)]
pub struct Province {
    /// The full name.
    pub name: &'static str,
    /// Its cities.
    pub cities: Vec<City>,
}

/// A city and its counties; none where it has none (东莞, 仙桃).
#[derive(Debug)]
pub struct City {
    /// The full name.
    pub name: &'static str,
    /// Its counties.
    pub counties: Vec<&'static str>,
}

/// All provinces.
#[must_use]
pub fn provinces() -> &'static [Province] {
    &REGIONS
}

/// The province with this name.
#[must_use]
pub fn province(name: &str) -> Option<&'static Province> {
    REGIONS.iter().find(|province| province.name == name)
}

impl Province {
    /// The city with this name.
    #[must_use]
    pub fn city(&self, name: &str) -> Option<&City> {
        self.cities.iter().find(|city| city.name == name)
    }
}

/// The industries there are to choose from.
pub fn industries() -> impl Iterator<Item = &'static str> {
    lines(include_str!("../../assets/industries.txt"))
}

/// Says which of the three does not belong to the others, and what to do. An empty county always passes, because
/// not every place has one; where there is no list, any text does.
///
/// # Errors
/// The field and the message.
pub(super) fn check(
    province_name: &str,
    city_name: &str,
    county: &str,
) -> Result<(), (&'static str, String)> {
    let Some(province) = province(province_name) else {
        let message = "不在省级行政区名单中，请写全称，如广东省 (it is no province: write the full name)";
        return Err(("province", message.to_owned()));
    };
    if province.cities.is_empty() {
        return Ok(());
    }
    let Some(city) = province.city(city_name) else {
        let name = province.name;
        return Err((
            "city",
            format!("{name}没有这个市，请重新选择 ({name} has no such city: choose again)"),
        ));
    };
    if county.is_empty() || city.counties.is_empty() || city.counties.contains(&county) {
        return Ok(());
    }
    let name = city.name;
    Err((
        "county",
        format!(
            "{name}没有这个区县，请重新选择，或留空并写在详细地址中 ({name} has no such county: choose again, or leave it empty and write it in the address)"
        ),
    ))
}

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn read(text: &'static str) -> Vec<Province> {
    let mut provinces: Vec<Province> = Vec::new();
    for line in lines(text) {
        match (line.trim_start().split_once(':'), provinces.last_mut()) {
            (Some((name, counties)), Some(province)) => {
                province.cities.push(City { name, counties: counties.split_whitespace().collect() });
            }
            _ => provinces.push(Province { name: line, cities: Vec::new() }),
        }
    }
    provinces
}

#[cfg(test)]
mod tests {
    use super::{check, industries, provinces};

    #[test]
    fn the_lists_are_whole() {
        assert_eq!(provinces().len(), 34);
        let cities: Vec<_> = provinces().iter().flat_map(|province| &province.cities).collect();
        assert_eq!(cities.len(), 370);
        assert_eq!(cities.iter().map(|city| city.counties.len()).sum::<usize>(), 2817);
        assert_eq!(industries().count(), 20);
    }

    #[test]
    fn province_city_and_county_belong_together() {
        for (place, wrong) in [
            (["福建省", "厦门市", "集美区"], None),
            (["福建省", "厦门市", ""], None),
            (["广东省", "东莞市", ""], None),
            (["广东省", "中山市", ""], None),
            (["海南省", "儋州市", ""], None),
            (["甘肃省", "嘉峪关市", ""], None),
            (["湖北省", "仙桃市", ""], None),
            (["北京市", "北京市", "东城区"], None),
            (["台湾省", "台北市", "信义区"], None),
            (["福建", "厦门市", ""], Some("province")),
            (["广东省", "厦门市", "集美区"], Some("city")),
            (["福建省", "厦门市", "东城区"], Some("county")),
            (["广东省", "东莞市", "东城区"], None),
        ] {
            let [province, city, county] = place;
            let told = check(province, city, county).err().map(|(field, _)| field);
            assert_eq!(told, wrong, "{place:?}");
        }
    }
}
