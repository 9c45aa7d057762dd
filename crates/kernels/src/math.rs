//! Vectorised functions over slices. Plain loops over fixed-width chunks, compiled for each
//! instruction set.

use std::mem::MaybeUninit;

/// Sixteen values at a time: one AVX-512 register, two of AVX2, four of anything.
const LANES: usize = 16;

/// Declares a function whose body is compiled for AVX-512 and AVX2 too, chosen at run time. The
/// results of the versions may differ in the last bit where a product and a sum are fused.
macro_rules! vectorised {
    ($(#[$doc:meta])* $vis:vis fn $name:ident($($arg:ident: $kind:ty),*) $(-> $ret:ty)? $body:block) => {
        $(#[$doc])*
        $vis fn $name($($arg: $kind),*) $(-> $ret)? {
            #[inline(always)]
            fn plain($($arg: $kind),*) $(-> $ret)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,fma")]
                fn avx512($($arg: $kind),*) $(-> $ret)? { plain($($arg),*) }
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $kind),*) $(-> $ret)? { plain($($arg),*) }
                let set = $crate::isa::instruction_set();
                if set >= $crate::isa::InstructionSet::Avx512 {
                    // SAFETY: a set in use is available.
                    return unsafe { avx512($($arg),*) };
                }
                if set == $crate::isa::InstructionSet::Avx2 {
                    // SAFETY: a set in use is available.
                    return unsafe { avx2($($arg),*) };
                }
            }
            plain($($arg),*)
        }
    };
}

pub(crate) use vectorised;

/// e^x to about two units in the last place for x in [-87, 88]; 0 below, and saturated above.
/// No branches, so that a loop over it vectorises. exp(0) is exactly 1.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // x = n ln 2 + r, |r| <= ln 2 / 2; the polynomial is the Taylor series of e^r to r^7
    // (remainder below 1e-8).
    let clamped = x.clamp(-87.33, 88.37);
    let n = (clamped * std::f32::consts::LOG2_E).round_ties_even();
    let r = (clamped - n * 0.693_145_75) - n * 1.428_606_8e-6;
    let p = 1.0 / 5040.0;
    let p = p * r + 1.0 / 720.0;
    let p = p * r + 1.0 / 120.0;
    let p = p * r + 1.0 / 24.0;
    let p = p * r + 1.0 / 6.0;
    let p = p * r + 0.5;
    let p = p * r + 1.0;
    let p = p * r + 1.0;
    // 2^n by its exponent bits: n + 1.5 * 2^23 holds the integer n in its low bits.
    let bits = ((n + 12_582_912.0).to_bits().wrapping_add(127)) << 23;
    let scaled = p * f32::from_bits(bits);
    if x < -87.33 { 0.0 } else { scaled }
}

/// tanh(x) to about three units in the last place: the polynomial of the Cephes library near 0,
/// where the difference of exponentials would lose digits, and the exponential beyond.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let s = x * x;
    let p = -5.704_988_7e-3;
    let p = p * s + 2.063_909e-2;
    let p = p * s - 5.373_971_6e-2;
    let p = p * s + 1.333_144_2e-1;
    let p = p * s - 3.333_328e-1;
    let near = p * s * x + x;
    let far = 1.0 - 2.0 / (exp(2.0 * x.abs()) + 1.0);
    if x.abs() < 0.625 {
        near
    } else {
        far.copysign(x)
    }
}

/// e^x - 1 - x for x <= 0, without the loss of digits near 0.
#[inline(always)]
fn exp_rest(x: f32) -> f32 {
    // The Taylor series from x² on, to x^9: its remainder is below 1e-9 for x >= -0.5.
    let p = 1.0 / 362_880.0;
    let p = p * x + 1.0 / 40_320.0;
    let p = p * x + 1.0 / 5040.0;
    let p = p * x + 1.0 / 720.0;
    let p = p * x + 1.0 / 120.0;
    let p = p * x + 1.0 / 24.0;
    let p = p * x + 1.0 / 6.0;
    let p = p * x + 0.5;
    let far = exp(x) - 1.0 - x;
    if x > -0.5 { p * x * x } else { far }
}

/// GELU's tanh approximation (arXiv 1606.08415) is x · sigmoid(2u); this is u and its slope.
#[inline(always)]
fn gelu_argument(x: f32) -> (f32, f32) {
    const ROOT: f32 = 0.797_884_6; // sqrt(2 / pi)
    const CUBE: f32 = 0.044_715;
    (
        ROOT * (x + CUBE * x * x * x),
        ROOT * (1.0 + 3.0 * CUBE * x * x),
    )
}

