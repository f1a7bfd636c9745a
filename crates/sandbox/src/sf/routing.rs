//! Route labels that look like SF's. The codes of known cities are SF's area codes; all else is made up from the address, so
//! that the same address always gives the same label.

use serde_json::{Value, json};
use sm3::{Digest, Sm3};

pub(crate) struct Route {
    pub(crate) origin: String,
    pub(crate) dest: String,
    pub(crate) label: Value,
}

const CITIES: [(&str, &str); 16] = [
    ("北京", "010"),
    ("上海", "021"),
    ("天津", "022"),
    ("重庆", "023"),
    ("广州", "020"),
    ("沈阳", "024"),
    ("南京", "025"),
    ("武汉", "027"),
    ("成都", "028"),
    ("西安", "029"),
    ("深圳", "755"),
    ("杭州", "571"),
    ("厦门", "592"),
    ("泸州", "830"),
    ("郑州", "371"),
    ("济南", "531"),
];

pub(crate) fn route(data: &Value, waybill: &str) -> Route {
    let (origin, origin_hash) = place(data, 1);
    let (dest, hash) = place(data, 2);
    let letter = |byte: u8| char::from(b'A' + byte % 26);
    let transfer = format!("{dest}W");
    let department = format!("{dest}{}{}", letter(hash[0]), letter(hash[1]));
    let team = format!("{:03}", u16::from(hash[2]) % 100);
    let mapping = format!("{}{:02}", letter(hash[3]), hash[4] % 100);
    let check = hex8(&Sm3::digest(waybill)[..4]);
    let code = format!(
        "MMM={{'k1':'{transfer}','k2':'{department}','k3':'{team}','k4':'T4','k5':'{waybill}','k6':'','k7':'{check}'}}"
    );
    let label = json!({
        "waybillNo": waybill, "sourceTransferCode": format!("{origin}W"), "sourceCityCode": origin,
        "sourceDeptCode": format!("{origin}{}", letter(origin_hash[0])), "sourceTeamCode": "",
        "destCityCode": dest, "destDeptCode": department, "destDeptCodeMapping": transfer,
        "destTeamCode": team, "destTeamCodeMapping": "", "destTransferCode": transfer,
        "destRouteLabel": format!("{transfer}-{department}-{team}"), "proName": "顺丰标快", "cargoTypeCode": "C201",
        "limitTypeCode": "T4", "expressTypeCode": "B1", "codingMapping": mapping, "codingMappingOut": "", "xbFlag": "0",
        "printFlag": "000000000", "twoDimensionCode": code, "proCode": "T4", "printIcon": "00000000", "abFlag": "",
        "checkCode": check, "destPortCode": "", "errMsg": "", "noToDoorPayment": "", "destAddrKeyWord": "",
        "newIcon": null, "waybillIconList": null,
    });
    Route { origin, dest, label }
}

/// A contact's city code, and bytes to make the rest from.
fn place(data: &Value, kind: u64) -> (String, [u8; 32]) {
    let mut contacts = data["contactInfoList"].as_array().into_iter().flatten();
    let contact =
        contacts.find(|contact| contact["contactType"].as_u64() == Some(kind)).unwrap_or(&Value::Null);
    let address: String = ["province", "city", "county", "address"]
        .iter()
        .filter_map(|field| contact[*field].as_str())
        .collect::<Vec<_>>()
        .join("/");
    let hash: [u8; 32] = Sm3::digest(&address).into();
    let known = CITIES.iter().find(|(city, _)| address.contains(city)).map(|(_, code)| (*code).to_owned());
    (known.unwrap_or_else(|| format!("{}", 310 + u16::from(hash[31]) * 2)), hash)
}

fn hex8(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
