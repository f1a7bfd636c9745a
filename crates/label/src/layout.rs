//! Where everything stands. The order from top to bottom is that of SF's own 100 × 150 label.

use crate::{
    LabelData, LabelError, Party,
    code::{bar_code, qr_code},
    drawing::{Area, Drawing, HEIGHT, Style, WIDTH},
    font::Typeface,
    sheet::Sheet,
    text::{LEADING, ellipsis, fit, fit_line, listing},
};

/// White round the frame: heads do not reach the edge and labels shift.
const MARGIN: u32 = 16;
const LEFT: u32 = MARGIN;
const RIGHT: u32 = WIDTH - MARGIN;
const INNER: u32 = RIGHT - LEFT;
/// White between a rule and the text beside it.
const PAD: u32 = 12;
/// Thickness of a rule: 0.25 mm.
const RULE: u32 = 2;

// The upper edges of the rows, top to bottom.
const HEADER: u32 = MARGIN;
const BARS: u32 = 84;
const ROUTE: u32 = 248;
const RECEIVER: u32 = 352;
const PAY: u32 = 578;
const SENDER: u32 = 842;
const MERCHANT: u32 = 962;
const BOTTOM: u32 = HEIGHT - MARGIN;

/// The rule between the payment and the inbound code.
const CODING: u32 = PAY + 112;

// The columns of the row with the payment and the QR code.
const QR_LEFT: u32 = 268;
const QR_RIGHT: u32 = 532;
/// The width of the box with 收 or 寄.
const ICON: u32 = 64;

/// Lays a checked label out.
pub(crate) fn lay_out(data: &LabelData, font: &Typeface<'_>) -> Result<Drawing, LabelError> {
    let mut sheet = Sheet::new(font, WIDTH, HEIGHT);
    sheet.rules();
    sheet.header(data)?;
    sheet.waybill(data)?;
    sheet.route(data)?;
    sheet.party(&data.receiver, Row::RECEIVER)?;
    sheet.payment(data)?;
    sheet.party(&data.sender, Row::SENDER)?;
    sheet.merchant(data)?;
    Ok(sheet.drawing)
}

/// What differs between the receiver's row and the sender's.
struct Row {
    icon: &'static str,
    top: u32,
    bottom: u32,
    /// Largest and smallest size of the line with name and phone.
    name: (u32, u32),
    /// Largest and smallest size of company and address.
    body: (u32, u32),
    style: Style,
    fields: [&'static str; 4],
}

impl Row {
    const RECEIVER: Self = Self {
        icon: "收",
        top: RECEIVER,
        bottom: PAY,
        name: (44, 26),
        body: (34, 20),
        style: Style::Bold,
        fields: ["receiver.name", "receiver.phone", "receiver.company", "receiver.address"],
    };
    const SENDER: Self = Self {
        icon: "寄",
        top: SENDER,
        bottom: MERCHANT,
        name: (26, 18),
        body: (24, 17),
        style: Style::Plain,
        fields: ["sender.name", "sender.phone", "sender.company", "sender.address"],
    };
}

impl Sheet<'_> {
    fn rules(&mut self) {
        for y in [HEADER, BARS, ROUTE, RECEIVER, PAY, SENDER, MERCHANT, BOTTOM - RULE] {
            self.rule(LEFT, y, INNER, RULE);
        }
        for x in [LEFT, RIGHT - RULE] {
            self.rule(x, HEADER, RULE, BOTTOM - HEADER);
        }
        for x in [QR_LEFT, QR_RIGHT] {
            self.rule(x, PAY, RULE, SENDER - PAY);
        }
        self.rule(LEFT, CODING, QR_LEFT - LEFT, RULE);
        self.rule(QR_RIGHT, PAY + 168, RIGHT - QR_RIGHT, RULE);
    }

    fn header(&mut self, data: &LabelData) -> Result<(), LabelError> {
        let x = (LEFT + PAD) as f32;
        let printed = format!("打印时间 {}", self.field("printed_at", &data.printed_at)?);
        let count = format!("第 {} 次打印", data.print_count);
        if fit_line(self.font, &printed, 420, 22, 22).is_none() {
            return Err(LabelError::TooLong { field: "printed_at" });
        }
        self.line(x, 24.0, 22, &printed, Style::Plain);
        self.line(x, 52.0, 22, &count, Style::Plain);
        let product = Area::new(LEFT + 440, HEADER, INNER - 440 - PAD, BARS - HEADER);
        let text = self.field("product", &data.product)?;
        let size = fit_line(self.font, &text, product.width, 46, 18)
            .ok_or(LabelError::TooLong { field: "product" })?;
        let width = self.font.width(&text) * size as f32;
        let x = (product.x + product.width) as f32 - width;
        let y = product.y as f32 + (product.height as f32 - LEADING * size as f32) / 2.0;
        self.line(x, y, size, &text, Style::Bold);
        Ok(())
    }

    fn waybill(&mut self, data: &LabelData) -> Result<(), LabelError> {
        let bars = bar_code(&data.waybill, Area::new(LEFT, BARS + 14, INNER, 100))?;
        self.drawing.boxes.extend(bars);
        let number = Area::new(LEFT, BARS + 116, INNER, 46);
        self.cell("waybill", &grouped(&data.waybill), number, (36, 24))
    }