/// Sums the lanes in a fixed order.
#[inline(always)]
fn fold(lanes: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    let mut lanes = lanes;
    while width > 0 {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// Sum of `f` over pairs of values, in 16 lanes.
#[inline(always)]
fn sum_pairs(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (a16, a_rest) = a.as_chunks::<LANES>();
    let (b16, b_rest) = b.as_chunks::<LANES>();
    for (x, y) in a16.iter().zip(b16) {
        for i in 0..LANES {
            lanes[i] += f(x[i], y[i]);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(&x, &y)| f(x, y)).sum();
    fold(lanes) + rest
}

vectorised! {
    /// Inner product.
    pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 { sum_pairs(a, b, |x, y| x * y) }
}

vectorised! {
    /// Sum.
    pub(crate) fn sum(a: &[f32]) -> f32 { sum_pairs(a, a, |x, _| x) }
}

vectorised! {
    /// Largest value; -inf of nothing.
    pub(crate) fn max(a: &[f32]) -> f32 {
        let mut lanes = [f32::NEG_INFINITY; LANES];
        let (chunks, rest) = a.as_chunks::<LANES>();
        for x in chunks {
            for i in 0..LANES { lanes[i] = if x[i] > lanes[i] { x[i] } else { lanes[i] }; }
        }
        lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |m, &x| if x > m { x } else { m })
    }
}

vectorised! {
    /// `values = exp(values - shift)`; returns their sum.
    pub(crate) fn exp_sum(values: &mut [f32], shift: f32) -> f32 {
        let mut lanes = [0.0f32; LANES];
        let (chunks, rest) = values.as_chunks_mut::<LANES>();
        for x in chunks {
            for i in 0..LANES { x[i] = exp(x[i] - shift); lanes[i] += x[i]; }
        }
        let mut tail = 0.0;
        for x in rest { *x = exp(*x - shift); tail += *x; }
        fold(lanes) + tail
    }
}

vectorised! {
    /// `values *= factor`.
    pub(crate) fn scale(values: &mut [f32], factor: f32) -> () { for x in values { *x *= factor; } }
}

vectorised! {
    /// `values += shift`.
    pub(crate) fn shift(values: &mut [f32], shift: f32) -> () { for x in values { *x += shift; } }
}

vectorised! {
    /// `out = a + shift`.
    pub(crate) fn shifted(a: &[f32], shift: f32, out: &mut [MaybeUninit<f32>]) -> () {
        for (o, x) in out.iter_mut().zip(a) { o.write(x + shift); }
    }
}

vectorised! {
    /// `values *= factor * b`.
    pub(crate) fn scale_by(values: &mut [f32], factor: f32, b: &[f32]) -> () {
        for (x, y) in values.iter_mut().zip(b) { *x = *x * factor * y; }
    }
}

vectorised! {
    /// `values = cap * tanh(values * factor / cap)`.
    pub(crate) fn soft_cap(values: &mut [f32], factor: f32, cap: f32) -> () {
        let inner = factor / cap;
        for x in values { *x = cap * tanh(*x * inner); }
    }
}

vectorised! {
    /// Slope of [`soft_cap`] without its factor, from its results: `d *= 1 - (capped / cap)²`.
    pub(crate) fn soft_cap_backward(capped: &[f32], cap: f32, d: &mut [f32]) -> () {
        let inverse = 1.0 / cap;
        for (d, c) in d.iter_mut().zip(capped) {
            let t = c * inverse;
            *d *= 1.0 - t * t;
        }
    }
}

vectorised! {
    /// `out += a`.
    pub(crate) fn add(a: &[f32], out: &mut [f32]) -> () { for (o, x) in out.iter_mut().zip(a) { *o += x; } }
}

vectorised! {
    /// `out = a * b`.
    pub(crate) fn product(a: &[f32], b: &[f32], out: &mut [MaybeUninit<f32>]) -> () {
        for ((o, x), y) in out.iter_mut().zip(a).zip(b) { o.write(x * y); }
    }
}

vectorised! {
    /// `out = a * factor * b`.
    pub(crate) fn scaled_product(a: &[f32], factor: f32, b: &[f32], out: &mut [MaybeUninit<f32>]) -> () {
        for ((o, x), y) in out.iter_mut().zip(a).zip(b) { o.write(x * factor * y); }
    }
}

vectorised! {
    /// `d = start + d * inverse - x * slope`; an empty `start` is 0.
    pub(crate) fn norm_backward(x: &[f32], start: &[f32], inverse: f32, slope: f32, d: &mut [f32]) -> () {
        if start.is_empty() {
            for (d, x) in d.iter_mut().zip(x) { *d = *d * inverse - x * slope; }
        } else {
            for ((d, x), s) in d.iter_mut().zip(x).zip(start) { *d = s + (*d * inverse - x * slope); }
        }
    }
}

vectorised! {
    /// Rotates `low` and `high` by the angles of these cosines and sines, the sines times `sign`.
    pub(crate) fn rotate(low: &mut [f32], high: &mut [f32], cos: &[f32], sin: &[f32], sign: f32) -> () {
        for (((a, b), c), s) in low.iter_mut().zip(high).zip(cos).zip(sin) {
            let s = s * sign;
            (*a, *b) = (*a * c - *b * s, *b * c + *a * s);
        }
    }
}

vectorised! {
    /// As [`rotate`], of neighbours: each even element with the one behind it.
    pub(crate) fn rotate_pairs(values: &mut [f32], cos: &[f32], sin: &[f32], sign: f32) -> () {
        for ((pair, c), s) in values.as_chunks_mut::<2>().0.iter_mut().zip(cos).zip(sin) {
            let s = s * sign;
            let [a, b] = *pair;
            *pair = [a * c - b * s, b * c + a * s];
        }
    }
}

vectorised! {
    /// `out = silu(gate) * up`, silu(x) = x / (1 + e^-x).
    pub(crate) fn swiglu(gate: &[f32], up: &[f32], out: &mut [MaybeUninit<f32>]) -> () {
        for ((o, &g), &u) in out.iter_mut().zip(gate).zip(up) { o.write(g / (1.0 + exp(-g)) * u); }
    }
}

vectorised! {
    /// Gradients of [`swiglu`]: `d` holds dL/dout on entry and dL/dgate on return; `d_up`
    /// receives dL/dup.
    pub(crate) fn swiglu_backward(gate: &[f32], up: &[f32], d: &mut [f32], d_up: &mut [MaybeUninit<f32>]) -> () {
        for (((d, du), &g), &u) in d.iter_mut().zip(d_up).zip(gate).zip(up) {
            let s = 1.0 / (1.0 + exp(-g));
            let silu = g * s;
            du.write(*d * silu);
            *d = *d * u * (s + silu * (1.0 - s));
        }
    }
}

vectorised! {
    /// `out = gelu(gate) * up`, by the tanh approximation.
    pub(crate) fn geglu(gate: &[f32], up: &[f32], out: &mut [MaybeUninit<f32>]) -> () {
        for ((o, &g), &u) in out.iter_mut().zip(gate).zip(up) {
            let (inner, _) = gelu_argument(g);
            o.write(g / (1.0 + exp(-2.0 * inner)) * u);
        }
    }
}

vectorised! {
    /// Gradients of [`geglu`], as [`swiglu_backward`].
    pub(crate) fn geglu_backward(gate: &[f32], up: &[f32], d: &mut [f32], d_up: &mut [MaybeUninit<f32>]) -> () {
        for (((d, du), &g), &u) in d.iter_mut().zip(d_up).zip(gate).zip(up) {
            let (inner, slope) = gelu_argument(g);
            let s = 1.0 / (1.0 + exp(-2.0 * inner));
            du.write(*d * (g * s));
            *d = *d * u * (s + 2.0 * g * s * (1.0 - s) * slope);
        }
    }
}

vectorised! {
    /// xIELU (arXiv 2411.13010): `out = p x² + b x` above 0, `n (e^x - 1 - x) + b x` below.
    pub(crate) fn xielu(x: &[f32], p: f32, n: f32, b: f32, out: &mut [MaybeUninit<f32>]) -> () {
        for (o, &x) in out.iter_mut().zip(x) {
            let below = n * exp_rest(x.min(0.0));
            let above = p * x * x;
            o.write(if x > 0.0 { above } else { below } + b * x);
        }
    }
}

vectorised! {
    /// Gradient of [`xielu`]: `d` holds dL/dout on entry and dL/dx on return.
    pub(crate) fn xielu_backward(x: &[f32], p: f32, n: f32, b: f32, d: &mut [f32]) -> () {
        for (d, &x) in d.iter_mut().zip(x) {
            let low = x.min(0.0);
            let slope = if x > 0.0 { 2.0 * p * x } else { n * (exp_rest(low) + low) };
            *d *= slope + b;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tanh_and_the_rest_of_the_exponential_are_close_everywhere() {
        for at in -4000..4000 {
            let x = at as f32 * 0.005;
            let want = f64::from(x).tanh();
            let off = (f64::from(tanh(x)) - want).abs();
            assert!(off <= 4e-7 * want.abs(), "tanh({x}): {off}");
            let x = -x.abs();
            let want = f64::from(x).exp_m1() - f64::from(x);
            let off = (f64::from(exp_rest(x)) - want).abs();
            assert!(off <= 2e-6 * want, "exp_rest({x}): {off} of {want}");
        }
        assert_eq!((tanh(100.0), tanh(-100.0), exp_rest(0.0)), (1.0, -1.0, 0.0));
    }

    #[test]
    fn exp_is_close_everywhere_and_exact_at_zero() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-1000.0), 0.0);
        assert!(exp(f32::NAN).is_nan());
        let mut x = -87.0f32;
        while x < 88.0 {
            let want = f64::from(x).exp();
            assert!(
                ((f64::from(exp(x)) - want) / want).abs() < 4e-7,
                "exp({x}) = {} not {want}",
                exp(x)
            );
            x += 0.0173;
        }
    }

    #[test]
    fn sums_and_maxima_of_any_length() {
        for n in [0usize, 1, 15, 16, 17, 100] {
            let a: Vec<f32> = (0..n).map(|i| i as f32 * 0.5 - 3.0).collect();
            let want: f32 = a.iter().map(|x| x * x).sum();
            assert!((dot(&a, &a) - want).abs() <= 1e-3 * want.max(1.0));
            assert_eq!(max(&a), a.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            let mut b = a.clone();
            let want: f64 = a.iter().map(|&x| f64::from(x - 1.0).exp()).sum();
            assert!((f64::from(exp_sum(&mut b, 1.0)) - want).abs() <= 1e-5 * want.max(1.0));
        }
    }
}
