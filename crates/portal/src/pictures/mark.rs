//! The mark over a picture that somebody looks at: who, when, what for. A photo of the screen carries it too.

use image::{Rgb, RgbImage};
use label::Mask;

/// Of the picture's longer side: the height of the mark's letters.
const LETTER_PART: u32 = 45;
/// How much of the mark's colour covers what is below: enough to be read, not enough to hide a number.
const STRENGTH: f32 = 0.28;
/// One line of marks leans by this much to the next: width for height, in 256ths.
const LEAN: i64 = 96;
/// White between two lines of marks, in heights of the mark.
const LINES_APART: i64 = 5;

/// The height of the letters for a picture of this size.
pub(super) fn letter_height(pixels: &RgbImage) -> u32 {
    (pixels.width().max(pixels.height()) / LETTER_PART).max(14)
}

/// Draws `mask` over the whole picture, line by line, each line leaning downwards.
pub(super) fn draw(pixels: &mut RgbImage, mask: &Mask) {
    let (width, height) = (i64::from(pixels.width()), i64::from(pixels.height()));
    let (mask_width, mask_height) = (i64::from(mask.width.max(1)), i64::from(mask.height.max(1)));
    let step_y = mask_height * LINES_APART;
    let step_x = mask_width + mask_height * 2;
    let mut y = -height;
    let mut line = 0;
    while y < height {
        let mut x = -(line % 3) * step_x / 3;
        while x < width {
            stamp(pixels, mask, x, y + x * LEAN / 256);
            x += step_x;
        }
        y += step_y;
        line += 1;
    }
}

fn stamp(pixels: &mut RgbImage, mask: &Mask, left: i64, top: i64) {
    for (at, coverage) in mask.coverage.iter().enumerate().filter(|(_, coverage)| **coverage > 0) {
        let at = at as i64;
        let (dx, dy) = (at % i64::from(mask.width), at / i64::from(mask.width));
        let (Ok(x), Ok(y)) = (u32::try_from(left + dx), u32::try_from(top + dy + dx * LEAN / 256)) else {
            continue;
        };
        if let Some(pixel) = pixels.get_pixel_mut_checked(x, y) {
            let part = STRENGTH * f32::from(*coverage) / 255.0;
            *pixel = blend(*pixel, part);
        }
    }
}

/// Dark on light paper, light on dark.
fn blend(Rgb(below): Rgb<u8>, part: f32) -> Rgb<u8> {
    let light = below.iter().map(|channel| u32::from(*channel)).sum::<u32>() / 3;
    let ink = if light > 110 { [150.0, 20.0, 20.0] } else { [255.0, 235.0, 235.0] };
    let mixed = |at: usize| (f32::from(below[at]) * (1.0 - part) + ink[at] * part) as u8;
    Rgb([mixed(0), mixed(1), mixed(2)])
}
