//! Invented orders of the three first programmes: valid check digits, region 000000, no real person or unit.

use model::{check_credit_code, check_id_number};
use serde_json::{Value, json};

/// Programme, product and quantity of each of the 24 orders; 40 keys.
const SHELF: [(&str, &str, u16); 24] = [
    (XIAMEN, UNIT, 1),
    (YUNCAIDUN, UNIT, 1),
    (LUZHOU, UNIT, 1),
    (XIAMEN, UNIT, 2),
    (YUNCAIDUN, UNIT, 1),
    (LUZHOU, PERSONAL, 2),
    (XIAMEN, UNIT, 3),
    (YUNCAIDUN, UNIT, 1),
    (XIAMEN, UNIT, 1),
    (LUZHOU, UNIT, 5),
    (XIAMEN, UNIT, 2),
    (YUNCAIDUN, UNIT, 1),
    (XIAMEN, UNIT, 5),
    (YUNCAIDUN, UNIT, 1),
    (LUZHOU, PERSONAL, 1),
    (XIAMEN, UNIT, 1),
    (YUNCAIDUN, UNIT, 1),
    (XIAMEN, UNIT, 1),
    (LUZHOU, UNIT, 2),
    (YUNCAIDUN, UNIT, 1),
    (XIAMEN, UNIT, 2),
    (LUZHOU, PERSONAL, 1),
    (YUNCAIDUN, UNIT, 1),
    (XIAMEN, UNIT, 2),
];
const XIAMEN: &str = "xiamen-jinlong";
const YUNCAIDUN: &str = "yuncaidun";
const LUZHOU: &str = "luzhou-laojiao";
const UNIT: &str = "unit-first";
const PERSONAL: &str = "personal-first";

/// The demo's orders: 24, with 40 keys.
#[must_use]
pub fn demo() -> Vec<Value> {
    (0..SHELF.len()).map(|index| order(index, SHELF[index].0, SHELF[index].1, SHELF[index].2)).collect()
}

/// `count` orders of one key each, of the programme without payment.
#[must_use]
pub fn singles(count: usize) -> Vec<Value> {
    (0..count).map(|index| order(index, YUNCAIDUN, UNIT, 1)).collect()
}

/// One order of one key, of the programme without payment.
#[must_use]
pub fn single(index: usize) -> Value {
    order(index, YUNCAIDUN, UNIT, 1)
}

/// One order.
#[must_use]
pub fn order(index: usize, programme: &str, product: &str, quantity: u16) -> Value {
    let town = ["青石", "白鹭", "松原", "明湖", "金谷", "北屿"][index % 6];
    let trade = ["机电设备", "勘测设计", "包装材料", "物流服务"][index % 4];
    let person = ["测试甲", "测试乙", "测试丙", "古丽·测试"][index % 4];
    let unit = format!("{town}测试{trade}有限公司{:02}号", index + 1);
    let years = if programme == LUZHOU { 1 + index % 3 } else { 1 };
    let mut order = json!({
        "number": format!("SAAS120261101090000{:06}", index + 1),
        "programme": programme,
        "product": product,
        "years": years,
        "quantity": quantity,
        "handler": {
            "name": person,
            "id_type": "id_card",
            "id_number": id_number(index),
            "mobile": mobile(index),
            "mail": format!("handler{index}@example.com"),
        },
        "unit": {
            "name": unit,
            "credit_code": credit_code(index),
            "kind": "enterprise",
            "industry": "制造业",
        },
        "receiver": {
            "name": person,
            "mobile": mobile(index),
            "province": "广东省",
            "city": "东莞市",
            "county": "",
            "address": format!("测试大道 {} 号示例大厦 {} 层", index + 1, index % 20 + 1),
        },
    });
    if programme == LUZHOU {
        order["legal_representative"] =
            json!({"name": "测试法人", "id_type": "id_card", "id_number": id_number(index + 500)});
    }
    if product == PERSONAL {
        order["holder"] = json!({"name": person, "id_type": "id_card", "id_number": id_number(index)});
    }
    if programme != YUNCAIDUN {
        let fen = if programme == LUZHOU { 40_000 } else { 30_000 } * years * usize::from(quantity);
        order["payment"] =
            json!({"method": "alipay", "paid_fen": fen, "reference": format!("TEST{:012}", index + 1)});
    }
    order
}

/// A mobile of nobody.
#[must_use]
pub fn mobile(index: usize) -> String {
    format!("1380000{index:04}")
}

/// A valid id number of nobody: region 000000.
#[must_use]
pub fn id_number(index: usize) -> String {
    let stem = format!("000000{}0101{:03}", 1960 + index % 40, index % 1000);
    (0..=10)
        .map(|check| format!("{stem}{}", ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "X"][check]))
        .find(|number| check_id_number(number).is_ok())
        .unwrap_or(stem)
}

/// A valid credit code of nobody: region 000000.
fn credit_code(index: usize) -> String {
    let stem = format!("91000000MA{index:07}");
    "0123456789ABCDEFGHJKLMNPQRTUWXY"
        .chars()
        .map(|check| format!("{stem}{check}"))
        .find(|code| check_credit_code(code).is_ok())
        .unwrap_or(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_has_24_orders_and_40_keys() {
        let orders = demo();
        assert_eq!(orders.len(), 24);
        let keys: u64 = orders.iter().map(|order| order["quantity"].as_u64().unwrap_or(0)).sum();
        assert_eq!(keys, 40);
        assert!(
            (1..=5).all(|quantity| orders.iter().any(|order| order["quantity"] == quantity || quantity == 4))
        );
    }
}
