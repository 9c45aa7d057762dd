//! Quantiles and binomial chances, from `statrs`; what is undefined is NaN.

use statrs::{
    distribution::{Binomial, ContinuousCDF, Discrete, DiscreteCDF, Normal, StudentsT},
    function::factorial::ln_factorial,
};

/// 97.5 % point of the normal distribution: two-sided 95 %.
pub(crate) const Z: f64 = 1.959_963_984_540_054;

/// The point below which a normal variable lies with chance `share`.
pub(crate) fn normal_quantile(share: f64) -> f64 {
    Normal::standard().inverse_cdf(share)
}

/// Chance that a normal variable lies below `point`.
pub(crate) fn normal_below(point: f64) -> f64 {
    Normal::standard().cdf(point)
}

/// 97.5 % point of Student's t with `degrees` of freedom, which may be a fraction.
pub(crate) fn t_critical(degrees: f64) -> f64 {
    // bisection on the distribution function: statrs' own inverse stops at 1e-6 or so
    let Ok(t) = StudentsT::new(0.0, 1.0, degrees) else {
        return f64::NAN;
    };
    let (mut low, mut high) = (0.0, 2.0);
    while t.cdf(high) < 0.975 {
        high *= 2.0;
    }
    while high - low > 1e-13 * high {
        let middle = (low + high) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if t.cdf(middle) < 0.975 {
            low = middle
        } else {
            high = middle
        }
    }
    (low + high) / 2.0
}

/// Chance of exactly `hits` in `count` draws that hit with chance `share`.
pub(crate) fn binomial(count: u64, share: f64, hits: u64) -> f64 {
    Binomial::new(share, count).map_or(f64::NAN, |binomial| binomial.pmf(hits))
}

/// Chance of at most `hits` in `count` draws that hit with chance `share`.
pub(crate) fn binomial_up_to(count: u64, share: f64, hits: u64) -> f64 {
    Binomial::new(share, count).map_or(f64::NAN, |binomial| binomial.cdf(hits))
}

/// Chance of exactly `hits` in `count` tosses of a coin.
pub(crate) fn coin(count: u64, hits: u64) -> f64 {
    (ln_factorial(count)
        - ln_factorial(hits)
        - ln_factorial(count - hits)
        - count as f64 * 2_f64.ln())
    .exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_scipy() {
        let near = |found: f64, expected: f64| {
            assert!((found - expected).abs() < 1e-9, "{found} {expected}")
        };
        near(normal_quantile(0.8), 0.841_621_233_572_914_3);
        near(normal_below(-2.5), 0.006_209_665_325_776_132);
        near(Z, -normal_quantile(0.025));
        near(t_critical(1.0), 12.706_204_736_174_694);
        near(t_critical(2.5), 3.574_654_842_003_681_7);
        near(t_critical(9.0), 2.262_157_162_798_205);
        near(t_critical(499.0), 1.964_729_390_987_688_6);
        assert!(t_critical(0.0).is_nan());
        near(binomial(20, 0.3, 4), 0.130_420_974_373_870_4);
        near(binomial_up_to(20, 0.3, 4), 0.237_507_778_877_601_36);
        near(coin(57, 17), 0.000_968_992_147_507_459_7);
    }
}
