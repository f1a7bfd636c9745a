//! How operators see a picture: on record, with a reason, under a mark.

use super::{Picture, PictureError, decode, get, mark, store::in_turn};
use crate::{
    app::AppState,
    audit::{self, What},
    clock::china_text,
    db::begin_write,
    orders::Actor,
    views::Reason,
};

/// An operator looks at a picture: the audit's row is written first, then the picture is given, marked with who, when and what for.
///
/// # Errors
/// [`PictureError::Unknown`]; ours.
pub async fn view(
    state: &AppState,
    id: &str,
    operator: &str,
    reason: Reason,
) -> Result<(Picture, Vec<u8>), PictureError> {
    let (picture, _) = get(state, id).await?.ok_or(PictureError::Unknown)?;
    let now_ms = state.clock.now_ms();
    let mut tx = begin_write(&state.db).await?;
    let detail = format!("picture={id} kind={} reason={}", picture.kind.code(), reason.code());
    let actor = Actor::Operator(operator.to_owned());
    audit::record(&mut tx, now_ms, &actor, What::PictureViewed, &picture.owner, &detail).await?;
    tx.commit().await?;
    let text = format!("仅用于证书审核 {} {operator} {}", picture.owner, china_text(now_ms));
    watermarked(state, id, &text).await
}

/// A picture under a mark that repeats `text`.
///
/// # Errors
/// [`PictureError::Unknown`]; [`PictureError::Papers`] where the font lacks a character of the text.
pub async fn watermarked(state: &AppState, id: &str, text: &str) -> Result<(Picture, Vec<u8>), PictureError> {
    let (picture, jpeg) = get(state, id).await?.ok_or(PictureError::Unknown)?;
    let maker = state.papers.letter_maker(&state.config).await?;
    let text = text.to_owned();
    let marked = in_turn(state, move || {
        let mut pixels = decode::open(jpeg.expose())?;
        let mask =
            maker.mask(&text, mark::letter_height(&pixels)).map_err(crate::papers::PapersError::from)?;
        mark::draw(&mut pixels, &mask);
        decode::encode(&pixels)
    })
    .await?;
    Ok((picture, marked))
}
