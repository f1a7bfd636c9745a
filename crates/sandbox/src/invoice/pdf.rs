//! A small valid PDF that stands for an invoice. ASCII alone: it carries no font.

use super::Made;

pub(super) fn of(made: &Made) -> Vec<u8> {
    let lines = [
        "SANDBOX INVOICE - NO TAX DOCUMENT".to_owned(),
        format!("number {}", made.number),
        format!("order  {}", made.order_no),
        format!("total  {} CNY, tax {}", made.amount, made.tax),
    ];
    let mut text = "BT /F1 14 Tf 40 340 Td 20 TL\n".to_owned();
    for line in lines {
        let plain: String = line.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').collect();
        text.push_str(&format!("({}) Tj T*\n", plain.replace(['(', ')', '\\'], "")));
    }
    text.push_str("ET");
    let objects = [
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        "<</Type/Pages/Kids[3 0 R]/Count 1>>".to_owned(),
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 397]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>"
            .to_owned(),
        format!("<</Length {}>>\nstream\n{text}\nendstream", text.len()),
        "<</Type/Font/Subtype/Type1/BaseFont/Courier>>".to_owned(),
    ];
    let mut pdf = "%PDF-1.4\n".to_owned();
    let mut places = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        places.push(pdf.len());
        pdf.push_str(&format!("{} 0 obj\n{object}\nendobj\n", index + 1));
    }
    let table = pdf.len();
    pdf.push_str(&format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1));
    for place in places {
        pdf.push_str(&format!("{place:010} 00000 n \n"));
    }
    pdf.push_str(&format!(
        "trailer\n<</Size {}/Root 1 0 R>>\nstartxref\n{table}\n%%EOF\n",
        objects.len() + 1
    ));
    pdf.into_bytes()
}
