//! Pictures as a customer has them: invented cards and papers in colour, and a letter that was printed, stamped and photographed.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use image::{ImageFormat, Rgb, RgbImage};

use crate::process::run;

const RED: Rgb<u8> = Rgb([208, 32, 38]);

/// A coloured picture of a card, as JPEG: fields in the given tint, nobody's face.
///
/// # Errors
/// It cannot be written.
pub fn card(file: &Path, tint: [u8; 3]) -> Result<PathBuf> {
    let mut picture = RgbImage::from_fn(1000, 640, |x, y| {
        let shade = u8::try_from((x / 100 + y / 100) % 3 * 8).unwrap_or_default();
        Rgb(tint.map(|part| part.saturating_sub(shade)))
    });
    for row in 0..5 {
        rectangle(&mut picture, (80, 80 + row * 100), (360, 36), Rgb([60, 60, 70]));
    }
    rectangle(&mut picture, (660, 100), (240, 320), Rgb([235, 200, 170]));
    picture.save_with_format(file, ImageFormat::Jpeg)?;
    Ok(file.to_owned())
}

/// A page of a PDF, printed, stamped in red at the given places (in parts of its width and height), and photographed.
///
/// # Errors
/// `pdftoppm` cannot read it.
pub fn stamped(pdf: &Path, page: u32, places: &[(f32, f32)], file: &Path) -> Result<PathBuf> {
    let stem = file.with_extension("");
    let number = page.to_string();
    let mut command = Command::new("pdftoppm");
    command.args(["-r", "110", "-png", "-singlefile", "-f", &number, "-l", &number]).arg(pdf).arg(&stem);
    run("pdftoppm", &mut command, None)?;
    let printed = stem.with_extension("png");
    let mut paper = image::open(&printed).with_context(|| printed.display().to_string())?.to_rgb8();
    for (across, down) in places {
        let (width, height) = paper.dimensions();
        ring(&mut paper, (across * width as f32, down * height as f32), width as f32 / 12.0);
    }
    paper.save_with_format(file, ImageFormat::Jpeg)?;
    Ok(file.to_owned())
}

/// What can be read in a PDF.
///
/// # Errors
/// `pdftotext` cannot read it.
pub fn words(pdf: &Path) -> Result<String> {
    run("pdftotext", Command::new("pdftotext").arg("-layout").arg(pdf).arg("-"), None)
}

fn rectangle(picture: &mut RgbImage, (left, top): (u32, u32), (width, height): (u32, u32), colour: Rgb<u8>) {
    for y in top..top + height {
        for x in left..left + width {
            picture.put_pixel(x, y, colour);
        }
    }
}

fn ring(paper: &mut RgbImage, (x, y): (f32, f32), radius: f32) {
    for (across, down, pixel) in paper.enumerate_pixels_mut() {
        let distance = (across as f32 - x).hypot(down as f32 - y);
        let is_rim = (radius * 0.9..radius).contains(&distance);
        let is_star = distance < radius * 0.3;
        if is_rim || is_star {
            *pixel = RED;
        }
    }
}
