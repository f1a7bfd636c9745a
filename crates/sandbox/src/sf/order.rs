//! Create and look-up, with the refusals of SF's business layer.

use serde_json::{Value, json};

use super::{Double, Fault, Order, Repeat, gateway::No, routing};

pub(crate) fn create(double: &Double, data: Value, fault: &Fault) -> Result<Value, No> {
    validate(&data)?;
    let id = text(&data, "orderId").to_owned();
    let mut orders = double.orders();
    if orders.find(&id).is_some() && double.options.repeat == Repeat::Refuse {
        return Err(No::new("8016", "重复下单"));
    }
    if *fault == Fault::Undeliverable {
        return Ok(
            json!({"orderId": id, "filterResult": 3, "remark": "收方超范围", "waybillNoInfoList": []}),
        );
    }
    let order = orders.create(&id, data).map_err(|error| {
        tracing::error!(%error, "the state file cannot be written");
        No::new("A1099", "系统异常")
    })?;
    Ok(reply(&order, fault, ["originCode", "destCode"], |n| json!(n)))
}

pub(crate) fn search(double: &Double, data: &Value, fault: &Fault) -> Result<Value, No> {
    let id = text(data, "orderId");
    if id.is_empty() {
        return Err(No::new("6118", "订单号不能为空"));
    }
    let orders = double.orders();
    let order = orders.find(id).ok_or_else(|| No::new("8018", "未获取到订单信息"))?;
    // The look-up spells the codes in small letters and gives numbers as strings.
    Ok(reply(order, fault, ["origincode", "destcode"], |n| json!(n.to_string())))
}

fn reply(order: &Order, fault: &Fault, [origin, dest]: [&str; 2], number: fn(u8) -> Value) -> Value {
    let route = routing::route(&order.msg_data, &order.waybill);
    let filter = if *fault == Fault::ManualCheck { 1 } else { 2 };
    let waybills = match fault {
        Fault::NoWaybill => json!([]),
        _ => json!([{"waybillType": number(1), "waybillNo": order.waybill}]),
    };
    let wants_label = order.msg_data["isReturnRoutelabel"] == json!(1);
    let labels = match fault {
        Fault::NoRouteLabel | Fault::NoWaybill => Value::Null,
        _ if !wants_label => Value::Null,
        _ => {
            json!([{"code": "1000", "message": format!("{}:", order.waybill), "routeLabelData": route.label}])
        }
    };
    let id = if *fault == Fault::WrongOrder { "ANOTHER" } else { order.order_id.as_str() };
    json!({
        "orderId": id, origin: route.origin, dest: route.dest, "filterResult": number(filter), "remark": null,
        "waybillNoInfoList": waybills, "routeLabelInfo": labels, "returnExtraInfoList": null,
    })
}

/// The field as text; empty where it is absent or something else.
fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

fn validate(data: &Value) -> Result<(), No> {
    let within = |text: &str, max: usize| !text.trim().is_empty() && text.chars().count() <= max;
    if !within(text(data, "orderId"), 64) {
        return Err(No::new("6118", "客户订单号不能为空"));
    }
    if text(data, "language").is_empty() {
        return Err(No::new("A1001", "language 不能为空"));
    }
    let cargo = data["cargoDetails"].as_array().filter(|list| !list.is_empty());
    if !cargo.is_some_and(|list| list.iter().all(|cargo| within(text(cargo, "name"), 128))) {
        return Err(No::new("1023", "托寄物内容不能为空"));
    }
    if data["expressTypeId"].as_u64().is_none_or(|id| id == 0) {
        return Err(No::new("8057", "快件产品类别不合法"));
    }
    let card = text(data, "monthlyCard");
    let is_card = card.len() == 10 && card.bytes().all(|b| b.is_ascii_digit());
    if !card.is_empty() && !is_card {
        return Err(No::new("6126", "月结卡号必须为10位数字"));
    }
    contact(data, 1, ["1010", "1011", "1012"])?;
    contact(data, 2, ["1014", "1015", "1016"])
}

fn contact(data: &Value, kind: u64, [no_address, no_name, no_phone]: [&str; 3]) -> Result<(), No> {
    let mut contacts = data["contactInfoList"].as_array().into_iter().flatten();
    let found =
        contacts.find(|contact| contact["contactType"].as_u64() == Some(kind)).unwrap_or(&Value::Null);
    let within = |field: &str, max: usize| {
        let text = text(found, field);
        !text.trim().is_empty() && text.chars().count() <= max
    };
    if !within("contact", 100) && !within("company", 100) {
        return Err(No::new(no_name, "联系人不能为空"));
    }
    if !within("mobile", 20) && !within("tel", 20) {
        return Err(No::new(no_phone, "电话不能为空"));
    }
    if !within("address", 200) {
        return Err(No::new(no_address, "地址不能为空"));
    }
    if !within("province", 30) || !within("city", 100) {
        return Err(No::new("20004", "地址不够详细"));
    }
    let digits = |field: &str| text(found, field).bytes().filter(u8::is_ascii_digit).count();
    if digits("mobile").max(digits("tel")) < 7 {
        return Err(No::new("8196", "电话信息异常"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_data_panics_the_checks(id in "\\PC{0,8}", number in any::<i64>(), words in "\\PC{0,40}") {
            let contact = json!({"contactType": number, "contact": words, "mobile": id, "address": words, "province": words});
            for data in [json!(words), json!([contact]), json!({"orderId": id, "language": words, "cargoDetails": [{"name": words}],
                "expressTypeId": number, "contactInfoList": [contact, contact]})] {
                let _ = validate(&data);
                let _ = routing::route(&data, "SF7444000000001");
            }
        }
    }
}