    fn route(&mut self, data: &LabelData) -> Result<(), LabelError> {
        let area = Area::new(LEFT + PAD, ROUTE, INNER - 2 * PAD, RECEIVER - ROUTE);
        self.cell("dest_route_label", &data.dest_route_label, area, (84, 40))
    }

    fn party(&mut self, party: &Party, row: Row) -> Result<(), LabelError> {
        let Row { top, bottom, style, fields, .. } = row;
        let icon = Area::new(LEFT, top, ICON, bottom - top);
        let mark = Area::new(LEFT + 8, top + (icon.height - 48) / 2, 48, 48);
        self.drawing.boxes.push(mark);
        self.centred(mark, 38, row.icon, Style::White);
        let (x, width) = (LEFT + ICON + PAD, INNER - ICON - 2 * PAD);
        let name =
            format!("{}  {}", self.field(fields[0], &party.name)?, self.field(fields[1], &party.phone)?);
        let (max, min) = row.name;
        let size =
            fit_line(self.font, &name, width, max, min).ok_or(LabelError::TooLong { field: fields[0] })?;
        self.line(x as f32, (top + 8) as f32, size, &name, style);
        let company = self.field(fields[2], party.company.as_deref().unwrap_or_default())?;
        let address = self.field(fields[3], &party.address)?;
        let body_top = top + 8 + (size as f32 * LEADING).ceil() as u32 + 4;
        let room = (width, bottom - body_top - 6);
        let (size, lines) = fit(self.font, &[&company, &address], room, row.body)
            .ok_or(LabelError::TooLong { field: fields[3] })?;
        for (line, at) in lines.iter().zip(0u16..) {
            let y = body_top as f32 + f32::from(at) * LEADING * size as f32;
            self.line(x as f32, y, size, line, Style::Plain);
        }
        Ok(())
    }

    fn payment(&mut self, data: &LabelData) -> Result<(), LabelError> {
        let column = QR_LEFT - LEFT;
        let label = |text: &str, x: u32, y: u32, sheet: &mut Self| {
            sheet.line((x + 10) as f32, (y + 6) as f32, 20, text, Style::Plain);
        };
        label("付款方式", LEFT, PAY, self);
        let cell = Area::new(LEFT + PAD, PAY + 30, column - 2 * PAD, CODING - PAY - 34);
        self.cell("payment", data.payment.zh(), cell, (62, 40))?;
        let cell = Area::new(LEFT + PAD, CODING, column - 2 * PAD, SENDER - CODING);
        self.cell("coding_mapping", &data.coding_mapping, cell, (104, 40))?;
        let qr = Area::new(QR_LEFT + RULE, PAY + RULE, QR_RIGHT - QR_LEFT - RULE, SENDER - PAY - RULE);
        self.drawing.boxes.extend(qr_code(&data.two_dimension_code, qr)?);
        label("签收人", QR_RIGHT, PAY, self);
        label("签收日期", QR_RIGHT, PAY + 168, self);
        Ok(())
    }

    fn merchant(&mut self, data: &LabelData) -> Result<(), LabelError> {
        let (x, width) = ((LEFT + PAD) as f32, INNER - 2 * PAD);
        let quantity = format!("数量 {}", data.quantity);
        let goods = format!("托寄物 {}", self.field("goods", &data.goods)?);
        let room = width as f32 / 26.0 - self.font.width(&quantity) - 1.0;
        let goods = ellipsis(self.font, &goods, room);
        let mut y = (MERCHANT + 10) as f32;
        self.line(x, y, 26, &goods, Style::Plain);
        let right = x + width as f32 - self.font.width(&quantity) * 26.0;
        self.line(right, y, 26, &quantity, Style::Bold);
        y += 34.0;
        let order = format!("订单号 {}", data.order_number);
        let size = fit_line(self.font, &order, width, 26, 16)
            .ok_or(LabelError::TooLong { field: "order_number" })?;
        self.line(x, y, size, &order, Style::Plain);
        y += 34.0;
        if data.key_serials.is_empty() {
            return Ok(());
        }
        self.line(x, y, 22, &format!("钥匙序列号（{} 把）", data.key_serials.len()), Style::Plain);
        y += 28.0;
        let size = 20;
        let lines = ((BOTTOM as f32 - y - 8.0) / (LEADING * size as f32)) as usize;
        for row in listing(self.font, &data.key_serials, width as f32 / size as f32, lines) {
            self.line(x, y, size, &row, Style::Plain);
            y += LEADING * size as f32;
        }
        Ok(())
    }
}

/// `SF 744 440 767 0710`, as people read it aloud; twelve digits in groups of three.
fn grouped(waybill: &str) -> String {
    let digits = waybill.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let (prefix, mut rest) = waybill.split_at(waybill.len() - digits.len());
    let mut groups: Vec<&str> = if prefix.is_empty() { Vec::new() } else { vec![prefix] };
    while rest.len() > 4 {
        let (group, after) = rest.split_at(3);
        groups.push(group);
        rest = after;
    }
    groups.push(rest);
    groups.join(" ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn a_waybill_is_grouped_as_it_is_read_aloud() {
        assert_eq!(grouped("SF7444407670710"), "SF 744 440 767 0710");
        assert_eq!(grouped("444003077898"), "444 003 077 898");
    }
}
