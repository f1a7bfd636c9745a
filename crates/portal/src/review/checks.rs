//! What the machine can say of an order. None of it decides: the reviewer does.

use model::{IdentityError, OrderNumber, check_credit_code, check_id_number, check_organisation_code};

use crate::{
    app::AppState,
    db::Connection,
    letters::{self, LetterFacts, SheetCheck},
    orders::{self, Mark, Order, OrderError, Person},
    pictures::{Picture, PictureKind},
    programmes::{IdType, Programme},
    refunds,
};

/// Two orders of a unit within this time are worth a look.
const RECENT_MS: i64 = 30 * 24 * 3_600_000;

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Fine,
    /// Worth a look.
    Look,
    /// Not to be approved as it is.
    Wrong,
}

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Check digits of the id numbers.
    IdNumbers,
    /// The check character of the unit's code.
    UnitCode,
    /// Whether the whole amount was paid.
    Paid,
    /// Whether its money is asked back; no check where it is not.
    Refund,
    /// Whether a certificate can carry what the order says.
    Certificate,
    /// Other orders with the handler's mobile.
    SameMobile,
    /// Other orders with somebody's document.
    SameId,
    /// Orders of the unit within thirty days.
    SameUnit,
    /// Whether every picture that the programme asks for is there.
    Pictures,
    /// Whether the letter, or the sampling sheet, is the one of this order.
    Sheet(PictureKind),
}

/// One check of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub found: Found,
    /// What it came to.
    pub verdict: Verdict,
    /// What is wrong, for people; empty if nothing is.
    pub detail: String,
    /// Other orders that it points to.
    pub orders: Vec<OrderNumber>,
}

impl Check {
    fn new(found: Found, verdict: Verdict, detail: impl Into<String>) -> Self {
        Self { found, verdict, detail: detail.into(), orders: Vec::new() }
    }
}

/// All checks of an order.
///
/// # Errors
/// The database's.
pub(super) async fn checks(
    state: &AppState,
    connection: &mut Connection,
    order: &Order,
    papers: &[Picture],
) -> Result<Vec<Check>, OrderError> {
    let mut checks =
        vec![id_numbers(order), unit_code(order), paid(state, order), certificate(state, order).await?];
    if refunds::is_waiting(&mut *connection, &order.number).await? {
        checks.push(Check::new(Found::Refund, Verdict::Wrong, OrderError::RefundWaits.to_string()));
    }
    for (mark, found, within) in [
        (Mark::Mobile, Found::SameMobile, None),
        (Mark::Id, Found::SameId, None),
        (Mark::Unit, Found::SameUnit, Some(RECENT_MS)),
    ] {
        let since = within.map_or(0, |within| order.created_ms - within);
        let others = orders::sharing(connection, &state.sealer, order, mark, since).await?;
        let verdict = if others.is_empty() { Verdict::Fine } else { Verdict::Look };
        checks.push(Check { orders: others, ..Check::new(found, verdict, "") });
    }
    if let Some(programme) = state.programmes.get(&order.content.programme) {
        checks.extend(missing(programme, papers));
        checks.extend(sheets(state, order, programme, papers));
    }
    Ok(checks)
}

/// Pictures that the programme asks for; none where it asks for none. A scan of the paper form may stand for them: a person looks.
fn missing(programme: &Programme, papers: &[Picture]) -> Option<Check> {
    let is_there = |kind: PictureKind| papers.iter().any(|paper| paper.kind == kind);
    let missing: Vec<PictureKind> =
        programme.pictures.iter().copied().filter(|kind| !is_there(*kind)).collect();
    let verdict = match missing.is_empty() {
        true => Verdict::Fine,
        false if is_there(PictureKind::Paper) => Verdict::Look,
        false => Verdict::Wrong,
    };
    let zh = missing.iter().map(|kind| kind.zh()).collect::<Vec<_>>().join("、");
    let en = missing.iter().map(|kind| kind.en()).collect::<Vec<_>>().join(", ");
    let detail = if missing.is_empty() { String::new() } else { format!("缺少 {zh} (missing: {en})") };
    (!programme.pictures.is_empty()).then(|| Check::new(Found::Pictures, verdict, detail))
}

/// The codes on the letter and the sampling sheet, where they came.
fn sheets(state: &AppState, order: &Order, programme: &Programme, papers: &[Picture]) -> Vec<Check> {
    let facts = LetterFacts::of(order.number.as_str(), &order.content, programme);
    let check = |paper: &Picture| {
        let checked = letters::check(state, &facts, paper)?;
        let verdict = match checked {
            SheetCheck::Matches => Verdict::Fine,
            SheetCheck::Outdated | SheetCheck::Unreadable => Verdict::Look,
            SheetCheck::Other => Verdict::Wrong,
        };
        let told = format!("{} ({})", checked.zh(), checked.en());
        Some(Check::new(Found::Sheet(paper.kind), verdict, told))
    };
    papers.iter().filter_map(check).collect()
}

/// A wrong code is a warning alone: some old ones do not fit.
fn verdict(found: Found, checked: Result<(), IdentityError>, wrong: Verdict) -> Check {
    match checked {
        Ok(()) => Check::new(found, Verdict::Fine, ""),
        Err(error) => Check::new(found, wrong, error.to_string()),
    }
}

fn id_numbers(order: &Order) -> Check {
    let content = &order.content;
    let handler = (content.handler.id_type, content.handler.id_number.as_str());
    let persons = content.legal_representative.iter().chain(&content.holder);
    let persons = persons.map(|person: &Person| (person.id_type, person.id_number.as_str()));
    let mut cards = std::iter::once(handler).chain(persons).filter(|(kind, _)| *kind == IdType::IdCard);
    let checked = cards.try_for_each(|(_, number)| check_id_number(number).map(drop));
    verdict(Found::IdNumbers, checked, Verdict::Wrong)
}

fn unit_code(order: &Order) -> Check {
    let code = &order.content.unit.credit_code;
    let checked = if code.len() == 9 { check_organisation_code(code) } else { check_credit_code(code) };
    verdict(Found::UnitCode, checked.map(drop), Verdict::Look)
}

fn paid(state: &AppState, order: &Order) -> Check {
    let programme = state.programmes.get(&order.content.programme);
    if programme.is_some_and(|programme| programme.payment_methods.is_empty()) {
        return Check::new(
            Found::Paid,
            Verdict::Fine,
            "本项目没有支付步骤 (this programme has no payment step)",
        );
    }
    match &order.content.payment {
        Some(payment) if payment.paid_fen == order.amount => {
            Check::new(Found::Paid, Verdict::Fine, format!("¥ {}", payment.paid_fen))
        }
        Some(payment) => {
            let (paid, due) = (payment.paid_fen, order.amount);
            let told = format!("已付 {paid} 元，应付 {due} 元 (paid {paid}, due {due} yuan)");
            Check::new(Found::Paid, Verdict::Wrong, told)
        }
        None => Check::new(Found::Paid, Verdict::Wrong, "没有支付记录 (there is no payment on record)"),
    }
}

async fn certificate(state: &AppState, order: &Order) -> Result<Check, OrderError> {
    match orders::certifiable(state, order).await {
        Ok(()) => Ok(Check::new(Found::Certificate, Verdict::Fine, "")),
        Err(OrderError::Uncertifiable(why)) => Ok(Check::new(Found::Certificate, Verdict::Wrong, why)),
        Err(error) => Err(error),
    }
}
