//! The arithmetic between the matrix products. Loops without branches over
//! slices, so that the compiler makes vector instructions of them.

use ndarray::{ArrayView2, ArrayViewMut1, ArrayViewMut2, linalg::general_mat_mul};

/// What stands between two layers of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activation {
    /// Gaussian error linear unit by the error function.
    Gelu,
    /// The same by its approximation with tanh.
    GeluTanh,
    /// Rectified linear unit.
    Relu,
    /// Sigmoid linear unit.
    Silu,
}

impl Activation {
    pub(super) fn apply(self, values: &mut [f32]) {
        match self {
            Self::Gelu => values.iter_mut().for_each(|value| *value = gelu(*value)),
            Self::GeluTanh => values.iter_mut().for_each(|value| *value = gelu_tanh(*value)),
            Self::Relu => values.iter_mut().for_each(|value| *value = value.max(0.0)),
            Self::Silu => values.iter_mut().for_each(|value| *value *= sigmoid(*value)),
        }
    }
}

/// `to = factor * left * right + keep * to`.
pub(super) fn multiply(
    factor: f32,
    left: &ArrayView2<'_, f32>,
    right: &ArrayView2<'_, f32>,
    keep: f32,
    to: &mut ArrayViewMut2<'_, f32>,
) {
    general_mat_mul(factor, left, right, keep, to);
}

/// e to the power of `x`, to within two units of the last place; after Cephes
/// (`expf`). Inputs beyond what a float can hold give 0 or infinity's
/// neighbour.
#[inline]
#[allow(
    clippy::excessive_precision,
    reason = "the digits are those of the published constants"
)]
fn exp(x: f32) -> f32 {
    /// Adding and taking it away again rounds to an integer.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let power = x * std::f32::consts::LOG2_E + ROUND - ROUND;
    let x = x - power * 0.693_359_375 + power * 2.121_944_4e-4;
    let mut poly = 1.987_569_150e-4;
    for coefficient in [
        1.398_199_950e-3,
        8.333_451_907e-3,
        4.166_579_589e-2,
        1.666_666_546e-1,
        5.000_000_120e-1,
    ] {
        poly = poly * x + coefficient;
    }
    let fraction = poly * x * x + x + 1.0;
    fraction * f32::from_bits(((power as i32 + 127) << 23) as u32)
}

#[inline]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[inline]
fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (exp(2.0 * x) + 1.0)
}

/// The error function, off by 1.5e-7 at most (Abramowitz and Stegun, 7.1.26).
#[inline]
fn erf(x: f32) -> f32 {
    let size = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * size);
    let mut poly = 1.061_405_4_f32;
    for coefficient in [-1.453_152_f32, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        poly = poly * t + coefficient;
    }
    (1.0 - poly * t * exp(-size * size)).copysign(x)
}

#[inline]
fn gelu(x: f32) -> f32 {
    0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))
}

#[inline]
fn gelu_tanh(x: f32) -> f32 {
    0.5 * x * (1.0 + tanh(0.797_884_6 * (x + 0.044_715 * x * x * x)))
}

/// tanh of each value.
pub(super) fn tanh_all(mut values: ArrayViewMut1<'_, f32>) {
    values.mapv_inplace(tanh);
}

/// Makes each row positive with the sum 1.
pub(super) fn softmax(rows: &mut [f32], width: usize) {
    for row in rows.chunks_exact_mut(width) {
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        row.iter_mut().for_each(|value| *value = exp(*value - max));
        let sum: f32 = sum(row);
        row.iter_mut().for_each(|value| *value /= sum);
    }
}

/// Mean 0 and variance 1 in each row, then scaled and shifted.
pub(super) fn normalize(rows: &mut [f32], scale: &[f32], shift: &[f32], epsilon: f32) {
    let width = scale.len();
    let mut squares = vec![0.0; width];
    for row in rows.chunks_exact_mut(width) {
        let mean = sum(row) / width as f32;
        for (square, value) in squares.iter_mut().zip(row.iter_mut()) {
            *value -= mean;
            *square = *value * *value;
        }
        let factor = 1.0 / (sum(&squares) / width as f32 + epsilon).sqrt();
        for ((value, scale), shift) in row.iter_mut().zip(scale).zip(shift) {
            *value = *value * factor * scale + shift;
        }
    }
}

/// In eight sums at a time: faster and closer than one after the other.
fn sum(values: &[f32]) -> f32 {
    let (eights, rest) = values.as_chunks::<8>();
    let mut sums = [0.0_f32; 8];
    for eight in eights {
        sums.iter_mut().zip(eight).for_each(|(sum, value)| *sum += value);
    }
    sums.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(left: f32, right: f64, within: f64) {
        let off = (f64::from(left) - right).abs();
        assert!(off <= within * right.abs().max(1.0), "{left} is not {right}");
    }

    #[test]
    fn functions_against_double_precision() {
        for step in -1_000..=1_000 {
            let x = f64::from(step) * 0.02;
            let single = x as f32;
            let double = f64::from(single);
            near(exp(single), double.exp(), 3e-7);
            near(sigmoid(single), 1.0 / (1.0 + (-double).exp()), 3e-7);
            near(tanh(single), double.tanh(), 5e-7);
            near(
                gelu(single),
                0.5 * double * (1.0 + erf_by_series(double / 2_f64.sqrt())),
                1e-6,
            );
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(-1e9) < 1e-37 && exp(1e9).is_finite());
    }

    /// Maclaurin's series near zero, 1 beyond where it differs in 12 digits.
    fn erf_by_series(x: f64) -> f64 {
        if x.abs() > 5.0 {
            return x.signum();
        }
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            let n = f64::from(n);
            term *= -x * x / n;
            sum += term / (2.0 * n + 1.0);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    }

    #[test]
    fn rows() {
        let mut rows = [0.0, 0.0, 1_000.0, 0.0];
        softmax(&mut rows, 2);
        assert_eq!(rows[..3], [0.5, 0.5, 1.0]);
        let mut rows = [1.0, 3.0, 5.0, 5.0];
        normalize(&mut rows, &[1.0, 2.0], &[0.0, 1.0], 1e-12);
        assert_eq!(rows, [-1.0, 3.0, 0.0, 1.0]);
        let values: Vec<f32> = (0..19).map(|value| value as f32).collect();
        assert_eq!(sum(&values), 171.0);
    }
}
